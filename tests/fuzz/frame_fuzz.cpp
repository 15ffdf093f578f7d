// Copyright (c) the paxos authors. MIT licence.
//
// The frames of the TCP transport: any bytes, in reads of any size, are cut as a slow and obvious parser cuts them; and
// what a WriteQueue writes is read again as the messages that were pushed.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/transport/frame.hpp>
#include <paxos/transport/hello.hpp>
#include <paxos/transport/write_queue.hpp>

#include "check.hpp"
#include "input.hpp"

namespace paxos::fuzz {

namespace {

constexpr std::uint64_t fingerprint = 0x1122334455667788;
constexpr std::size_t greeted_bytes_max = 32768;
constexpr std::size_t read_bytes = 16384;

/// What a stream turned out to be: its frames as text, and how it broke.
struct Outcome {
  std::vector<std::string> frames;
  FrameError error = FrameError::none;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string described(std::uint64_t kind, std::uint64_t mark, std::span<const std::byte> payload) {
  return std::to_string(kind) + ' ' + std::to_string(mark) + ' ' + std::string{text_of(payload)};
}

/// Bit by bit, as the polynomial says.
std::uint32_t slow_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

std::uint64_t little(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i - 1]);
  return value;
}

/// The twin of FrameReader: has the whole stream before it, and no buffer.
Outcome parsed(std::span<const std::byte> stream, bool greets) {
  Outcome outcome;
  std::size_t length_max = hello_bytes_max;
  bool is_greeted = false;
  while (stream.size() >= frame_header_bytes) {
    const auto field = [&](std::size_t at, std::size_t size) { return little(stream.subspan(at, size)); };
    const std::uint64_t length = field(8, 4);
    if (field(0, 4) != 0x53584150)
      outcome.error = FrameError::bad_magic;
    else if (field(6, 1) < 1 || field(6, 1) > 3 || field(7, 1) != 0)
      outcome.error = FrameError::bad_kind;
    else if (field(4, 2) != 1)
      outcome.error = FrameError::bad_version;
    else if (length > length_max)
      outcome.error = FrameError::too_long;
    else if (field(12, 4) != 0)
      outcome.error = FrameError::wrong_group;
    else if (is_greeted && field(16, 8) != fingerprint)
      outcome.error = FrameError::wrong_cluster;
    if (outcome.error != FrameError::none || stream.size() < frame_header_bytes + length) return outcome;
    std::vector<std::byte> covered(stream.begin(), stream.begin() + 24);
    const auto payload = stream.subspan(frame_header_bytes, static_cast<std::size_t>(length));
    covered.insert(covered.end(), payload.begin(), payload.end());
    if (slow_crc32c(covered) != field(24, 4)) {
      outcome.error = FrameError::bad_checksum;
      return outcome;
    }
    outcome.frames.push_back(described(field(6, 1), field(16, 8), payload));
    stream = stream.subspan(frame_header_bytes + static_cast<std::size_t>(length));
    if (greets) {
      is_greeted = true;
      length_max = greeted_bytes_max;
    }
  }
  return outcome;
}

/// What the transport does with a payload: it may be refused, but nothing may be thrown.
void understand(const Frame& frame) {
  if (frame.kind == FrameKind::message) {
    Message message;
    (void)decode_message(frame.payload, message);
  } else if (frame.kind == FrameKind::hello) {
    const Config config{.id = NodeId{1}, .members = {{1, "a:1"}, {2, "b:2"}}, .data_dir = "d"};
    Greeter greeter{config, {7, 1, {1}}};
    Hello hello;
    if (!decode_hello(frame.payload, hello)) return;
    const HelloReply reply = greeter.reply(hello, greeter.refusal_of(hello));
    Buffer out;
    append_hello_reply_frame(out, fingerprint, reply);
    check(out.size() <= frame_header_bytes + hello_bytes_max, "the answer to a hello fits into what a stranger reads");
    check(std::ranges::all_of(reply.reason, [](char c) { return c >= ' ' && c <= '~'; }), "a refusal is printable");
  } else {
    HelloReply reply;
    if (decode_hello(frame.payload, reply)) (void)detail::printable(reply.reason);
  }
}

Outcome read(std::span<const std::byte> stream, bool greets, std::span<const std::byte> splits) {
  Outcome outcome;
  FrameReader reader{hello_bytes_max};
  std::size_t bound = std::max<std::size_t>(frame_header_bytes + hello_bytes_max, 4096);
  std::size_t arrived = 0;
  for (std::size_t turn = 0; arrived < stream.size() && reader.error() == FrameError::none; ++turn) {
    const std::span<std::byte> room = reader.room();
    check(!room.empty(), "there is always room for a byte");
    std::size_t size = std::min(room.size(), stream.size() - arrived);
    if (!splits.empty()) size = std::min(size, 1 + std::to_integer<std::size_t>(splits[turn % splits.size()]));
    std::memcpy(room.data(), stream.data() + arrived, size);
    arrived += size;
    reader.arrived(size);
    while (const auto frame = reader.next()) {
      outcome.frames.push_back(described(static_cast<std::uint64_t>(frame->kind), frame->fingerprint, frame->payload));
      understand(*frame);
      if (!greets) continue;
      reader.expect(fingerprint, greeted_bytes_max, read_bytes);
      bound = std::max(frame_header_bytes + greeted_bytes_max, read_bytes);
    }
    // A vector may reserve twice what it is asked for.
    check(reader.capacity() <= 2 * bound, "the buffer stays below the largest frame");
    check(reader.capacity() <= std::max<std::size_t>(2 * 4096, 4 * arrived), "only bytes that came make it grow");
  }
  outcome.error = reader.error();
  return outcome;
}

/// Frames as they should be, but for what the input alters, checksum included or not.
Buffer built(Input& input) {
  Buffer stream;
  while (!input.empty() && stream.size() < 4 * greeted_bytes_max) {
    const auto kind = static_cast<FrameKind>(1 + input.below(3));
    const std::uint8_t alteration = input.byte();
    const std::uint64_t mark = (alteration & 8U) == 0 ? fingerprint : input.number(8);
    const auto payload = input.take(static_cast<std::size_t>(input.below(1024)));
    const std::size_t zeros = (alteration & 16U) == 0 ? 0 : static_cast<std::size_t>(input.below(40000));
    const std::size_t start = stream.size();
    append_frame(stream, kind, mark, [&](Buffer& out) {
      out.insert(out.end(), payload.begin(), payload.end());
      out.resize(out.size() + zeros);
    });
    if ((alteration & 1U) != 0) stream[start + input.below(stream.size() - start)] ^= std::byte{input.byte()};
    if ((alteration & 2U) != 0) {  // a header that claims what it likes, under a checksum that holds
      const auto claimed = input.take(24);
      std::memcpy(stream.data() + start, claimed.data(), claimed.size());
      const auto covered = std::span{stream}.subspan(start);
      const std::uint32_t crc = crc32c(covered.subspan(frame_header_bytes), crc32c(covered.first(24)));
      detail::store_little(stream.data() + start + 24, crc);
    }
    if ((alteration & 4U) != 0) stream.resize(start + static_cast<std::size_t>(input.below(stream.size() - start)));
  }
  return stream;
}

/// A message of the input's, now and then with a value that a WriteQueue shares instead of copying.
bool next_message(Input& input, Message& message) {
  const std::uint8_t form = input.byte();
  const auto bytes = input.take(form % 128);
  if (form < 128) return decode_message(bytes, message);
  const Bytes large{Buffer(8000 + static_cast<std::size_t>(input.below(4096)), std::byte{form})};
  switch (form % 4) {
    case 0: message = Accept{{1, NodeId{form}}, Slot{form % 8U}, Slot{1}, large}; break;
    case 1: message = Forward{{RequestId{{1, 2}, form}, 0, Slot{}, large}}; break;
    case 2: message = ForwardReply{RequestId{{1, 2}, form}, 0, Slot{1}, large}; break;
    default: message = CatchUpReply{Slot{form}, Slot{form}, {large, Bytes{bytes}}}; break;
  }
  return true;
}

/// The same message, or one that shares its value and differs in a field before it.
Message varied(Message message, std::uint8_t form) {
  if (auto* accept = get_if<Accept>(&message)) {
    if (form % 4 == 1) accept->chosen_through = Slot{form};
    if (form % 4 == 2) accept->slot = Slot{form};
    if (form % 4 == 3) accept->ballot.round = form;
  }
  return message;
}

void drain(WriteQueue& queue, Buffer& stream) {
  for (const auto part : queue.begin_write()) stream.insert(stream.end(), part.begin(), part.end());
  queue.end_write();
}

void write_and_read(Input& input) {
  WriteQueue queue{fingerprint, greeted_bytes_max, 65536};
  AcceptFrameCache cache;
  std::vector<Message> urgent;
  std::vector<Message> bulk;
  Buffer stream;
  Message message;
  while (!input.empty() && stream.size() < (std::size_t{1} << 20)) {
    const bool repeats = input.flag() && !urgent.empty();
    if (repeats) message = varied(urgent.back(), input.byte());
    if (!repeats && !next_message(input, message)) continue;
    if (queue.push(message, cache) == WriteQueue::Pushed::queued) (is_bulk(message) ? bulk : urgent).push_back(message);
    check(queue.bytes() <= 65536, "a queue keeps to its bound");
    if (input.flag() && queue.has_pending()) drain(queue, stream);
  }
  while (queue.has_pending()) drain(queue, stream);
  check(queue.bytes() == 0, "an empty queue counts no bytes");

  FrameReader reader{greeted_bytes_max};
  auto next_urgent = urgent.begin();
  auto next_bulk = bulk.begin();
  for (std::size_t at = 0; at < stream.size();) {
    const auto room = reader.room();
    const std::size_t size = std::min(room.size(), stream.size() - at);
    std::memcpy(room.data(), stream.data() + at, size);
    reader.arrived(size);
    at += size;
    while (const auto frame = reader.next()) {
      check(frame->fingerprint == fingerprint && decode_message(frame->payload, message), "a frame holds a message");
      if (is_bulk(message)) {  // some were dropped to make room
        next_bulk = std::find(next_bulk, bulk.end(), message);
        check(next_bulk++ != bulk.end(), "a bulk message arrives as it was pushed, in order");
      } else {
        check(next_urgent != urgent.end() && *next_urgent++ == message, "a message arrives as it was pushed, in order");
      }
    }
  }
  check(reader.error() == FrameError::none, "what a queue writes is a stream of frames");
  check(next_urgent == urgent.end(), "every message that was queued arrives");
}

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos::fuzz;
  Input input{data, size};
  const std::uint8_t mode = input.byte();
  if (mode % 4 == 3) {
    write_and_read(input);
    return 0;
  }
  const bool greets = (mode & 4U) != 0;
  const auto splits = input.take(4);
  const auto raw = mode % 4 == 0 ? input.rest() : std::span<const std::byte>{};
  const paxos::Buffer stream = mode % 4 == 0 ? paxos::Buffer(raw.begin(), raw.end()) : built(input);
  const Outcome expected = parsed(stream, greets);
  check(read(stream, greets, splits) == expected, "reads of the input's sizes give the frames of the stream");
  check(read(stream, greets, {}) == expected, "reads as large as there is room for give the same");
  return 0;
}
