// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/record.hpp>
#include <paxos/storage/seal.hpp>

namespace paxos {

// The log in disk format 1 (seal.hpp). All numbers are little-endian.
//
// Files `log-<number, 16 digits>.paxos`, numbered from 1, each zero-filled to its whole size before it gets its name,
// and never used again.
//
// A segment begins with a block of 4096 bytes: "PAXOSLOG", the fields of SegmentHeader, and the CRC-32C of these; the
// rest is zero, but for the time that a torn end is being cut off: then a RepairNote stands at byte 512. That CRC seeds
// every CRC in the segment, so that no record of another segment, node, or life is ever believed.
//
// Frames follow, each at a multiple of 32 bytes, so that no frame header straddles two sectors:
//
//   offset  bytes
//    0      4      CRC-32C of bytes 4 to 31, then of the frame's offset in the file as 64 bits
//    4      4      CRC-32C of the payload
//    8      8      sequence: 1 for the first frame of the log, then one more each
//   16      8      flush_first: the sequence of the first frame of its flush
//   24      4      size of the payload
//   28      1      kind: 1 + the index in Record; 0x80 end of the segment; 0x81 mark
//   29      2      0
//   31      1      0x5A
//   32             the payload: the record, encoded; then, if there is one, zeros and a last byte 0x5A up to the next
//                  multiple of 32
//
// The last byte of every sector of 512 bytes that a frame goes through is 0x5A and no part of the payload, which goes
// on behind it. So each sector's share of a frame ends with a byte that is not zero, and a sector that a power cut lost
// or tore ends with a zero that no single flipped bit can make.
//
// A flush begins only once the one before it is durable. So a frame with flush_first f proves that every frame below f
// was durable, and an unreadable one among them is damage. What is unreadable and not below any such f may be the
// remains of the last flush, which a power cut left unfinished; log_recovery.hpp tells the two apart.
// A mark has no payload and is written when a log is opened: it proves all that was recovered.
// The last frame of a segment, before the next one begins, is an end; the next segment's file is durable before the
// end is written, so that a missing file shows.

inline constexpr std::size_t segment_header_bytes = 4096;  ///< of a file of the log; its frames begin there
inline constexpr std::size_t log_frame_header_bytes = 32;  ///< of a frame
/// No payload of a frame is larger: a larger length in a file is damage, and a larger record is the caller's defect.
inline constexpr std::size_t record_bytes_max = std::size_t{64} << 20;
/// The most that FileStorageOptions::segment_bytes may be.
inline constexpr std::size_t segment_bytes_max = std::size_t{1} << 30;

/// What binds a segment to its log and its place in it.
struct SegmentHeader {
  std::uint32_t format = disk_format;  ///< of this file
  std::uint64_t cluster = 0;           ///< Config::fingerprint()
  NodeId node;                         ///< whose log
  std::uint64_t incarnation = 0;       ///< of the directory: a file of another one is not believed
  std::uint64_t number = 0;            ///< from 1 on, as in the file's name
  std::uint64_t size = 0;              ///< bytes of the whole file
  std::uint64_t first_sequence = 0;    ///< of its first frame
  std::uint64_t flush_first = 0;       ///< of the flush that needed this segment
  std::uint64_t salt = 0;              ///< random: a segment made anew under an old number has other CRCs

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(format, cluster, node, incarnation, number, size, first_sequence, flush_first, salt);
  }
};

/// What a frame of the log holds. The value is the byte on the disk.
enum class LogFrameKind : std::uint8_t {
  promise = 1,  ///< a PromiseRecord
  accept,       ///< an AcceptRecord
  chosen,       ///< a ChosenRecord
  learn,        ///< a LearnRecord
  end = 0x80,   ///< the segment's last; the next segment goes on
  mark = 0x81,  ///< nothing: made when a log was opened, it proves what stands before it
};

/// The fixed part of a frame.
struct LogFrameHeader {
  std::uint32_t header_crc = 0;     ///< as above, as is each field
  std::uint32_t payload_crc = 0;    ///< CRC-32C, seeded with the segment's
  std::uint64_t sequence = 0;       ///< of the frame, from 1 on through all files
  std::uint64_t flush_first = 0;    ///< the sequence of the first frame of the same flush
  std::uint32_t payload_bytes = 0;  ///< without the header and the padding
  std::uint8_t kind = 0;            ///< a LogFrameKind
  std::uint16_t zero = 0;           ///< always 0
  std::uint8_t last = 0x5A;         ///< never 0: the last byte of a sector shows that it was written

  template <class Archive>
  void serialize(Archive& archive) {
    archive(header_crc, payload_crc, sequence, flush_first, payload_bytes, kind, zero, last);
  }
};

namespace detail {

inline constexpr std::string_view segment_magic = "PAXOSLOG";
inline constexpr std::byte frame_last_byte{0x5A};

inline constexpr std::size_t sector_bytes = 512;

/// How much room a payload takes whose first byte stands at `first`, the ends of sectors on its way included.
[[nodiscard]] constexpr std::size_t spread_bytes(std::size_t payload_bytes, std::uint64_t first) {
  if (payload_bytes == 0) return 0;
  const auto begin = static_cast<std::size_t>(first % sector_bytes);
  const std::size_t last = begin + payload_bytes - 1;
  return last + last / (sector_bytes - 1) + 1 - begin;
}

/// The size of the frame at `offset`.
[[nodiscard]] constexpr std::size_t frame_bytes(std::size_t payload_bytes, std::uint64_t offset) {
  if (payload_bytes == 0) return log_frame_header_bytes;
  return log_frame_header_bytes + (spread_bytes(payload_bytes, offset + log_frame_header_bytes) + 1 + 31) / 32 * 32;
}

/// Calls piece(from, to, bytes) for each part of a payload between two ends of sectors: it is at `from` in the payload
/// and at `to` behind the payload's first byte, which stands at `first`. The last part comes first.
template <class Piece>
void for_each_piece(std::size_t payload_bytes, std::uint64_t first, Piece&& piece) {
  constexpr std::size_t room = sector_bytes - 1;
  const auto begin = static_cast<std::size_t>(first % sector_bytes);
  for (std::size_t end = begin + payload_bytes; end > begin;) {
    const std::size_t from = std::max(begin, (end - 1) / room * room);
    piece(from - begin, from + from / room - begin, end - from);
    end = from;
  }
}

/// Makes the payload that `out` ends with, from `begin` on, one that goes round the ends of sectors.
inline void spread(Buffer& out, std::size_t begin, std::uint64_t first) {
  const std::size_t payload_bytes = out.size() - begin;
  out.resize(begin + spread_bytes(payload_bytes, first));
  for_each_piece(payload_bytes, first, [&](std::size_t from, std::size_t to, std::size_t bytes) {
    std::memmove(out.data() + begin + to, out.data() + begin + from, bytes);
    if (from > 0) out[begin + to - 1] = std::byte{0x5A};
  });
}

[[nodiscard]] inline Buffer gathered(std::span<const std::byte> spread, std::size_t payload_bytes,
                                     std::uint64_t first) {
  Buffer payload(payload_bytes);
  for_each_piece(payload_bytes, first, [&](std::size_t from, std::size_t to, std::size_t bytes) {
    std::memcpy(payload.data() + from, spread.data() + to, bytes);
  });
  return payload;
}

[[nodiscard]] inline std::string segment_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "log-" + std::string(16 - std::min<std::size_t>(16, digits.size()), '0') + digits + ".paxos";
}

/// The first block of a segment; `seed` becomes the seed of its frames.
template <class Archive = Encoder>
[[nodiscard]] Buffer segment_block(const SegmentHeader& header, std::uint32_t& seed) {
  Buffer block;
  Archive encoder{block};
  encoder.raw(segment_magic.data(), segment_magic.size());
  encoder(header);
  seed = crc32c(block);
  encoder(seed);
  block.resize(segment_header_bytes);
  return block;
}

/// nullopt when the block is not one that segment_block() made.
template <class Archive = Decoder>
[[nodiscard]] std::optional<SegmentHeader> parse_segment_block(std::span<const std::byte> block, std::uint32_t& seed) {
  if (block.size() < segment_header_bytes || !begins_with(block, segment_magic)) return std::nullopt;
  Archive decoder{block.subspan(segment_magic.size())};
  SegmentHeader header;
  decoder(header);
  const std::size_t covered = block.size() - decoder.left().size();
  decoder(seed);
  if (!decoder.ok() || seed != crc32c(block.first(covered))) return std::nullopt;
  return header;
}

/// That the log ends at `offset` of the segment and is being filled with zeros from there to `end`: "PAXOSCUT", these
/// fields, and the CRC-32C of all that. It counts as long as no frame can be read at `offset`.
struct RepairNote {
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  std::uint64_t sequence = 0;  ///< the frame that would stand at `offset`

  template <class Archive>
  void serialize(Archive& archive) {
    archive(offset, end, sequence);
  }
};

inline constexpr std::string_view repair_magic = "PAXOSCUT";
inline constexpr std::size_t repair_note_offset = 512;  ///< a sector of its own: to write it harms no other field
inline constexpr std::size_t repair_note_bytes = repair_magic.size() + 3 * 8 + 4;

template <class Archive = Encoder>
[[nodiscard]] Buffer repair_note(const RepairNote& note, std::uint32_t seed) {
  Buffer bytes;
  Archive encoder{bytes};
  encoder.raw(repair_magic.data(), repair_magic.size());
  encoder(note);
  encoder(crc32c(bytes, seed));
  return bytes;
}

/// The note in a segment; nullopt when there is none, or a torn one: then nothing was zeroed yet, or all was.
template <class Archive = Decoder>
[[nodiscard]] std::optional<RepairNote> parse_repair_note(std::span<const std::byte> segment, std::uint32_t seed,
                                                          std::uint64_t segment_size) {
  if (segment.size() < segment_header_bytes) return std::nullopt;
  const auto bytes = segment.subspan(repair_note_offset, repair_note_bytes);
  RepairNote note;
  std::uint32_t crc = 0;
  Archive decoder{bytes.subspan(repair_magic.size())};
  decoder(note, crc);
  if (!begins_with(bytes, repair_magic) || crc != crc32c(bytes.first(repair_note_bytes - 4), seed) ||
      note.end > segment_size || note.end < note.offset)
    return std::nullopt;
  return note;
}

[[nodiscard]] inline std::uint32_t frame_header_crc(std::span<const std::byte> header, std::uint64_t offset,
                                                    std::uint32_t seed) {
  const std::uint64_t little = little_endian(offset);
  return crc32c(std::as_bytes(std::span{&little, 1}), crc32c(header.subspan(4, log_frame_header_bytes - 4), seed));
}

/// Puts the header before the payload that stands in `frame` from byte 32 on, and the padding behind it.
/// `out` holds the frame from `begin` on to its end; `header` needs its two CRCs no more than its payload_bytes.
inline void seal_frame(Buffer& out, std::size_t begin, LogFrameHeader header, std::uint64_t offset,
                       std::uint32_t seed) {
  const std::size_t payload_bytes = out.size() - begin - log_frame_header_bytes;
  header.payload_bytes = static_cast<std::uint32_t>(payload_bytes);
  header.payload_crc = crc32c(std::span{out}.subspan(begin + log_frame_header_bytes), seed);
  spread(out, begin + log_frame_header_bytes, offset + log_frame_header_bytes);
  out.resize(begin + frame_bytes(payload_bytes, offset));
  out.back() = frame_last_byte;
  const auto place = std::span{out}.subspan(begin, log_frame_header_bytes);
  const auto put = [&](std::size_t at, auto value) {
    const auto little = little_endian(value);
    std::memcpy(place.data() + at, &little, sizeof little);
  };
  put(4, header.payload_crc);
  put(8, header.sequence);
  put(16, header.flush_first);
  put(24, header.payload_bytes);
  put(28, header.kind);
  place[31] = frame_last_byte;
  put(0, frame_header_crc(place, offset, seed));
}

/// Appends a frame that will stand at `offset` of its segment. `record` is nullptr for an end or a mark.
inline void append_frame(Buffer& out, const LogFrameHeader& header, const Record* record, std::uint64_t offset,
                         std::uint32_t seed) {
  const std::size_t begin = out.size();
  out.resize(begin + log_frame_header_bytes);
  if (record != nullptr) record->visit([&](const auto& fields) { encode(out, fields); });
  seal_frame(out, begin, header, offset, seed);
}

/// What stands at an offset of a segment.
struct ParsedFrame {
  LogFrameHeader header;
  std::span<const std::byte> in_place;  ///< the payload, when no sector ends in it
  Buffer gathered;                      ///< else
  bool header_valid = false;
  bool valid = false;  ///< payload included

  [[nodiscard]] std::span<const std::byte> payload() const { return gathered.empty() ? in_place : gathered; }
};

/// `segment` begins at offset `base` of its file.
[[nodiscard]] inline ParsedFrame parse_frame(std::span<const std::byte> segment, std::uint64_t offset,
                                             std::uint32_t seed, std::uint64_t base = 0) {
  ParsedFrame frame;
  const std::uint64_t at = offset - base;
  if (at > segment.size() || segment.size() - at < log_frame_header_bytes) return frame;
  const auto rest = segment.subspan(static_cast<std::size_t>(at));
  if (rest[log_frame_header_bytes - 1] != frame_last_byte) return frame;
  static_cast<void>(decode(rest.first(log_frame_header_bytes), frame.header));
  const std::size_t payload_bytes = frame.header.payload_bytes;
  if (frame.header.zero != 0 || payload_bytes > record_bytes_max || frame_bytes(payload_bytes, offset) > rest.size() ||
      frame.header.header_crc != frame_header_crc(rest, offset, seed))
    return frame;
  frame.header_valid = true;
  const std::uint64_t first = offset + log_frame_header_bytes;
  frame.in_place = rest.subspan(log_frame_header_bytes, spread_bytes(payload_bytes, first));
  if (frame.in_place.size() > payload_bytes) frame.gathered = gathered(frame.in_place, payload_bytes, first);
  frame.valid = crc32c(frame.payload(), seed) == frame.header.payload_crc;
  return frame;
}

/// nullopt when the kind is unknown or the payload is not exactly one record of it.
template <class Archive = Decoder>
[[nodiscard]] std::optional<Record> decode_record(std::uint8_t kind, std::span<const std::byte> payload) {
  Record record;
  if (kind == 0 || !record.reset(kind - 1U)) return std::nullopt;
  Archive decoder{payload};
  record.visit([&](auto& fields) { decoder(fields); });
  if (!decoder.finished()) return std::nullopt;
  return record;
}

[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes)
    if (byte != std::byte{0}) return false;
  return true;
}

/// Could an unfinished write have left this, where a frame should begin? A sector holds what was written, or what was
/// there before (zeros), or some first bytes of the one and then the other. A flipped bit is none of these.
[[nodiscard]] inline bool looks_torn(std::span<const std::byte> segment, std::size_t offset, const ParsedFrame& frame) {
  if (segment.size() - offset < log_frame_header_bytes) return false;
  const std::size_t header_end = offset + log_frame_header_bytes;
  if (!frame.header_valid) {
    const std::size_t sector_end = std::min(segment.size(), (offset / sector_bytes + 1) * sector_bytes);
    return all_zero(segment.subspan(header_end - 1, sector_end - header_end + 1));
  }
  const std::size_t end = offset + frame_bytes(frame.header.payload_bytes, offset);
  for (std::size_t at = (header_end / sector_bytes + 1) * sector_bytes - 1; at < end; at += sector_bytes)
    if (segment[at] == std::byte{0}) return true;
  return segment[end - 1] == std::byte{0};
}

}  // namespace detail

}  // namespace paxos
