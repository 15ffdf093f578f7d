// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/message.hpp>

namespace paxos {

/// The wire version of messages that this program speaks best; raised when an older node would misread what a newer one
/// sends. It speaks every one from `wire_version_oldest` on: two nodes use the newest that both speak (hello.hpp).
inline constexpr std::uint16_t wire_version = 1;
inline constexpr std::uint16_t wire_version_oldest = 1;  ///< and up to `wire_version`
/// Whether this program can read messages of that version.
[[nodiscard]] constexpr bool is_spoken(std::uint16_t version) {
  return version >= wire_version_oldest && version <= wire_version;
}
/// What the frame of a hello, or of the answer to one, carries in that place, in this release and all later ones: so
/// that a node which is too new can be read, and refused with a reason.
inline constexpr std::uint16_t handshake_version = 1;

/// What a frame carries. The value is the byte on the wire: only ever append.
enum class FrameKind : std::uint8_t {
  hello = 1,        ///< the first one of who dials: Hello
  hello_reply = 2,  ///< the first one back: HelloReply
  message = 3,      ///< a Message
};

/// Why a stream of bytes is not a stream of our frames. Nothing that follows can be trusted: close the connection.
enum class FrameError {
  none,           ///< all is well
  bad_magic,      ///< it does not begin as a frame does
  bad_version,    ///< of a version that this program cannot read
  bad_kind,       ///< no FrameKind
  too_long,       ///< longer than the reader was told to take
  wrong_group,    ///< of a group that there is not
  wrong_cluster,  ///< its fingerprint is another one
  bad_checksum,   ///< altered on its way
};

/// For logs.
[[nodiscard]] constexpr std::string_view to_string(FrameError error) {
  switch (error) {
    case FrameError::none: return "no error";
    case FrameError::bad_magic: return "not a paxos frame";
    case FrameError::bad_version: return "a frame of another wire version than was agreed in the hello";
    case FrameError::bad_kind: return "a frame of unknown kind";
    case FrameError::too_long: return "a frame above the bound for its length";
    case FrameError::wrong_group: return "a frame of another group";
    case FrameError::wrong_cluster: return "a frame of another cluster";
    case FrameError::bad_checksum: return "a frame whose checksum does not match its bytes";
  }
  return "?";
}

// A frame is a header of 28 bytes, little-endian, and `length` bytes of payload:
//   0 magic u32 | 4 version u16 | 6 kind u8 | 7 flags u8 (0) | 8 length u32 | 12 group u32 (0) | 16 fingerprint u64 |
//   24 CRC-32C u32 of the 24 bytes before it and the payload
inline constexpr std::size_t frame_header_bytes = 28;     ///< of every frame, in this release and all later ones
inline constexpr std::uint32_t frame_magic = 0x53584150;  ///< "PAXS"

/// One whole frame that arrived. `payload` is valid until the next FrameReader::room().
struct Frame {
  FrameKind kind = FrameKind::message;  ///< what the payload is
  std::uint64_t fingerprint = 0;        ///< of the sender's configuration: Config::fingerprint()
  std::span<const std::byte> payload;   ///< valid until the reader is told more
};

namespace detail {

inline constexpr std::size_t frame_checksum_at = frame_header_bytes - sizeof(std::uint32_t);

template <class Number>
void store_little(std::byte* to, Number value) {
  const Number little = little_endian(value);
  std::memcpy(to, &little, sizeof little);
}
template <class Number>
[[nodiscard]] Number load_little(const std::byte* from) {
  Number little = 0;
  std::memcpy(&little, from, sizeof little);
  return little_endian(little);
}

[[nodiscard]] constexpr std::uint16_t version_of(FrameKind kind) {
  return kind == FrameKind::message ? wire_version : handshake_version;
}

/// Fills the header at `start` of `out`; the payload is the rest of `out`, and then `tail`.
inline void seal_frame(Buffer& out, std::size_t start, FrameKind kind, std::uint64_t fingerprint,
                       std::span<const std::byte> tail = {}) {
  std::byte* const header = out.data() + start;
  const std::size_t length = out.size() - start - frame_header_bytes + tail.size();
  store_little(header, frame_magic);
  store_little(header + 4, version_of(kind));
  header[6] = static_cast<std::byte>(kind);
  header[7] = std::byte{0};
  store_little(header + 8, static_cast<std::uint32_t>(length));
  store_little(header + 12, std::uint32_t{0});
  store_little(header + 16, fingerprint);
  std::uint32_t checksum = crc32c({header, frame_checksum_at});
  checksum = crc32c(std::span<const std::byte>{out}.subspan(start + frame_header_bytes), checksum);
  if (!tail.empty()) checksum = crc32c(tail, checksum);
  store_little(header + frame_checksum_at, checksum);
}

}  // namespace detail

/// Appends one frame to `out`; `write(out)` appends its payload of less than 4 GiB.
template <class Write>
void append_frame(Buffer& out, FrameKind kind, std::uint64_t fingerprint, Write&& write) {
  const std::size_t start = out.size();
  out.resize(start + frame_header_bytes);
  std::forward<Write>(write)(out);
  detail::seal_frame(out, start, kind, fingerprint);
}

/// A frame of kind `message`, behind what `out` holds.
template <class Archive = Encoder>
void append_message_frame(Buffer& out, std::uint64_t fingerprint, const Message& message) {
  append_frame(out, FrameKind::message, fingerprint,
               [&](Buffer& payload) { encode_message<Archive>(payload, message); });
}

/// Cuts arriving bytes into frames, trusting none of them. Does no I/O: read into room(), tell arrived(), then take
/// frames until next() has none. The buffer grows with the bytes that are really there, never with a claimed length.
class FrameReader {
 public:
  /// Until expect() is called the frames of any cluster are let through: a hello must be readable to be refused.
  explicit FrameReader(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

  /// From the next frame on: this cluster only, and this bound. Reads of up to `read_bytes` are made room for.
  void expect(std::uint64_t fingerprint, std::size_t payload_bytes_max, std::size_t read_bytes) {
    fingerprint_ = fingerprint;
    payload_bytes_max_ = payload_bytes_max;
    read_bytes_ = std::max(read_bytes, first_read_bytes);
  }

  /// At least one byte to read into, unless the stream has failed.
  [[nodiscard]] std::span<std::byte> room() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      shrink_when_calm();
    } else if (begin_ > 0 && buffer_.size() - end_ < buffer_.size() / 2) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == buffer_.size()) {
      grow(std::max(frame_header_bytes + payload_bytes_max_, read_bytes_));
    } else if (last_read_filled_) {
      grow(read_bytes_);
    }
    return std::span{buffer_}.subspan(end_);
  }
  /// `bytes` were read into the front of room().
  void arrived(std::size_t bytes) {
    end_ += bytes;
    last_read_filled_ = end_ == buffer_.size();
  }

  /// The next whole frame; nullopt when its bytes are not all there yet, or when error() says that the stream is
  /// broken.
  [[nodiscard]] std::optional<Frame> next() {
    const std::span<const std::byte> unread = std::span<const std::byte>{buffer_}.subspan(begin_, end_ - begin_);
    if (error_ != FrameError::none || unread.size() < frame_header_bytes) return std::nullopt;
    const std::byte* const header = unread.data();
    const std::size_t length = detail::load_little<std::uint32_t>(header + 8);
    error_ = header_error(header, length);
    if (error_ != FrameError::none || unread.size() - frame_header_bytes < length) return std::nullopt;
    const std::span<const std::byte> payload = unread.subspan(frame_header_bytes, length);
    if (crc32c(payload, crc32c(unread.first(detail::frame_checksum_at))) !=
        detail::load_little<std::uint32_t>(header + detail::frame_checksum_at)) {
      error_ = FrameError::bad_checksum;
      return std::nullopt;
    }
    begin_ += frame_header_bytes + length;
    return Frame{static_cast<FrameKind>(header[6]), detail::load_little<std::uint64_t>(header + 16), payload};
  }

  /// Sticks.
  [[nodiscard]] FrameError error() const { return error_; }
  /// What the buffer takes of memory, in bytes.
  [[nodiscard]] std::size_t capacity() const { return buffer_.capacity(); }

 private:
  static constexpr std::size_t first_read_bytes = 4096;
  static constexpr int calm_reads = 64;

  [[nodiscard]] FrameError header_error(const std::byte* header, std::size_t length) const {
    const auto kind = std::to_integer<std::uint8_t>(header[6]);
    if (detail::load_little<std::uint32_t>(header) != frame_magic) return FrameError::bad_magic;
    if (kind < 1 || kind > 3 || header[7] != std::byte{0}) return FrameError::bad_kind;
    if (detail::load_little<std::uint16_t>(header + 4) != detail::version_of(static_cast<FrameKind>(kind)))
      return FrameError::bad_version;
    if (length > payload_bytes_max_) return FrameError::too_long;
    if (detail::load_little<std::uint32_t>(header + 12) != 0) return FrameError::wrong_group;
    if (fingerprint_ && detail::load_little<std::uint64_t>(header + 16) != *fingerprint_)
      return FrameError::wrong_cluster;
    return FrameError::none;
  }

  /// Doubling: less than half of the buffer was never filled.
  void grow(std::size_t bytes_max) {
    const std::size_t size = std::min(std::max(2 * buffer_.size(), first_read_bytes), bytes_max);
    if (size > buffer_.size()) buffer_.resize(size);
  }

  /// One large frame must not keep its memory for good; a stream of large frames must not allocate for each.
  void shrink_when_calm() {
    if (buffer_.size() <= read_bytes_ || last_read_filled_) {
      calm_ = 0;
    } else if (++calm_ == calm_reads) {
      buffer_ = Buffer(read_bytes_);
      calm_ = 0;
    }
  }

  Buffer buffer_;
  std::size_t begin_ = 0;  ///< first byte that no frame has used
  std::size_t end_ = 0;    ///< behind the last byte that arrived
  std::size_t payload_bytes_max_;
  std::size_t read_bytes_ = first_read_bytes;
  std::optional<std::uint64_t> fingerprint_;
  bool last_read_filled_ = false;
  int calm_ = 0;
  FrameError error_ = FrameError::none;
};

}  // namespace paxos
