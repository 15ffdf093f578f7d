// Copyright (c) the paxos authors. MIT licence.
// What broke earlier systems of this kind: each named scenario.
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/replica.hpp>

#include "role/rig.hpp"
#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

TEST_CASE("Skip Prepare by seniority: who won the last slot proposes nothing more once a higher ballot is promised",
          "[scenario]") {
  SimRig rig{3};
  const NodeId old_leader = rig.elect();
  rig.write(old_leader, "first");
  const NodeId follower = rig.other_than({old_leader});
  rig.cluster.isolate(old_leader);
  // Its seniority is worth nothing: what it proposes now, at the ballot that won the last slot, nobody hears.
  auto& lost = rig.submit(old_leader, "of the senior");
  REQUIRE(rig.cluster.run_until(
      [&] { return rig.cluster.leader() && *rig.cluster.leader() != old_leader && rig.is_led(); }, 5s));
  rig.write(follower, "of the next");
  CHECK_FALSE(lost.is_success());
  rig.cluster.heal();
  rig.require_agreement();
  const Timeline& timeline = rig.timeline(follower);
  CHECK(timeline.entries[0] == "first");
  CHECK(timeline.entries[1] == "of the next");
  CHECK(timeline.count("of the senior") <= 1);
}

TEST_CASE("Skip Prepare by seniority: no Accept ever leaves a node that no quorum promised its ballot", "[scenario]") {
  SimRig rig{5, 3};
  std::map<Ballot, std::set<NodeId>> promised;
  rig.cluster.on_send = [&](NodeId from, NodeId, const Message& message) {
    if (const auto* promise = get_if<Promise>(&message)) promised[promise->ballot].insert(from);
    const auto* accept = get_if<Accept>(&message);
    // Two promises over the wire and the candidate's own, which is not sent.
    if (accept != nullptr) CHECK(promised[accept->ballot].size() >= 2);
  };
  for (int i = 0; i < 5; ++i) {
    const NodeId leader = rig.elect();
    rig.write(leader, std::to_string(i));
    rig.cluster.crash(leader);
    REQUIRE(rig.cluster.run_until([&] { return rig.is_led(); }, 5s));
    rig.cluster.start(leader);
  }
  CHECK(promised.size() >= 5);
}

TEST_CASE("Learn from one: a value that one acceptor accepted is not taken for chosen", "[scenario]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const NodeId voter = rig.other_than({leader}), other = rig.other_than({leader, voter});
  rig.write(leader, "before");
  // Only `voter` hears the Accept, the leader's disk and its link back are gone: one durable vote of three.
  rig.cluster.stall_disk(leader);
  rig.cluster.cut(leader, other);
  rig.cluster.cut(voter, leader);
  auto& told = rig.submit(leader, "accepted by one");
  rig.cluster.run_for(100ms);
  REQUIRE(std::ranges::any_of(rig.cluster.durable_records(voter), [](const Record& record) {
    const auto* vote = get_if<AcceptRecord>(&record);
    return vote != nullptr && vote->value.text().find("accepted by one") != std::string_view::npos;
  }));
  for (const NodeId id : rig.cluster.ids()) CHECK(rig.timeline(id).count("accepted by one") == 0);
  CHECK_FALSE(told.answer);
}

TEST_CASE(
    "Promise list written as accepted list: after a restart the disk holds ballots where ballots were, values "
    "where values were",
    "[scenario]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("one")});
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("two")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  rig.restart();
  const Recovered recovered = rig.disk.recover();
  CHECK(recovered.promised == b3);
  CHECK(recovered.accepted == std::vector<AcceptedValue>{{s(1), b1, v("one")}, {s(2), b2, v("two")}});
}

TEST_CASE("Quorum of the reachable: an isolated node decides nothing, alone or two of five", "[scenario]") {
  for (const std::size_t nodes : {2UL, 3UL, 4UL, 5UL, 6UL}) {
    SimRig rig{nodes, nodes};
    const NodeId leader = rig.elect();
    rig.write(leader, "before");
    std::set<NodeId> minority{leader};  // half of them at most, the leader among them
    while (minority.size() < nodes / 2) minority.insert(rig.other_than(minority));
    for (const NodeId inside : minority)
      for (const NodeId outside : rig.cluster.ids())
        if (!minority.contains(outside)) rig.cut_both(inside, outside);
    auto& told = rig.submit(leader, "decided alone");
    rig.cluster.run_for(20s);
    INFO(nodes << " nodes");
    CHECK_FALSE(told.is_success());
    REQUIRE(told.answer);
    CHECK(make_error_code(*told.answer->error) == Outcome::unknown);
    for (const NodeId inside : minority) {
      CHECK(rig.timeline(inside).count("decided alone") == 0);
      CHECK(rig.cluster.replica(inside).status().standing != Standing::leader);
    }
  }
}

TEST_CASE("Lost slot, lost tweet: a command whose slot went to another is proposed again", "[scenario]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    SimRig rig{3, seed};
    const NodeId old_leader = rig.elect();
    const NodeId follower = rig.other_than({old_leader});
    rig.cluster.isolate(old_leader);
    auto& tweet = rig.submit(old_leader, "tweet");  // in a slot that the next leader fills with something else
    rig.cluster.run_for(50ms);
    REQUIRE(rig.cluster.run_until(
        [&] { return rig.cluster.leader() && *rig.cluster.leader() != old_leader && rig.is_led(); }, 3s));
    rig.write(follower, "in its place");
    rig.cluster.heal();
    REQUIRE(rig.cluster.run_until([&] { return tweet.answer.has_value(); }, 10s));
    CHECK(tweet.is_success());
    rig.require_agreement();
    CHECK(rig.timeline(follower).entries == std::vector<std::string>{"in its place", "tweet"});
  }
}

TEST_CASE("One instance for all: each command is told its own result, not the first one's", "[scenario]") {
  SimRig rig{3};
  rig.elect();
  std::vector<SimRig::Told*> told;
  for (int i = 0; i < 30; ++i)
    told.push_back(&rig.submit(NodeId{1 + static_cast<std::uint64_t>(i) % 3}, "tweet " + std::to_string(i)));
  REQUIRE(rig.cluster.run_until([&] { return std::ranges::all_of(told, [](auto* one) { return one->is_success(); }); },
                                5s));
  std::set<std::uint64_t> places;
  rig.require_agreement();
  for (std::size_t i = 0; i < told.size(); ++i) {
    CHECK(places.insert(told[i]->place()).second);
    CHECK(rig.timeline(NodeId{1}).entries[told[i]->place() - 1] == "tweet " + std::to_string(i));
  }
}

TEST_CASE("Holding the lock: a node that was handed nonsense by every kind of message goes on", "[scenario]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const NodeId target = rig.other_than({leader}), liar = rig.other_than({leader, target});
  const Value nonsense = v("\xff\xff\xff\xff nonsense");
  const Ballot stale{1, liar};
  for (const Message& message :
       {Message{Prepare{stale, Slot::infinity()}}, Message{Promise{stale, Slot{}, Slot{}, Slot::infinity(), {}}},
        Message{Accept{stale, Slot::infinity(), Slot::infinity(), nonsense}},
        Message{Accepted{stale, Slot{}, Slot::infinity()}}, Message{Nack{Ballot{~0ULL, liar}}},
        Message{Chosen{stale, Slot::infinity()}}, Message{Heartbeat{stale, ~0ULL, Slot::infinity()}},
        Message{HeartbeatAck{stale, ~0ULL, Slot::infinity()}}, Message{PreVote{0, Slot::infinity()}},
        Message{PreVoteReply{0, true, Ballot{~0ULL, liar}, Slot::infinity()}}, Message{HandOver{stale}},
        Message{CatchUpRequest{Slot::infinity()}},
        Message{CatchUpReply{Slot::infinity(), Slot::infinity(), {nonsense}}},
        Message{ForwardReply{RequestId{}, 99, Slot::infinity(), nonsense}}, Message{ReadIndex{0}},
        Message{ReadIndexReply{0, true, Slot{}}},
        Message{Forward{Command{RequestId{SessionId{5, 5}, 1}, 0, Slot{}, nonsense}}}}) {
    INFO(name_of(message));
    CHECK_NOTHROW(rig.cluster.replica(target).on_message(liar, message, rig.cluster.now()));
    CHECK_NOTHROW(rig.cluster.replica(leader).on_message(liar, message, rig.cluster.now()));
  }
  rig.write(target, "still alive");
  rig.require_agreement();
  for (const NodeId id : rig.cluster.ids()) CHECK(rig.cluster.replica(id).status().failure.ok());
}

TEST_CASE("Even majority: two halves of an even group never both decide; neither does", "[scenario]") {
  for (const std::size_t nodes : {2UL, 4UL, 6UL, 8UL}) {
    SimRig rig{nodes, nodes};
    rig.elect();
    rig.write(NodeId{1}, "before");
    rig.require_agreement();
    for (std::uint64_t low = 1; low <= nodes / 2; ++low)
      for (std::uint64_t high = nodes / 2 + 1; high <= nodes; ++high) rig.cut_both(NodeId{low}, NodeId{high});
    auto& one = rig.submit(NodeId{1}, "of one half");
    auto& other = rig.submit(NodeId{nodes}, "of the other");
    rig.cluster.run_for(10s);
    INFO(nodes << " nodes");
    CHECK_FALSE(one.is_success());
    CHECK_FALSE(other.is_success());
    for (const NodeId id : rig.cluster.ids()) CHECK(rig.timeline(id).entries == std::vector<std::string>{"before"});
    rig.cluster.heal();
    rig.write(NodeId{1}, "after", 10s);
    rig.require_agreement();
  }
}

// The simulator throws when a command is acknowledged that no quorum holds durably; here, by hand.
TEST_CASE("Success before choice: nobody is told before a quorum's disks have it", "[scenario]") {
  SimRig rig{3};
  const NodeId leader = rig.elect();
  const NodeId one = rig.other_than({leader}), two = rig.other_than({leader, one});
  rig.write(leader, "before");
  for (const NodeId id : {one, two}) rig.cluster.stall_disk(id);
  auto& at_leader = rig.submit(leader, "x");
  auto& at_follower = rig.submit(one, "y");
  rig.cluster.run_for(1s);
  CHECK_FALSE(at_leader.answer);
  CHECK_FALSE(at_follower.answer);
  rig.cluster.resume_disk(two);
  REQUIRE(rig.cluster.run_until([&] { return at_leader.answer && at_follower.answer; }, 1s));
  CHECK(at_leader.is_success());
  CHECK(at_follower.is_success());
}

}  // namespace
