// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "examples/process.hpp"

namespace examples {

using namespace std::chrono_literals;

/// One process of the counter, its input a pipe and its output a file; started again with the same directory.
class Site {
 public:
  Site(std::string program, const TemporaryDirectory& directory, std::size_t id, std::vector<std::string> addresses)
      : name_(directory.path(std::to_string(id))) {
    arguments_ = {std::move(program), std::to_string(id), name_ + "-data"};
    arguments_.insert(arguments_.end(), addresses.begin(), addresses.end());
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  ~Site() { kill(); }

  void start() {
    const std::string pipe = name_ + "-in" + std::to_string(++starts_);
    output_ = name_ + "-out" + std::to_string(starts_);
    asked_ = 0;
    if (::mkfifo(pipe.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed: " + pipe);
    input_ = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
    process_ = std::make_unique<Process>(Process::Line{
        .arguments = arguments_, .input_file = pipe, .output_file = output_, .error_file = name_ + "-err"});
  }
  void kill() {
    if (!process_) return;
    process_->kill_now();
    process_.reset();
    ::close(input_);
  }
  void say(const std::string& line) {
    ++asked_;
    const std::string text = line + "\n";
    if (::write(input_, text.data(), text.size()) != std::ssize(text)) throw std::runtime_error("write failed");
  }
  /// The whole lines of output so far.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::istringstream text{contents_of(output_)};
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line) && !text.eof();) found.push_back(line);
    return found;
  }
  /// Everything that was said is answered.
  [[nodiscard]] bool is_done() const {
    return eventually(60s, [&] { return lines().size() == asked_; });
  }
  [[nodiscard]] std::string ask(const std::string& line) {
    say(line);
    return is_done() ? lines().back() : "no answer; " + contents_of(name_ + "-err");
  }
  /// Lines that tell of a number that was added, in the process that ran last.
  [[nodiscard]] std::size_t added() const {
    std::size_t count = 0;
    for (const std::string& line : lines()) count += line.starts_with("added ");
    return count;
  }
  [[nodiscard]] std::size_t asked() const { return asked_; }

 private:
  std::string name_;
  std::vector<std::string> arguments_;
  std::unique_ptr<Process> process_;
  std::string output_;
  int input_ = -1;
  std::size_t starts_ = 0;
  std::size_t asked_ = 0;
};

struct Answer {
  std::size_t counter = 0, leader = 0;
};
inline Answer state_of(Site& site) {
  std::string text;
  Answer answer;
  // With no leader for a moment it may fail, which changes nothing.
  REQUIRE(eventually(60s, [&] { return (text = site.ask("?")).starts_with("counter "); }));
  std::istringstream{text} >> text >> answer.counter >> text >> answer.leader;
  return answer;
}

/// Starts three counters at these addresses, kills them in the middle of commands, the leader too, in the end all at
/// once; and looks that nothing is lost which they acknowledged.
inline void kill_counters(const std::string& program, const std::vector<std::string>& addresses) {
  const TemporaryDirectory directory;
  std::vector<std::unique_ptr<Site>> sites;
  for (std::size_t id = 1; id <= 3; ++id)
    sites.emplace_back(std::make_unique<Site>(program, directory, id, addresses))->start();
  std::size_t acknowledged = 0, unknown = 0;

  for (int round = 0; round < 4; ++round) {
    const std::size_t leader = state_of(*sites[0]).leader;
    REQUIRE(leader >= 1);
    // Two rounds kill the leader, two another; both it and one that lives have commands under way.
    const std::size_t victim = (round % 2 == 0 ? leader : leader % 3 + 1) - 1;
    const std::size_t other = (victim + 1) % 3;
    const std::size_t before = sites[victim]->added(), asked = sites[victim]->asked();
    const std::size_t other_before = sites[other]->added(), other_asked = sites[other]->asked();
    for (int i = 0; i < 20; ++i)
      for (const std::size_t site : {victim, other}) sites[site]->say("1");
    REQUIRE(eventually(60s, [&] { return sites[victim]->added() >= before + 3; }));
    sites[victim]->kill();
    REQUIRE(sites[other]->is_done());
    for (const auto& [site, added_before, asked_before] :
         {std::tuple{victim, before, asked}, std::tuple{other, other_before, other_asked}}) {
      const std::size_t added = sites[site]->added() - added_before;
      acknowledged += added;
      unknown += sites[site]->asked() - asked_before - added;
    }
    sites[victim]->start();
    std::size_t counter = state_of(*sites[victim]).counter;
    CHECK(counter >= acknowledged);
    // What was under way may still be chosen, by one who lives.
    CHECK(eventually(60s, [&] {
      counter = state_of(*sites[0]).counter;
      return state_of(*sites[1]).counter == counter && state_of(*sites[2]).counter == counter;
    }));
    CHECK(counter <= acknowledged + unknown);
    unknown -= counter - acknowledged;
    acknowledged = counter;
  }
  CHECK(acknowledged >= 80);
  for (const auto& site : sites) site->kill();
  for (const auto& site : sites) site->start();
  for (const auto& site : sites) CHECK(state_of(*site).counter == acknowledged);
}

}  // namespace examples
