// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/sim/explore.hpp>

namespace paxos::test {

/// Commands are numbers; the machine is the list of those that ran.
struct Numbers {
  using Command = std::uint64_t;
  std::vector<std::uint64_t> ran;
  void apply(Command command) { ran.push_back(command); }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ran);
  }
};

[[nodiscard]] inline std::string told(const sim::Exploration& found) {
  std::string text = found.breach;
  for (const std::string& step : found.story) text += "\n  " + step;
  return text;
}

/// All numbers from 1 on.
[[nodiscard]] inline std::vector<std::uint64_t> commands(std::size_t count) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 1; i <= count; ++i) numbers.push_back(i);
  return numbers;
}

/// Explores, and reports a breach with the way to it.
inline sim::Exploration explore(const sim::Bounds& bounds) {
  sim::Explorer<Numbers> explorer{bounds, commands(bounds.commands)};
  const sim::Exploration found = explorer.run();
  INFO(told(found));
  REQUIRE(found.breach.empty());
  REQUIRE(found.is_complete);
  CHECK((explorer.verify_thrown_away() > 0) == (!bounds.is_raw && !bounds.with_hints));
  return found;
}

}  // namespace paxos::test
