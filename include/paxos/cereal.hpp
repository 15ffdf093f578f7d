// Copyright (c) the paxos authors. MIT licence.
#pragma once

// What cereal can serialise, as a command, a result or a part of the state: all of <cereal/types/….hpp>, each once that
// header is included, and types with cereal's functions beside them, once <cereal/cereal.hpp> is. Without this header
// the archive knows only what core/archive.hpp names.
//
// It names what it takes from cereal, and includes its macros alone: cereal costs a file as much as half of Asio does,
// and most machines need none. What is named here is defined by the time a type that needs it is serialised.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <cereal/macros.hpp>

#include <paxos/core/archive.hpp>

/// @cond
namespace cereal {
template <class Archive, std::uint32_t Flags>
class OutputArchive;
template <class Archive, std::uint32_t Flags>
class InputArchive;
template <class T>
class NameValuePair;
template <class T>
struct BinaryData;
template <class T>
class SizeTag;
namespace traits {
template <class T, class Archive>
struct is_output_serializable;
template <class T, class Archive>
struct is_input_serializable;
namespace detail {
template <class InputArchive>
struct get_output_from_input;
template <class OutputArchive>
struct get_input_from_output;
}  // namespace detail
}  // namespace traits
}  // namespace cereal
/// @endcond

namespace paxos::detail {

/// cereal::AllowEmptyClassElision: a class without members needs no functions.
inline constexpr std::uint32_t cereal_flags = 1;

/// An archive of cereal's that writes into an Encoder. Lives as long as that: cereal writes the version of a class, and
/// an object that several pointers share, once for an archive.
template <class Target>
class CerealWriterInto : public cereal::OutputArchive<CerealWriterInto<Target>, cereal_flags> {
 public:
  explicit CerealWriterInto(Target& target)
      : cereal::OutputArchive<CerealWriterInto, cereal_flags>(this), target_(target) {}
  [[nodiscard]] Target& target() { return target_; }

 private:
  Target& target_;
};
using CerealWriter = CerealWriterInto<Encoder>;

template <class Source>
class CerealReaderFrom : public cereal::InputArchive<CerealReaderFrom<Source>, cereal_flags> {
 public:
  explicit CerealReaderFrom(Source& source)
      : cereal::InputArchive<CerealReaderFrom, cereal_flags>(this), source_(source) {}
  [[nodiscard]] Source& source() { return source_; }

 private:
  Source& source_;
};
using CerealReader = CerealReaderFrom<Decoder>;

template <class T>
struct IncludePaxosCerealFor {
  /// Some header of cereal's is included as well.
  static constexpr bool has_cereal = requires { sizeof(cereal::SizeTag<const T*>); };
  /// A class without members needs none.
  static constexpr bool has_functions = [] {
    if constexpr (std::is_empty_v<T> || !has_cereal) {
      return std::is_empty_v<T>;
    } else {
      return cereal::traits::is_output_serializable<T, CerealWriter>::value &&
             cereal::traits::is_input_serializable<T, CerealReader>::value;
    }
  }();
  static void save(Encoder& encoder, const T& value) { encoder.cereal_.over<CerealWriter>(encoder)(value); }
  static void load(Decoder& decoder, T& value) { decoder.cereal_.over<CerealReader>(decoder)(value); }
};

// What cereal asks of an archive.
template <class Target, class T>
  requires Scalar<T> || std::same_as<T, Bytes>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriterInto<Target>& archive, const T& value) {
  archive.target()(value);
}
template <class Source, class T>
  requires Scalar<T> || std::same_as<T, Bytes>
void CEREAL_LOAD_FUNCTION_NAME(CerealReaderFrom<Source>& archive, T& value) {
  archive.source()(value);
}
template <class Target, class Traits, class Allocator>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriterInto<Target>& archive,
                               const std::basic_string<char, Traits, Allocator>& text) {
  archive.target().length(text.size());
  archive.target().raw(text.data(), text.size());
}
template <class Source, class Traits, class Allocator>
void CEREAL_LOAD_FUNCTION_NAME(CerealReaderFrom<Source>& archive, std::basic_string<char, Traits, Allocator>& text) {
  const auto bytes = archive.source().take(archive.source().length());
  text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
template <class Target, class T>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriterInto<Target>& archive, const cereal::SizeTag<T>& size) {
  archive.target().length(static_cast<std::uint64_t>(size.size));
}
template <class Source, class T>
void CEREAL_LOAD_FUNCTION_NAME(CerealReaderFrom<Source>& archive, cereal::SizeTag<T>& size) {
  size.size = static_cast<std::remove_reference_t<T>>(archive.source().length());
}
template <class Target, class T>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriterInto<Target>& archive, const cereal::BinaryData<T>& data) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian; swap the elements here");
  archive.target().raw(data.data, static_cast<std::size_t>(data.size));
}
template <class Source, class T>
void CEREAL_LOAD_FUNCTION_NAME(CerealReaderFrom<Source>& archive, cereal::BinaryData<T>& data) {
  archive.source().raw(data.data, static_cast<std::size_t>(data.size));
}
template <class Archive, class T>
  requires std::same_as<Archive, CerealWriter> || std::same_as<Archive, CerealReader>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class Target, class T, class Allocator>
  requires(is_vector<std::vector<T, Allocator>>)
void CEREAL_SAVE_FUNCTION_NAME(CerealWriterInto<Target>& archive, const std::vector<T, Allocator>& elements) {
  if constexpr (is_copied_whole<T>) {
    archive.target()(elements);
  } else {
    archive.target().length(elements.size());
    for (const T& element : elements) archive(element);
  }
}
/// Grows with the elements that are really there, so that a count alone buys no memory.
template <class Source, class T, class Allocator>
  requires(is_vector<std::vector<T, Allocator>>)
void CEREAL_LOAD_FUNCTION_NAME(CerealReaderFrom<Source>& archive, std::vector<T, Allocator>& elements) {
  if constexpr (is_copied_whole<T>) {
    archive.source()(elements);
  } else {
    elements.clear();
    const std::uint32_t count = archive.source().length();
    for (std::uint32_t i = 0; i < count && archive.source().ok(); ++i) archive(elements.emplace_back());
  }
}

}  // namespace paxos::detail

/// @cond
// CEREAL_SETUP_ARCHIVE_TRAITS, which is not defined yet.
template <>
struct cereal::traits::detail::get_output_from_input<paxos::detail::CerealReader> {
  using type = paxos::detail::CerealWriter;
};
template <>
struct cereal::traits::detail::get_input_from_output<paxos::detail::CerealWriter> {
  using type = paxos::detail::CerealReader;
};
/// @endcond
