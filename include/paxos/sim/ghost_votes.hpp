// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include <paxos/core/ballot.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot.hpp>

namespace paxos::sim {

/// The judge that no replica can talk to: it sees what every disk really holds, and calls a slot chosen when, and only
/// when, a quorum durably voted for it at one ballot.
///
/// Throws InvariantViolation at the first durable record that breaks agreement: two values at one (ballot, slot), two
/// values chosen in one slot, or a promise that went down.
class GhostVotes {
 public:
  explicit GhostVotes(Membership membership) : membership_(std::move(membership)) {}

  /// `record` became durable at `node`.
  void on_durable(NodeId node, const Record& record) {
    if (const auto* promise = std::get_if<PromiseRecord>(&record)) on_promise(node, promise->ballot);
    if (const auto* accept = std::get_if<AcceptRecord>(&record)) on_vote(node, *accept);
  }

  /// The value of a slot, once it is chosen.
  [[nodiscard]] const Value* chosen(Slot slot) const {
    const auto found = chosen_.find(slot);
    return found == chosen_.end() ? nullptr : &found->second;
  }
  /// Whether the command stands in a chosen slot.
  [[nodiscard]] bool is_chosen(const RequestId& id) const { return commands_.contains(id); }
  [[nodiscard]] std::size_t chosen_slots() const { return chosen_.size(); }

  /// `node` takes `value` for the chosen one of `slot`: it must be.
  void check_learned(NodeId node, Slot slot, const Value& value) const {
    const Value* truth = chosen(slot);
    ensure(truth != nullptr, [&] {
      return "node " + to_string(node) + " applied slot " + to_string(slot) + ", which no quorum durably voted for";
    });
    ensure(*truth == value, [&] {
      return "node " + to_string(node) + " applied another value in slot " + to_string(slot) + " than the chosen one";
    });
  }

 private:
  struct Ballots {
    Value value;
    Votes votes;
  };

  void on_promise(NodeId node, const Ballot& ballot) {
    Ballot& promised = promised_[node];
    ensure(ballot >= promised, [&] {
      return "node " + to_string(node) + " promised " + to_string(ballot) + " after " + to_string(promised);
    });
    promised = ballot;
  }

  void on_vote(NodeId node, const AcceptRecord& accept) {
    on_promise(node, accept.ballot);
    auto [entry, is_first] = votes_.try_emplace({accept.slot, accept.ballot}, Ballots{accept.value, {}});
    ensure(is_first || entry->second.value == accept.value, [&] {
      return "two values at slot " + to_string(accept.slot) + ", ballot " + to_string(accept.ballot) +
             ": a ballot was used twice";
    });
    const auto member = membership_.index_of(node);
    if (!member || !entry->second.votes.insert(*member) || !membership_.is_quorum(entry->second.votes)) return;
    const auto [truth, is_new] = chosen_.try_emplace(accept.slot, accept.value);
    ensure(truth->second == accept.value, [&] {
      return "slot " + to_string(accept.slot) + " was chosen, and is chosen again with another value at ballot " +
             to_string(accept.ballot);
    });
    if (!is_new) return;
    if (const auto commands = commands_of(accept.value))
      for (const Command& command : *commands) commands_.insert(command.id);
  }

  Membership membership_;
  std::map<NodeId, Ballot> promised_;
  std::map<std::pair<Slot, Ballot>, Ballots> votes_;
  std::map<Slot, Value> chosen_;
  std::set<RequestId> commands_;
};

}  // namespace paxos::sim
