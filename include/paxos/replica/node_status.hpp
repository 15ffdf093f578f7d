// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>

#include <paxos/core/ballot.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/policy/observer.hpp>

namespace paxos {

/// What a node knows of itself at one moment. Another node's may differ, and both be right.
struct NodeStatus {
  NodeId id;                               ///< which node
  Standing standing = Standing::follower;  ///< what it is doing about leadership
  NodeId leader;                           ///< whom this node follows; NodeId{}: it knows no leader
  Ballot ballot;                           ///< of the reign that this node follows or leads
  Ballot promised;                         ///< the highest that this node's acceptor promised
  Slot chosen_through;                     ///< every slot up to here is known here as chosen
  Slot applied;                            ///< and up to here applied
  bool is_storage_full = false;            ///< takes no new commands until there is space
  Status failure;                          ///< not ok: the node stopped itself, and why
};

}  // namespace paxos
