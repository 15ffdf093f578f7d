// Copyright (c) the paxos authors. MIT licence.
#pragma once

// What cereal can serialise, as a command, a result or a part of the state: all of <cereal/types/…>, and types with
// cereal's functions beside them. Without this header the archive knows only what core/archive.hpp names.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <paxos/core/archive.hpp>

namespace paxos::detail {

/// An archive of cereal's that writes into an Encoder. Lives as long as that: cereal writes the version of a class, and
/// an object that several pointers share, once for an archive.
class CerealWriter : public cereal::OutputArchive<CerealWriter, cereal::AllowEmptyClassElision> {
 public:
  explicit CerealWriter(Encoder& target) : OutputArchive(this), target_(target) {}
  [[nodiscard]] Encoder& target() { return target_; }

 private:
  Encoder& target_;
};

class CerealReader : public cereal::InputArchive<CerealReader, cereal::AllowEmptyClassElision> {
 public:
  explicit CerealReader(Decoder& source) : InputArchive(this), source_(source) {}
  [[nodiscard]] Decoder& source() { return source_; }

 private:
  Decoder& source_;
};

template <class T>
struct IncludePaxosCerealFor {
  /// A class without members needs none.
  static constexpr bool has_functions =
      std::is_empty_v<T> || (cereal::traits::is_output_serializable<T, CerealWriter>::value &&
                             cereal::traits::is_input_serializable<T, CerealReader>::value);
  static void save(Encoder& encoder, const T& value) { archive_of<CerealWriter>(encoder)(value); }
  static void load(Decoder& decoder, T& value) { archive_of<CerealReader>(decoder)(value); }

 private:
  template <class Archive, class Ours>
  static Archive& archive_of(Ours& ours) {
    if (!ours.cereal_) ours.cereal_ = std::make_shared<Archive>(ours);
    return *static_cast<Archive*>(ours.cereal_.get());
  }
};

// What cereal asks of an archive.
template <class T>
  requires Scalar<T> || std::same_as<T, Bytes>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriter& archive, const T& value) {
  archive.target()(value);
}
template <class T>
  requires Scalar<T> || std::same_as<T, Bytes>
void CEREAL_LOAD_FUNCTION_NAME(CerealReader& archive, T& value) {
  archive.source()(value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriter& archive, const cereal::SizeTag<T>& size) {
  archive.target().length(static_cast<std::uint64_t>(size.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(CerealReader& archive, cereal::SizeTag<T>& size) {
  size.size = static_cast<std::remove_reference_t<T>>(archive.source().length());
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(CerealWriter& archive, const cereal::BinaryData<T>& data) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian; swap the elements here");
  archive.target().raw(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(CerealReader& archive, cereal::BinaryData<T>& data) {
  archive.source().raw(data.data, static_cast<std::size_t>(data.size));
}
template <class Archive, class T>
  requires std::same_as<Archive, CerealWriter> || std::same_as<Archive, CerealReader>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
/// Grows with the elements that are really there, so that a count alone buys no memory.
template <class T, class Allocator>
  requires(is_vector<std::vector<T, Allocator>> && !Scalar<T>)
void CEREAL_LOAD_FUNCTION_NAME(CerealReader& archive, std::vector<T, Allocator>& elements) {
  elements.clear();
  const std::uint32_t count = archive.source().length();
  for (std::uint32_t i = 0; i < count && archive.source().ok(); ++i) archive(elements.emplace_back());
}

}  // namespace paxos::detail

CEREAL_SETUP_ARCHIVE_TRAITS(paxos::detail::CerealReader, paxos::detail::CerealWriter)
