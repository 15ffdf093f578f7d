// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>

#include <paxos/core/time.hpp>

namespace paxos::sim {

/// One node's monotonic clock beside the true time: it began elsewhere, runs fast or slow, and may leap ahead, as after
/// a machine slept. It never goes back.
class Clock {
 public:
  explicit Clock(Duration offset = {}) : own_(Time{} + offset) {}  ///< ahead of the real time by this

  /// What the clock shows at `real`. Calls must not go back in time.
  [[nodiscard]] Time read(Time real) const { return own_ + own(real - since_); }

  /// From `real` on it runs `parts_per_million` fast; slow when negative. Above -1,000,000.
  void set_drift(std::int64_t parts_per_million, Time real) {
    settle(real);
    drift_ = parts_per_million;
  }
  /// The clock jumps forward; `real` is the true time.
  void leap(Duration ahead, Time real) {
    settle(real);
    own_ += ahead;
  }
  /// How long `own` of this clock really takes.
  [[nodiscard]] Duration real(Duration own) const { return own * million / (million + drift_); }

 private:
  static constexpr std::int64_t million = 1'000'000;

  [[nodiscard]] Duration own(Duration real) const {
    return real + real / million * drift_ + real % million * drift_ / million;
  }
  void settle(Time real) {
    own_ = read(real);
    since_ = real;
  }

  Time own_;
  Time since_{};
  std::int64_t drift_ = 0;
};

}  // namespace paxos::sim
