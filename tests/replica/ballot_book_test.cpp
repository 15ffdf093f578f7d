// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/ballot_book.hpp>

#include <cstdint>
#include <limits>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

constexpr std::uint64_t reach = BallotBook::reach;
BallotBook book_of_three() { return BallotBook{Membership{config_of(3).members}}; }

TEST_CASE("BallotBook: the highest ballot of a member counts, and a stranger's not at all", "[ballots]") {
  BallotBook book = book_of_three();
  CHECK(book.hear(Ballot{}));
  CHECK(book.hear(b3));
  CHECK(book.hear(b2));
  CHECK_FALSE(book.hear(Ballot{9, n4}));
  CHECK_FALSE(book.hear(Ballot{9, NodeId{}}));
  CHECK(book.highest() == b3);
}

TEST_CASE("BallotBook: a ballot is used by the node that it names, and by no other", "[ballots]") {
  BallotBook book = book_of_three();
  CHECK_FALSE(book.hear_from(n2, b3));
  CHECK(book.highest() == Ballot{});
  CHECK(book.hear_from(n3, b3));
}

TEST_CASE("BallotBook: a round out of reach is refused, and raises the highest one by no more than the reach",
          "[ballots]") {
  BallotBook book = book_of_three();
  CHECK_FALSE(book.hear(Ballot{reach + 1, n2}));
  CHECK(book.highest() == Ballot{reach, n2});
  CHECK_FALSE(book.hear(Ballot{std::numeric_limits<std::uint64_t>::max() - 1, n2}));
  CHECK(book.highest() == Ballot{2 * reach, n2});
  CHECK(book.hear(Ballot{3 * reach, n3}));
}

// Node 1 believed a liar that node 2 has not heard, and stands above the lie.
TEST_CASE("BallotBook: who counts on from a lie is believed, at the second time at the latest", "[ballots]") {
  BallotBook one = book_of_three(), two = book_of_three();
  one.see(Ballot{7, n1});
  CHECK(one.hear(Ballot{7 + reach, n3}));
  const Ballot own = one.highest().above(n1);
  CHECK_FALSE(two.hear(own));
  CHECK(two.hear(own));
}

TEST_CASE("BallotBook: near the end of all rounds nothing wraps", "[ballots]") {
  BallotBook book = book_of_three();
  const std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  book.see(Ballot{last - 5, n1});
  CHECK(book.hear(Ballot{last - 2, n2}));
  CHECK_FALSE(book.hear(Ballot{last, n2}));
  CHECK(book.highest().above(n1) == Ballot{last - 1, n1});
}

}  // namespace
