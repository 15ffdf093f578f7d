// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <utility>

#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/write_ticket.hpp>

namespace paxos {

/// Carries messages between nodes.
///
/// send() never blocks and never calls back. A message may be lost, repeated, reordered or late, but not altered, and
/// comes from whom it says: the receiving side hands (sender, message) to Replica::on_message. An implementer bounds
/// what waits for each peer by dropping, and keeps bulk messages (is_bulk) from delaying the others.
template <class N>
concept Transport = requires(N& net, NodeId to, Message message) {
  { net.send(to, std::move(message)) };
};

/// A Transport that can also keep a message back until a write is durable: what the roles talk to.
template <class N>
concept DurableTransport = Transport<N> && requires(N& net, WriteTicket ticket, NodeId to, Message message) {
  { net.send_after(ticket, to, std::move(message)) };
};

}  // namespace paxos
