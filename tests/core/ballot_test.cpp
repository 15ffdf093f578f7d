// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/ballot.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::Ballot;
using paxos::InvariantViolation;
using paxos::NodeId;

constexpr std::uint64_t last_round = std::numeric_limits<std::uint64_t>::max();

// Paxos Made Simple, 2.5: "different proposers choose their numbers from disjoint sets of numbers".
TEST_CASE("Ballot: two nodes never form the same one, and rounds outrank nodes", "[ballot]") {
  CHECK(Ballot{4, NodeId{1}} != Ballot{4, NodeId{2}});
  CHECK(Ballot{4, NodeId{1}} < Ballot{4, NodeId{2}});
  CHECK(Ballot{4, NodeId{9}} < Ballot{5, NodeId{1}});
}

TEST_CASE("Ballot: order and equality agree over all fields, and the order is total", "[ballot]") {
  std::vector<Ballot> ballots;
  for (std::uint64_t round : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, last_round})
    for (std::uint64_t node : {0U, 1U, 2U, 9U}) ballots.push_back({round, NodeId{node}});
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    for (std::size_t j = 0; j < ballots.size(); ++j) {
      CHECK((ballots[i] == ballots[j]) == (i == j));
      CHECK((ballots[i] < ballots[j]) == (i < j));
    }
  }
  CHECK(std::ranges::min(ballots) == Ballot{});
}

TEST_CASE("Ballot: above() is higher than any ballot of the same round, whoever owns it", "[ballot]") {
  const Ballot seen{7, NodeId{9}};
  const Ballot mine = seen.above(NodeId{1});
  CHECK(mine == Ballot{8, NodeId{1}});
  CHECK(mine > seen);
  CHECK(mine > Ballot{7, NodeId{std::numeric_limits<std::uint64_t>::max()}});
  CHECK(Ballot{}.above(NodeId{1}) > Ballot{});
}

// Hazards: overflow of ballots. Wrapping to round 0 would let an acceptor be asked to go below its promise.
TEST_CASE("Ballot: after round 2^64 - 1 there is none, and that is said", "[ballot][overflow]") {
  CHECK(Ballot{last_round - 1, NodeId{3}}.above(NodeId{3}) == Ballot{last_round, NodeId{3}});
  CHECK_THROWS_AS((Ballot{last_round, NodeId{3}}.above(NodeId{3})), InvariantViolation);
}

TEST_CASE("Ballot: logs print round.node", "[ballot]") { CHECK(to_string(Ballot{4, NodeId{2}}) == "4.2"); }

}  // namespace
