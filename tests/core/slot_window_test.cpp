// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/slot_window.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>

namespace {

using paxos::InvariantViolation;
using paxos::Slot;
using paxos::SlotWindow;

TEST_CASE("SlotWindow: it admits (base, base + limit], and nothing else", "[slot_window]") {
  SlotWindow<int> window{3};
  CHECK_FALSE(window.admits(Slot{0}));
  CHECK(window.admits(Slot{1}));
  CHECK(window.admits(Slot{3}));
  CHECK_FALSE(window.admits(Slot{4}));
  CHECK_THROWS_AS(window.put(Slot{4}, 1), InvariantViolation);
  CHECK_THROWS_AS(window.put(Slot{0}, 1), InvariantViolation);
  window.advance(Slot{2});
  CHECK_FALSE(window.admits(Slot{2}));
  CHECK(window.admits(Slot{5}));
}

TEST_CASE("SlotWindow: holes are holes, and a slot keeps what was last put", "[slot_window]") {
  SlotWindow<std::string> window{8};
  window.put(Slot{3}, "c");
  CHECK(window.find(Slot{1}) == nullptr);
  CHECK(window.find(Slot{2}) == nullptr);
  CHECK(window.find(Slot{4}) == nullptr);
  REQUIRE(window.find(Slot{3}) != nullptr);
  window.put(Slot{3}, "d");
  CHECK(*window.find(Slot{3}) == "d");
  CHECK(window.last() == Slot{3});
}

TEST_CASE("SlotWindow: it never moves back", "[slot_window]") {
  SlotWindow<int> window{4};
  window.advance(Slot{10});
  window.put(Slot{11}, 11);
  window.advance(Slot{9});
  CHECK(window.base() == Slot{10});
  REQUIRE(window.find(Slot{11}) != nullptr);
  window.advance(Slot{1000000});
  CHECK(window.find(Slot{11}) == nullptr);
  CHECK(window.last() == Slot{1000000});
}

TEST_CASE("SlotWindow: it works next to the last slot", "[slot_window][overflow]") {
  SlotWindow<int> window{4};
  window.advance(Slot{Slot::infinity().value() - 2});
  CHECK(window.admits(Slot::infinity()));
  window.put(Slot::infinity(), 7);
  REQUIRE(window.find(Slot::infinity()) != nullptr);
  CHECK(window.last() == Slot::infinity());
  window.advance(Slot::infinity());
  CHECK_FALSE(window.admits(Slot::infinity()));
}

TEST_CASE("SlotWindow: it grows under what it holds, wherever that begins", "[slot_window]") {
  for (std::uint64_t base = 0; base < 40; ++base) {
    SlotWindow<std::uint64_t> window{100};
    window.advance(Slot{base});
    for (std::uint64_t i = 1; i <= 100; ++i) window.put(Slot{base + i}, i);
    bool agree = true;
    for (std::uint64_t i = 1; i <= 100; ++i) agree = agree && *window.find(Slot{base + i}) == i;
    CHECK(agree);
    CHECK(window.last() == Slot{base + 100});
  }
}

TEST_CASE("SlotWindow: what was moved out of is empty, and goes on", "[slot_window]") {
  SlotWindow<std::string> window{8};
  window.put(Slot{5}, "five");
  SlotWindow<std::string> taken{1};
  taken = std::move(window);
  CHECK(*taken.find(Slot{5}) == "five");
  CHECK(window.find(Slot{5}) == nullptr);  // NOLINT(bugprone-use-after-move): this is what is tested
  CHECK(window.last() == Slot{});
  window.put(Slot{2}, "two");
  CHECK(*window.find(Slot{2}) == "two");
  CHECK(window.find(Slot{5}) == nullptr);
  auto& same = taken;
  taken = std::move(same);
  CHECK(*taken.find(Slot{5}) == "five");
  const SlotWindow<std::string> copy = taken;
  CHECK(*copy.find(Slot{5}) == "five");
}

TEST_CASE("SlotWindow: what it forgets is let go", "[slot_window]") {
  const auto watched = std::make_shared<int>(0);
  SlotWindow<std::shared_ptr<int>> window{8};
  window.put(Slot{1}, watched);
  window.put(Slot{3}, watched);
  window.advance(Slot{1});
  CHECK(watched.use_count() == 2);
  window.advance(Slot{5});
  CHECK(watched.use_count() == 1);
}

// A std::map is the slow and obviously right twin.
TEST_CASE("SlotWindow: 20,000 random steps agree with a map", "[slot_window]") {
  paxos::Random random{1};
  SlotWindow<std::uint64_t> window{16};
  std::map<Slot, std::uint64_t> twin;
  bool agree = true;
  for (int step = 0; step < 20000 && agree; ++step) {
    const Slot slot{window.base().value() + random.below(20)};
    if (random.chance(60)) {
      if (window.admits(slot)) {
        const std::uint64_t value = random();
        window.put(slot, value);
        twin[slot] = value;
      }
    } else if (random.chance(30)) {
      window.advance(slot);
      twin.erase(twin.begin(), twin.upper_bound(slot));
    }
    for (std::uint64_t offset = 0; offset <= 20; ++offset) {
      const Slot probe{window.base().value() + offset};
      const auto* found = window.find(probe);
      const auto expected = twin.find(probe);
      agree = agree && (found != nullptr) == (expected != twin.end()) && (!found || *found == expected->second);
    }
  }
  CHECK(agree);
}

}  // namespace
