// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <utility>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/policy/storage.hpp>

namespace paxos {

/// Knows what is chosen, puts it into the log, and hands it on in slot order, without a gap, each slot once.
///
/// It is told values that *are* chosen; how that is known is not its business. What lies above a hole waits in a
/// bounded window; what lies beyond the window is forgotten and learnt again.
template <Storage Store>
class Learner {
 public:
  /// The storage, which must outlive it, gives the values of slots that were voted for.
  Learner(const Config& config, Store& store) : store_(store), above_(config.acceptor_window_slots()) {}

  /// Takes up what the storage recovered. The slots up to there are handed on first.
  void restore(const Recovered& recovered) {
    above_.advance(recovered.chosen_through);
    logged_through_ = recovered.chosen_through;
  }

  /// `value` is chosen in `slot`. False if the slot was known, or lies beyond the window.
  bool learn(Slot slot, Value value) {
    if (const Value* known = above_.find(slot)) {
      ensure(*known == value, [&] {
        return "slot " + to_string(slot) +
               " is chosen with two values; a quorum did not intersect, or a disk lost an acknowledged write";
      });
      return false;
    }
    if (!above_.admits(slot)) return false;
    above_.put(slot, std::move(value));
    return true;
  }

  /// Every slot up to here is chosen and known, though perhaps not yet handed on.
  [[nodiscard]] Slot chosen_through() const { return above_.base(); }

  /// The next slot in order: logs it, calls deliver(slot, value), and moves on. False when the next one is not known.
  /// is_held(slot, value) says whether the newest accept of the slot in this node's log has this value, so that the log
  /// need not hold it twice. It is asked now: while the slot waited, the acceptor may have accepted another.
  template <class IsHeld, class Deliver>
  bool deliver_next(IsHeld&& is_held, Deliver&& deliver) {
    const Slot slot = above_.base().next();
    Value* known = above_.find(slot);
    if (known == nullptr) return false;
    if (!is_held(slot, *known)) {
      log_chosen();
      store_.append(LearnRecord{slot, *known});
      logged_through_ = slot;
    }
    const Value value = std::move(*known);
    above_.advance(slot);
    // A log that says so too seldom would recover ever more slots that are not known as chosen.
    if (slots_between(logged_through_, slot) >= above_.limit()) log_chosen();
    deliver(slot, value);
    return true;
  }

  /// Writes down how far the accepts in the log are known as chosen. Nothing waits for that write: what a crash
  /// forgets of it is learnt again.
  void log_chosen() {
    if (logged_through_ >= chosen_through()) return;
    logged_through_ = chosen_through();
    store_.append(ChosenRecord{logged_through_});
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(above_, logged_through_);
  }

 private:
  Store& store_;
  SlotWindow<Value> above_;  ///< its base is chosen_through()
  Slot logged_through_;
};

}  // namespace paxos
