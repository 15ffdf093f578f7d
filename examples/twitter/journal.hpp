// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <bit>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <paxos/policy/observer.hpp>

#include "utc.hpp"

namespace twitter {

/// Writes lines with a time stamp to standard error, from a thread of its own: whoever logs never waits for a slow
/// terminal or a full pipe. At most 1,024 lines wait; more are dropped, and their number is told.
class Journal {
 public:
  explicit Journal(std::string who) : who_(std::move(who)), writer_([this] { run(); }) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  /// Writes what is waiting.
  ~Journal() {
    {
      const std::lock_guard lock{mutex_};
      closing_ = true;
    }
    wake_.notify_one();
    writer_.join();
  }

  void line(std::string_view text) {
    std::string stamped = fmt::format("{} {}: {}\n", utc_text(utc_now()), who_, text);
    {
      const std::lock_guard lock{mutex_};
      if (lines_.size() >= lines_max) {
        ++dropped_;
        return;
      }
      lines_.push_back(std::move(stamped));
    }
    wake_.notify_one();
  }

 private:
  static constexpr std::size_t lines_max = 1024;

  void run() {
    std::unique_lock lock{mutex_};
    while (true) {
      wake_.wait(lock, [this] { return closing_ || !lines_.empty(); });
      if (lines_.empty()) return;
      const std::deque<std::string> lines = std::exchange(lines_, {});
      const std::size_t dropped = std::exchange(dropped_, 0);
      lock.unlock();
      for (const std::string& line : lines) std::fwrite(line.data(), 1, line.size(), stderr);
      if (dropped > 0) fmt::print(stderr, "{}: {} lines were dropped here\n", who_, dropped);
      std::fflush(stderr);
      lock.lock();
    }
  }

  std::string who_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> lines_;
  std::size_t dropped_ = 0;
  bool closing_ = false;
  std::thread writer_;  // last: it uses all of the above
};

/// Tells the journal what an operator wants to know of a node. What a hostile peer can cause at will is told at the
/// first, second, fourth, eighth … time only.
class JournalObserver : public paxos::NullObserver {
 public:
  /// `on_failure` is called from the node's own thread when the node stopped because of an error.
  JournalObserver(std::shared_ptr<Journal> journal, std::function<void()> on_failure)
      : journal_(std::move(journal)), on_failure_(std::move(on_failure)) {}

  void on_standing(paxos::Standing standing, const paxos::Ballot& ballot) {
    journal_->line(fmt::format("is {} at ballot {}", paxos::to_string(standing), paxos::to_string(ballot)));
  }
  void on_leader(paxos::NodeId leader, const paxos::Ballot& ballot) {
    journal_->line(leader == paxos::NodeId{} ? std::string{"hears no leader"}
                                             : fmt::format("follows site {} at ballot {}", paxos::to_string(leader),
                                                           paxos::to_string(ballot)));
  }
  void on_peer_up(paxos::NodeId peer) { journal_->line(fmt::format("site {} is up", paxos::to_string(peer))); }
  void on_peer_down(paxos::NodeId peer, std::string_view why) {
    journal_->line(fmt::format("site {} is down: {}", paxos::to_string(peer), why));
  }
  void on_dropped(paxos::NodeId peer, std::string_view why) {
    if (std::has_single_bit(++dropped_)) {
      journal_->line(
          fmt::format("dropped a message from site {} (the {}th): {}", paxos::to_string(peer), dropped_, why));
    }
  }
  void on_refused(std::string_view who_and_why) {
    if (std::has_single_bit(++refused_)) {
      journal_->line(fmt::format("refused (the {}th): {}", refused_, who_and_why));
    }
  }
  void on_disk_error(const paxos::Status& status) {
    if (std::has_single_bit(++disk_errors_)) {
      journal_->line(fmt::format("disk error (the {}th): {} ({})", disk_errors_, status.text, status.code.message()));
    }
  }
  void on_stopped(const paxos::Status& status) {
    if (status.ok()) return;
    journal_->line(fmt::format("stopped: {} ({})", status.text, status.code.message()));
    if (on_failure_) on_failure_();
  }

 private:
  std::shared_ptr<Journal> journal_;
  std::function<void()> on_failure_;
  std::size_t dropped_ = 0;
  std::size_t refused_ = 0;
  std::size_t disk_errors_ = 0;
};

}  // namespace twitter
