// Copyright (c) the paxos authors. MIT licence.
//
// The quickstart's machine, put through everything that the simulator knows.
// clang-format off
// [snippet: key_value_test]
#include "key_value.hpp"

#include <catch2/catch_test_macros.hpp>
#include <paxos/sim/check.hpp>

TEST_CASE("five names make five keys at most, whatever breaks") {
  const auto commands = [](paxos::Random& random) {
    KeyValue::Command command{"key " + std::to_string(random.below(5)), {}};
    if (random.below(3) > 0) command.value = std::to_string(random.below(100));
    return command;
  };
  const auto invariant = [](const KeyValue& machine) { return machine.pairs.size() <= 5; };
  paxos::sim::check<KeyValue>({.seeds = 50}, commands, invariant);
}
// [end of snippet]
// clang-format on
