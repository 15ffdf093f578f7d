// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/bytes.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/core/time.hpp>
#include <paxos/transport/hello.hpp>

namespace examples {

/// The most that a datagram carries over IPv4. On a network with a smaller MTU the kernel cuts it up: a fragment lost
/// is a message lost, so lower bounds serve better there.
inline constexpr std::size_t datagram_bytes_max = 65507;

// A datagram is one of the library's frames (transport/frame.hpp: magic, version, cluster, CRC-32C). In a message
// frame a ticket stands before the message. A ticket is what the receiver gave this very life of the sender when it
// greeted: so nothing gets in of a life that was not judged, and nothing old once there is a newer one.

// A hello and its answer stand in it as bytes with a length, for decode_hello(): a later release may append to them.

/// "I am this node on this disk; let me in." As long as the longest answer, so that nobody can be made to send much to
/// a third by forging little.
struct UdpGreeting {
  paxos::Bytes hello;          ///< a paxos::Hello
  std::uint64_t question = 0;  ///< the answer repeats it: whoever has not heard the question cannot answer
  std::string padding = {};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(hello, question, padding);
  }
};
struct UdpAnswer {
  paxos::Bytes reply;  ///< a paxos::HelloReply
  std::uint64_t question = 0;
  std::uint64_t ticket = 0;  ///< goes with each message to the answering node; 0: refused

  template <class Archive>
  void serialize(Archive& archive) {
    archive(reply, question, ticket);
  }
};

/// What a node keeps of one peer: the way there, the way from there, and what waits for it.
struct UdpPeer {
  /// Questions count up from `first_question`, which nobody can guess.
  UdpPeer(paxos::NodeId peer, std::uint64_t first_question)
      : id(peer), asked(first_question), answered_question(first_question) {}

  /// Each question is answered once, and none that was asked before one that was answered: whatever comes late, from an
  /// earlier life perhaps, is old news.
  [[nodiscard]] bool take_answer_to(std::uint64_t question) {
    if (question - answered_question - 1 >= asked - answered_question) return false;
    answered_question = question;
    return true;
  }

  /// False when its queue is full. Bulk gets a quarter of it.
  [[nodiscard]] bool push(paxos::Buffer datagram, bool is_bulk, std::size_t bytes_max) {
    if (bytes + datagram.size() > (is_bulk ? bytes_max / 4 : bytes_max)) return false;
    bytes += datagram.size();
    (is_bulk ? bulk : urgent).push_back(std::move(datagram));
    return true;
  }
  void clear() {
    urgent.clear();
    bulk.clear();
    bytes = 0;
  }

  paxos::NodeId id;
  std::uint64_t asked;              ///< the last question of ours
  std::uint64_t answered_question;  ///< the last one that was answered

  std::uint64_t ticket = 0;     ///< what it gave us; 0: it is down, or has not let us in
  paxos::StoreLife life_there;  ///< whose ticket that is
  paxos::Time answered{};
  bool is_down_told = false;
  std::string refusal_there;  ///< told already, so that a refusal is told once and not with every greeting

  std::uint64_t given = 0;     ///< the ticket that we gave it; 0: we have not let it in
  paxos::StoreLife life_here;  ///< to whom we gave it
  std::string refusal_here;

  std::deque<paxos::Buffer> urgent, bulk;
  std::size_t bytes = 0;    ///< in both
  std::size_t dropped = 0;  ///< since the last report
};

}  // namespace examples
