// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/ballot_book.hpp>

#include <cstdint>
#include <limits>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

constexpr std::uint64_t reach = BallotBook::reach, stride = BallotBook::stride;
const Duration interval = config_of(3).heartbeat_interval;
BallotBook book_of_three() { return BallotBook{config_of(3)}; }

TEST_CASE("BallotBook: the highest ballot of a member counts, and a stranger's not at all", "[ballots]") {
  BallotBook book = book_of_three();
  CHECK(book.hear(n2, Ballot{}, t0));
  CHECK(book.hear(n2, b3, t0));
  CHECK(book.hear(n2, b2, t0));
  CHECK_FALSE(book.hear(n2, Ballot{9, n4}, t0));
  CHECK_FALSE(book.hear(n2, Ballot{9, NodeId{}}, t0));
  CHECK_FALSE(book.hear(n4, Ballot{9, n2}, t0));
  CHECK(book.highest() == b3);
}

TEST_CASE("BallotBook: a ballot is used by the node that it names, and by no other", "[ballots]") {
  BallotBook book = book_of_three();
  CHECK_FALSE(book.hear_from(n2, b3, t0));
  CHECK(book.highest() == Ballot{});
  CHECK(book.hear_from(n3, b3, t0));
}

TEST_CASE("BallotBook: a round out of reach is refused, and raises the highest one by no more than the reach",
          "[ballots]") {
  BallotBook book = book_of_three();
  CHECK_FALSE(book.hear(n2, Ballot{reach + 1, n2}, t0));
  CHECK(book.highest() == Ballot{reach, n2});
  CHECK_FALSE(book.hear(n2, Ballot{std::numeric_limits<std::uint64_t>::max() - 1, n2}, t0 + interval));
  CHECK(book.highest() == Ballot{2 * reach, n2});
  CHECK(book.hear(n2, Ballot{3 * reach, n3}, t0 + 2 * interval));
}

TEST_CASE("BallotBook: within a heartbeat interval a teller raises the highest round once by the reach, and counts on",
          "[ballots]") {
  BallotBook book = book_of_three();
  const auto hear = [&](std::uint64_t round, NodeId from = n3, Time now = t0) {
    return book.hear(from, Ballot{round, n3}, now);
  };
  CHECK(hear(reach));
  CHECK(hear(reach + 1));
  CHECK(hear(reach + stride));
  SECTION("a lie after the other") {
    for (std::uint64_t i = 2; i < 200; ++i) CHECK_FALSE(hear(i * reach));
    CHECK_FALSE(hear(reach + stride + 1, n3, t0 + interval - 1ns));
  }
  SECTION("in small steps") {
    for (std::uint64_t i = 1; i < 200; ++i) CHECK_FALSE(hear(book.highest().round + 1));
  }
  CHECK(book.highest() == Ballot{reach + stride, n3});
  CHECK(hear(reach + stride));                          // what is known may be said
  CHECK(hear(2 * reach, n2));                           // others tell for themselves
  CHECK(hear(3 * reach, n3, t0 + interval));            // and it may again
  CHECK_FALSE(hear(9 * reach, n3, t0 + 2 * interval));  // but does not save up
  CHECK(book.highest() == Ballot{4 * reach, n3});
}

// Node 1 believed a liar that node 2 has not heard, and stands above the lie.
TEST_CASE("BallotBook: who counts on from a lie is believed, at the second time at the latest", "[ballots]") {
  BallotBook one = book_of_three(), two = book_of_three();
  one.see(Ballot{7, n1});
  CHECK(one.hear(n3, Ballot{7 + reach, n3}, t0));
  const Ballot own = one.highest().above(n1);
  CHECK_FALSE(two.hear(n1, own, t0));
  CHECK(two.hear(n1, own, t0));
}

TEST_CASE("BallotBook: near the end of all rounds nothing wraps", "[ballots]") {
  BallotBook book = book_of_three();
  const std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  book.see(Ballot{last - 5, n1});
  CHECK(book.hear(n2, Ballot{last - 2, n2}, t0));
  CHECK_FALSE(book.hear(n2, Ballot{last, n2}, t0));
  CHECK(book.highest().above(n1) == Ballot{last - 1, n1});
}

}  // namespace
