// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <paxos/core/error.hpp>
#include <paxos/policy/storage.hpp>

namespace paxos {

/// Flushes a storage on a thread of its own, one flush at a time; what is appended meanwhile goes into the next.
template <Storage Store>
class GroupCommit {
 public:
  /// `flushed` is called on that thread after each flush, and after a prepare() that throws; it must not throw. Both
  /// must outlive this object.
  GroupCommit(Store& store, std::function<void(Status)> flushed)
      : store_(store), flushed_(std::move(flushed)), thread_([this] { run(); }) {}
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// Waits for the flush that runs, if any; one that was requested and has not begun is left out.
  ~GroupCommit() {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  /// All that was appended before this call will be flushed. Cheap; many requests make one flush.
  void request() {
    bool sleeps = false;
    {
      const std::lock_guard lock{mutex_};
      requested_ = true;
      sleeps = std::exchange(sleeping_, false);
    }
    if (sleeps) wake_.notify_one();
  }

 private:
  void run() {
    while (wait_for_request()) {
      flushed_(outcome("flush: ", [this] { return store_.flush(); }));
      if constexpr (requires { store_.prepare(); }) {
        const Status prepared = outcome("prepare: ", [this] { return store_.prepare(), Status{}; });
        if (!prepared.ok()) flushed_(prepared);
      }
    }
  }

  [[nodiscard]] bool wait_for_request() {
    std::unique_lock lock{mutex_};
    while (!requested_ && !stopping_) {
      sleeping_ = true;
      wake_.wait(lock);
    }
    sleeping_ = requested_ = false;
    return !stopping_;
  }

  template <class Work>
  [[nodiscard]] static Status outcome(const char* doing, Work work) {
    try {
      return work();
    } catch (...) {
      return {Errc::storage_failed, doing + detail::text_of_current_exception()};
    }
  }

  Store& store_;
  std::function<void(Status)> flushed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool requested_ = false;
  bool sleeping_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace paxos
