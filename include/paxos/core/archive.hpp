// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <paxos/core/bytes.hpp>
#include <paxos/core/ensure.hpp>

namespace paxos {

namespace detail {

template <class T>
concept Scalar = std::is_arithmetic_v<T>;

template <std::size_t Size>
using UnsignedOf = std::conditional_t<
    Size == 1, std::uint8_t,
    std::conditional_t<Size == 2, std::uint16_t, std::conditional_t<Size == 4, std::uint32_t, std::uint64_t>>>;

/// Little-endian in memory, whatever the machine is. `Size` is 1, 2, 4 or 8.
template <class Unsigned>
constexpr Unsigned little_endian(Unsigned value) {
  if constexpr (std::endian::native == std::endian::little || sizeof(Unsigned) == 1) {
    return value;
  } else {
    Unsigned swapped = 0;
    for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
      swapped = static_cast<Unsigned>((swapped << 8) | ((value >> (8 * i)) & 0xff));
    return swapped;
  }
}

}  // namespace detail

/// A growing buffer of bytes that an Encoder writes into.
using Buffer = std::vector<std::byte>;

/// Writes values, field by field, as this library's one binary format: fixed-width little-endian numbers, lengths
/// as 32-bit counts, no padding, no type names. The same fields serve the wire and the disk.
class Encoder : public cereal::OutputArchive<Encoder, cereal::AllowEmptyClassElision> {
 public:
  explicit Encoder(Buffer& out) : OutputArchive(this), out_(out) {}

  template <detail::Scalar T>
  void number(T value) {
    static_assert(sizeof(T) <= 8, "Encoder: long double has no portable width; use double");
    using Unsigned = detail::UnsignedOf<sizeof(T)>;
    const auto little = detail::little_endian(std::bit_cast<Unsigned>(value));
    raw(&little, sizeof little);
  }
  void raw(const void* data, std::size_t size) {
    if (size == 0) return;
    const auto* first = static_cast<const std::byte*>(data);
    out_.insert(out_.end(), first, first + size);
  }
  void length(std::uint64_t size) {
    ensure(size <= std::numeric_limits<std::uint32_t>::max(),
           "Encoder: a length above 4 GiB has no place in the format");
    number(static_cast<std::uint32_t>(size));
  }

 private:
  Buffer& out_;
};

/// Reads what Encoder wrote, from bytes that nobody vouches for. A length is checked against the bytes that are
/// left before anything is allocated for it. The first error sticks: from there every number reads as 0 and every
/// length as 0, and ok() is false. Nothing is thrown.
class Decoder : public cereal::InputArchive<Decoder, cereal::AllowEmptyClassElision> {
 public:
  explicit Decoder(std::span<const std::byte> bytes) : InputArchive(this), left_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  /// ok(), and every byte was used.
  [[nodiscard]] bool finished() const { return ok_ && left_.empty(); }
  [[nodiscard]] std::span<const std::byte> left() const { return left_; }
  void fail() {
    ok_ = false;
    left_ = {};
  }

  template <detail::Scalar T>
  void number(T& value) {
    using Unsigned = detail::UnsignedOf<sizeof(T)>;
    Unsigned little = 0;
    raw(&little, sizeof little);
    const auto bits = detail::little_endian(little);
    if constexpr (std::same_as<T, bool>) {
      if (bits > 1) fail();
      value = bits == 1;
    } else {
      value = std::bit_cast<T>(bits);
    }
  }
  void raw(void* data, std::size_t size) {
    if (size > left_.size()) {
      fail();
      std::memset(data, 0, size);
      return;
    }
    if (size == 0) return;
    std::memcpy(data, left_.data(), size);
    left_ = left_.subspan(size);
  }
  /// A count of elements of at least one byte each: never more than the bytes that are left.
  [[nodiscard]] std::uint32_t length() {
    std::uint32_t size = 0;
    number(size);
    if (size > left_.size()) {
      fail();
      return 0;
    }
    return size;
  }
  [[nodiscard]] std::span<const std::byte> take(std::size_t size) {
    if (size > left_.size()) {
      fail();
      return {};
    }
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

 private:
  std::span<const std::byte> left_;
  bool ok_ = true;
};

// What cereal asks of an archive.
template <detail::Scalar T>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& archive, const T& value) {
  archive.number(value);
}
template <detail::Scalar T>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& archive, T& value) {
  archive.number(value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& archive, const cereal::SizeTag<T>& size) {
  archive.length(static_cast<std::uint64_t>(size.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& archive, cereal::SizeTag<T>& size) {
  size.size = static_cast<std::remove_reference_t<T>>(archive.length());
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& archive, const cereal::BinaryData<T>& data) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian; swap the elements here");
  archive.raw(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& archive, cereal::BinaryData<T>& data) {
  archive.raw(data.data, static_cast<std::size_t>(data.size));
}
template <class Archive, class T>
  requires std::same_as<Archive, Encoder> || std::same_as<Archive, Decoder>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
inline void CEREAL_SAVE_FUNCTION_NAME(Encoder& archive, const Bytes& bytes) {
  archive.length(bytes.size());
  archive.raw(bytes.data(), bytes.size());
}
inline void CEREAL_LOAD_FUNCTION_NAME(Decoder& archive, Bytes& bytes) { bytes = Bytes{archive.take(archive.length())}; }
/// Grows with the elements that are really there, so that a count alone buys no memory.
template <class T, class Allocator>
  requires(!detail::Scalar<T>)
void CEREAL_LOAD_FUNCTION_NAME(Decoder& archive, std::vector<T, Allocator>& elements) {
  elements.clear();
  const std::uint32_t count = archive.length();
  for (std::uint32_t i = 0; i < count && archive.ok(); ++i) archive(elements.emplace_back());
}

/// Appends the bytes of `value` to `out`.
template <class T>
void encode(Buffer& out, const T& value) {
  Encoder encoder{out};
  encoder(value);
}

template <class T>
[[nodiscard]] Bytes encoded(const T& value) {
  Buffer out;
  encode(out, value);
  return Bytes{out};
}

/// False when `bytes` are not exactly one T; `value` is then unspecified but valid. The types of others may throw while
/// they are read, as cereal's own for std::variant do: such bytes are no T either.
template <class T>
[[nodiscard]] bool decode(std::span<const std::byte> bytes, T& value) {
  Decoder decoder{bytes};
#if defined(__cpp_exceptions)
  try {
    decoder(value);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
#else
  decoder(value);
#endif
  return decoder.finished();
}

}  // namespace paxos

CEREAL_SETUP_ARCHIVE_TRAITS(paxos::Decoder, paxos::Encoder)
