// Copyright (c) the paxos authors. MIT licence.
#include <filesystem>
#include <future>
#include <string>
#include <system_error>

#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Cluster = ClusterOf<FileNode>;

std::vector<std::string> propose_some(FileNode& node, const std::string& name, int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(name + std::to_string(i));
    static_cast<void>(node.propose(texts.back()));
  }
  return texts;
}

}  // namespace

TEST_CASE("a cleanly stopped node has forgotten nothing when it starts again", "[node][threads]") {
  Cluster cluster{1};
  const auto texts = propose_some(cluster[1], "x", 20);
  const Slot applied = cluster[1].status().applied;
  CHECK(applied > Slot{});
  cluster.stop(1);
  // Known as chosen from the log alone: nothing has been elected or learnt again yet.
  CHECK(cluster.start(1).status().applied >= applied);
  CHECK(cluster[1].read(entries_of) == texts);
}

TEST_CASE("a node that was away catches up", "[node][threads]") {
  Cluster cluster{3};
  auto texts = propose_some(cluster[1], "before ", 5);
  const std::size_t away = cluster.follower();
  cluster.stop(away);
  const std::size_t other = away % 3 + 1;
  for (auto& text : propose_some(cluster[other], "meanwhile ", 20)) texts.push_back(std::move(text));
  const Slot applied = cluster[other].status().applied;
  cluster.start(away);
  CHECK(eventually([&] { return cluster[away].status().applied >= applied; }));
  CHECK(cluster[away].read(entries_of) == texts);
  texts.push_back("after");
  CHECK(cluster[away].propose("after").count == texts.size());
}

TEST_CASE("all nodes restarted: everything acknowledged is there once, also for a retry", "[node][threads]") {
  Cluster cluster{3};
  const RequestId id{SessionId::named("client"), 1};
  const Placed first = cluster[2].propose(id, "once");
  auto texts = propose_some(cluster[1], "x", 10);
  texts.insert(texts.begin(), "once");
  for (int round = 0; round < 3; ++round) {
    cluster.stop_all();
    cluster.start_all();
    const std::size_t node = static_cast<std::size_t>(round) + 1;
    CHECK(cluster[node].read(entries_of) == texts);
    CHECK(cluster[node].propose(id, "once").count == first.count);
    texts.push_back("round " + std::to_string(round));
    CHECK(cluster[node].propose(texts.back()).count == texts.size());
  }
}

TEST_CASE("the service goes on when the leader is stopped, again and again", "[node][threads]") {
  Cluster cluster{3};
  std::vector<std::string> texts;
  for (int round = 0; round < 3; ++round) {
    const std::size_t leader = cluster.leader();
    const std::size_t other = leader % 3 + 1;
    // Under way while it happens; each names itself, so that a doubled one would show.
    std::vector<std::future<Placed>> under_way;
    for (int i = 0; i < 20; ++i)
      under_way.push_back(
          cluster[other].async_propose(std::to_string(round) + "/" + std::to_string(i), asio::use_future));
    cluster.stop(leader);
    for (auto& answer : under_way) texts.push_back(answer.get().text);
    texts.push_back("round " + std::to_string(round));
    CHECK(cluster[other].propose(texts.back()).count == texts.size());
    cluster.start(leader);
    auto seen = cluster[leader].read(entries_of);
    std::sort(seen.begin(), seen.end());
    auto expected = texts;
    std::sort(expected.begin(), expected.end());
    CHECK(seen == expected);
  }
}

TEST_CASE("status tells who leads and how far a node has come", "[node][threads]") {
  Cluster cluster{3};
  const Placed placed = cluster[1].propose("x");
  const std::size_t leader = cluster.leader();
  for (std::size_t id = 1; id <= 3; ++id) {
    CHECK(eventually([&] { return cluster[id].status().applied >= placed.position.slot; }));
    const NodeStatus status = cluster[id].status();
    CHECK(status.id == NodeId{id});
    CHECK(status.leader == NodeId{leader});
    CHECK((status.standing == Standing::leader) == (id == leader));
    CHECK(status.ballot.node == NodeId{leader});
    CHECK(status.promised == status.ballot);
    CHECK(status.chosen_through >= status.applied);
    CHECK_FALSE(status.is_storage_full);
    CHECK(status.failure.ok());
  }
  CHECK(cluster.story(leader).tells("standing: leader"));
  CHECK(eventually([&] { return cluster.story(leader).count("up: ") >= 2; }));
}

TEST_CASE("a node whose disk was wiped is refused, even when every node was restarted since", "[node][threads]") {
  Cluster cluster{3};
  static_cast<void>(propose_some(cluster[1], "x", 3));
  // All have met all, in both directions.
  const auto has_met = [&](std::size_t id) { return cluster[id].status().applied >= cluster[1].status().applied; };
  REQUIRE(eventually([&] { return has_met(2) && has_met(3); }));
  cluster.stop_all();
  std::filesystem::remove_all(cluster.directory_of(3));
  cluster.start_all();
  CHECK(eventually(
      [&] { return cluster.story(1).tells("claims to be node 3") && cluster.story(2).tells("claims to be node 3"); }));
  CHECK(cluster[1].propose("served by the other two").count == 4);
  CHECK(cluster[3].status().applied == Slot{});
}
