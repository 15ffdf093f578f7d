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
#include <string>
#include <type_traits>
#include <vector>

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

namespace detail {

/// How to write and read the types that this file does not know and that have no member serialize(): those of the
/// standard library and of others, which cereal knows. Its definition is in <paxos/cereal.hpp>, which <paxos/paxos.hpp>
/// includes; the type needs its <cereal/types/….hpp> as well.
template <class T>
struct IncludePaxosCerealFor;

/// <paxos/cereal.hpp> and a header of cereal's are included: what cereal thinks of T it says itself.
template <class T>
inline constexpr bool is_left_to_cereal = requires { requires IncludePaxosCerealFor<T>::has_cereal; };
/// And it has what it takes to write and read T, a class.
template <class T>
inline constexpr bool has_functions_of_cereal = requires { requires IncludePaxosCerealFor<T>::has_functions; };

template <class T>
inline constexpr bool is_vector = false;
template <class T, class Allocator>
inline constexpr bool is_vector<std::vector<T, Allocator>> = !std::same_as<T, bool>;

/// The archive of another library that works on one of ours: what it remembers of an encoding lives as long as that.
class ForeignArchive {
 public:
  ForeignArchive() = default;
  ForeignArchive(const ForeignArchive&) = delete;
  ForeignArchive& operator=(const ForeignArchive&) = delete;
  ~ForeignArchive() {
    if (archive_ != nullptr) destroy_(archive_);
  }

  /// Always the same one, made when it is asked for first; of one type only.
  template <class Archive, class Ours>
  [[nodiscard]] Archive& over(Ours& ours) {
    if (archive_ == nullptr) {
      archive_ = new Archive(ours);
      destroy_ = [](void* archive) { delete static_cast<Archive*>(archive); };
    }
    return *static_cast<Archive*>(archive_);
  }

 private:
  void* archive_ = nullptr;
  void (*destroy_)(void*) = nullptr;
};

/// What an array of T holds in memory is its encoding, and any bytes are an array of T.
template <class T>
inline constexpr bool is_copied_whole = (Scalar<T> && !std::same_as<T, bool> && sizeof(T) <= 8 &&
                                         (sizeof(T) == 1 || std::endian::native == std::endian::little)) ||
                                        std::same_as<T, std::byte>;

}  // namespace detail

/// Writes values, field by field, as this library's one binary format: fixed-width little-endian numbers, lengths
/// as 32-bit counts, no padding, no type names. The same fields serve the wire and the disk.
///
/// Knows numbers, enumerations, Bytes, std::string, std::vector, and types with a member serialize(archive), or save()
/// and load(); a class without members needs neither, and takes no bytes. For all else it asks cereal
/// (<paxos/cereal.hpp>).
class Encoder {
 public:
  using is_loading = std::false_type;
  using is_saving = std::true_type;

  explicit Encoder(Buffer& out) : out_(out) {}  ///< `out` must outlive it; bytes are added at its end
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  template <class... T>
  Encoder& operator()(const T&... values) {
    (write(values), ...);
    return *this;
  }

  /// Little-endian, in as many bytes as T has.
  template <detail::Scalar T>
  void number(T value) {
    static_assert(sizeof(T) <= 8, "Encoder: long double has no portable width; use double");
    using Unsigned = detail::UnsignedOf<sizeof(T)>;
    const auto little = detail::little_endian(std::bit_cast<Unsigned>(value));
    raw(&little, sizeof little);
  }
  /// `size` bytes as they are, without their number.
  template <class Byte = std::byte>
  void raw(const void* data, std::size_t size) {
    if (size == 0) return;
    const auto* first = static_cast<const Byte*>(data);
    out_.insert(out_.end(), first, first + size);
  }
  /// The number of bytes or elements that follow: 32 bits. More than 4 GiB is an InvariantViolation.
  void length(std::uint64_t size) {
    ensure(size <= std::numeric_limits<std::uint32_t>::max(),
           "Encoder: a length above 4 GiB has no place in the format");
    number(static_cast<std::uint32_t>(size));
  }

 private:
  template <class T>
  void write(const T& value) {
    if constexpr (detail::Scalar<T>) {
      number(value);
    } else if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::same_as<T, Bytes> || std::same_as<T, std::string>) {
      length(value.size());
      raw(value.data(), value.size());
    } else if constexpr (detail::is_vector<T>) {
      length(value.size());
      if constexpr (detail::is_copied_whole<typename T::value_type>) {
        raw(value.data(), value.size() * sizeof(typename T::value_type));
      } else {
        for (const auto& element : value) write(element);
      }
    } else if constexpr (requires { const_cast<T&>(value).serialize(*this); }) {
      const_cast<T&>(value).serialize(*this);
    } else if constexpr (requires { value.save(*this); }) {
      value.save(*this);
    } else if constexpr (!std::is_empty_v<T> || detail::is_left_to_cereal<T>) {
      static_assert(detail::is_left_to_cereal<T>,
                    "The archive cannot serialise T, see the type named beside write() or read(): give it a member "
                    "serialize(Archive&), or include <paxos/cereal.hpp> and the header <cereal/types/....hpp> of it");
      if constexpr (detail::is_left_to_cereal<T>) detail::IncludePaxosCerealFor<T>::save(*this, value);
    }
  }

  template <class T>
  friend struct detail::IncludePaxosCerealFor;

  Buffer& out_;
  detail::ForeignArchive cereal_;
};

/// Reads what Encoder wrote, from bytes that nobody vouches for. A length is checked against the bytes that are
/// left before anything is allocated for it. The first error sticks: from there every number reads as 0 and every
/// length as 0, and ok() is false. Nothing is thrown.
class Decoder {
 public:
  using is_loading = std::true_type;
  using is_saving = std::false_type;

  explicit Decoder(std::span<const std::byte> bytes) : left_(bytes) {}  ///< the bytes must outlive it
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  template <class... T>
  Decoder& operator()(T&&... values) {
    (read(values), ...);
    return *this;
  }

  /// False once anything was missing or wrong; values read after that are meaningless.
  [[nodiscard]] bool ok() const { return ok_; }
  /// ok(), and every byte was used.
  [[nodiscard]] bool finished() const { return ok_ && left_.empty(); }
  [[nodiscard]] std::span<const std::byte> left() const { return left_; }  ///< what was not read yet
  /// For a value that cannot be: from here on nothing is read, and ok() is false.
  void fail() {
    ok_ = false;
    left_ = {};
  }

  /// Fails when fewer bytes are left, and for a bool that is neither 0 nor 1.
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
  /// `size` bytes as they are; fails when fewer are left.
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
  /// The next bytes, in place; fails, and gives none, when fewer are left.
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
  template <class T>
  void read(T& value) {
    if constexpr (detail::Scalar<T>) {
      number(value);
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> underlying{};
      number(underlying);
      value = static_cast<T>(underlying);
    } else if constexpr (std::same_as<T, Bytes>) {
      value = Bytes{take(length())};
    } else if constexpr (std::same_as<T, std::string>) {
      const auto bytes = take(length());
      value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else if constexpr (detail::is_vector<T>) {
      read_elements(value);
    } else if constexpr (requires { value.serialize(*this); }) {
      value.serialize(*this);
    } else if constexpr (requires { value.load(*this); }) {
      value.load(*this);
    } else if constexpr (!std::is_empty_v<T> || detail::is_left_to_cereal<T>) {
      static_assert(detail::is_left_to_cereal<T>,
                    "The archive cannot serialise T, see the type named beside write() or read(): give it a member "
                    "serialize(Archive&), or include <paxos/cereal.hpp> and the header <cereal/types/....hpp> of it");
      if constexpr (detail::is_left_to_cereal<T>) detail::IncludePaxosCerealFor<T>::load(*this, value);
    }
  }

  /// Grows with the elements that are really there, so that a count alone buys no memory.
  template <class T, class Allocator>
  void read_elements(std::vector<T, Allocator>& elements) {
    elements.clear();
    const std::uint32_t count = length();
    if constexpr (detail::is_copied_whole<T>) {
      const auto bytes = take(count * sizeof(T));
      elements.resize(bytes.size() / sizeof(T));
      if (!bytes.empty()) std::memcpy(elements.data(), bytes.data(), bytes.size());
    } else {
      for (std::uint32_t i = 0; i < count && ok_; ++i) read(elements.emplace_back());
    }
  }

  template <class T>
  friend struct detail::IncludePaxosCerealFor;

  std::span<const std::byte> left_;
  bool ok_ = true;
  detail::ForeignArchive cereal_;
};

/// Appends the bytes of `value` to `out`.
template <class T>
void encode(Buffer& out, const T& value) {
  Encoder encoder{out};
  encoder(value);
}

/// As encode(), into bytes of their own.
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
