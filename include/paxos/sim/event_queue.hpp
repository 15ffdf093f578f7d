// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>

#include <paxos/core/time.hpp>

namespace paxos::sim {

/// Virtual time: what is to happen, in order. Events of one time happen in the order in which they were scheduled.
class EventQueue {
 public:
  [[nodiscard]] Time now() const { return now_; }  ///< of the event that runs, or ran last
  /// Events scheduled so far.
  [[nodiscard]] std::uint64_t scheduled() const { return order_; }

  /// Runs `what` after so much time.
  void schedule(Duration after, std::function<void()> what) { events_.push({now_ + after, ++order_, std::move(what)}); }

  /// Handles events until `done` holds; false when virtual time runs out first.
  bool run_until(const std::function<bool()>& done, Duration limit) {
    const Time end = now_ + limit;
    while (!done()) {
      if (events_.empty() || events_.top().at > end) {
        now_ = end;
        return done();
      }
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      event.run();
    }
    return true;
  }

 private:
  struct Event {
    Time at;
    std::uint64_t order = 0;
    std::function<void()> run;
    friend bool operator<(const Event& a, const Event& b) {
      return std::pair{a.at, a.order} > std::pair{b.at, b.order};  // the queue gives the greatest first
    }
  };

  Time now_{};
  std::uint64_t order_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace paxos::sim
