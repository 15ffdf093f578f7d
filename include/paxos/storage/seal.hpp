// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>

namespace paxos::detail {

/// The bytes of a small file: `magic`, which names its kind and format, the content, and the CRC-32C of all that stands
/// before it.
template <class Content>
[[nodiscard]] Buffer sealed(std::string_view magic, const Content& content) {
  Buffer bytes;
  Encoder encoder{bytes};
  encoder.raw(magic.data(), magic.size());
  encoder(content);
  encoder(crc32c(bytes));
  return bytes;
}

/// False when `bytes` are damaged, or of another kind or format.
template <class Content>
[[nodiscard]] bool unseal(std::span<const std::byte> bytes, std::string_view magic, Content& content) {
  if (bytes.size() < magic.size() + 4 ||
      !std::ranges::equal(bytes.first(magic.size()), std::as_bytes(std::span{magic})))
    return false;
  const auto body = bytes.first(bytes.size() - 4);
  std::uint32_t crc = 0;
  return decode(bytes.last(4), crc) && crc == crc32c(body) && decode(body.subspan(magic.size()), content);
}

}  // namespace paxos::detail
