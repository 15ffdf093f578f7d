// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/message.hpp>
#include <paxos/transport/frame.hpp>

namespace paxos {

/// The frame of the newest large Accept without its value: a leader sends the same one to every peer, and its
/// checksum costs more than the rest of sending it.
class AcceptFrameCache {
 public:
  /// Null when `accept` is not the one remembered.
  [[nodiscard]] const Buffer* find(const Accept& accept) const {
    const bool same = !head_.empty() && accept.ballot == accept_.ballot && accept.slot == accept_.slot &&
                      accept.chosen_through == accept_.chosen_through && accept.value.data() == accept_.value.data() &&
                      accept.value.size() == accept_.value.size();
    return same ? &head_ : nullptr;
  }
  /// `head` is the frame without the value, which is sent as it is.
  void remember(const Accept& accept, std::span<const std::byte> head) {
    accept_ = accept;
    head_.assign(head.begin(), head.end());
  }

 private:
  Accept accept_;  ///< shares the value, so that its address stays its own
  Buffer head_;
};

/// The frames that wait for one connection, and those that are being written. Bounded; does no I/O.
///
/// Small messages are copied into one run of bytes; a large value is shared, not copied. Bulk messages wait apart
/// and go one at a time, when nothing else waits; they make room when the others need it.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as WriteQueue.
template <class Archive = Encoder>
class BasicWriteQueue {
 public:
  /// What becomes of a message that is pushed.
  enum class Pushed {
    queued,     ///< it goes in its turn
    full,       ///< dropped: the queue has no place for it
    too_large,  ///< dropped: no receiver would take it
  };

  /// Bounds in bytes: of one frame, and of all that wait or are being written.
  BasicWriteQueue(std::uint64_t fingerprint, std::size_t frame_bytes_max, std::size_t bytes_max)
      : fingerprint_(fingerprint), frame_bytes_max_(frame_bytes_max), bytes_max_(bytes_max) {}

  /// Messages that are pushed from now on carry this one: a client learns it from the first answer.
  void carry(std::uint64_t fingerprint) { fingerprint_ = fingerprint; }

  /// Anything but `queued` leaves the queue as it was, save for bulk messages that made room in vain.
  Pushed push(const Message& message, AcceptFrameCache& cache) {
    if (is_bulk(message)) return push_bulk(message);
    const std::size_t start = urgent_.bytes.size();
    const Bytes* const tail = large_tail(message);
    if (tail != nullptr) {
      append_head(message, *tail, cache);
    } else {
      append_message_frame(urgent_.bytes, fingerprint_, message);
    }
    const std::size_t size = urgent_.bytes.size() - start + (tail != nullptr ? tail->size() : 0);
    const Pushed outcome = admit(size);
    if (outcome != Pushed::queued) {
      urgent_.bytes.resize(start);
      return outcome;
    }
    if (tail != nullptr) urgent_.shared.push_back({urgent_.bytes.size(), *tail});
    urgent_.size += size;
    bytes_ += size;
    return Pushed::queued;
  }
  /// A frame made elsewhere, a hello or its answer: never refused.
  void push_frame(std::span<const std::byte> frame) {
    urgent_.bytes.insert(urgent_.bytes.end(), frame.begin(), frame.end());
    urgent_.size += frame.size();
    bytes_ += frame.size();
  }

  /// Whether begin_write() has something to give.
  [[nodiscard]] bool has_pending() const { return urgent_.size > 0 || !bulk_.empty(); }
  /// Waiting and being written.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// What to write next, all of it, in order: valid until end_write(). Only when has_pending().
  [[nodiscard]] std::span<const std::span<const std::byte>> begin_write() {
    if (urgent_.size > 0) {
      std::swap(urgent_, writing_);
    } else {
      writing_.bytes = std::move(bulk_.front());
      writing_.size = writing_.bytes.size();
      bulk_bytes_ -= writing_.size;
      bulk_.pop_front();
    }
    parts_.clear();
    std::size_t done = 0;
    const std::span<const std::byte> bytes{writing_.bytes};
    for (const Shared& shared : writing_.shared) {
      parts_.push_back(bytes.subspan(done, shared.at - done));
      parts_.push_back(shared.tail.span());
      done = shared.at;
    }
    if (done < bytes.size()) parts_.push_back(bytes.subspan(done));
    return parts_;
  }
  /// What begin_write() gave is written, or the connection is gone.
  void end_write() {
    bytes_ -= writing_.size;
    writing_.clear();
  }

  /// Takes over what waits in `other`, behind what waits here.
  void append(BasicWriteQueue&& other) {
    for (Shared& shared : other.urgent_.shared)
      urgent_.shared.push_back({urgent_.bytes.size() + shared.at, std::move(shared.tail)});
    urgent_.bytes.insert(urgent_.bytes.end(), other.urgent_.bytes.begin(), other.urgent_.bytes.end());
    urgent_.size += other.urgent_.size;
    bytes_ += other.urgent_.size + other.bulk_bytes_;
    bulk_bytes_ += other.bulk_bytes_;
    for (Buffer& frame : other.bulk_) bulk_.push_back(std::move(frame));
    other.clear_pending();
  }
  /// Forgets what waits; what is being written goes on.
  void clear_pending() {
    bytes_ -= urgent_.size + bulk_bytes_;
    urgent_.clear();
    bulk_.clear();
    bulk_bytes_ = 0;
  }

 private:
  /// Below this a copy is cheaper than one more element of a gather-write.
  static constexpr std::size_t shared_bytes_min = 8192;
  static constexpr std::size_t kept_bytes_max = std::size_t{1} << 20;

  struct Shared {
    std::size_t at;  ///< the tail belongs behind this many of Run::bytes
    Bytes tail;
  };
  /// Frames in order: bytes of our own, with shared tails in between.
  struct Run {
    Buffer bytes;
    std::vector<Shared> shared;
    std::size_t size = 0;  ///< tails included

    /// Keeps its memory, unless a burst made it large.
    void clear() {
      if (bytes.capacity() > kept_bytes_max) bytes = Buffer{};
      bytes.clear();
      shared.clear();
      size = 0;
    }
  };

  /// The last field of `message`, when it is large bytes: those end the encoding.
  [[nodiscard]] static const Bytes* large_tail(const Message& message) {
    const Bytes* tail = nullptr;
    if (const auto* accept = get_if<Accept>(&message)) tail = &accept->value;
    if (const auto* forward = get_if<Forward>(&message)) tail = &forward->command.payload;
    if (const auto* reply = get_if<ForwardReply>(&message)) tail = &reply->result;
    return tail != nullptr && tail->size() >= shared_bytes_min ? tail : nullptr;
  }
  [[nodiscard]] static Message without_tail(const Message& message) {
    if (const auto* accept = get_if<Accept>(&message))
      return Accept{accept->ballot, accept->slot, accept->chosen_through, {}};
    if (const auto* forward = get_if<Forward>(&message)) {
      const Command& command = forward->command;
      return Forward{{command.id, command.settled_below, command.issued_after, {}}, forward->is_relayed};
    }
    const auto& reply = get<ForwardReply>(message);
    return ForwardReply{reply.id, reply.error, reply.applied, {}};
  }

  /// The frame up to `tail`. Bytes are encoded as a 32-bit length and themselves, so the encoding without them ends
  /// in their length, which is put right here.
  void append_head(const Message& message, const Bytes& tail, AcceptFrameCache& cache) {
    Buffer& out = urgent_.bytes;
    const auto* const accept = get_if<Accept>(&message);
    if (accept != nullptr) {
      if (const Buffer* known = cache.find(*accept)) {
        out.insert(out.end(), known->begin(), known->end());
        return;
      }
    }
    const std::size_t start = out.size();
    out.resize(start + frame_header_bytes);
    encode_message<Archive>(out, without_tail(message));
    detail::store_little(out.data() + out.size() - sizeof(std::uint32_t), static_cast<std::uint32_t>(tail.size()));
    detail::seal_frame(out, start, FrameKind::message, fingerprint_, tail.span());
    if (accept != nullptr) cache.remember(*accept, std::span{out}.subspan(start));
  }

  Pushed push_bulk(const Message& message) {
    Buffer frame;
    append_message_frame(frame, fingerprint_, message);
    if (frame.size() > frame_header_bytes + frame_bytes_max_) return Pushed::too_large;
    const bool over_share = !bulk_.empty() && bulk_bytes_ + frame.size() > bytes_max_ / 4;
    if (over_share || bytes_ + frame.size() > bytes_max_) return Pushed::full;
    bytes_ += frame.size();
    bulk_bytes_ += frame.size();
    bulk_.push_back(std::move(frame));
    return Pushed::queued;
  }

  Pushed admit(std::size_t size) {
    if (size > frame_header_bytes + frame_bytes_max_) return Pushed::too_large;
    while (bytes_ + size > bytes_max_ && !bulk_.empty()) {
      bytes_ -= bulk_.back().size();
      bulk_bytes_ -= bulk_.back().size();
      bulk_.pop_back();
    }
    return bytes_ + size > bytes_max_ ? Pushed::full : Pushed::queued;
  }

  std::uint64_t fingerprint_;
  std::size_t frame_bytes_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  Run urgent_;
  Run writing_;
  std::deque<Buffer> bulk_;
  std::size_t bulk_bytes_ = 0;
  std::vector<std::span<const std::byte>> parts_;
};

/// In the one format of the wire.
using WriteQueue = BasicWriteQueue<>;

}  // namespace paxos
