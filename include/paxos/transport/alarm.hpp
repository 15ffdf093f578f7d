// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <system_error>
#include <utility>

#include <asio/basic_waitable_timer.hpp>
#include <asio/post.hpp>

#include <paxos/core/time.hpp>
#include <paxos/detail/unique_function.hpp>

namespace paxos::detail {

// Asio compiles its operations anew for each type of handler. What is done seldom has one type: a Task.

/// What is to be done later.
using Task = UniqueFunction<void()>;

/// Runs `task` on the executor, later.
template <class Executor>
void post_task(const Executor& executor, Task task) {
  asio::post(executor, std::move(task));
}

/// A timer that is set for one task at a time. All of it runs on the executor.
template <class Executor>
class Alarm {
 public:
  explicit Alarm(const Executor& executor) : timer_(executor) {}

  /// Runs `task` on the executor once that time has passed. Takes the place of what it was set to before, unless that
  /// has expired and waits for its turn.
  void set(Duration after, Task task) {
    timer_.expires_after(after);
    timer_.async_wait(Ring{std::move(task)});
  }
  /// As set(): what has expired runs all the same.
  void cancel() { timer_.cancel(); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Ring {
    Task task;
    void operator()(const std::error_code& cancelled) {
      if (!cancelled) task();
    }
  };

  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
};

}  // namespace paxos::detail
