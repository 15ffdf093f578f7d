// Copyright (c) the paxos authors. MIT licence.
#include <paxos/role/catch_up.hpp>

#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// Node 1 of some nodes; slots 1 to `known` are chosen and in its log.
struct Rig {
  explicit Rig(std::size_t nodes = 3, std::uint64_t known = 0, const std::function<void(Config&)>& adjust = {})
      : config(config_of(nodes, n1, adjust)), through(known) {
    for (std::uint64_t slot = 1; slot <= known; ++slot)
      disk.append(LearnRecord{s(slot), v("v" + std::to_string(slot))});
  }
  /// Whom it asks now, and from which slot on.
  std::vector<std::pair<NodeId, CatchUpRequest>> end_turn(NodeId leader = {}, bool is_congested = false) {
    (void)net.take();
    catch_up.end_turn(s(through), leader, is_congested, now);
    return net.all<CatchUpRequest>();
  }
  CatchUpReply serve(Slot first) {
    (void)net.take();
    catch_up.on_request(n2, CatchUpRequest{first}, s(through));
    REQUIRE(net.all<CatchUpReply>().size() == 1);
    return net.all<CatchUpReply>()[0].second;
  }

  Config config;
  RecordingNet net;
  MemoryStorage disk;
  std::uint64_t through;
  Time now = t0;
  CatchUp<RecordingNet, MemoryStorage> catch_up{config, net, disk};
};

TEST_CASE("CatchUp: it serves chosen values from the log, and no vote that is not chosen", "[catch_up]") {
  Rig rig{3, 2};
  rig.disk.append(AcceptRecord{b2, s(3), v("accepted only")});
  CHECK(rig.serve(s(1)) == CatchUpReply{s(1), s(2), {v("v1"), v("v2")}});
  CHECK(rig.serve(s(2)) == CatchUpReply{s(2), s(2), {v("v2")}});
  CHECK(rig.serve(s(3)) == CatchUpReply{s(3), s(2), {}});
}

TEST_CASE("CatchUp: questions from nowhere get an empty answer", "[catch_up]") {
  Rig rig{3, 2};
  CHECK(rig.serve(s(0)).values.empty());
  CHECK(rig.serve(Slot::infinity()).values.empty());
}

TEST_CASE("CatchUp: an answer is bounded, yet never without headway", "[catch_up]") {
  Rig rig{3, 50, [](Config& config) { config.catch_up_bytes_max = 20; }};
  const CatchUpReply part = rig.serve(s(1));
  CHECK(part.values.size() >= 1);
  CHECK(part.values.size() < 10);
  CHECK(part.chosen_through == s(50));

  Rig large{3, 3, [](Config& config) { config.catch_up_bytes_max = 1; }};
  CHECK(large.serve(s(2)).values == std::vector<Value>{v("v2")});
}

TEST_CASE("CatchUp: it asks who knows more, a follower rather than the leader, one question at a time", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  rig.catch_up.on_progress(n3, s(5), rig.now);
  CHECK(rig.end_turn(n2) == std::vector<std::pair<NodeId, CatchUpRequest>>{{n3, {s(1)}}});
  CHECK(rig.end_turn(n2).empty());
  rig.catch_up.on_reply(n3, CatchUpReply{s(1), s(5), {v("x")}}, rig.now);
  rig.through = 1;
  CHECK(rig.end_turn(n2) == std::vector<std::pair<NodeId, CatchUpRequest>>{{n3, {s(2)}}});
}

TEST_CASE("CatchUp: when only the leader knows more, it asks the leader", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  CHECK(rig.end_turn(n2) == std::vector<std::pair<NodeId, CatchUpRequest>>{{n2, {s(1)}}});
}

TEST_CASE("CatchUp: an answer that does not come is asked for elsewhere", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  rig.catch_up.on_progress(n3, s(5), rig.now);
  const NodeId first = rig.end_turn().at(0).first;
  rig.now += 2 * rig.config.retransmit_interval - 1ms;
  CHECK(rig.end_turn().empty());
  rig.now += 1ms;
  const auto again = rig.end_turn();
  REQUIRE(again.size() == 1);
  CHECK(again[0].first != first);
}

TEST_CASE("CatchUp: who answered goes on being asked, while others that know more are out of reach", "[catch_up]") {
  Rig rig{5};
  for (const NodeId peer : {n2, n3, n4, n5}) rig.catch_up.on_progress(peer, s(9), rig.now);
  // Only node 4 answers; nobody tells the others' silence from loss.
  int in_vain = 0;
  while (rig.through < 9) {
    const auto asked = rig.end_turn(n2);
    REQUIRE(asked.size() == 1);
    if (asked[0].first == n4) {
      rig.catch_up.on_reply(n4, CatchUpReply{s(rig.through + 1), s(9), {v("x")}}, rig.now);
      ++rig.through;
    } else {
      REQUIRE(++in_vain < 4);
      rig.now += 2 * rig.config.retransmit_interval;
    }
  }
  CHECK(rig.end_turn(n2).empty());
}

TEST_CASE("CatchUp: a leader that helped is relieved once another is known to be ahead", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(99), rig.now);
  std::size_t asked_leader = 0;
  for (; asked_leader < 99; ++asked_leader) {
    const auto asked = rig.end_turn(n2);
    REQUIRE(asked.size() == 1);
    if (asked[0].first != n2) break;
    rig.catch_up.on_reply(n2, CatchUpReply{s(rig.through + 1), s(99), {v("x")}}, rig.now);
    ++rig.through;
    rig.catch_up.on_progress(n3, s(99), rig.now);
  }
  CHECK(asked_leader > 1);
  CHECK(asked_leader <= 9);
}

TEST_CASE("CatchUp: a peer that knows the slots but cannot read them is not asked before the others", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  rig.catch_up.on_progress(n3, s(5), rig.now);
  const NodeId first = rig.end_turn().at(0).first;
  rig.catch_up.on_reply(first, CatchUpReply{s(1), s(5), {}}, rig.now);
  CHECK(rig.end_turn().empty());
  rig.now += 2 * rig.config.retransmit_interval;
  CHECK(rig.end_turn().at(0).first != first);
}

// Every request has an answer, and if every answer brought a request, a network that repeats messages would multiply
// them without end.
TEST_CASE("CatchUp: an answer that brings nothing, however often it comes, makes no new request", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  const NodeId asked = rig.end_turn().at(0).first;
  for (int copy = 0; copy < 3; ++copy) {
    rig.catch_up.on_reply(asked, CatchUpReply{s(1), s(0), {}}, rig.now);
    CHECK(rig.end_turn().empty());
  }
}

// The peers that are ahead may be out of reach, and the one that could help unable to say so.
TEST_CASE("CatchUp: after a request in vain it asks all others in turn, the leader and those that seem behind too",
          "[catch_up]") {
  Rig rig{5};
  rig.catch_up.on_progress(n2, s(5), rig.now);
  rig.catch_up.on_progress(n3, s(5), rig.now);
  std::set<NodeId> asked;
  for (int i = 0; i < 8; ++i) {
    for (const auto& [peer, request] : rig.end_turn(NodeId{4})) asked.insert(peer);
    rig.now += 2 * rig.config.retransmit_interval;
  }
  CHECK(asked == std::set<NodeId>{n2, n3, NodeId{4}, NodeId{5}});
}

TEST_CASE("CatchUp: a peer that lost knowledge in a crash is not asked for what it forgot", "[catch_up]") {
  Rig rig;
  rig.through = 3;
  rig.catch_up.on_progress(n2, s(9), rig.now);
  rig.catch_up.on_progress(n2, s(2), rig.now);
  CHECK(rig.end_turn().empty());
}

TEST_CASE("CatchUp: the late answer of another peer does not end the wait for this one", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  const NodeId asked = rig.end_turn().at(0).first;
  REQUIRE(asked == n2);
  rig.catch_up.on_reply(n3, CatchUpReply{s(1), s(0), {}}, rig.now);
  rig.catch_up.on_reply(n2, CatchUpReply{s(4), s(5), {}}, rig.now);
  CHECK(rig.end_turn().empty());
}

TEST_CASE("CatchUp: never while the disk is behind, and never alone", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(5), rig.now);
  CHECK(rig.end_turn({}, true).empty());
  CHECK(rig.end_turn().size() == 1);

  Rig alone{1};
  alone.now += 10s;
  CHECK(alone.end_turn().empty());
}

TEST_CASE("CatchUp: without news it asks around, everybody in turn", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(n2, s(0), rig.now);
  rig.now += 4 * rig.config.heartbeat_interval - 1ms;
  CHECK(rig.end_turn().empty());
  rig.now += 1ms;
  const NodeId first = rig.end_turn().at(0).first;
  rig.now += 4 * rig.config.heartbeat_interval;
  const NodeId second = rig.end_turn().at(0).first;
  CHECK(first != second);
  CHECK(first != n1);
  CHECK(second != n1);
}

TEST_CASE("CatchUp: news of strangers is no news", "[catch_up]") {
  Rig rig;
  rig.catch_up.on_progress(NodeId{7}, s(5), rig.now);
  CHECK_NOTHROW(rig.catch_up.on_reply(NodeId{7}, CatchUpReply{s(1), s(5), {}}, rig.now));
  CHECK(rig.end_turn().size() == 1);  // only asking around: t0 is long after the epoch
  rig.catch_up.on_reply(n2, CatchUpReply{s(1), s(0), {}}, rig.now);
  rig.catch_up.on_reply(n3, CatchUpReply{s(1), s(0), {}}, rig.now);
  CHECK(rig.end_turn().empty());
}

}  // namespace
