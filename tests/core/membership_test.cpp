// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/membership.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::InvariantViolation;
using paxos::Member;
using paxos::Membership;
using paxos::NodeId;
using paxos::Votes;

std::vector<Member> members(std::size_t count) {
  std::vector<Member> all;
  for (std::size_t id = 1; id <= count; ++id) all.emplace_back(id, "host:" + std::to_string(7000 + id));
  return all;
}

Votes votes_of(unsigned set) {
  Votes votes;
  for (std::size_t member = 0; member < paxos::members_max; ++member)
    if ((set >> member) & 1U) votes.insert(member);
  return votes;
}

// Paxos Made Simple, 2.2: "any two majorities have at least one acceptor in common". Every pair of sets is tried.
TEST_CASE("Membership: any two quorums of 1 to 9 members intersect", "[membership]") {
  for (std::size_t count = 1; count <= paxos::members_max; ++count) {
    const Membership membership{members(count)};
    const unsigned sets = 1U << count;
    std::vector<unsigned> quorums;
    for (unsigned set = 0; set < sets; ++set)
      if (membership.is_quorum(votes_of(set))) quorums.push_back(set);
    REQUIRE_FALSE(quorums.empty());
    bool all_intersect = true;
    for (const unsigned one : quorums)
      for (const unsigned other : quorums) all_intersect = all_intersect && (one & other) != 0;
    CHECK(all_intersect);
  }
}

// Liveness asks for the opposite bound: a quorum is as small as it may be, or fewer failures are survived than could
// be.
TEST_CASE("Membership: one vote less than a quorum is none, and f failures of 2f + 1 are survived", "[membership]") {
  const std::size_t sizes[] = {1, 2, 2, 3, 3, 4, 4, 5, 5};
  for (std::size_t count = 1; count <= paxos::members_max; ++count) {
    const Membership membership{members(count)};
    CHECK(membership.quorum_size() == sizes[count - 1]);
    CHECK(membership.is_quorum(votes_of((1U << sizes[count - 1]) - 1)));
    CHECK_FALSE(membership.is_quorum(votes_of((1U << (sizes[count - 1] - 1)) - 1)));
  }
}

// Hazards, "Even majority": n/2 taken for a majority of an even-sized group.
TEST_CASE("Even majority: 2 of 4 and 3 of 6 are no quorum; their complements could decide otherwise", "[membership]") {
  const Membership four{members(4)};
  CHECK(four.quorum_size() == 3);
  CHECK_FALSE(four.is_quorum(votes_of(0b0011)));
  CHECK_FALSE(four.is_quorum(votes_of(0b1100)));
  CHECK(four.is_quorum(votes_of(0b0111)));
  const Membership six{members(6)};
  CHECK(six.quorum_size() == 4);
  CHECK_FALSE(six.is_quorum(votes_of(0b000111)));
  CHECK_FALSE(six.is_quorum(votes_of(0b111000)));
}

// Hazards 6: acks counted twice from one node.
TEST_CASE("Votes: a repeated answer counts once", "[membership]") {
  Votes votes;
  CHECK(votes.insert(2));
  CHECK_FALSE(votes.insert(2));
  CHECK(votes.count() == 1);
  CHECK(votes.has(2));
  CHECK_FALSE(votes.has(1));
  CHECK_FALSE(Membership{members(3)}.is_quorum(votes));
}

TEST_CASE("Membership: order in the configuration does not matter; strangers have no index", "[membership]") {
  const Membership membership{{{30, "c:1"}, {10, "a:1"}, {20, "b:1"}}};
  CHECK(membership.ids() == std::vector{NodeId{10}, NodeId{20}, NodeId{30}});
  CHECK(membership.index_of(NodeId{20}) == 1U);
  CHECK(membership.index_of(NodeId{21}) == std::nullopt);
  CHECK_FALSE(membership.contains(NodeId{}));
}

TEST_CASE("Membership: none, ten, and twins are refused", "[membership]") {
  CHECK_THROWS_AS(Membership{std::vector<Member>{}}, InvariantViolation);
  CHECK_THROWS_AS(Membership{members(10)}, InvariantViolation);
  CHECK_THROWS_AS((Membership{{{1, "a:1"}, {1, "b:1"}}}), InvariantViolation);
}

}  // namespace
