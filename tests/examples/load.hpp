// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster.hpp"

namespace examples {

/// A client that tweets numbered tweets one after the other, each under one id. When its site dies or answers 503 it
/// sends the same tweet, under the same id, to the next. Runs on a thread of its own; read it once that has ended.
class NumberedTweets {
 public:
  using Clock = std::chrono::steady_clock;

  NumberedTweets(const Cluster& cluster, std::size_t first_site, std::string session)
      : cluster_(cluster), site_(first_site), session_(std::move(session)) {}

  void run(int tweets) {
    for (int number = 1; number <= tweets; ++number) {
      const auto give_up = Clock::now() + std::chrono::seconds{60};
      while (!tweet(number) && Clock::now() < give_up) site_ = site_ % cluster_.size() + 1;
    }
  }

  [[nodiscard]] static std::string text(const std::string& session, int number) {
    return session + " " + std::to_string(number);
  }
  /// Slot and place that the 200 named, by text.
  [[nodiscard]] const std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>& acknowledged() const {
    return acknowledged_;
  }
  [[nodiscard]] std::size_t retries() const { return retries_; }
  /// The longest time between one 200 and the next, in milliseconds.
  [[nodiscard]] long long gap_ms() const {
    Clock::duration longest{};
    for (std::size_t i = 1; i < answered_at_.size(); ++i)
      longest = std::max(longest, answered_at_[i] - answered_at_[i - 1]);
    return std::chrono::duration_cast<std::chrono::milliseconds>(longest).count();
  }
  std::atomic<int> done = 0;        ///< tweets that got 200; readable at any time
  std::atomic<int> unexpected = 0;  ///< answers that were neither 200 nor 503

 private:
  bool tweet(int number) {
    const std::string words = text(session_, number);
    const Json request{
        {"head", "tweet"}, {"body", words}, {"user", session_}, {"id", session_ + ":" + std::to_string(number)}};
    if (!socket_ || !socket_->is_open()) {
      socket_ = std::make_unique<Socket>(cluster_.client_port(site_));
    }
    const auto answer = socket_->ask(request.dump());
    const Json reply = answer ? Json::parse(*answer) : Json{};
    if (!answer || reply["stat"] == 503) {
      ++retries_;
      socket_.reset();
      return false;
    }
    if (reply["stat"] != 200) {
      ++unexpected;
      return true;
    }
    acknowledged_[words] = {reply["body"]["slot"], reply["body"]["index"]};
    answered_at_.push_back(Clock::now());
    ++done;
    return true;
  }

  const Cluster& cluster_;
  std::size_t site_;
  std::string session_;
  std::unique_ptr<Socket> socket_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> acknowledged_;
  std::vector<Clock::time_point> answered_at_;
  std::size_t retries_ = 0;
};

}  // namespace examples
