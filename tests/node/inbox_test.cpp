// Copyright (c) the paxos authors. MIT licence.
#include <paxos/node/inbox.hpp>

#include <deque>
#include <memory>
#include <optional>

#include <catch2/catch_test_macros.hpp>

using paxos::detail::Budget;
using paxos::detail::Inbox;

TEST_CASE("a budget is taken and given back", "[inbox]") {
  Budget budget{100};
  {
    const auto half = budget.take(50);
    REQUIRE(half);
    CHECK(budget.take(50));  // given back at once
    auto other = budget.take(50);
    REQUIRE(other);
    CHECK_FALSE(budget.take(1));
    CHECK(budget.used() == 100);
    Budget::Share moved = *std::move(other);
    other.reset();
    CHECK(budget.used() == 100);
    moved = Budget::Share{};
  }
  CHECK(budget.used() == 0);
}

TEST_CASE("one share alone is never too much", "[inbox]") {
  Budget budget{100};
  const auto large = budget.take(1000);
  CHECK(large);
  CHECK_FALSE(budget.take(1));
}

TEST_CASE("an inbox wakes its taker once, and keeps the order", "[inbox]") {
  using Box = Inbox<std::unique_ptr<int>>;
  Box box;
  for (int i = 0; i < 3; ++i) {
    auto item = std::make_unique<int>(i);
    CHECK(box.put(item) == (i == 0 ? Box::Put::first : Box::Put::queued));
  }
  std::deque<std::unique_ptr<int>> taken;
  box.take(taken);
  REQUIRE(taken.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(*taken[static_cast<std::size_t>(i)] == i);
  auto item = std::make_unique<int>(3);
  CHECK(box.put(item) == Box::Put::first);
}

TEST_CASE("a closed inbox leaves the item with its owner, and keeps what it has", "[inbox]") {
  using Box = Inbox<std::unique_ptr<int>>;
  Box box;
  auto item = std::make_unique<int>(1);
  CHECK(box.put(item) == Box::Put::first);
  box.close();
  item = std::make_unique<int>(2);
  CHECK(box.put(item) == Box::Put::closed);
  REQUIRE(item);
  CHECK(*item == 2);
  box.abandon();
  CHECK(box.put(item) == Box::Put::gone);
  std::deque<std::unique_ptr<int>> taken;
  box.take(taken);
  CHECK(taken.size() == 1);
}
