// Copyright (c) the paxos authors. MIT licence.
// A node that cannot talk to the leader, in one direction or both, is served through one that can.
#include <optional>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// A read at a node: what it saw, or nothing when nobody confirmed it.
std::optional<std::vector<std::string>> read(SimRig& rig, NodeId at, Duration limit = 10s) {
  bool is_over = false;
  std::optional<std::vector<std::string>> seen;
  rig.cluster.read(at, [&](const Timeline* timeline) {
    is_over = true;
    if (timeline != nullptr) seen = timeline->entries;
  });
  REQUIRE(rig.cluster.run_until([&] { return is_over; }, limit));
  return seen;
}

TEST_CASE("Relay: a node whose link to the leader is down, one way or both, writes and reads through another",
          "[relay]") {
  for (const std::size_t nodes : {3UL, 5UL})
    for (const auto& [is_deaf, is_mute] : {std::pair{true, false}, {false, true}, {true, true}}) {
      INFO(nodes << " nodes; hears the leader: " << !is_deaf << ", is heard: " << !is_mute);
      SimRig rig{nodes};
      const NodeId leader = rig.elect();
      const NodeId apart = rig.other_than({leader});
      const Ballot reign = rig.ballot_of(leader);
      if (is_deaf) rig.cluster.cut(leader, apart);
      if (is_mute) rig.cluster.cut(apart, leader);
      for (int i = 0; i < 5; ++i) {
        const std::string entry = "from apart " + std::to_string(i);
        rig.write(apart, entry);
        const auto seen = read(rig, apart);
        REQUIRE(seen);
        CHECK(seen->back() == entry);
        rig.write(leader, "from the leader " + std::to_string(i));
        // What was acknowledged at the leader, a read that begins later at the other sees.
        const auto later = read(rig, apart);
        REQUIRE(later);
        CHECK(later->back() == "from the leader " + std::to_string(i));
      }
      CHECK(rig.ballot_of(leader) == reign);  // nobody was deposed for it
      rig.cluster.heal();
      rig.require_agreement();
    }
}

TEST_CASE("Relay: a node whose disk stalls reads through another, when it does not hear the leader", "[relay]") {
  SimRig rig{5};
  const NodeId leader = rig.elect();
  const NodeId apart = rig.other_than({leader});
  const Ballot reign = rig.ballot_of(leader);
  rig.cluster.stall_disk(apart);
  rig.write(leader, "before");
  rig.cluster.run_for(5s);
  rig.cut_both(leader, apart);
  for (int i = 0; i < 3; ++i) {
    rig.write(leader, std::to_string(i));
    const auto seen = read(rig, apart);
    REQUIRE(seen);
    CHECK(seen->back() == std::to_string(i));
  }
  CHECK(rig.ballot_of(leader) == reign);
  CHECK(rig.cluster.replica(apart).status().promised == reign);  // it stood at none
}

TEST_CASE("Relay: what nobody can bring to a leader did not leave", "[relay]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const NodeId apart = rig.other_than({leader}), other = rig.other_than({leader, apart});
  rig.cluster.crash(leader);
  rig.cluster.crash(other);
  rig.cluster.run_for(5s);
  auto& told = rig.submit(apart, "to nobody");
  REQUIRE(rig.cluster.run_until([&] { return told.answer.has_value(); }, 20s));
  REQUIRE(told.answer->error);
  CHECK(make_error_code(*told.answer->error) == Outcome::not_applied);
  CHECK_FALSE(read(rig, apart));
}

TEST_CASE("Relay: a command is passed on once, and only to another than who sent it", "[relay]") {
  SimRig rig{5};
  const NodeId leader = rig.elect();
  const NodeId apart = rig.other_than({leader});
  rig.cut_both(leader, apart);
  std::size_t relayed = 0;
  rig.cluster.on_send = [&](NodeId from, NodeId to, const Message& message) {
    const auto* forward = get_if<Forward>(&message);
    if (forward == nullptr || !forward->is_relayed) return;
    ++relayed;
    CHECK(from != apart);
    CHECK(to == leader);
  };
  for (int i = 0; i < 5; ++i) rig.write(apart, std::to_string(i));
  CHECK(relayed >= 5);
  CHECK(rig.timeline(leader).entries.size() == 5);
}

}  // namespace
