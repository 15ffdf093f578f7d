// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <paxos/core/ballot.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/sim/trace.hpp>

namespace paxos::sim {

/// The judge that no replica can talk to: it sees what every disk really holds, and calls a slot chosen when, and only
/// when, a quorum durably voted for it at one ballot.
///
/// Throws InvariantViolation at the first durable record that breaks agreement: two values at one (ballot, slot), two
/// values chosen in one slot, or a promise that went down; and at the first disk that forgot what it had made durable.
class GhostVotes {
 public:
  explicit GhostVotes(Membership membership) : membership_(std::move(membership)) {}  ///< nobody has voted yet

  /// `record` became durable at `node`.
  void on_durable(NodeId node, const Record& record) {
    if (expelled_.contains(node)) return;
    if (const auto* promise = get_if<PromiseRecord>(&record)) on_promise(node, promise->ballot);
    if (const auto* accept = get_if<AcceptRecord>(&record)) {
      on_promise(node, accept->ballot);  // invariant 3
      on_vote(node, *accept);
    }
    if (const auto* chosen = get_if<ChosenRecord>(&record)) on_logged(node, chosen->through);
    if (const auto* learnt = get_if<LearnRecord>(&record)) on_logged(node, learnt->slot);
  }

  /// `node` opened its disk again. All that was durable must be there; what else is there, a power cut spared by
  /// chance.
  void on_recovered(NodeId node, const Recovered& recovered) {
    on_promise(node, recovered.promised);
    const std::string who = "node " + to_string(node) + "'s disk forgot ";
    std::map<Slot, Ballot> found;
    for (const AcceptedValue& accepted : recovered.accepted) {
      found[accepted.slot] = accepted.ballot;
      on_vote(node, AcceptRecord{accepted.ballot, accepted.slot, accepted.value});
    }
    std::map<Slot, Ballot>& newest = newest_votes_[node];
    newest.erase(newest.begin(), newest.upper_bound(recovered.chosen_through));
    for (const auto& [slot, ballot] : newest)
      ensure(found[slot] >= ballot,
             [&] { return who + "a durable vote in slot " + to_string(slot) + " at ballot " + to_string(ballot); });
    ensure(recovered.chosen_through >= logged_through_[node], [&] {
      return who + "that slots are chosen through " + to_string(logged_through_[node]) + ", now " +
             to_string(recovered.chosen_through);
    });
    ensure(recovered.chosen_through == Slot{} || chosen(recovered.chosen_through) != nullptr,
           [&] { return "node " + to_string(node) + " recovered slots as chosen that never were"; });
  }

  /// `node` says `message`: what it claims must be durable (invariant 7).
  void check_said(NodeId node, const Message& message) {
    if (expelled_.contains(node)) return;
    const auto claim = [&](bool holds) {
      ensure(holds, [&] {
        return "node " + to_string(node) + " says what its disk does not hold, which promised " +
               to_string(promised_[node]) + ": " + detail::describe(message);
      });
    };
    const Ballot& promised = promised_[node];
    if (const auto* prepare = get_if<Prepare>(&message)) claim(promised >= prepare->ballot);
    if (const auto* nack = get_if<Nack>(&message)) claim(promised >= nack->promised);
    if (const auto* promise = get_if<Promise>(&message)) {
      claim(promised >= promise->ballot);
      for (const AcceptedValue& vote : promise->accepted) claim(has_voted(node, vote.slot, vote.ballot));
    }
    if (const auto* accepted = get_if<Accepted>(&message)) {
      for (Slot slot = accepted->first; slot <= accepted->last; slot = slot.next())
        claim(has_voted(node, slot, accepted->ballot) ||
              (promised >= accepted->ballot && chosen(slot) != nullptr));  // a vote that can change nothing
    }
  }

  /// Another disk was put in the place of `node`'s: it is no voter any more, whatever it says.
  void expel(NodeId node) { expelled_.insert(node); }

  /// The value of a slot, once it is chosen.
  [[nodiscard]] const Value* chosen(Slot slot) const {
    const auto found = chosen_.find(slot);
    return found == chosen_.end() ? nullptr : &found->second;
  }
  /// Whether the command stands in a chosen slot.
  [[nodiscard]] bool is_chosen(const RequestId& id) const { return commands_.contains(id); }
  [[nodiscard]] std::size_t chosen_slots() const { return chosen_.size(); }  ///< for which a quorum of votes was seen

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

  [[nodiscard]] bool has_voted(NodeId node, Slot slot, const Ballot& ballot) const {
    const auto found = votes_.find({slot, ballot});
    const auto member = membership_.index_of(node);
    return found != votes_.end() && member && found->second.votes.has(*member);
  }

  void on_promise(NodeId node, const Ballot& ballot) {
    Ballot& promised = promised_[node];
    ensure(ballot >= promised, [&] {
      return "node " + to_string(node) + " promised " + to_string(ballot) + " after " + to_string(promised);
    });
    promised = ballot;
  }

  void on_logged(NodeId node, Slot through) { logged_through_[node] = std::max(logged_through_[node], through); }

  void on_vote(NodeId node, const AcceptRecord& accept) {
    Ballot& newest = newest_votes_[node][accept.slot];
    newest = std::max(newest, accept.ballot);
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
  std::set<NodeId> expelled_;
  std::map<NodeId, Ballot> promised_;
  std::map<NodeId, Slot> logged_through_;
  std::map<NodeId, std::map<Slot, Ballot>> newest_votes_;  ///< durable, above what the node's disk knows as chosen
  std::map<std::pair<Slot, Ballot>, Ballots> votes_;
  std::map<Slot, Value> chosen_;
  std::set<RequestId> commands_;
};

}  // namespace paxos::sim
