// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <paxos/core/message.hpp>

namespace paxos::test {

/// One of every kind, in the order of their kinds, no field at its default.
inline std::vector<Message> samples() {
  const Ballot ballot{4, NodeId{2}};
  const RequestId id{{0x1111, 0x2222}, 7};
  return {Prepare{ballot, Slot{9}},
          Promise{ballot, Slot{9}, Slot{11}, Slot{8}, {{Slot{10}, Ballot{3, NodeId{1}}, Bytes{"v"}}}},
          Accept{ballot, Slot{9}, Slot{8}, Bytes{"xyz"}},
          Accepted{ballot, Slot{9}, Slot{10}},
          Nack{ballot},
          Chosen{ballot, Slot{9}},
          Heartbeat{ballot, 5, Slot{8}, false},
          HeartbeatAck{ballot, 5, Slot{8}},
          PreVote{6, Slot{8}},
          PreVoteReply{6, true, ballot, Slot{8}, NodeId{3}},
          HandOver{ballot},
          CatchUpRequest{Slot{9}},
          CatchUpReply{Slot{9}, Slot{12}, {Bytes{"a"}, Bytes{"bc"}}},
          Forward{{id, 3, Slot{8}, Bytes{"cmd"}}, true},
          ForwardReply{id, 10, Slot{9}, Bytes{"r"}},
          ReadIndex{6, true},
          ReadIndexReply{6, true, Slot{9}}};
}

inline std::string hex(std::span<const std::byte> bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

inline Bytes filled(std::size_t size, char with) { return Bytes{std::string(size, with)}; }

}  // namespace paxos::test
