// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// "Durable before reply", in one place: keeps each message back until its ticket is durable, and hands what a node
/// says to itself back to that node. Knows nothing of what the messages mean, but that acknowledgements of
/// neighbouring slots fit into one. What waits is bounded, in messages and in bytes: beyond, a message is as good as
/// lost, and asked for again.
template <Transport Net>
class Outbox {
 public:
  /// Messages that may wait for the disk. A window of slots needs one each; a disk that hangs must not cost more.
  static constexpr std::size_t waiting_max = std::size_t{1} << 16;

  /// `value_bytes_max`: beside those messages, the values that they carry, but for the last message's.
  Outbox(NodeId self, Net& net, std::size_t value_bytes_max)
      : self_(self), net_(net), value_bytes_max_(value_bytes_max) {}

  /// Leaves in this turn.
  void send(NodeId to, Message message) {
    if (to == self_) {
      to_self_.push_back(std::move(message));
    } else {
      net_.send(to, std::move(message));
    }
  }

  /// Leaves once the ticket is durable; dropped when too much waits.
  void send_after(WriteTicket ticket, NodeId to, Message message) {
    if (ticket <= durable_) return send(to, std::move(message));
    if (waiting_.size() >= waiting_max || value_bytes_ >= value_bytes_max_) return;
    value_bytes_ += value_bytes(message);
    waiting_.push_back(Waiting{ticket, to, std::move(message)});
  }

  /// Releases, in the order in which they were sent, the messages that waited for `durable` or less.
  void on_durable(WriteTicket durable) {
    if (durable <= durable_) return;
    durable_ = durable;
    std::deque<Waiting> ready;
    std::erase_if(waiting_, [&](Waiting& held) {
      if (held.ticket > durable_) return false;
      value_bytes_ -= value_bytes(held.message);
      if (!merge(ready, held)) ready.push_back(std::move(held));
      return true;
    });
    for (Waiting& released : ready) send(released.to, std::move(released.message));
  }

  /// The next message of this node to itself; the caller handles it as any other.
  [[nodiscard]] bool take_to_self(Message& message) {
    if (to_self_.empty()) return false;
    message = std::move(to_self_.front());
    to_self_.pop_front();
    return true;
  }

  /// Whether a flush would let a message go.
  [[nodiscard]] bool is_waiting() const { return !waiting_.empty(); }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(durable_, waiting_, to_self_);
    if constexpr (Archive::is_loading) {
      value_bytes_ = 0;
      for (const Waiting& held : waiting_) value_bytes_ += value_bytes(held.message);
    }
  }

 private:
  struct Waiting {
    WriteTicket ticket;
    NodeId to;
    Message message;

    template <class Archive>
    void image(Archive& archive) {
      archive(ticket, to, message);
    }
  };

  /// Of all that waits for a disk only a Promise carries values.
  static std::size_t value_bytes(const Message& message) {
    std::size_t bytes = 0;
    if (const auto* promise = get_if<Promise>(&message))
      for (const AcceptedValue& accepted : promise->accepted) bytes += sizeof accepted + accepted.value.size();
    return bytes;
  }

  /// Accepted{b, 4, 6} and Accepted{b, 7, 7} to one node are Accepted{b, 4, 7}.
  static bool merge(std::deque<Waiting>& ready, const Waiting& next) {
    const auto* right = get_if<Accepted>(&next.message);
    if (right == nullptr) return false;
    for (Waiting& earlier : ready) {
      auto* left = get_if<Accepted>(&earlier.message);
      if (left == nullptr || earlier.to != next.to || left->ballot != right->ballot) continue;
      if (left->last.next() != right->first) continue;
      left->last = right->last;
      return true;
    }
    return false;
  }

  NodeId self_;
  Net& net_;
  WriteTicket durable_;
  std::deque<Waiting> waiting_;
  std::size_t value_bytes_max_;
  std::size_t value_bytes_ = 0;  ///< of waiting_
  std::deque<Message> to_self_;
};

}  // namespace paxos
