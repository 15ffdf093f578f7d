// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <paxos/core/message.hpp>

namespace paxos::testing {

/// One message of every kind, in the order of their kinds, no field at its default. No two senders have one in common.
[[nodiscard]] inline std::vector<Message> sample_messages(NodeId sender) {
  const std::uint64_t tag = sender.value();
  const Ballot ballot{4, sender};
  const Slot before{6 + tag}, slot{7 + tag}, after{8 + tag};
  const RequestId id{{0x1111, 0x2222}, 5 + tag};
  return {Prepare{ballot, slot},
          Promise{ballot, slot, Slot{9 + tag}, before, {{after, Ballot{3, NodeId{1}}, Bytes{"v"}}}},
          Accept{ballot, slot, before, Bytes{"xyz"}},
          Accepted{ballot, slot, after},
          Nack{ballot},
          Chosen{ballot, slot},
          Heartbeat{ballot, 5, before, false},
          HeartbeatAck{ballot, 5, before},
          PreVote{4 + tag, before},
          PreVoteReply{4 + tag, true, ballot, before, NodeId{3}},
          HandOver{ballot},
          CatchUpRequest{slot},
          CatchUpReply{slot, Slot{10 + tag}, {Bytes{"a"}, Bytes{"bc"}}},
          Forward{{id, 3, before, Bytes{"cmd"}}, true},
          ForwardReply{id, 10, slot, Bytes{"r"}},
          ReadIndex{4 + tag, true},
          ReadIndexReply{4 + tag, true, slot}};
}

/// Bytes that no two numbers have in common, and in which a piece that is missing or doubled shows.
[[nodiscard]] inline Bytes patterned(std::size_t size, std::uint64_t number) {
  Buffer bytes(size);
  std::uint64_t state = number;
  for (std::byte& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::byte>(state >> 56);
  }
  return Bytes{bytes};
}

/// An Accept that takes `bytes` when it is encoded.
[[nodiscard]] inline Message message_of(std::size_t bytes, std::uint64_t slot) {
  Buffer encoded;
  Accept accept{{1, NodeId{1}}, Slot{slot}, Slot{}, {}};
  encode_message(encoded, accept);
  accept.value = patterned(bytes - encoded.size(), slot);
  return accept;
}

}  // namespace paxos::testing
