// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/slot.hpp>

#include <cstdint>
#include <type_traits>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::InvariantViolation;
using paxos::Slot;
using paxos::slots_between;

// A bare number is no slot: an index or a count must not become one by accident.
static_assert(!std::is_convertible_v<std::uint64_t, Slot>);
static_assert(!std::is_convertible_v<Slot, std::uint64_t>);

TEST_CASE("Slot: the first is 1, and 0 stands before it", "[slot]") {
  CHECK(Slot{} == Slot{0});
  CHECK(Slot{}.next() == Slot{1});
  CHECK(Slot{1}.previous() == Slot{});
  CHECK(to_string(Slot{812}) == "812");
}

// Hazards: overflow of slots. "The log is used up" is an error, never a wrap-around to slot 0.
TEST_CASE("Slot: no slot follows 2^64 - 1, and none stands before 0", "[slot][overflow]") {
  const Slot last_but_one{std::uint64_t{0} - 2};
  CHECK(last_but_one.next() == Slot::infinity());
  CHECK(Slot::infinity().value() == 18446744073709551615ULL);
  CHECK_THROWS_AS(Slot::infinity().next(), InvariantViolation);
  CHECK_THROWS_AS(Slot{}.previous(), InvariantViolation);
}

TEST_CASE("Slot: the distance of slots counts those above the first, and is never negative", "[slot]") {
  CHECK(slots_between(Slot{}, Slot{3}) == 3);
  CHECK(slots_between(Slot{3}, Slot{3}) == 0);
  CHECK(slots_between(Slot{4}, Slot{3}) == 0);
  CHECK(slots_between(Slot{}, Slot::infinity()) == 18446744073709551615ULL);
}

}  // namespace
