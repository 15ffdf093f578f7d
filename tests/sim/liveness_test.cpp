// Copyright (c) the paxos authors. MIT licence.
// Progress, under every arrangement of links, disks and nodes that leaves a connected quorum.
#include <cstddef>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// Whether some node that is up gets a command through within `limit`: what a client that tries every node sees.
bool makes_progress(SimRig& rig, const std::string& entry, Duration limit = 10s) {
  std::vector<SimRig::Told*> told;
  for (const NodeId id : rig.cluster.ids())
    if (rig.cluster.is_up(id)) told.push_back(&rig.submit(id, entry + "@" + std::to_string(id.value())));
  return rig.cluster.run_until(
      [&] { return std::ranges::any_of(told, [](const auto* one) { return one->is_success(); }); }, limit);
}

TEST_CASE("Progress: 1 to 9 nodes, even sizes included, with the largest minority down", "[liveness]") {
  for (std::size_t nodes = 1; nodes <= 9; ++nodes) {
    INFO(nodes << " nodes");
    SimRig rig{nodes, nodes};
    rig.elect();
    rig.write(NodeId{1}, "all up");
    // The leader goes with them.
    const std::size_t may_fail = (nodes - 1) / 2;
    for (std::size_t down = 0; down < may_fail; ++down) {
      REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader().has_value(); }, 5s));
      rig.cluster.crash(*rig.cluster.leader());
    }
    CHECK(makes_progress(rig, "with a minority down"));
    rig.cluster.heal();
    rig.require_agreement();
  }
}

TEST_CASE("Progress: with one node more than a minority down there is none, and it comes back by itself",
          "[liveness]") {
  for (const std::size_t nodes : {2UL, 3UL, 4UL, 5UL}) {
    INFO(nodes << " nodes");
    SimRig rig{nodes, nodes};
    rig.elect();
    for (std::uint64_t id = 1; id <= (nodes - 1) / 2 + 1; ++id) rig.cluster.crash(NodeId{id});
    CHECK_FALSE(makes_progress(rig, "impossible"));
    rig.cluster.start(NodeId{1});
    CHECK(makes_progress(rig, "possible again"));
  }
}

TEST_CASE("One-way links: every single one of three nodes cut, before and after the election", "[liveness]") {
  for (std::uint64_t from = 1; from <= 3; ++from)
    for (std::uint64_t to = 1; to <= 3; ++to) {
      if (from == to) continue;
      for (const bool is_from_the_start : {true, false}) {
        INFO("nothing from " << from << " to " << to << (is_from_the_start ? ", from the start" : ", later"));
        SimRig rig{3, from * 3 + to};
        if (!is_from_the_start) rig.write(rig.elect(), "before");
        rig.cluster.cut(NodeId{from}, NodeId{to});
        for (int i = 0; i < 5; ++i) CHECK(makes_progress(rig, "try " + std::to_string(i), 5s));
        // And it settles: leadership does not go round and round.
        const auto prepares = rig.cluster.sent()["Prepare"];
        rig.cluster.run_for(10s);
        CHECK(rig.cluster.sent()["Prepare"] - prepares <= 3);
      }
    }
}

TEST_CASE("Quorum loss: the leader hears all, but only one node still hears a quorum", "[liveness]") {
  // Five nodes; everybody is linked with node A only, and A does not lead.
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    SimRig rig{5, seed};
    const NodeId leader = rig.elect();
    rig.write(leader, "before");
    const NodeId hub = rig.other_than({leader});
    for (const NodeId a : rig.cluster.ids())
      for (const NodeId b : rig.cluster.ids())
        if (a != b && a != hub && b != hub) rig.cluster.cut(a, b);
    CHECK(makes_progress(rig, "through the hub"));
    REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader() == hub; }, 10s));
    rig.write(hub, "and again");
  }
}

TEST_CASE("Constrained election: the only node that reaches a quorum is behind in the log", "[liveness]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    SimRig rig{5, seed};
    const NodeId leader = rig.elect();
    const NodeId hub = rig.other_than({leader});
    rig.cluster.isolate(hub);
    for (int i = 0; i < 50; ++i) rig.write(leader, "while the hub is away " + std::to_string(i));
    for (const NodeId a : rig.cluster.ids())
      for (const NodeId b : rig.cluster.ids()) {
        if (a == b) continue;
        if (a == leader || b == leader)
          rig.cluster.cut(a, b);  // the old leader is gone for all
        else if (a == hub || b == hub)
          rig.cluster.mend(a, b);
        else
          rig.cluster.cut(a, b);
      }
    CHECK(makes_progress(rig, "led by the hub"));
    CHECK(rig.timeline(hub).entries.size() >= 51);
  }
}

TEST_CASE("Chained: A-B-C, where A and C do not see each other", "[liveness]") {
  for (std::uint64_t middle = 1; middle <= 3; ++middle) {
    for (const bool leader_is_at_an_end : {true, false}) {
      INFO("in the middle: " << middle);
      SimRig rig{3, middle};
      const NodeId leader = rig.elect();
      rig.write(leader, "before");
      const NodeId b = leader_is_at_an_end ? rig.other_than({leader}) : leader;
      const NodeId a = rig.other_than({b}), c = rig.other_than({a, b});
      rig.cut_both(a, c);
      for (int i = 0; i < 5; ++i) CHECK(makes_progress(rig, "try " + std::to_string(i), 5s));
      const auto prepares = rig.cluster.sent()["Prepare"];
      rig.cluster.run_for(20s);
      CHECK(rig.cluster.sent()["Prepare"] - prepares <= 3);  // A and C do not take turns
      for (const NodeId id : {a, b, c}) CHECK(rig.timeline(id).count("before") == 1);
      REQUIRE(
          rig.cluster.run_until([&] { return rig.timeline(a).entries.size() == rig.timeline(c).entries.size(); }, 10s));
    }
  }
}

TEST_CASE("Flapping link: it costs no election while the others hear the leader", "[liveness]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const NodeId flapping = rig.other_than({leader});
  const Ballot ballot = rig.ballot_of(leader);
  for (int i = 0; i < 30; ++i) {
    rig.cut_both(leader, flapping);
    rig.cluster.run_for(700ms);
    rig.cluster.mend(leader, flapping);
    rig.cluster.mend(flapping, leader);
    rig.cluster.run_for(70ms);
    rig.write(leader, std::to_string(i), 1s);
  }
  CHECK(rig.cluster.leader() == leader);
  CHECK(rig.ballot_of(leader) == ballot);
  rig.require_agreement();
}

TEST_CASE("A leader whose disk stalls makes way", "[liveness]") {
  for (const std::size_t nodes : {3UL, 5UL}) {
    SimRig rig{nodes, nodes};
    const NodeId leader = rig.elect();
    rig.write(leader, "before");
    rig.cluster.stall_disk(leader);
    CHECK(makes_progress(rig, "first"));  // the others' disks are a quorum
    REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader() && *rig.cluster.leader() != leader; }, 10s));
    CHECK(makes_progress(rig, "under another leader"));
    rig.cluster.run_for(10s);
    CHECK(rig.cluster.leader() != leader);  // it does not come back while its disk hangs
    rig.cluster.resume_disk(leader);
    rig.require_agreement();
  }
}

TEST_CASE("A frozen leader makes way, and follows when it wakes", "[liveness]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  rig.write(leader, "before");
  const NodeId other = rig.other_than({leader});
  bool is_read = false;
  std::size_t seen = 0;
  rig.cluster.freeze(leader);
  rig.write(other, "while it slept", 5s);
  rig.cluster.thaw(leader);
  // It believes that it leads still; a read there must show what was acknowledged meanwhile.
  rig.cluster.read(leader, [&](const Timeline* timeline) {
    is_read = timeline != nullptr;
    if (timeline != nullptr) seen = timeline->count("while it slept");
  });
  REQUIRE(rig.cluster.run_until([&] { return is_read; }, 5s));
  CHECK(seen == 1);
  rig.require_agreement();
}

TEST_CASE("Hand-over: the node of highest priority leads in the end, and a restart of it costs one", "[liveness]") {
  SimRig rig{3, 5, [](Config& config) { config.members[1].priority = 7; }};
  REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader() == NodeId{2}; }, 20s));
  rig.write(NodeId{1}, "led by 2");
  rig.cluster.crash(NodeId{2});
  REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader().has_value(); }, 5s));
  rig.write(NodeId{1}, "led by another");
  rig.cluster.start(NodeId{2});
  REQUIRE(rig.cluster.run_until([&] { return rig.cluster.leader() == NodeId{2}; }, 20s));
  const Ballot ballot = rig.ballot_of(NodeId{2});
  rig.cluster.run_for(20s);
  CHECK(rig.ballot_of(NodeId{2}) == ballot);
  rig.require_agreement();
}

TEST_CASE("Hand-over: among equal priorities there is none, whoever comes back", "[liveness]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const Ballot ballot = rig.ballot_of(leader);
  for (const NodeId id : rig.cluster.ids()) {
    if (id == leader) continue;
    rig.cluster.crash(id);
    rig.cluster.run_for(3s);
    rig.cluster.start(id);
    rig.cluster.run_for(3s);
  }
  CHECK(rig.cluster.leader() == leader);
  CHECK(rig.ballot_of(leader) == ballot);
  CHECK(rig.cluster.sent()["HandOver"] == 0);
}

TEST_CASE("Duelling candidates: a cluster that starts all at once elects within a few timeouts", "[liveness]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    SimRig rig{5, seed};
    REQUIRE(rig.cluster.run_until([&] { return rig.is_led(); }, 3s));
  }
}

// Acceptance: "with a healthy leader a command costs, for three nodes, 2 Accepts + 2 Accepted and no Prepare".
TEST_CASE("Cost: a command is 2 Accepts, 2 Accepted and 2 Chosen for three nodes, and no Prepare", "[cost]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  rig.cluster.run_for(1s);
  for (int i = 0; i < 100; ++i) {
    const auto before = rig.cluster.sent();
    rig.write(leader, std::to_string(i));
    rig.cluster.run_for(20ms);  // the second follower's answer, and the Chosen
    auto& after = rig.cluster.sent();
    const auto sent = [&](const std::string& kind) {
      const auto found = before.find(kind);
      return after[kind] - (found == before.end() ? 0 : found->second);
    };
    CHECK(sent("Accept") == 2);
    CHECK(sent("Accepted") == 2);
    CHECK(sent("Chosen") == 2);
    CHECK(sent("Prepare") == 0);
    CHECK(sent("Promise") == 0);
    CHECK(sent("Forward") == 0);
    CHECK(sent("CatchUpRequest") == 0);
  }
}

}  // namespace
