// Copyright (c) the paxos authors. MIT licence.
#include <paxos/role/learner.hpp>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Rig {
  explicit Rig(const std::function<void(Config&)>& adjust = {}) : config(config_of(3, n1, adjust)) {}

  std::vector<std::pair<Slot, Value>> deliver() {
    std::vector<std::pair<Slot, Value>> delivered;
    const auto is_held = [&](Slot slot, const Value& value) {
      Value newest;
      for (const Record& record : disk.records())
        if (const auto* accept = get_if<AcceptRecord>(&record); accept != nullptr && accept->slot == slot)
          newest = accept->value;
      return newest == value;
    };
    while (learner.deliver_next(is_held, [&](Slot slot, const Value& value) { delivered.emplace_back(slot, value); })) {
    }
    return delivered;
  }

  Config config;
  MemoryStorage disk;
  Learner<MemoryStorage> learner{config, disk};
};

TEST_CASE("Learner: slots come in order, without a gap, each once", "[learner]") {
  Rig rig;
  CHECK(rig.learner.learn(s(2), v("two")));
  CHECK(rig.learner.learn(s(4), v("four")));
  CHECK(rig.deliver().empty());
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.deliver() == std::vector<std::pair<Slot, Value>>{{s(1), v("one")}, {s(2), v("two")}});
  CHECK(rig.learner.chosen_through() == s(2));
  CHECK_FALSE(rig.learner.learn(s(1), v("one")));
  CHECK_FALSE(rig.learner.learn(s(4), v("four")));
  CHECK(rig.learner.learn(s(3), v("three")));
  CHECK(rig.deliver() == std::vector<std::pair<Slot, Value>>{{s(3), v("three")}, {s(4), v("four")}});
  CHECK(rig.deliver().empty());
}

TEST_CASE("Learner: two values for one slot stop the node", "[learner]") {
  Rig rig;
  CHECK(rig.learner.learn(s(2), v("x")));
  CHECK_THROWS_AS(rig.learner.learn(s(2), v("y")), InvariantViolation);
}

TEST_CASE("Learner: what lies beyond its window is forgotten and can be learnt again", "[learner]") {
  Rig rig{[](Config& config) { config.window_slots = 1; }};
  const auto window = rig.config.acceptor_window_slots();
  CHECK(rig.learner.learn(s(window), v("last")));
  CHECK_FALSE(rig.learner.learn(s(window + 1), v("beyond")));
  CHECK_FALSE(rig.learner.learn(Slot::infinity(), v("beyond")));
  CHECK_FALSE(rig.learner.learn(s(0), v("nothing")));
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.deliver().size() == 1);
  CHECK(rig.learner.learn(s(window + 1), v("beyond")));
}

TEST_CASE("Learner: a value that the log does not hold is written; one that it holds is only marked", "[learner]") {
  Rig rig;
  rig.disk.append(AcceptRecord{b1, s(1), v("one")});
  rig.disk.append(AcceptRecord{b1, s(2), v("two")});
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.learner.learn(s(2), v("two")));
  CHECK(rig.learner.learn(s(3), v("fetched")));
  CHECK(rig.deliver().size() == 3);
  const auto records = rig.disk.records();
  REQUIRE(records.size() == 4);
  CHECK(records[2] == Record{ChosenRecord{s(2)}});
  CHECK(records[3] == Record{LearnRecord{s(3), v("fetched")}});
  for (const auto& [slot, value] : {std::pair{s(1), v("one")}, {s(2), v("two")}, {s(3), v("fetched")}})
    CHECK(rig.disk.read(slot) == value);
}

TEST_CASE("Learner: a vote for another value that came while the slot waited does not pass for the chosen one",
          "[learner]") {
  Rig rig;
  rig.disk.append(AcceptRecord{b1, s(2), v("chosen")});
  CHECK(rig.learner.learn(s(2), v("chosen")));
  rig.disk.append(AcceptRecord{b2, s(2), v("another")});
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.deliver().size() == 2);
  CHECK(rig.disk.read(s(2)) == v("chosen"));
}

TEST_CASE("Learner: log_chosen writes each advance once", "[learner]") {
  Rig rig;
  rig.learner.log_chosen();
  CHECK(rig.disk.records().empty());
  rig.disk.append(AcceptRecord{b1, s(1), v("one")});
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.deliver().size() == 1);
  rig.learner.log_chosen();
  rig.learner.log_chosen();
  CHECK(rig.disk.records().size() == 2);
}

TEST_CASE("Learner: however long a turn, the log falls behind by no more than the window", "[learner]") {
  Rig rig;
  const std::size_t window = rig.config.acceptor_window_slots();
  for (std::uint64_t slot = 1; slot <= 10 * window; ++slot) {
    rig.disk.append(AcceptRecord{b1, s(slot), v("x")});
    CHECK(rig.learner.learn(s(slot), v("x")));
    CHECK(rig.deliver().size() == 1);
  }
  REQUIRE(rig.disk.flush().ok());
  rig.disk.crash();
  CHECK(slots_between(rig.disk.recover().chosen_through, s(10 * window)) < window);
}

TEST_CASE("Learner: after a restart it goes on behind what the log knows", "[learner]") {
  Rig rig;
  CHECK(rig.learner.learn(s(1), v("one")));
  CHECK(rig.deliver().size() == 1);
  REQUIRE(rig.disk.flush().ok());
  CHECK(rig.learner.learn(s(2), v("lost")));
  CHECK(rig.deliver().size() == 1);
  rig.disk.crash();

  Learner<MemoryStorage> again{rig.config, rig.disk};
  again.restore(rig.disk.recover());
  CHECK(again.chosen_through() == s(1));
  CHECK(again.learn(s(2), v("found again")));
}

}  // namespace
