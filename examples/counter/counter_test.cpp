// Copyright (c) the paxos authors. MIT licence.
//
// The counter, put through everything that the simulator knows.
// clang-format off
// [snippet: counter_test]
#include <catch2/catch_test_macros.hpp>
#include <paxos/sim/check.hpp>

struct Counter {
  using Command = std::int64_t;
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }
  template <class Archive> void serialize(Archive& ar) { ar(value); }
};

TEST_CASE("the counter never goes down, and counts each command once") {
  const auto some_steps = [](paxos::Random& random) { return static_cast<std::int64_t>(random.below(100)); };
  const auto is_positive = [](const Counter& counter) { return counter.value >= 0; };
  paxos::sim::check<Counter>({.nodes = 5, .seeds = 200, .faults = paxos::sim::Faults::all()}, some_steps, is_positive);
}
// [end of snippet]
// clang-format on
