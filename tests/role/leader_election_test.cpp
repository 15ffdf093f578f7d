// Copyright (c) the paxos authors. MIT licence.
#include <paxos/role/leader_election.hpp>

#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/election_rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;
using Election = LeaderElection<RecordingNet>;
using Advice = Election::Advice;

using Rig = ElectionRig;

// Standing for election.

TEST_CASE("LeaderElection: a node that hears nobody polls, and stands when a quorum supports it", "[election]") {
  for (std::size_t nodes = 2; nodes <= 9; ++nodes) {
    Rig rig{nodes};
    const auto nonce = rig.wait_for_poll();
    CHECK(rig.net.all<PreVote>().size() == nodes - 1);
    CHECK(rig.election.standing() == Standing::candidate);
    for (std::uint64_t other = 2; other <= nodes / 2 + 1; ++other) {
      const bool is_quorum = other == nodes / 2 + 1;
      INFO(other << " of " << nodes);
      CHECK(rig.granted_by(NodeId{other}, nonce) == (is_quorum ? Advice::stand : Advice::none));
    }
  }
}

TEST_CASE("LeaderElection: alone it stands without asking anybody", "[election]") {
  Rig rig{1};
  Advice advice = Advice::none;
  for (int i = 0; i < 100 && advice == Advice::none; ++i) advice = rig.tick(10ms);
  CHECK(advice == Advice::stand);
  CHECK(rig.net.is_silent());
}

TEST_CASE("LeaderElection: refusals, repetitions, strangers and answers to older polls give no support", "[election]") {
  Rig rig{5};
  const auto old_nonce = rig.wait_for_poll();
  const auto nonce = rig.wait_for_poll();
  REQUIRE(old_nonce != nonce);
  for (int i = 0; i < 3; ++i) CHECK(rig.granted_by(n2, nonce) == Advice::none);
  CHECK(rig.granted_by(n3, nonce, false) == Advice::none);
  CHECK(rig.granted_by(n4, old_nonce) == Advice::none);
  CHECK(rig.granted_by(NodeId{9}, nonce) == Advice::none);
  CHECK(rig.granted_by(n1, nonce) == Advice::none);  // its own support counted from the start
  CHECK(rig.granted_by(n5, nonce) == Advice::stand);
}

TEST_CASE("LeaderElection: who hears the leader in time never polls", "[election]") {
  Rig rig;
  for (int i = 0; i < 100; ++i) {
    rig.election.on_leader_heard(n2, b2, rig.now);
    CHECK(rig.tick(rig.config.heartbeat_interval) == Advice::none);
  }
  CHECK(rig.net.is_silent());
  CHECK(rig.election.leader() == n2);
}

TEST_CASE("LeaderElection: it waits at least one and at most two timeouts, and nodes differ", "[election]") {
  std::set<Duration> waits;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rig rig{3, {}, seed};
    rig.election.on_leader_heard(n2, b2, rig.now);
    const Time heard = rig.now;
    (void)rig.wait_for_poll();
    CHECK(rig.now - heard >= rig.config.election_timeout);
    CHECK(rig.now - heard <= 2 * rig.config.election_timeout + rig.config.heartbeat_interval);
    waits.insert(rig.now - heard);
  }
  CHECK(waits.size() > 5);
}

TEST_CASE("LeaderElection: nor does a node that is alone, while its disk stalls", "[election]") {
  Rig rig{1};
  rig.may_lead = false;
  for (int i = 0; i < 100; ++i) CHECK(rig.tick(50ms) == Advice::none);
  rig.may_lead = true;
  CHECK(rig.tick(rig.config.election_timeout) == Advice::stand);
}

TEST_CASE("LeaderElection: a candidate that does not win in time gives up, and asks again later", "[election]") {
  Rig rig;
  rig.election.on_standing(b1, rig.now);
  CHECK(rig.tick(rig.config.election_timeout - 1ms) == Advice::none);
  CHECK(rig.tick(rig.config.election_timeout + 1ms) == Advice::resign);
  rig.election.on_stood_down(rig.now);
  CHECK(rig.election.standing() == Standing::follower);
  (void)rig.wait_for_poll();
}

TEST_CASE("LeaderElection: a node whose disk stalls neither stands nor leads", "[election]") {
  Rig rig;
  rig.may_lead = false;
  for (int i = 0; i < 100; ++i) CHECK(rig.tick(50ms) == Advice::none);
  const auto nonce = rig.wait_for_poll();
  CHECK(rig.granted_by(n2, nonce) == Advice::none);
  CHECK(rig.granted_by(n3, nonce) == Advice::none);
  rig.may_lead = true;
  CHECK(rig.granted_by(n2, rig.wait_for_poll()) == Advice::stand);
  rig.lead();
  rig.may_lead = false;
  CHECK(rig.tick() == Advice::resign);
}

// Supporting others.

TEST_CASE("LeaderElection: a fresh node supports whoever asks", "[election]") {
  Rig rig;
  CHECK(rig.supports(n2));
  CHECK(rig.supports(n3));
}

TEST_CASE("LeaderElection: who hears a leader supports nobody else, so that one deaf node deposes nobody",
          "[election]") {
  Rig rig;
  rig.election.on_leader_heard(n2, b2, rig.now);
  CHECK_FALSE(rig.supports(n3));
  rig.now += rig.config.election_timeout - 1ms;
  CHECK_FALSE(rig.supports(n3));
  rig.now += 1ms;
  CHECK(rig.supports(n3));
}

TEST_CASE("LeaderElection: the very leader that asks has lost its reign, and is supported at once", "[election]") {
  Rig rig;
  rig.election.on_leader_heard(n2, b2, rig.now);
  CHECK(rig.supports(n2));
}

TEST_CASE("LeaderElection: a leader, and a candidate in phase 1, support nobody; a polling one does", "[election]") {
  Rig rig;
  (void)rig.wait_for_poll();
  CHECK(rig.supports(n2));
  rig.election.on_standing(b1, rig.now);
  CHECK_FALSE(rig.supports(n2));
  rig.election.on_leading(b1, rig.now);
  CHECK_FALSE(rig.supports(n2));
}

TEST_CASE("LeaderElection: a promise gives the candidate time to win", "[election]") {
  Rig rig;
  rig.election.on_promised(n2, b2, rig.now);
  CHECK(rig.election.leader() == NodeId{});
  CHECK_FALSE(rig.supports(n3));
  CHECK(rig.supports(n2));
  CHECK(rig.tick(rig.config.election_timeout - 1ms) == Advice::none);
  CHECK(rig.election.standing() == Standing::follower);
}

TEST_CASE("LeaderElection: news of an older reign changes nothing", "[election]") {
  Rig rig;
  rig.election.on_leader_heard(n3, b3, rig.now);
  rig.election.on_leader_heard(n2, b2, rig.now);
  rig.election.on_promised(n2, b2, rig.now);
  CHECK(rig.election.leader() == n3);
  CHECK(rig.election.leader_ballot() == b3);
}

// Leading.

TEST_CASE("LeaderElection: a new leader is heard at once, and then every heartbeat_interval", "[election]") {
  Rig rig;
  rig.lead(b1);
  CHECK(rig.net.take() == std::vector<Sent>{{n2, Heartbeat{b1, 1, {}}}, {n3, Heartbeat{b1, 1, {}}}});
  (void)rig.tick(rig.config.heartbeat_interval - 1ms);
  rig.end_turn();
  CHECK(rig.net.is_silent());
  (void)rig.tick(1ms);
  rig.end_turn();
  CHECK(rig.net.all<Heartbeat>().size() == 2);
  CHECK(rig.net.all<Heartbeat>()[0].second.round == 2);
}

TEST_CASE("LeaderElection: a leader that no quorum answers resigns", "[election]") {
  Rig rig{5};
  rig.lead();
  for (int i = 0; i < 20; ++i) {
    rig.answer(n2, 1);
    rig.answer(n3, 1);
    CHECK(rig.tick(rig.config.heartbeat_interval) == Advice::none);
  }
  Advice advice = Advice::none;
  for (int i = 0; i < 20 && advice == Advice::none; ++i) {
    rig.answer(n2, 1);  // itself and one more: two of five
    advice = rig.tick(rig.config.heartbeat_interval);
  }
  CHECK(advice == Advice::resign);
}

TEST_CASE("LeaderElection: a round is confirmed by a quorum that answered it or a later one", "[election]") {
  Rig rig{5};
  rig.lead();
  const auto round = rig.election.request_round();
  rig.end_turn();
  CHECK(rig.net.all<Heartbeat>().back().second.round == round);
  rig.answer(n2, round);
  rig.answer(n2, round);
  rig.answer(n3, round - 1);
  CHECK(rig.election.confirmed_round() < round);
  rig.answer(n4, round);
  CHECK(rig.election.confirmed_round() == round);
}

TEST_CASE("LeaderElection: a round that was asked for begins after the asking", "[election]") {
  Rig rig;
  rig.lead();
  rig.end_turn();
  const auto before = rig.net.all<Heartbeat>().back().second.round;
  const auto round = rig.election.request_round();
  CHECK(round > before);  // answers to what was sent before prove nothing
  rig.answer(n2, before);
  CHECK(rig.election.confirmed_round() < round);
}

TEST_CASE("LeaderElection: answers to other reigns, to rounds that never were, and of strangers do not count",
          "[election]") {
  Rig rig;
  rig.lead(b1);
  const auto round = rig.election.request_round();
  rig.end_turn();
  rig.election.on_heartbeat_ack(n2, HeartbeatAck{b2, round, {}}, rig.now);
  rig.election.on_heartbeat_ack(n2, HeartbeatAck{b1, round + 1, {}}, rig.now);
  rig.election.on_heartbeat_ack(NodeId{8}, HeartbeatAck{b1, round, {}}, rig.now);
  CHECK(rig.election.confirmed_round() < round);
  rig.answer(n3, round);
  CHECK(rig.election.confirmed_round() == round);
}

TEST_CASE("LeaderElection: rounds rise over reigns, so that an old answer confirms no new read", "[election]") {
  Rig rig;
  rig.lead(b1);
  const auto old_round = rig.election.request_round();
  rig.end_turn();
  rig.answer(n2, old_round);
  rig.election.on_stood_down(rig.now);
  rig.lead(Ballot{7, n1});
  CHECK(rig.election.confirmed_round() < rig.election.request_round());
  CHECK(rig.election.request_round() > old_round);
}

// Handing over.

TEST_CASE("LeaderElection: it hands over to a caught-up member of higher priority, best first", "[election]") {
  Rig rig{4, [](Config& config) {
            config.members[1].priority = 1;
            config.members[2].priority = 2;
            config.members[3].priority = 2;
          }};
  rig.lead();
  (void)rig.net.take();
  for (int i = 0; i < 8; ++i) {
    rig.now += rig.config.heartbeat_interval;
    for (const NodeId peer : {n2, n3, n4}) rig.answer(peer, 1, rig.through);
    (void)rig.tick();
  }
  CHECK(rig.net.all<HandOver>() == std::vector<std::pair<NodeId, HandOver>>{{n4, {b1}}});
  CHECK(rig.election.is_handing_over(rig.now));
  CHECK_FALSE(rig.election.is_handing_over(rig.now + rig.config.election_timeout));
}

TEST_CASE("LeaderElection: equal and lower priorities, the silent and the lagging are not offered leadership",
          "[election]") {
  for (const int case_number : {0, 1, 2}) {
    Rig rig{3, [&](Config& config) {
              config.members[0].priority = 1;
              config.members[1].priority = case_number == 0 ? 1 : 2;
            }};
    INFO("case " << case_number);
    rig.through = s(1000);
    rig.lead();
    for (int i = 0; i < 20; ++i) {
      rig.now += rig.config.heartbeat_interval;
      rig.answer(n3, 1, rig.through);
      if (case_number == 0) rig.answer(n2, 1, rig.through);
      if (case_number == 1) rig.answer(n2, 1, s(10));
      (void)rig.tick();
    }
    CHECK(rig.net.all<HandOver>().empty());
  }
}

TEST_CASE("LeaderElection: only the leader that a follower follows can hand over to it", "[election]") {
  Rig rig;
  CHECK(rig.election.on_hand_over(n2, HandOver{b2}) == Advice::none);
  rig.election.on_leader_heard(n2, b2, rig.now);
  CHECK(rig.election.on_hand_over(n3, HandOver{b2}) == Advice::none);
  CHECK(rig.election.on_hand_over(n2, HandOver{b1}) == Advice::none);
  CHECK(rig.election.on_hand_over(n2, HandOver{b2}) == Advice::stand);
  rig.election.on_standing(Ballot{3, n1}, rig.now);
  CHECK(rig.election.on_hand_over(n2, HandOver{b2}) == Advice::none);
}

}  // namespace

// A broken connection.

TEST_CASE("LeaderElection: when the connection to the leader broke, two heartbeats that do not come are enough",
          "[election]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rig rig{3, {}, seed};
    const auto heartbeat = rig.config.heartbeat_interval;
    rig.election.on_leader_heard(n2, b2, rig.now);
    rig.election.on_unreachable(n2, rig.now);
    CHECK(rig.tick(2 * heartbeat - 1ms) == Advice::none);
    CHECK(rig.election.standing() == Standing::follower);
    CHECK_FALSE(rig.supports(n3));
    (void)rig.tick(heartbeat + 1ms);
    CHECK(rig.election.standing() == Standing::candidate);
    CHECK(rig.supports(n3));
  }
}

TEST_CASE("LeaderElection: a heartbeat clears the suspicion, and a broken connection to another node raises none",
          "[election]") {
  Rig rig;
  const auto heartbeat = rig.config.heartbeat_interval;
  rig.election.on_leader_heard(n2, b2, rig.now);
  rig.election.on_unreachable(n3, rig.now);
  (void)rig.tick(3 * heartbeat);
  CHECK(rig.election.standing() == Standing::follower);
  rig.election.on_leader_heard(n2, b2, rig.now);
  rig.election.on_unreachable(n2, rig.now);
  rig.election.on_leader_heard(n2, b2, rig.now);
  (void)rig.tick(3 * heartbeat);
  CHECK(rig.election.standing() == Standing::follower);
  CHECK_FALSE(rig.supports(n3));
}
