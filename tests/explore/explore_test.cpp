// Copyright (c) the paxos authors. MIT licence.
#include <cstddef>
#include <stdexcept>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

TEST_CASE("Explore: one ballot, to the end", "[explore]") {
  const auto found = explore({.ballots = 1, .slots = 2, .crashes = 0, .commands = 1});
  CHECK(found.states > 100);
  CHECK(found.depth > 8);
}

TEST_CASE("Explore: two ballots, two slots, a crash, and a command for each ballot", "[explore]") {
  const auto found = explore({.ballots = 2, .slots = 2, .crashes = 1, .commands = 2});
  CHECK(found.states > 100'000);
}

TEST_CASE("Explore: with refusals", "[explore]") {
  sim::Bounds bounds{.ballots = 2, .slots = 1, .crashes = 1, .commands = 1};
  bounds.messages.push_back("Nack");
  explore(bounds);
}

TEST_CASE("Explore: with what the nodes fetch from each other", "[explore]") {
  sim::Bounds bounds{.ballots = 1, .slots = 1, .crashes = 1, .commands = 0};
  bounds.messages.push_back("CatchUpReply");
  bounds.messages.push_back("CatchUpRequest");
  bounds.with_hints = true;
  explore(bounds);
}

TEST_CASE("Explore: two crashes of one ballot", "[explore]") {
  const auto found = explore({.ballots = 1, .slots = 2, .crashes = 2, .commands = 1});
  CHECK(found.states == 11812);
}

// Several records a flush, and others while it runs.
TEST_CASE("Explore: with flushes of any length", "[explore]") {
  explore({.ballots = 2, .slots = 1, .crashes = 1, .commands = 1, .has_slow_disks = true});
}

TEST_CASE("Explore: with promises in parts", "[explore]") {
  explore({.ballots = 2, .slots = 2, .crashes = 0, .commands = 1, .promise_bytes_max = 1});
}

TEST_CASE("Explore: what is thrown away makes no difference to what is found", "[explore]") {
  sim::Bounds bounds{.ballots = 2, .slots = 1, .crashes = 1, .commands = 1};
  const auto purged = explore(bounds);
  bounds.is_raw = true;
  const auto raw = explore(bounds);
  CHECK(raw.states > purged.states);
  CHECK(raw.replica_states >= purged.replica_states);
}

TEST_CASE("Explore: the bound on states is kept", "[explore]") {
  const sim::Bounds bounds{.ballots = 3, .states_max = 5000};
  sim::Explorer<Numbers> explorer{bounds, commands(bounds.commands)};
  const auto found = explorer.run();
  CHECK_FALSE(found.is_complete);
  CHECK(found.breach.empty());
  CHECK(found.states < 10'000);
}

TEST_CASE("Explore: bounds that a state has no room for are refused, by name", "[explore]") {
  const auto refusal = [](const sim::Bounds& bounds) -> std::string {
    try {
      sim::Explorer<Numbers>{bounds, commands(200)};
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "none";
  };
  CHECK(refusal({.ballots = 127, .crashes = 31, .commands = 127}) == "none");
  CHECK(refusal({.nodes = 10}).starts_with("sim::Bounds: nodes (10) must be 1 to 9, "));
  CHECK(refusal({.ballots = 128}).starts_with("sim::Bounds: ballots (128) must be 0 to 127, "));
  CHECK(refusal({.crashes = 32}).starts_with("sim::Bounds: crashes (32) must be 0 to 31, "));
  CHECK(refusal({.commands = 128}).starts_with("sim::Bounds: commands (128) must be 0 to 127, "));
  CHECK(refusal({.states_max = std::size_t{1} << 32}).starts_with("sim::Bounds: states_max (4294967296) must be "));
  CHECK_THROWS_AS((sim::Explorer<Numbers>{{.commands = 2}, commands(1)}), std::invalid_argument);
}

TEST_CASE("Explore: a message that does not exist is refused", "[explore]") {
  sim::Bounds bounds;
  bounds.messages = {"Gossip"};
  CHECK_THROWS_AS((sim::Explorer<Numbers>{bounds, commands(bounds.commands)}), std::invalid_argument);
}

// A machine that breaks its own rule: what it becomes depends on more than its commands.
struct Moody {
  using Command = std::uint64_t;
  std::uint64_t state = 0;
  void apply(Command command) {
    static std::uint64_t mood = 0;
    state += command + ++mood;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(state);
  }
};

TEST_CASE("Explore: a machine that is not deterministic is found, with the way there", "[explore]") {
  const sim::Bounds bounds{.ballots = 1, .slots = 2, .crashes = 0, .commands = 1};
  sim::Explorer<Moody> explorer{bounds, {7}};
  const auto found = explorer.run();
  CHECK_FALSE(found.breach.empty());
  REQUIRE_FALSE(found.story.empty());
  CHECK(found.story.front().find("stands for election") != std::string::npos);
}
