// Copyright (c) the paxos authors. MIT licence.
// Who reaches whom: directly, or through others.
#include <paxos/role/leader_election.hpp>

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/election_rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;
using Election = LeaderElection<RecordingNet>;
using Advice = Election::Advice;

using Rig = ElectionRig;

std::vector<NodeId> nodes_in(const Votes& votes) {
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < 9; ++i)
    if (votes.has(i)) nodes.push_back(NodeId{i + 1});
  return nodes;
}

TEST_CASE("LeaderElection: a leader tells each node whether it hears that node", "[election]") {
  Rig rig;
  rig.lead();
  const auto told = [&](NodeId node) {
    (void)rig.net.take();
    (void)rig.election.request_round();
    rig.end_turn();
    for (const auto& [to, heartbeat] : rig.net.all<Heartbeat>())
      if (to == node) return heartbeat.is_heard;
    FAIL("no heartbeat");
    return false;
  };
  CHECK(told(n2));
  CHECK(told(n3));
  rig.now += rig.config.election_timeout;
  rig.answer(n2, 1);
  CHECK(told(n2));
  CHECK_FALSE(told(n3));
  rig.answer(n3, 2);
  CHECK(told(n3));
}

TEST_CASE("LeaderElection: the leader is reached directly, or through all others while it does not hear this node",
          "[election]") {
  Rig rig{5};
  CHECK(nodes_in(rig.election.ways()).empty());
  rig.election.on_leader_heard(n2, b2, rig.now);
  CHECK(nodes_in(rig.election.ways()) == std::vector{n2});
  CHECK(rig.election.leader_in_reach() == n2);
  rig.election.on_told(n2, false);
  CHECK(nodes_in(rig.election.ways()) == std::vector{n3, n4, n5});
  CHECK(rig.election.leader_in_reach() == NodeId{});
  rig.election.on_told(n3, true);  // of an older reign
  CHECK(rig.election.leader_in_reach() == NodeId{});
  SECTION("until it does") {
    rig.election.on_told(n2, true);
    CHECK(nodes_in(rig.election.ways()) == std::vector{n2});
  }
  SECTION("until there is another") {
    rig.election.on_leader_heard(n3, Ballot{9, n3}, rig.now);
    CHECK(nodes_in(rig.election.ways()) == std::vector{n3});
  }
}

TEST_CASE("LeaderElection: a leader that is not heard is reached through who answers a poll that it reaches one",
          "[election]") {
  Rig rig{5};
  const auto old = rig.wait_for_poll();
  const auto nonce = rig.wait_for_poll();
  const auto answer = [&](NodeId from, std::uint64_t to_poll, NodeId leader) {
    CHECK(rig.election.on_pre_vote_reply(from, PreVoteReply{to_poll, false, {}, {}, leader}) == Advice::none);
  };
  answer(n2, old, n5);
  answer(n3, nonce, n5);
  answer(n4, nonce, NodeId{});
  CHECK(nodes_in(rig.election.ways()) == std::vector{n3});
  CHECK(rig.wait_for_poll() != nonce);
  CHECK(nodes_in(rig.election.ways()).empty());
}

TEST_CASE("LeaderElection: a node whose disk stalls asks for the way to a leader that it does not hear", "[election]") {
  Rig rig{5};
  rig.election.on_leader_heard(n2, b2, rig.now);
  rig.may_lead = false;
  const auto nonce = rig.wait_for_poll();
  // It reaches that leader no more, and does not say so.
  CHECK(rig.election.leader() == NodeId{});
  CHECK(rig.election.leader_in_reach() == NodeId{});
  CHECK(rig.election.on_pre_vote_reply(n3, PreVoteReply{nonce, false, {}, {}, n2}) == Advice::none);
  CHECK(nodes_in(rig.election.ways()) == std::vector{n3});
}

TEST_CASE("LeaderElection: who answers a poll tells the leader that it reaches, and no other", "[election]") {
  Rig rig;
  const auto told = [&] {
    (void)rig.net.take();
    rig.election.on_pre_vote(n3, PreVote{77, {}}, b1, rig.through, rig.now);
    return rig.net.all<PreVoteReply>().at(0).second.leader;
  };
  CHECK(told() == NodeId{});
  rig.election.on_leader_heard(n2, b2, rig.now);
  CHECK(told() == n2);
  rig.election.on_told(n2, false);
  CHECK(told() == NodeId{});
  rig.lead(Ballot{9, n1});
  CHECK(told() == NodeId{});
}

}  // namespace
