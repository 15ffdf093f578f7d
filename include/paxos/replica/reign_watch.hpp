// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <paxos/core/slot.hpp>
#include <paxos/core/time.hpp>

namespace paxos {

/// Whether a leader gets anywhere: one that does not should not go on as if it did, however alive it is.
class ReignWatch {
 public:
  /// What a leader should make of its reign.
  enum class Verdict {
    well,  ///< it gets on
    /// It was told that slots are chosen, and nobody who knows their values answers any more: only a new phase 1, with
    /// the nodes that do answer, can find them.
    wedged,
    /// What it proposed is not chosen: a quorum hears it, and does not or cannot write. Another quorum may.
    stalled,
  };

  /// How long fetching, and how long choosing, may take without a step forward.
  ReignWatch(Duration fetch_timeout, Duration stall_timeout)
      : fetch_timeout_(fetch_timeout), stall_timeout_(stall_timeout) {}

  /// The reign is over.
  void reset() { seen_ = {}; }

  /// `decided`: chosen by all that the leader was told; `learnt`: chosen and known by value.
  [[nodiscard]] Verdict judge(Slot decided, Slot learnt, bool has_in_flight, Time now) {
    const Seen seen{true, decided, learnt, has_in_flight};
    if (seen != seen_) {
      seen_ = seen;
      since_ = now;
    }
    if (decided > learnt && now - since_ >= fetch_timeout_) return Verdict::wedged;
    return has_in_flight && now - since_ >= stall_timeout_ ? Verdict::stalled : Verdict::well;
  }

 private:
  struct Seen {
    bool is_reigning = false;
    Slot decided;
    Slot learnt;
    bool has_in_flight = false;

    friend bool operator==(const Seen&, const Seen&) = default;
  };

  Duration fetch_timeout_;
  Duration stall_timeout_;
  Seen seen_;
  Time since_;
};

}  // namespace paxos
