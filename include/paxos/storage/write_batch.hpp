// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/storage/log_recovery.hpp>
#include <paxos/storage/segment.hpp>

namespace paxos::detail {

/// The frames of one flush, encoded, each at its final place. Knows no file.
struct WriteBatch {
  /// A run of frames in one segment.
  struct Chunk {
    SegmentHeader segment;
    bool creates = false;  ///< the segment has no file yet
    std::uint64_t offset = 0;
    Buffer bytes;
  };

  std::vector<Chunk> chunks;
  std::uint64_t first_sequence = 0;
  WriteTicket last_ticket;
  std::size_t bytes = 0;

  [[nodiscard]] bool empty() const { return bytes == 0; }

  /// Where the frame for `offset` is to be appended.
  [[nodiscard]] Buffer& bytes_for(const SegmentHeader& segment, std::uint64_t offset) {
    if (!chunks.empty() && chunks.front().bytes.empty() && !chunks.front().creates) {
      chunks.front().segment = segment;
      chunks.front().offset = offset;
    } else if (chunks.empty()) {
      chunks.push_back({segment, false, offset, {}});
    }
    return chunks.back().bytes;
  }

  /// The payload of a frame that this batch holds; empty when it does not. A record's payload is never empty.
  [[nodiscard]] Buffer payload_at(const FrameLocation& location) const {
    const Chunk* chunk = chunk_of(location);
    if (chunk == nullptr) return {};
    const auto begin = static_cast<std::size_t>(location.offset - chunk->offset) + log_frame_header_bytes;
    return gathered(std::span{chunk->bytes}.subspan(begin), location.payload_bytes,
                    location.offset + log_frame_header_bytes);
  }
  [[nodiscard]] std::uint8_t kind_at(const FrameLocation& location) const {
    const Chunk* chunk = chunk_of(location);
    return std::to_integer<std::uint8_t>(chunk->bytes[static_cast<std::size_t>(location.offset - chunk->offset) + 28]);
  }

  /// Keeps the memory of a batch of usual size for the next one.
  void clear() {
    constexpr std::size_t keep_bytes_max = std::size_t{8} << 20;
    if (chunks.size() > 1) chunks.resize(1);
    if (!chunks.empty()) {
      chunks.front().bytes.clear();
      if (chunks.front().bytes.capacity() > keep_bytes_max) chunks.front().bytes.shrink_to_fit();
      chunks.front().creates = false;
    }
    bytes = 0;
  }

 private:
  [[nodiscard]] const Chunk* chunk_of(const FrameLocation& location) const {
    if (empty()) return nullptr;
    for (const Chunk& chunk : chunks) {
      if (chunk.segment.number == location.segment && location.offset >= chunk.offset &&
          location.offset - chunk.offset < chunk.bytes.size())
        return &chunk;
    }
    return nullptr;
  }
};

}  // namespace paxos::detail
