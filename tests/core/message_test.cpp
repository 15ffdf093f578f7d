// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/message.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>
#include <tests/core/hex.hpp>

namespace {

using namespace paxos;

const Ballot ballot{4, NodeId{2}};
const Command command{{{1, 2}, 3}, 2, Slot{8}, Bytes{"cmd"}};

/// One of each kind, in the order of the kinds, with no field at its default.
std::vector<Message> one_of_each() {
  return {
      Prepare{ballot, Slot{5}},
      Promise{ballot, Slot{5}, Slot::infinity(), Slot{4}, {{Slot{5}, {3, NodeId{1}}, Bytes{"v"}}}},
      Accept{ballot, Slot{5}, Slot{4}, Bytes{"v"}},
      Accepted{ballot, Slot{5}, Slot{6}},
      Nack{ballot},
      Chosen{ballot, Slot{5}},
      Heartbeat{ballot, 9, Slot{5}, false},
      HeartbeatAck{ballot, 9, Slot{5}},
      PreVote{7, Slot{5}},
      PreVoteReply{7, true, ballot, Slot{5}, NodeId{3}},
      HandOver{ballot},
      CatchUpRequest{Slot{5}},
      CatchUpReply{Slot{5}, Slot{6}, {Bytes{"v"}, Bytes{}}},
      Forward{command, true},
      ForwardReply{command.id, 10, Slot{5}, Bytes{"r"}},
      ReadIndex{7, true},
      ReadIndexReply{7, true, Slot{5}},
  };
}

Buffer bytes_of(const Message& message) {
  Buffer out;
  encode_message(out, message);
  return out;
}

TEST_CASE("Message: every kind comes back as it was", "[message]") {
  const auto messages = one_of_each();
  REQUIRE(messages.size() == Message::alternatives);
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    INFO(name_of(messages[kind]));
    CHECK(messages[kind].index() == kind);
    Message back;
    REQUIRE(decode_message(bytes_of(messages[kind]), back));
    CHECK(back == messages[kind]);
  }
}

// Wire format 1. A change of any of these bytes cuts a node off from its peers: it needs a new format number.
TEST_CASE("Message: the bytes of each kind are these", "[message][golden]") {
  const std::string b = " 04 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00";  // ballot 4.2
  const auto u64 = [](unsigned low) { return " 0" + std::to_string(low) + " 00 00 00 00 00 00 00"; };
  const std::string v = " 01 00 00 00 76";  // "v"
  const std::string request = u64(1) + u64(2) + u64(3);
  const std::string golden[] = {
      "00" + b + u64(5),
      "01" + b + u64(5) + " ff ff ff ff ff ff ff ff" + u64(4) + " 01 00 00 00" + u64(5) + u64(3) + u64(1) + v,
      "02" + b + u64(5) + u64(4) + v,
      "03" + b + u64(5) + u64(6),
      "04" + b,
      "05" + b + u64(5),
      "06" + b + u64(9) + u64(5) + " 00",
      "07" + b + u64(9) + u64(5),
      "08" + u64(7) + u64(5),
      "09" + u64(7) + " 01" + b + u64(5) + u64(3),
      "0a" + b,
      "0b" + u64(5),
      "0c" + u64(5) + u64(6) + " 02 00 00 00" + v + " 00 00 00 00",
      "0d 01" + request + u64(2) + u64(8) + " 03 00 00 00 63 6d 64",
      "0e" + request + " 0a 00 00 00" + u64(5) + " 01 00 00 00 72",
      "0f" + u64(7) + " 01",
      "10" + u64(7) + " 01" + u64(5),
  };
  const auto messages = one_of_each();
  REQUIRE(std::size(golden) == messages.size());
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    INFO(name_of(messages[kind]));
    CHECK(test::hex(bytes_of(messages[kind])) == golden[kind]);
  }
}

TEST_CASE("Message: cut anywhere, or with a byte too many, it is none", "[message]") {
  Message back;
  for (const Message& message : one_of_each()) {
    INFO(name_of(message));
    Buffer bytes = bytes_of(message);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_message(std::span{bytes}.first(size), back));
    bytes.push_back(std::byte{0});
    CHECK_FALSE(decode_message(bytes, back));
  }
}

TEST_CASE("Message: an unknown kind is none", "[message]") {
  Message back;
  for (std::size_t kind = Message::alternatives; kind < 256; ++kind) {
    Buffer bytes(64, std::byte{0});
    bytes[0] = static_cast<std::byte>(kind);
    CHECK_FALSE(decode_message(bytes, back));
  }
}

// Hazards 45: hostile bytes. What decodes must encode to the very same bytes: a message has one form on the wire.
TEST_CASE("Message: 200,000 random and altered messages neither crash nor decode to something else", "[message]") {
  Random random{2026};
  const auto messages = one_of_each();
  Message back;
  int decoded = 0;
  bool same_bytes = true;
  for (int round = 0; round < 200000; ++round) {
    Buffer bytes;
    if (round % 2 == 0) {
      bytes.resize(static_cast<std::size_t>(random.below(80)));
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
      if (!bytes.empty()) bytes[0] = static_cast<std::byte>(random.below(20));
    } else {
      bytes = bytes_of(messages[static_cast<std::size_t>(random.below(messages.size()))]);
      const auto place = static_cast<std::size_t>(random.below(bytes.size()));
      bytes[place] = static_cast<std::byte>(random.below(256));
    }
    if (decode_message(bytes, back)) {
      ++decoded;
      same_bytes = same_bytes && bytes_of(back) == bytes;
    }
  }
  CHECK(decoded > 1000);
  CHECK(same_bytes);
}

TEST_CASE("Message: a Promise or CatchUpReply that claims four billion values is refused at once", "[message]") {
  const auto claim_four_billion = [](Message message) {
    Buffer bytes = bytes_of(message);  // both end in the count of an empty list
    for (std::size_t i = bytes.size() - 4; i < bytes.size(); ++i) bytes[i] = std::byte{0xff};
    return bytes;
  };
  Message back;
  CHECK_FALSE(decode_message(claim_four_billion(Promise{}), back));
  CHECK(get<Promise>(back).accepted.capacity() == 0);
  CHECK_FALSE(decode_message(claim_four_billion(CatchUpReply{}), back));
  CHECK(get<CatchUpReply>(back).values.capacity() == 0);
}

// Hazards 50. Each slot of each message in turn: the last one in reach, and the first that is not.
TEST_CASE("Message: a slot that no log reaches makes any message malformed", "[message]") {
  const Slot last{(std::uint64_t{1} << 62) - 1};
  const Slot first_beyond = last.next();
  const auto with = [](Slot slot) {
    const Ballot b{1, NodeId{1}};
    const Slot one{1};
    return std::vector<Message>{Prepare{b, slot},
                                Promise{b, slot, Slot::infinity(), one, {}},
                                Promise{b, one, slot, one, {}},
                                Promise{b, one, Slot::infinity(), slot, {}},
                                Promise{b, one, Slot::infinity(), one, {{one, b, {}}, {slot, b, {}}}},
                                Accept{b, slot, one, {}},
                                Accept{b, one, slot, {}},
                                Accepted{b, slot, one},
                                Accepted{b, one, slot},
                                Chosen{b, slot},
                                Heartbeat{b, 1, slot},
                                HeartbeatAck{b, 1, slot},
                                PreVote{1, slot},
                                PreVoteReply{1, true, b, slot},
                                CatchUpRequest{slot},
                                CatchUpReply{slot, one, {}},
                                CatchUpReply{one, slot, {}},
                                Forward{Command{{}, 0, slot, {}}},
                                ForwardReply{{}, 0, slot, {}},
                                ReadIndexReply{1, true, slot}};
  };
  for (const Message& message : with(last)) CHECK(is_well_formed(message));
  std::size_t to_the_end = 0;
  for (const Slot slot : {first_beyond, Slot::infinity()})
    for (const Message& message : with(slot)) {
      const auto* promise = get_if<Promise>(&message);
      const bool says_to_the_end =
          promise != nullptr && *promise == Promise{promise->ballot, Slot{1}, Slot::infinity(), Slot{1}, {}};
      to_the_end += says_to_the_end ? 1 : 0;
      CHECK(is_well_formed(message) == says_to_the_end);
    }
  CHECK(to_the_end == 1);
  for (const Message& message : one_of_each()) CHECK(is_well_formed(message));
}

TEST_CASE("Message: every kind has a name of its own, and only catch-up is bulk", "[message]") {
  std::vector<std::string_view> names;
  for (const Message& message : one_of_each()) {
    names.push_back(name_of(message));
    CHECK(is_bulk(message) == (name_of(message) == "CatchUpReply"));
  }
  CHECK(names.front() == "Prepare");
  CHECK(names.back() == "ReadIndexReply");
}

}  // namespace
