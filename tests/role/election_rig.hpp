// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <catch2/catch_test_macros.hpp>

#include <paxos/role/leader_election.hpp>

#include "role/rig.hpp"

namespace paxos::test {

/// The election of node 1; the test plays the others and the clock.
struct ElectionRig {
  using Election = LeaderElection<RecordingNet>;
  using Advice = Election::Advice;

  explicit ElectionRig(std::size_t nodes = 3, const std::function<void(Config&)>& adjust = {}, std::uint64_t seed = 1)
      : config(config_of(nodes, n1, adjust)), election(config, net, seed) {
    election.start(now);
  }

  Advice tick(Duration after = {}) {
    now += after;
    return election.on_tick(now, through, may_lead);
  }
  /// Waits, a heartbeat's quarter at a time, for the node to poll the others; its nonce.
  std::uint64_t wait_for_poll(Duration limit = 2s) {
    const Time end = now + limit;
    while (now < end) {
      (void)net.take();
      (void)tick(config.heartbeat_interval / 4);
      if (!net.all<PreVote>().empty()) return net.all<PreVote>()[0].second.nonce;
    }
    FAIL("no poll");
    return 0;
  }
  Advice granted_by(NodeId from, std::uint64_t nonce, bool granted = true) {
    return election.on_pre_vote_reply(from, PreVoteReply{nonce, granted, {}, {}});
  }
  /// Whether this node would support `from` now.
  bool supports(NodeId from) {
    (void)net.take();
    election.on_pre_vote(from, PreVote{77, {}}, b1, through, now);
    const auto replies = net.all<PreVoteReply>();
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].first == from);
    CHECK(replies[0].second.nonce == 77);
    return replies[0].second.granted;
  }
  void lead(const Ballot& ballot = b1) {
    election.on_standing(ballot, now);
    election.on_leading(ballot, now);
    end_turn();
  }
  void end_turn() { election.end_turn(now, through); }
  void answer(NodeId from, std::uint64_t round, Slot chosen_through = {}) {
    election.on_heartbeat_ack(from, HeartbeatAck{election.leader_ballot(), round, chosen_through}, now);
  }

  Config config;
  RecordingNet net;
  Time now = t0;
  Slot through;
  bool may_lead = true;
  Election election;
};

}  // namespace paxos::test
