// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos {

/// The format of a data directory: all its files are of one. This version writes `disk_format`, and reads every one
/// from `disk_format_oldest` on.
inline constexpr std::uint32_t disk_format = 1;
inline constexpr std::uint32_t disk_format_oldest = 1;  ///< and up to `disk_format`

namespace detail {

// Every file of every format begins with eight bytes that name its kind, and the format as 32 bits; and a checksum
// shows that these are what was written. So any version can tell a directory that is too new for it from a damaged one.

/// Throws StorageError unless this version reads `format`.
inline void require_readable(std::uint32_t format, const std::string& path) {
  if (format >= disk_format_oldest && format <= disk_format) return;
  const std::string range = disk_format_oldest == disk_format
                                ? std::to_string(disk_format)
                                : std::to_string(disk_format_oldest) + " to " + std::to_string(disk_format);
  throw StorageError("'" + path + "' has disk format " + std::to_string(format) +
                     ", this version of paxos reads format " + range + ". Nothing is damaged: start this node with " +
                     (format > disk_format ? "the version that wrote the directory, or a newer one"
                                           : "a version that reads both; it brings the directory up to date"));
}

/// Whether the text stands at the front of the bytes.
[[nodiscard]] inline bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

/// The bytes of a small file: `magic`, the format, the content, and the CRC-32C of all that.
template <class Content>
[[nodiscard]] Buffer sealed(std::string_view magic, const Content& content) {
  Buffer bytes;
  Encoder encoder{bytes};
  encoder.raw(magic.data(), magic.size());
  encoder(disk_format, content);
  encoder(crc32c(bytes));
  return bytes;
}

/// False when `bytes` are damaged, or of another kind. Throws StorageError when they are of a format that this version
/// does not read; `path` is for its text.
template <class Content>
[[nodiscard]] bool unseal(std::span<const std::byte> bytes, std::string_view magic, const std::string& path,
                          Content& content) {
  if (bytes.size() < magic.size() + 8 || !begins_with(bytes, magic)) return false;
  const auto body = bytes.first(bytes.size() - 4);
  std::uint32_t crc = 0;
  std::uint32_t format = 0;
  if (!decode(bytes.last(4), crc) || crc != crc32c(body) || !decode(body.subspan(magic.size(), 4), format))
    return false;
  require_readable(format, path);
  return decode(body.subspan(magic.size() + 4), content);
}

}  // namespace detail

}  // namespace paxos
