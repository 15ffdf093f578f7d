// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <string_view>

#include <paxos/core/ballot.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// What a node is doing about leadership.
enum class Standing {
  follower,   ///< hears a leader, or waits for one
  candidate,  ///< asks for support, or runs phase 1
  leader,
};

/// For logs: "follower", "candidate", "leader".
[[nodiscard]] constexpr std::string_view to_string(Standing standing) {
  switch (standing) {
    case Standing::follower: return "follower";
    case Standing::candidate: return "candidate";
    case Standing::leader: return "leader";
  }
  return "?";
}

/// Sees what happens in a node and changes nothing. Derive from it and hide what is of interest; the rest costs
/// nothing. Every call comes from the node's own executor, must not block and must not call back into the node.
struct NullObserver {
  void on_standing(Standing, const Ballot&) {}            ///< this node's standing changed; the ballot it stands at
  void on_leader(NodeId, const Ballot&) {}                ///< this node follows another leader now
  void on_promised(const Ballot&) {}                      ///< the acceptor promised a higher ballot
  void on_chosen(Slot, std::size_t /*bytes*/) {}          ///< the slot's value is known here as chosen
  void on_peer_up(NodeId) {}                              ///< messages can be sent to this peer
  void on_peer_down(NodeId, std::string_view /*why*/) {}  ///< nothing can be sent to this peer for now
  void on_dropped(NodeId, std::string_view /*why*/) {}    ///< a message was malformed, hostile, or beyond a bound
  void on_refused(std::string_view /*who and why*/) {}    ///< a connection was refused, by us or by the other side
  void on_disk_error(const Status&) {}                    ///< a write or flush failed, or the disk is full
  void on_stopped(const Status&) {}                       ///< the node stopped itself; the reason
};

/// See NullObserver, which says what each call means.
template <class O>
concept Observer = requires(O& observer, NodeId node, Ballot ballot, Slot slot, std::string_view text, Status status) {
  observer.on_standing(Standing::leader, ballot);
  observer.on_leader(node, ballot);
  observer.on_promised(ballot);
  observer.on_chosen(slot, std::size_t{});
  observer.on_peer_up(node);
  observer.on_peer_down(node, text);
  observer.on_dropped(node, text);
  observer.on_refused(text);
  observer.on_disk_error(status);
  observer.on_stopped(status);
};

}  // namespace paxos
