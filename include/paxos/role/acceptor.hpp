// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <utility>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// The memory of Paxos: one promised ballot for all slots, and per slot the newest accepted ballot and value.
///
/// Obeys P1a and P2b of "Paxos Made Simple"; knows no quorum, no leader, no time. It remembers accepted values only
/// for slots that are not yet known as chosen, and of those at most Config::acceptor_window_slots(); the chosen ones
/// are in the log. Every answer leaves only once all that it claims is durable.
template <DurableTransport Net, Storage Store>
class Acceptor {
 public:
  /// What it accepted last in one slot.
  struct Vote {
    Ballot ballot;  ///< never lower than the one before it
    Value value;    ///< of that ballot's one proposer

    template <class Archive>
    void image(Archive& archive) {
      archive(ballot, value);
    }
  };

  /// Knows nothing of what the storage recovered before restore(). `net` and `store` must outlive it.
  Acceptor(const Config& config, Net& net, Store& store)
      : net_(net),
        store_(store),
        promise_bytes_max_(config.promise_bytes_max),
        window_(config.acceptor_window_slots()),
        votes_(window_) {}

  /// Takes up what the storage recovered. Called once, before any message.
  void restore(const Recovered& recovered) {
    promised_ = recovered.promised;
    // The log may have been written under a larger window, or may not say yet how far slots were chosen: what was
    // accepted then is remembered all the same.
    const Slot last = recovered.accepted.empty() ? recovered.chosen_through : recovered.accepted.back().slot;
    const auto span = static_cast<std::size_t>(slots_between(recovered.chosen_through, last));
    votes_ = SlotWindow<Vote>{std::max(window_, span)};
    votes_.advance(recovered.chosen_through);
    for (const AcceptedValue& accepted : recovered.accepted)
      votes_.put(accepted.slot, Vote{accepted.ballot, accepted.value});
  }

  /// Phase 1b: promise to refuse every ballot below `prepare.ballot`, and tell what was accepted.
  void on_prepare(NodeId from, const Prepare& prepare) {
    if (prepare.ballot < promised_) return refuse(from);
    raise_promise(prepare.ballot);
    // A repeated Prepare writes nothing, yet its answer waits all the same: the first one's write, and the accepts
    // that the answer reports, may not have reached the disk.
    net_.send_after(last_write_, from, promise_from(prepare.ballot, prepare.first_slot));
  }

  /// Phase 2b: accept, unless a higher ballot was promised.
  void on_accept(NodeId from, const Accept& accept) {
    if (accept.ballot < promised_) return refuse(from);
    if (accept.slot <= votes_.base()) return confirm_chosen(from, accept);
    // Too far ahead to remember: as good as lost, and sent again.
    if (slots_between(votes_.base(), accept.slot) > window_) return;
    if (const Vote* vote = votes_.find(accept.slot); vote == nullptr || vote->ballot < accept.ballot) {
      promised_ = accept.ballot;  // the record says so too: accepting is promising
      last_write_ = promise_write_ = store_.append(AcceptRecord{accept.ballot, accept.slot, accept.value});
      votes_.put(accept.slot, Vote{accept.ballot, accept.value});
    } else if (vote->value != accept.value) {
      return;  // a second value at one (ballot, slot): whoever sent it broke invariant 1. The first one stands.
    }
    net_.send_after(last_write_, from, Accepted{accept.ballot, accept.slot, accept.slot});
  }

  /// The highest, durable or on its way to the disk.
  [[nodiscard]] const Ballot& promised() const { return promised_; }
  /// The vote in a slot that is not yet known as chosen; nullptr when there is none.
  [[nodiscard]] const Vote* vote(Slot slot) const { return votes_.find(slot); }
  /// No vote lies above this slot.
  [[nodiscard]] Slot last_vote() const { return votes_.last(); }

  /// The log now knows every slot up to `slot` as chosen; their votes are not needed any more.
  void forget_through(Slot slot) { votes_.advance(slot); }

  /// Promises a ballot of this node's own before anybody is asked to: once the returned write is durable no life of
  /// this node can use that ballot again.
  [[nodiscard]] WriteTicket claim(const Ballot& ballot) {
    ensure(ballot > promised_, [&] {
      return "Acceptor: own ballot " + to_string(ballot) + " must exceed the promised " + to_string(promised_);
    });
    raise_promise(ballot);
    return promise_write_;
  }

  /// "I promised a higher ballot", once that is durable.
  void refuse(NodeId from) { net_.send_after(promise_write_, from, Nack{promised_}); }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(promised_, promise_write_, last_write_, votes_);
  }

 private:
  void raise_promise(const Ballot& ballot) {
    if (ballot <= promised_) return;
    promised_ = ballot;
    last_write_ = promise_write_ = store_.append(PromiseRecord{promised_});
  }

  /// The slot is chosen. A ballot above the one that chose it can only carry the chosen value: that vote changes
  /// nothing and needs no record. A later leader, whose quorum did not know that the slot was chosen, waits for it all
  /// the same. Another value is that of a leader who was deposed before: this node fetched the slot from others, and
  /// so may never have promised the ballot that chose it.
  void confirm_chosen(NodeId from, const Accept& accept) {
    if (store_.read(accept.slot) != accept.value) return;
    raise_promise(accept.ballot);
    net_.send_after(last_write_, from, Accepted{accept.ballot, accept.slot, accept.slot});
  }

  [[nodiscard]] Promise promise_from(const Ballot& ballot, Slot first_slot) const {
    Promise promise{ballot, first_slot, Slot::infinity(), votes_.base(), {}};
    std::size_t bytes = 0;
    for (Slot slot = std::max(first_slot, votes_.base().next()); slot <= votes_.last(); slot = slot.next()) {
      const Vote* vote = votes_.find(slot);
      if (vote == nullptr) continue;
      if (bytes > 0 && bytes + vote->value.size() > promise_bytes_max_) {
        promise.next_slot = slot;
        break;
      }
      bytes += vote->value.size() + sizeof(AcceptedValue);
      promise.accepted.push_back(AcceptedValue{slot, vote->ballot, vote->value});
    }
    return promise;
  }

  Net& net_;
  Store& store_;
  std::size_t promise_bytes_max_;
  std::size_t window_;
  Ballot promised_;            ///< never goes down, restarts included
  WriteTicket promise_write_;  ///< covers the record that promised_ came from
  WriteTicket last_write_;     ///< covers all that this acceptor ever wrote
  SlotWindow<Vote> votes_;     ///< its base: every slot up to there is chosen and in the log
};

}  // namespace paxos
