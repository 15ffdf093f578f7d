// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <memory>
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
  explicit Alarm(const Executor& executor) : timer_(executor), newest_(std::make_shared<std::uint64_t>(0)) {}

  /// Runs `task` on the executor once that time has passed. What it was set to before does not run any more, even if
  /// its time is over and it waits for its turn, which Asio's timers leave to their users.
  void set(Duration after, Task task) {
    timer_.expires_after(after);
    timer_.async_wait(Ring{newest_, ++*newest_, std::move(task)});
  }
  /// Nothing that it was set to runs any more.
  void cancel() {
    ++*newest_;
    timer_.cancel();
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Ring {
    std::shared_ptr<const std::uint64_t> newest;
    std::uint64_t number;
    Task task;
    void operator()(const std::error_code& cancelled) {
      if (!cancelled && number == *newest) task();
    }
  };

  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::shared_ptr<std::uint64_t> newest_;  ///< counts set() and cancel(); a task may outlive the alarm
};

}  // namespace paxos::detail
