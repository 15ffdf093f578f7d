// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// Finds out that chosen values are missing here, and fetches them from any node that has them.
///
/// One request is out at a time, and one answer is bounded (Config::catch_up_bytes_max): that is the rate. It asks
/// followers rather than the leader, and another node when one does not help. A node that hears no news of progress
/// asks around, so that one whom the leader cannot reach goes on learning. Serves the others from the log.
template <Transport Net, Storage Store>
class CatchUp {
 public:
  /// All three must outlive it.
  CatchUp(const Config& config, Net& net, Store& store)
      : config_(config), membership_(config.members), net_(net), store_(store), known_(membership_.size()) {}

  /// A peer said that it knows every slot up to `chosen_through` as chosen. It may know less than it once said: what it
  /// knows as chosen need not be durable, so a restart forgets some.
  void on_progress(NodeId peer, Slot chosen_through, Time now) {
    const auto member = membership_.index_of(peer);
    if (!member) return;
    known_[*member] = chosen_through;
    last_news_ = now;
  }

  /// Answers with chosen values up to `catch_up_bytes_max`, as far as this node has them.
  void on_request(NodeId from, const CatchUpRequest& request, Slot chosen_through) {
    CatchUpReply reply{request.first_slot, chosen_through, {}};
    std::size_t bytes = 0;
    for (Slot slot = request.first_slot; slot > Slot{} && slot <= chosen_through; slot = slot.next()) {
      auto value = store_.read(slot);
      if (!value || (bytes > 0 && bytes + value->size() > config_.catch_up_bytes_max)) break;
      bytes += value->size() + sizeof(std::uint32_t);
      reply.values.push_back(std::move(*value));
      if (bytes > config_.catch_up_bytes_max) break;
    }
    net_.send(from, std::move(reply));
  }

  /// The answer to the request that is out, or a late one, which helps as well: the caller learns its values.
  void on_reply(NodeId from, const CatchUpReply& reply, Time now) {
    on_progress(from, reply.chosen_through, now);
    if (!asked_ || asked_->peer != from || asked_->first_slot != reply.first_slot) return;
    if (!reply.values.empty()) {
      helper_ = from;
      return asked_.reset();
    }
    // A peer that knows the slots but cannot read them is not asked again before the others were. An answer that brings
    // nothing does not free the place for the next request: a network that repeats messages would multiply them.
    if (reply.chosen_through >= reply.first_slot) known_[*membership_.index_of(from)] = Slot{};
  }

  /// Asks for what is missing above `chosen_through`. Never while `is_congested`: what arrives must be written.
  void end_turn(Slot chosen_through, NodeId leader, bool is_congested, Time now) {
    const bool was_in_vain = asked_ && now >= asked_->deadline && asked_->first_slot > chosen_through;
    if (was_in_vain || (asked_ && asked_->first_slot <= chosen_through)) asked_.reset();
    if (asked_ || is_congested || membership_.size() == 1) return;
    if (was_in_vain) {
      helper_.reset();
      // Who is ahead may be out of reach, and who can be reached may be unable to say how far it is.
      ask(next_peer(), chosen_through, now);
    } else if (const auto peer = choose_peer(chosen_through, leader)) {
      ask(*peer, chosen_through, now);
    } else if (helper_.reset(); now - last_news_ >= 4 * config_.heartbeat_interval) {
      last_news_ = now;
      ask(next_peer(), chosen_through, now);
    }
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(known_, asked_, helper_, asked_leader_, turn_);
  }

 private:
  struct Asked {
    NodeId peer;
    Slot first_slot;
    Time deadline = Time::max();

    template <class Archive>
    void image(Archive& archive) {
      archive(peer, first_slot);
    }
  };

  void ask(NodeId peer, Slot chosen_through, Time now) {
    asked_ = Asked{peer, chosen_through.next(), now + 2 * config_.retransmit_interval};
    net_.send(peer, CatchUpRequest{chosen_through.next()});
  }

  /// Who helped last, or else the next peer in turn, if it has what is missing; the leader only if no other has.
  std::optional<NodeId> choose_peer(Slot chosen_through, NodeId leader) {
    // A leader has better to do: the others have a chance now and then.
    if (helper_ && (*helper_ != leader || ++asked_leader_ % 8 != 0) &&
        known_[*membership_.index_of(*helper_)] > chosen_through)
      return helper_;
    std::optional<NodeId> fallback;
    for (std::size_t peers = membership_.size() - 1; peers > 0; --peers) {
      const NodeId peer = next_peer();
      if (known_[*membership_.index_of(peer)] <= chosen_through) continue;
      if (peer != leader) return peer;
      fallback = peer;
    }
    return fallback;
  }

  /// Round robin over all members but this node.
  NodeId next_peer() {
    do {
      turn_ = (turn_ + 1) % membership_.size();
    } while (membership_.ids()[turn_] == config_.id);
    return membership_.ids()[turn_];
  }

  const Config& config_;
  Membership membership_;
  Net& net_;
  Store& store_;
  std::vector<Slot> known_;  ///< how far each member's knowledge of chosen slots reaches, as it said
  std::optional<Asked> asked_;
  std::optional<NodeId> helper_;   ///< who answered with values last, until one asks in vain or lacks nothing
  std::uint8_t asked_leader_ = 0;  ///< times in a row, about
  std::size_t turn_ = 0;
  Time last_news_;
};

}  // namespace paxos
