// Copyright (c) the paxos authors. MIT licence.
//
// Schedules that once broke a promise, each as short as it could be made.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <cereal/types/variant.hpp>

#include <paxos/cereal.hpp>
#include <paxos/storage/memory_storage.hpp>

#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Silence {
  void send(NodeId, Message) {}
};

/// Its commands have a reader of their own, which throws.
struct Choosy {
  using Command = std::variant<int, std::string>;
  int commands = 0;
  int apply(const Command&) { return ++commands; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(commands);
  }
};

Value batch_of(const std::string& entry, std::uint64_t session) {
  BatchBuilder builder;
  builder.add(Command{{{session, 1}, 1}, 1, Slot{}, encoded(entry)});
  return builder.take();
}

TEST_CASE("A slow disk: no Prepare leaves before the candidate's own promise is durable", "[sim]") {
  sim::Conditions slow;
  slow.flush_min = 250ms;
  slow.flush_max = 260ms;
  sim::Cluster<Timeline> cluster{3, 1, slow};
  std::size_t prepares = 0;
  std::size_t early = 0;
  cluster.on_send = [&](NodeId from, NodeId, const Message& message) {
    const auto* prepare = get_if<Prepare>(&message);
    if (prepare == nullptr) return;
    ++prepares;
    bool is_claimed = false;
    for (const Record& record : cluster.durable_records(from))
      is_claimed |= record == Record{PromiseRecord{prepare->ballot}};
    early += is_claimed ? 0 : 1;
  };
  cluster.run_for(3s);
  CHECK(prepares > 0);
  CHECK(early == 0);
}

// One node of the phase-1 quorum knows a slot as chosen and dies before it gave the value away. The other survivor
// holds the value too, but its vote is of an older ballot.
TEST_CASE("A leader that was told of chosen slots which nobody can give it any more finds them by a new phase 1",
          "[sim]") {
  SimRig rig{3, 3};
  auto& cluster = rig.cluster;
  const NodeId old_leader = rig.elect();
  cluster.run_for(300ms);
  std::vector<NodeId> others;
  for (const NodeId id : cluster.ids())
    if (id != old_leader) others.push_back(id);

  bool is_isolated = false;
  bool was_promised = false;
  NodeId leader;
  const auto second = [&] { return leader == others[0] ? others[1] : others[0]; };
  cluster.on_send = [&](NodeId from, NodeId to, const Message& message) {
    if (!is_isolated && from == old_leader && holds_alternative<Chosen>(message)) {
      is_isolated = true;
      for (const NodeId other : others) cluster.cut(old_leader, other);
    }
    if (!is_isolated) return;
    if (holds_alternative<Prepare>(message) && leader == NodeId{} && from != old_leader) leader = from;
    if (leader == NodeId{} || to != leader) return;
    if (holds_alternative<Promise>(message) && from == second()) cluster.cut(from, to);
    if (holds_alternative<Promise>(message) && from == old_leader && !std::exchange(was_promised, true))
      cluster.mend(from, to);
    if (holds_alternative<CatchUpReply>(message) && from == old_leader) cluster.cut(from, to);
  };
  bool is_acknowledged = false;
  cluster.submit(old_leader, "precious", [&](const Answer& answer) { is_acknowledged = !answer.error; });
  REQUIRE(cluster.run_until(
      [&] { return leader != NodeId{} && cluster.replica(leader).status().standing == Standing::leader; }, 60s));
  REQUIRE(is_acknowledged);
  cluster.on_send = nullptr;
  cluster.crash(old_leader);
  for (const NodeId a : cluster.ids())
    for (const NodeId b : cluster.ids()) cluster.mend(a, b);

  std::optional<Answer> answer;
  cluster.submit(second(), "next", [&](const Answer& given) { answer = given; });
  REQUIRE(cluster.run_until([&] { return answer.has_value(); }, 10s));
  CHECK_FALSE(answer->error);
  CHECK(rig.timeline(second()).count("precious") == 1);
}

// Node 1 reaches 2 and 3 only, and 2 cannot write: all three answer heartbeats, and nothing is chosen. 3, 4 and 5
// could.
TEST_CASE("A leader whose quorum hears it but cannot write makes way for one that has a quorum which can", "[sim]") {
  SimRig rig{5, 2, [](Config& config) { config.members[0].priority = 1; }};
  auto& cluster = rig.cluster;
  (void)rig.elect();
  REQUIRE(cluster.run_until([&] { return cluster.leader() == NodeId{1}; }, 30s));
  for (const NodeId far : {NodeId{4}, NodeId{5}}) {
    cluster.cut(NodeId{1}, far);
    cluster.cut(far, NodeId{1});
  }
  cluster.stall_disk(NodeId{2});
  bool is_applied = false;
  const std::function<void()> ask = [&] {
    cluster.submit(NodeId{3}, "through", [&](const Answer& answer) { answer.error ? ask() : void(is_applied = true); });
  };
  ask();
  CHECK(cluster.run_until([&] { return is_applied; }, 60s));
}

TEST_CASE("Phase 1 may take longer than an election timeout, as long as the parts of the promises come", "[sim]") {
  sim::Conditions far;
  far.latency_min = 5ms;
  far.latency_max = 6ms;
  far.flush_max = 1ms;
  sim::Cluster<Timeline> cluster{3, 5, far, [](Config& config) { config.promise_bytes_max = 1000; }};
  REQUIRE(cluster.run_until([&] { return cluster.leader().has_value(); }, 10s));
  cluster.run_for(500ms);
  const NodeId old_leader = *cluster.leader();
  for (const NodeId id : cluster.ids())
    if (id != old_leader) cluster.cut(id, old_leader);
  for (int i = 0; i < 64; ++i) {
    cluster.submit(old_leader, std::string(990, 'x'), [](const Answer&) {});
    cluster.run_for(1ms);
  }
  cluster.run_for(50ms);
  cluster.crash(old_leader);
  const NodeId survivor{old_leader == NodeId{1} ? 2U : 1U};
  for (const NodeId id : cluster.ids()) cluster.mend(id, old_leader);
  std::optional<Answer> answer;
  cluster.submit(survivor, "next", [&](const Answer& given) { answer = given; });
  REQUIRE(cluster.run_until([&] { return answer.has_value(); }, 10s));
  CHECK_FALSE(answer->error);
}

TEST_CASE("A preferred node that only the leader can reach is offered leadership more and more seldom", "[sim]") {
  SimRig rig{5, 9, [](Config& config) {
               config.members[0].priority = 1;
               config.members[4].priority = 2;
             }};
  auto& cluster = rig.cluster;
  (void)rig.elect();
  for (std::uint64_t id = 2; id <= 4; ++id) {
    cluster.cut(NodeId{5}, NodeId{id});
    cluster.cut(NodeId{id}, NodeId{5});
  }
  cluster.run_for(60s);
  const auto before = cluster.replica(NodeId{1}).status().promised.round;
  cluster.run_for(10 * 60s);
  CHECK(cluster.replica(NodeId{1}).status().promised.round - before < 30);
}

TEST_CASE("Bytes that a command's own reader throws at are no command, on every replica and after a restart", "[sim]") {
  sim::Cluster<Choosy> cluster{3, 1};
  REQUIRE(cluster.run_until([&] { return cluster.leader().has_value(); }, 5s));
  std::optional<Answer> answer;
  cluster.submit_as(NodeId{1}, Command{{{9, 9}, 1}, 1, Slot{}, encoded(std::uint64_t{77})},
                    [&](const Answer& given) { answer = given; });
  REQUIRE(cluster.run_until([&] { return answer.has_value(); }, 10s));
  CHECK(answer->error == Errc::undecodable);
  cluster.run_for(1s);
  for (const NodeId id : cluster.ids()) {
    cluster.crash(id);
    cluster.start(id);
  }
  answer.reset();
  cluster.submit(NodeId{2}, Choosy::Command{7}, [&](const Answer& given) { answer = given; });
  REQUIRE(cluster.run_until([&] { return answer.has_value(); }, 10s));
  CHECK_FALSE(answer->error);
  CHECK(cluster.replica(NodeId{2}).state().machine().commands == 1);
}

TEST_CASE("A vote that comes late, while a fetched slot waits behind a hole, does not end up in the log as chosen",
          "[sim]") {
  Config config{
      .id = NodeId{1}, .members = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}, {4, "d:1"}, {5, "e:1"}}, .data_dir = "x"};
  Silence net;
  MemoryStorage disk;
  NullObserver observer;
  const Time now = Time{} + 1h;
  Replica<Timeline, Silence, MemoryStorage> replica{config, net, disk, observer, {1, {1, 1}}, now};
  const Value chosen = batch_of("chosen", 1);
  replica.on_message(NodeId{2}, Accept{{1, NodeId{2}}, Slot{2}, Slot{}, chosen}, now);
  replica.on_message(NodeId{4}, CatchUpReply{Slot{2}, Slot{2}, {chosen}}, now);
  replica.on_message(NodeId{3}, Accept{{2, NodeId{3}}, Slot{2}, Slot{}, batch_of("late", 2)}, now);
  replica.on_message(NodeId{4}, CatchUpReply{Slot{1}, Slot{2}, {Value{}}}, now);
  replica.end_turn(now);
  CHECK(replica.state().machine().entries == std::vector<std::string>{"chosen"});
  CHECK(disk.read(Slot{2}) == chosen);
}

TEST_CASE("A node that catches up on more than may wait for the disk flushes what it fetched, and goes on", "[sim]") {
  SimRig rig{3, 1, [](Config& config) {
               config.pending_bytes_max = config.command_bytes_max = 4096;
               config.catch_up_bytes_max = 1024;
               config.window_slots = 2;
             }};
  auto& cluster = rig.cluster;
  cluster.crash(NodeId{3});
  (void)rig.elect();
  for (int i = 0; i < 60; ++i) {
    bool is_done = false;
    cluster.submit(NodeId{1}, std::string(500, 'x'), [&](const Answer& answer) { is_done = !answer.error; });
    REQUIRE(cluster.run_until([&] { return is_done; }, 5s));
  }
  cluster.start(NodeId{3});
  CHECK(cluster.run_until([&] { return rig.timeline(NodeId{3}).entries.size() == 60; }, 20s));
}

TEST_CASE("A disk that was full is tried again although nothing waits for it", "[sim]") {
  SimRig rig{1};
  auto& cluster = rig.cluster;
  (void)rig.elect();
  cluster.run_for(100ms);
  auto& replica = cluster.replica(NodeId{1});
  replica.on_flushed(Status{make_error_code(Errc::storage_full), "no space"}, cluster.now());
  CHECK(replica.status().is_storage_full);
  CHECK(replica.wants_flush());
  CHECK(cluster.run_until([&] { return !replica.status().is_storage_full; }, 5s));
}

}  // namespace
