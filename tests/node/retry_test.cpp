// Copyright (c) the paxos authors. MIT licence.
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

RequestId id_of(std::string_view session, std::uint64_t sequence) { return {SessionId::named(session), sequence}; }

}  // namespace

TEST_CASE("a retry at another node gets the first answer and runs once", "[node][threads]") {
  Cluster cluster{3};
  const Placed first = cluster[1].propose(id_of("a", 1), "once");
  CHECK(cluster[2].propose("between").count == first.count + 1);
  for (std::size_t id = 1; id <= 3; ++id) {
    std::error_code ec;
    const Placed again = cluster[id].propose(id_of("a", 1), "once", ec);
    CHECK_FALSE(ec);
    CHECK(again.count == first.count);
    CHECK(again.position == first.position);
  }
  CHECK(cluster[3].async_propose(id_of("a", 2), "twice", asio::use_future).get().count == first.count + 2);
  // A later sequence says that the earlier one is settled: whether it ran cannot be told any more.
  std::error_code ec;
  cluster[2].propose(id_of("a", 1), "once", ec);
  CHECK(ec == Errc::sequence_settled);
  CHECK(ec == Outcome::unknown);
  CHECK(cluster[1].read(entries_of) == std::vector<std::string>{"once", "between", "twice"});
}

TEST_CASE("everybody who waits for one command gets its answer", "[node][threads]") {
  Cluster cluster{3, false};
  cluster.start(1);  // alone it gets nothing chosen, so that the retries meet the first
  std::vector<std::future<Placed>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(cluster[1].async_propose(id_of("a", 1), "once", asio::use_future));
  cluster.start(2);
  for (auto& answer : answers) CHECK(answer.get().count == 1);
  CHECK(cluster[2].read(entries_of) == std::vector<std::string>{"once"});
}

TEST_CASE("without a quorum nothing succeeds, and what found no leader is not applied", "[node][threads]") {
  Cluster cluster{3, false};
  cluster.config.request_timeout = 300ms;
  cluster.start(1);
  std::error_code ec;
  cluster[1].propose("lost", ec);
  CHECK(ec == Errc::no_leader);
  CHECK(ec == Outcome::not_applied);
  CHECK_THROWS_AS(cluster[1].propose("lost"), std::system_error);
  cluster[1].read(entries_of, ec);
  CHECK(ec == Errc::read_timed_out);

  cluster.config.request_timeout = 60s;
  cluster.start(2);
  CHECK(cluster[2].propose("found").count == 1);
  CHECK(cluster[2].read(entries_of) == std::vector<std::string>{"found"});
}

TEST_CASE("a command that left, and got no answer, is unknown; its retry runs it once", "[node][threads]") {
  const auto network = std::make_shared<LoopbackNetwork>();
  std::vector<std::unique_ptr<MemoryNode>> nodes;
  for (std::size_t id = 1; id <= 3; ++id) {
    Config config = memory_config(id, 3);
    config.election_timeout = 3s;  // the leader must still think that it leads when it is cut off
    config.disk_stall_timeout = 3s;
    config.request_timeout = id == 1 ? Duration{500ms} : Duration{60s};
    nodes.push_back(std::make_unique<MemoryNode>(config, Witness{}, network));
  }
  REQUIRE(eventually([&] {
    std::error_code ec;
    nodes[0]->propose("first", ec);
    return !ec;
  }));
  for (const NodeId other : {NodeId{2}, NodeId{3}}) network->cut(other, NodeId{1});
  std::error_code ec;
  nodes[0]->propose(id_of("a", 1), "left", ec);
  CHECK(ec == Errc::timed_out);
  CHECK(ec == Outcome::unknown);
  network->heal();
  const Placed again = nodes[1]->propose(id_of("a", 1), "left");
  CHECK(again.text == "left");
  CHECK(nodes[2]->read([](const Ledger& ledger) { return ledger.count("left"); }) == 1);
}

TEST_CASE("an oversize command is refused by the node that it was given to", "[node][threads]") {
  Cluster cluster{3, false};
  cluster.config.command_bytes_max = 1000;
  cluster.start_all();
  for (std::size_t id = 1; id <= 3; ++id) {
    std::error_code ec;
    cluster[id].propose(std::string(2000, 'x'), ec);
    CHECK(ec == Errc::too_large);
    CHECK(ec == Outcome::not_applied);
    CHECK(cluster[id].propose(std::string(900, 'y')).count == id);
  }
}

TEST_CASE("what waits at a node is bounded, and the bound is given back", "[node][threads]") {
  Cluster cluster{3, false};
  cluster.config.command_bytes_max = cluster.config.pending_bytes_max = 4096;
  cluster.config.request_timeout = 300ms;
  cluster.start(1);
  const auto burst = [&](auto&& start) {
    std::vector<std::future<std::error_code>> answers;
    for (int i = 0; i < 200; ++i) answers.push_back(start());
    std::size_t overloaded = 0;
    for (auto& answer : answers) {
      const std::error_code ec = answer.get();
      CHECK(ec == Outcome::not_applied);
      if (ec == Errc::overloaded) ++overloaded;
    }
    return overloaded;
  };
  CHECK(burst([&] { return outcome(cluster[1], "x"); }) >= 150);
  // Repetitions of one command hold memory as well.
  CHECK(burst([&] { return outcome(cluster[1], id_of("a", 1), "x"); }) >= 150);
  CHECK(burst([&] {
          std::promise<std::error_code> done;
          auto answer = done.get_future();
          cluster[1].async_read([](const Ledger&) {},
                                [done = std::move(done)](std::error_code ec) mutable { done.set_value(ec); });
          return answer;
        }) >= 150);

  cluster.config.request_timeout = 60s;
  cluster.start(2);
  CHECK(cluster[2].propose("y").count == 1);
  CHECK(eventually([&] {
    std::error_code ec;
    cluster[1].propose("z", ec);
    return !ec;
  }));
}
