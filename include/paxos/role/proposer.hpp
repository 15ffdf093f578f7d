// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// Gets values chosen. Phase 1 once for a ballot, over every slot from the first that is not known as chosen; then
/// phase 2, many slots in flight, each a batch of commands.
///
/// Knows no disk, no election and no state machine: it is told when to stand (prepare) and when to give up
/// (stand_down), and tells which slots became chosen. Its own node's acceptor is one acceptor among the others.
template <DurableTransport Net>
class Proposer {
 public:
  /// How far it is with its ballot.
  enum class Phase {
    idle,       ///< it has none, or has given it up
    preparing,  ///< phase 1 runs
    leading,    ///< phase 1 is won
  };

  /// A slot that a quorum accepted at this proposer's ballot.
  struct ChosenValue {
    Slot slot;    ///< in the order of choice, which need not be that of slots
    Value value;  ///< as it was proposed

    template <class Archive>
    void image(Archive& archive) {
      archive(slot, value);
    }
  };

  /// Both must outlive it. Idle at first.
  Proposer(const Config& config, Net& net)
      : config_(config), membership_(config.members), net_(net), in_flight_(config.window_slots) {}

  [[nodiscard]] Phase phase() const { return phase_; }                        ///< idle, preparing or leading
  [[nodiscard]] bool is_leading() const { return phase_ == Phase::leading; }  ///< may propose
  [[nodiscard]] const Ballot& ballot() const { return ballot_; }              ///< its own; the last one, if it is idle
  /// Every slot up to here is known to this proposer as chosen. It need not know the values.
  [[nodiscard]] Slot decided() const { return in_flight_.base(); }
  /// The no-op that opened this reign, after all that earlier ballots left: once it is applied here, all that was ever
  /// acknowledged is.
  [[nodiscard]] Slot opening_slot() const { return opening_slot_; }
  /// Values were proposed that are not chosen yet.
  [[nodiscard]] bool has_in_flight() const { return in_flight_.last() > in_flight_.base(); }

  /// Starts phase 1 at `ballot`, which nobody used before, for every slot from `first_slot` on. `after` is the write
  /// that makes the ballot this node's for good: no Prepare leaves before it is durable, so that a restart cannot use
  /// the ballot again.
  void prepare(const Ballot& ballot, Slot first_slot, WriteTicket after, Time now) {
    ensure(ballot > ballot_,
           [&] { return "Proposer: ballot " + to_string(ballot) + " does not exceed " + to_string(ballot_); });
    stand_down();
    phase_ = Phase::preparing;
    ballot_ = ballot;
    claimed_ = after;
    base_ = first_slot.previous();
    reports_.assign(membership_.size(), Report{first_slot, now});
    for (const NodeId acceptor : membership_.ids()) net_.send_after(claimed_, acceptor, Prepare{ballot_, first_slot});
  }

  /// Forgets its reign. What is in flight may be chosen or not: the next leader finds it. What still waits is dropped:
  /// whoever submitted it submits it again.
  void stand_down() {
    phase_ = Phase::idle;
    promised_by_ = {};
    reported_.clear();
    reported_bytes_ = 0;
    in_flight_ = SlotWindow<InFlight>{config_.window_slots};
    open_ = {};
    waiting_.clear();
    waiting_bytes_ = 0;
  }

  /// Collects a part of a promise; true if it was news. The last part that makes a quorum starts phase 2.
  bool on_promise(NodeId from, const Promise& promise, Time now) {
    const auto member = membership_.index_of(from);
    if (!member || phase_ != Phase::preparing || promise.ballot != ballot_) return false;
    Report& report = reports_[*member];
    if (promise.first_slot != report.next_slot || !is_well_formed(promise)) return false;
    if (reported_.size() * sizeof(AcceptedValue) + reported_bytes_ > config_.acceptor_bytes_max()) return false;
    base_ = std::max(base_, promise.chosen_through);
    for (const AcceptedValue& accepted : promise.accepted) {
      auto& [ballot, value] = reported_[accepted.slot];
      if (accepted.ballot <= ballot) continue;
      reported_bytes_ += accepted.value.size() - value.size();
      ballot = accepted.ballot;
      value = accepted.value;
    }
    for (; !reported_.empty() && reported_.begin()->first <= base_; reported_.erase(reported_.begin()))
      reported_bytes_ -= reported_.begin()->second.value.size();
    report.next_slot = promise.next_slot;
    if (promise.next_slot < Slot::infinity()) {
      report.asked_at = now;
      net_.send_after(claimed_, from, Prepare{ballot_, promise.next_slot});  // a liar answers what never left
      return true;
    }
    promised_by_.insert(*member);
    if (membership_.is_quorum(promised_by_)) start_leading();
    return true;
  }

  /// Counts votes, each acceptor once a slot, and only those for this very ballot.
  void on_accepted(NodeId from, const Accepted& accepted) {
    const auto member = membership_.index_of(from);
    if (!member || !is_leading() || accepted.ballot != ballot_) return;
    const Slot last = std::min(accepted.last, in_flight_.last());
    for (Slot slot = std::max(accepted.first, in_flight_.base().next()); slot <= last; slot = slot.next()) {
      InFlight* proposal = in_flight_.find(slot);
      if (proposal == nullptr || !proposal->votes.insert(*member)) continue;
      if (proposal->is_chosen || !membership_.is_quorum(proposal->votes)) continue;
      proposal->is_chosen = true;
      chosen_.push_back(ChosenValue{slot, proposal->value});
    }
    Slot decided = in_flight_.base();
    for (const InFlight* next = in_flight_.find(decided.next()); next != nullptr && next->is_chosen;
         next = in_flight_.find(decided.next()))
      decided = decided.next();
    in_flight_.advance(decided);
  }

  /// The slots that became chosen since the last call, in any order.
  [[nodiscard]] std::vector<ChosenValue> take_chosen() { return std::exchange(chosen_, {}); }

  /// Queues a command for the next slot. False when this node does not lead, or too much waits already.
  [[nodiscard]] bool submit(const Command& command) {
    if (!is_leading() || waiting_bytes_ + open_.bytes() + command.payload.size() > config_.pending_bytes_max)
      return false;
    open_.add(command);
    if (open_.bytes() >= config_.batch_bytes_max || open_.commands() >= config_.batch_commands_max) seal();
    return true;
  }

  /// Proposes as much as the window admits: first what earlier ballots may have chosen, then the opening no-op, then
  /// the commands that wait. Then, if nothing is under way that would tell the others what is chosen, tells them.
  void propose(Time now, bool take_commands) {
    if (!is_leading()) return;
    while (in_flight_.admits(next_slot_)) {
      if (next_slot_ < opening_slot_) {
        const auto found = reported_.find(next_slot_);
        send_accepts(found == reported_.end() ? Value{} : found->second.value, now);
      } else if (next_slot_ == opening_slot_) {
        reported_.clear();
        send_accepts(Value{}, now);
      } else if (take_commands && !waiting_.empty()) {
        waiting_bytes_ -= waiting_.front().size();
        send_accepts(std::move(waiting_.front()), now);
        waiting_.pop_front();
      } else if (take_commands && !open_.empty()) {
        send_accepts(open_.take(), now);
      } else {
        break;
      }
    }
    if (announced_ < decided() && in_flight_.last() == in_flight_.base()) {
      announced_ = decided();
      broadcast(Chosen{ballot_, announced_});
    }
  }

  /// Sends again what was not answered for Config::retransmit_interval.
  void on_tick(Time now) {
    if (phase_ == Phase::preparing) {
      for (std::size_t i = 0; i < reports_.size(); ++i) {
        if (promised_by_.has(i) || now - reports_[i].asked_at < config_.retransmit_interval) continue;
        reports_[i].asked_at = now;
        net_.send_after(claimed_, membership_.ids()[i], Prepare{ballot_, reports_[i].next_slot});
      }
    } else if (is_leading()) {
      retransmit(now);
    }
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    if constexpr (Archive::is_loading) {
      stand_down();
      ballot_ = {};
    }
    archive(phase_, chosen_);
    // What an idle one did before decides nothing: the next ballot exceeds all that this node has seen.
    if (phase_ == Phase::idle) return;
    archive(ballot_, reported_);
    if (phase_ == Phase::preparing) return archive(claimed_, base_, reports_, promised_by_, reported_bytes_);
    archive(next_slot_, opening_slot_, announced_, in_flight_, open_, waiting_, waiting_bytes_);
  }

 private:
  struct InFlight {
    Value value;
    Votes votes;
    Time sent_at;
    bool is_chosen = false;

    template <class Archive>
    void image(Archive& archive) {
      archive(value, votes, is_chosen);
    }
  };
  struct BestReport {
    Ballot ballot;
    Value value;

    template <class Archive>
    void image(Archive& archive) {
      archive(ballot, value);
    }
  };
  /// How far one acceptor's promise has been heard.
  struct Report {
    Slot next_slot;
    Time asked_at;

    template <class Archive>
    void image(Archive& archive) {
      archive(next_slot);
    }
  };

  /// Makes headway, and reports nothing but what an acceptor can have accepted before this ballot, in slots that it
  /// speaks for. One far above the others would be filled up to with no-ops.
  static bool is_well_formed(const Promise& promise) {
    if (promise.next_slot <= promise.first_slot || promise.chosen_through == Slot::infinity()) return false;
    for (const AcceptedValue& accepted : promise.accepted) {
      if (accepted.slot < promise.first_slot || accepted.slot >= promise.next_slot) return false;
      if (slots_between(promise.chosen_through, accepted.slot) > Config::reported_slots_max) return false;
      if (accepted.ballot >= promise.ballot) return false;
    }
    return true;
  }

  void start_leading() {
    phase_ = Phase::leading;
    in_flight_.advance(base_);
    announced_ = base_;
    next_slot_ = base_.next();
    opening_slot_ = reported_.empty() ? next_slot_ : reported_.rbegin()->first.next();
  }

  void seal() {
    waiting_bytes_ += open_.bytes();
    waiting_.push_back(open_.take());
  }

  void send_accepts(Value value, Time now) {
    announced_ = decided();
    broadcast(Accept{ballot_, next_slot_, announced_, value});
    in_flight_.put(next_slot_, InFlight{std::move(value), {}, now});
    next_slot_ = next_slot_.next();
  }

  void broadcast(const Message& message) {
    for (const NodeId node : membership_.ids()) net_.send(node, message);
  }

  /// Bounded by the window, and paced by retransmit_interval.
  void retransmit(Time now) {
    for (Slot slot = decided().next(); slot <= in_flight_.last(); slot = slot.next()) {
      InFlight* proposal = in_flight_.find(slot);
      if (proposal == nullptr || proposal->is_chosen || now - proposal->sent_at < config_.retransmit_interval) continue;
      proposal->sent_at = now;
      for (std::size_t i = 0; i < membership_.size(); ++i) {
        if (proposal->votes.has(i)) continue;
        net_.send(membership_.ids()[i], Accept{ballot_, slot, decided(), proposal->value});
      }
    }
  }

  const Config& config_;
  Membership membership_;
  Net& net_;

  Phase phase_ = Phase::idle;
  Ballot ballot_;

  // Phase 1.
  WriteTicket claimed_;                  ///< makes ballot_ this node's for good
  Slot base_;                            ///< the quorum knows every slot up to here as chosen
  std::vector<Report> reports_;          ///< one for each member
  Votes promised_by_;                    ///< who has promised in full
  std::map<Slot, BestReport> reported_;  ///< the highest-ballot value that was reported, until it is proposed again
  std::size_t reported_bytes_ = 0;       ///< in phase 1, of the values in reported_

  // Phase 2.
  Slot next_slot_;
  Slot opening_slot_;
  Slot announced_;                  ///< the others were told that all is chosen up to here
  SlotWindow<InFlight> in_flight_;  ///< its base is decided()
  BatchBuilder open_;               ///< commands for the next slot
  std::deque<Value> waiting_;       ///< full batches that found no room in the window
  std::size_t waiting_bytes_ = 0;
  std::vector<ChosenValue> chosen_;
};

}  // namespace paxos
