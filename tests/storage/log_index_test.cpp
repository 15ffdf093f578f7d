// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/log_index.hpp>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

TEST_CASE("the promise is the highest ballot promised or accepted", "[log_index]") {
  LogIndex<int> index;
  CHECK_FALSE(index.fold(promise(3), 0));
  CHECK(index.promised() == ballot(3));
  CHECK_FALSE(index.fold(accept(1, 5, "x"), 1));
  CHECK(index.promised() == ballot(5));
  CHECK_FALSE(index.fold(promise(4), 0));
  CHECK(index.promised() == ballot(5));
}

TEST_CASE("of two values accepted in a slot the one of the higher ballot counts", "[log_index]") {
  LogIndex<int> index;
  CHECK_FALSE(index.fold(accept(4, 2, "a"), 1));
  CHECK_FALSE(index.fold(accept(4, 3, "b"), 2));
  CHECK_FALSE(index.fold(accept(4, 1, "c"), 3));
  REQUIRE(index.accepted().size() == 1);
  CHECK(index.accepted().at(Slot{4}).ballot == ballot(3));
  CHECK(index.accepted().at(Slot{4}).location == 2);
}

TEST_CASE("a chosen mark moves the accepted values to the chosen ones", "[log_index]") {
  LogIndex<int> index;
  for (int slot = 1; slot <= 4; ++slot) CHECK_FALSE(index.fold(accept(static_cast<std::uint64_t>(slot), 1, "v"), slot));
  CHECK_FALSE(index.fold(chosen(3), 0));
  CHECK(index.chosen_through() == Slot{3});
  CHECK(*index.chosen(Slot{1}) == 1);
  CHECK(*index.chosen(Slot{3}) == 3);
  CHECK(index.chosen(Slot{4}) == nullptr);
  CHECK(index.chosen(Slot{}) == nullptr);
  REQUIRE(index.accepted().size() == 1);
  CHECK(index.accepted().begin()->first == Slot{4});

  CHECK_FALSE(index.fold(chosen(2), 0));
  CHECK(index.chosen_through() == Slot{3});
}

TEST_CASE("an accept of a slot that is chosen only raises the promise", "[log_index]") {
  LogIndex<int> index;
  CHECK_FALSE(index.fold(learn(1, "v"), 7));
  CHECK_FALSE(index.fold(accept(1, 9, "w"), 8));
  CHECK(index.promised() == ballot(9));
  CHECK(*index.chosen(Slot{1}) == 7);
  CHECK(index.accepted().empty());
}

TEST_CASE("a learned value takes the place of an accepted one", "[log_index]") {
  LogIndex<int> index;
  CHECK_FALSE(index.fold(accept(1, 1, "mine"), 1));
  CHECK_FALSE(index.fold(learn(1, "theirs"), 2));
  CHECK(*index.chosen(Slot{1}) == 2);
  CHECK(index.accepted().empty());
}

TEST_CASE("a chosen mark over a slot that holds nothing is a fault and changes nothing", "[log_index]") {
  LogIndex<int> index;
  CHECK_FALSE(index.fold(accept(1, 1, "a"), 1));
  CHECK_FALSE(index.fold(accept(3, 1, "c"), 3));
  const auto fault = index.fold(chosen(3), 0);
  REQUIRE(fault);
  CHECK(fault->kind == LogFault::Kind::chosen_unaccepted);
  CHECK(fault->slot == Slot{2});
  CHECK(fault->text().find("slot 2") != std::string::npos);
  CHECK(index.chosen_through() == Slot{});
  CHECK(index.accepted().size() == 2);
  CHECK(index.fold(ChosenRecord{Slot::infinity()}, 0));
}

TEST_CASE("a slot learned out of turn is a fault", "[log_index]") {
  LogIndex<int> index;
  CHECK(index.fold(learn(2, "b"), 0)->kind == LogFault::Kind::learned_out_of_turn);
  CHECK(index.fold(LearnRecord{}, 0));
  CHECK_FALSE(index.fold(learn(1, "a"), 0));
  CHECK(index.fold(learn(1, "a"), 0));
}
