// Copyright (c) the paxos authors. MIT licence.
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/transport/frame.hpp>

#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

constexpr std::uint64_t cluster = 0x0102030405060708;
constexpr std::size_t bound = 1 << 20;

Buffer frame_of(const Message& message) {
  Buffer frame;
  append_message_frame(frame, cluster, message);
  return frame;
}

FrameReader reader(std::size_t payload_bytes_max = bound) {
  FrameReader made{payload_bytes_max};
  made.expect(cluster, payload_bytes_max, 4096);
  return made;
}

/// Offers bytes in pieces of at most `piece`, and collects the messages that come out.
std::vector<Message> feed(FrameReader& to, std::span<const std::byte> bytes, std::size_t piece) {
  std::vector<Message> messages;
  while (!bytes.empty() && to.error() == FrameError::none) {
    const auto room = to.room();
    const std::size_t size = std::min({piece, room.size(), bytes.size()});
    std::memcpy(room.data(), bytes.data(), size);
    to.arrived(size);
    bytes = bytes.subspan(size);
    while (const auto frame = to.next()) {
      Message message;
      REQUIRE(decode_message(frame->payload, message));
      messages.push_back(std::move(message));
    }
  }
  return messages;
}

FrameError error_of(const Buffer& frame, std::size_t payload_bytes_max = bound) {
  FrameReader fresh = reader(payload_bytes_max);
  feed(fresh, frame, frame.size());
  return fresh.error();
}

}  // namespace

TEST_CASE("every kind of message survives a frame, however the bytes are cut up", "[frame]") {
  const auto sent = samples();
  REQUIRE(sent.size() == Message::alternatives);
  Buffer stream;
  for (const Message& message : sent) append_message_frame(stream, cluster, message);
  for (const std::size_t piece : std::initializer_list<std::size_t>{1, 2, 3, 7, 28, 29, 1000}) {
    FrameReader fresh = reader();
    CHECK(feed(fresh, stream, piece) == sent);
    CHECK(fresh.error() == FrameError::none);
  }
}

TEST_CASE("the bytes of a frame are fixed", "[frame][golden]") {
  CHECK(hex(frame_of(Nack{{4, NodeId{2}}})) ==
        "50415853"          // magic
        "0100"              // version
        "03"                // kind: message
        "00"                // flags
        "11000000"          // length
        "00000000"          // group
        "0807060504030201"  // fingerprint
        "0e4a2f62"          // CRC-32C
        "04"                // kind of message: Nack
        "0400000000000000"  // round
        "0200000000000000"  // node
  );
}

TEST_CASE("the bytes of every kind of message are fixed", "[frame][golden]") {
  const std::vector<std::string> golden = {
      "00040000000000000002000000000000000900000000000000",
      "010400000000000000020000000000000009000000000000000b000000000000000800000000000000010000000a00000000000000030000"
      "000000000001000000000000000100000076",
      "0204000000000000000200000000000000090000000000000008000000000000000300000078797a",
      "030400000000000000020000000000000009000000000000000a00000000000000",
      "0404000000000000000200000000000000",
      "05040000000000000002000000000000000900000000000000",
      "06040000000000000002000000000000000500000000000000080000000000000000",
      "070400000000000000020000000000000005000000000000000800000000000000",
      "0806000000000000000800000000000000",
      "090600000000000000010400000000000000020000000000000008000000000000000300000000000000",
      "0a04000000000000000200000000000000",
      "0b0900000000000000",
      "0c09000000000000000c00000000000000020000000100000061020000006263",
      "0d011111000000000000222200000000000007000000000000000300000000000000080000000000000003000000636d64",
      "0e1111000000000000222200000000000007000000000000000a00000009000000000000000100000072",
      "0f060000000000000001",
      "100600000000000000010900000000000000"};
  const auto messages = samples();
  REQUIRE(golden.size() == messages.size());
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    INFO(name_of(messages[kind]));
    Buffer bytes;
    encode_message(bytes, messages[kind]);
    CHECK(hex(bytes) == golden[kind]);
  }
}

TEST_CASE("a frame that is cut short gives no message and no error", "[frame]") {
  for (const Message& message : samples()) {
    const Buffer whole = frame_of(message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      FrameReader fresh = reader();
      CHECK(feed(fresh, std::span{whole}.first(size), whole.size()).empty());
      CHECK(fresh.error() == FrameError::none);
    }
  }
}

TEST_CASE("a frame with one damaged byte is refused or incomplete, never another message", "[frame]") {
  for (const Message& message : samples()) {
    const Buffer whole = frame_of(message);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (unsigned flip = 1; flip < 256; ++flip) {
        Buffer damaged = whole;
        damaged[at] ^= static_cast<std::byte>(flip);
        FrameReader fresh = reader();
        if (!feed(fresh, damaged, damaged.size()).empty())
          FAIL("byte " << at << " of " << name_of(message) << " flipped by " << flip << " was not noticed");
      }
    }
  }
}

TEST_CASE("what is wrong with a frame is said", "[frame]") {
  const Buffer good = frame_of(ReadIndex{6});
  const auto with = [&](std::size_t at, int byte) {
    Buffer bad = good;
    bad[at] = static_cast<std::byte>(byte);
    return error_of(bad);
  };
  CHECK(error_of(good) == FrameError::none);
  CHECK(with(0, 'X') == FrameError::bad_magic);
  CHECK(with(4, 2) == FrameError::bad_version);
  CHECK(with(6, 0) == FrameError::bad_kind);
  CHECK(with(6, 4) == FrameError::bad_kind);
  CHECK(with(7, 1) == FrameError::bad_kind);
  CHECK(with(12, 1) == FrameError::wrong_group);
  CHECK(with(16, 1) == FrameError::wrong_cluster);
  CHECK(with(24, std::to_integer<int>(good[24]) ^ 1) == FrameError::bad_checksum);
  CHECK(with(good.size() - 1, 1) == FrameError::bad_checksum);
  CHECK(error_of(good, good.size() - frame_header_bytes) == FrameError::none);
  CHECK(error_of(good, good.size() - frame_header_bytes - 1) == FrameError::too_long);
}

TEST_CASE("a broken stream stays broken", "[frame]") {
  Buffer stream = frame_of(ReadIndex{6});
  stream[0] = std::byte{0};
  append_message_frame(stream, cluster, ReadIndex{7});
  FrameReader fresh = reader();
  CHECK(feed(fresh, stream, stream.size()).empty());
  CHECK(!fresh.next());
  CHECK(fresh.error() == FrameError::bad_magic);
}

TEST_CASE("a frame that claims 4 GiB allocates nothing", "[frame]") {
  Buffer frame = frame_of(ReadIndex{6});
  for (std::size_t at = 8; at < 12; ++at) frame[at] = std::byte{0xff};
  FrameReader fresh = reader();
  const std::size_t room = fresh.room().size();
  CHECK(feed(fresh, frame, frame.size()).empty());
  CHECK(fresh.error() == FrameError::too_long);
  CHECK(fresh.capacity() == room);
}

TEST_CASE("the buffer grows with the bytes that arrive, not with those that are claimed", "[frame]") {
  const Buffer frame = frame_of(Accept{{4, NodeId{2}}, Slot{9}, Slot{8}, filled(bound - 1000, 'v')});
  FrameReader fresh = reader();
  std::size_t offered = 0;
  while (offered < frame.size() - 1) {
    const auto room = fresh.room();
    const std::size_t size = std::min<std::size_t>({room.size(), 1000, frame.size() - 1 - offered});
    std::memcpy(room.data(), frame.data() + offered, size);
    fresh.arrived(size);
    offered += size;
    REQUIRE(!fresh.next());
    REQUIRE(fresh.capacity() <= std::max<std::size_t>(4096, 2 * offered));
  }
  CHECK(feed(fresh, std::span{frame}.last(1), 1).size() == 1);
}

TEST_CASE("the memory of one large frame is given back when only small ones follow", "[frame]") {
  FrameReader fresh = reader();
  CHECK(feed(fresh, frame_of(Accept{{4, NodeId{2}}, Slot{9}, Slot{8}, filled(bound - 1000, 'v')}), 4096).size() == 1);
  CHECK(fresh.capacity() > bound / 2);
  for (int i = 0; i < 200; ++i) CHECK(feed(fresh, frame_of(ReadIndex{6}), 4096).size() == 1);
  CHECK(fresh.capacity() == 4096);
}
