// Copyright (c) the paxos authors. MIT licence.
#include <cerrno>
#include <future>
#include <string>
#include <system_error>

#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Cluster = ClusterOf<FaultyNode>;

}  // namespace

TEST_CASE("a node whose disk fails stops itself, says why, and confirms nothing any more", "[node][threads]") {
  Cluster cluster{1};
  CHECK(cluster[1].propose("before").count == 1);
  FaultyStorage::fail(cluster.directory_of(1), EIO);
  std::vector<std::future<std::error_code>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(outcome(cluster[1], "x"));
  for (auto& answer : waiting) {
    const std::error_code ec = answer.get();
    // What the node had not begun with is not applied.
    CHECK((ec == Errc::storage_failed || ec == Errc::stopped));
    if (ec == Errc::storage_failed) CHECK(ec == Outcome::unknown);
  }
  CHECK(eventually([&] { return cluster.story(1).tells("stopped: "); }));
  CHECK(cluster.story(1).count("stopped: ") == 1);
  CHECK(cluster.story(1).tells("disk: "));
  CHECK(cluster[1].status().failure.code == Errc::storage_failed);
  CHECK(cluster[1].status().failure.text.find(cluster.directory_of(1)) != std::string::npos);

  FaultyStorage::fail(cluster.directory_of(1), 0);  // too late: what the disk holds is unknown
  std::error_code ec;
  cluster[1].propose("after", ec);
  CHECK(ec == Errc::stopped);
  cluster[1].read(entries_of, ec);
  CHECK(ec);
  cluster.stop(1);
  cluster.start(1);
  CHECK(cluster[1].read(entries_of).front() == "before");
}

TEST_CASE("the others go on without a leader whose disk failed", "[node][threads]") {
  Cluster cluster{3};
  CHECK(cluster[1].propose("before").count == 1);
  const std::size_t leader = cluster.leader();
  FaultyStorage::fail(cluster.directory_of(leader), EIO);
  const std::size_t other = leader % 3 + 1;
  CHECK(cluster[other].propose("after").text == "after");
  CHECK(eventually([&] { return cluster.story(leader).tells("stopped: "); }));
  CHECK(cluster[other].propose("and on").text == "and on");

  FaultyStorage::fail(cluster.directory_of(leader), 0);
  cluster.stop(leader);
  cluster.start(leader);
  CHECK(cluster[leader].read(entries_of) == std::vector<std::string>{"before", "after", "and on"});
}

TEST_CASE("a full disk refuses new work, is not asked in a loop, and is used again when it has space",
          "[node][threads]") {
  Cluster cluster{1, false};
  // A tick is far away, so that only a loop without end could ask the disk often.
  cluster.config.heartbeat_interval = 1s;
  cluster.config.election_timeout = 2500ms;
  cluster.config.disk_stall_timeout = 60s;
  cluster.start(1);
  CHECK(cluster[1].propose("before").count == 1);
  FaultyStorage::fail(cluster.directory_of(1), ENOSPC);
  auto waiting = cluster[1].async_propose("patient", asio::use_future);
  CHECK(eventually([&] { return cluster[1].status().is_storage_full; }));
  const std::size_t attempts = FaultyStorage::attempts(cluster.directory_of(1));
  constexpr std::size_t refusals = 200;
  for (std::size_t i = 0; i < refusals; ++i) {
    std::error_code ec;
    cluster[1].propose("impatient", ec);
    CHECK(ec == Errc::storage_full);
    CHECK(ec == Outcome::not_applied);
  }
  CHECK(FaultyStorage::attempts(cluster.directory_of(1)) - attempts < refusals / 4);
  CHECK(cluster[1].read([](const Ledger& ledger) { return ledger.entries.size(); }) == 1);
  CHECK(cluster.story(1).tells("disk: "));

  FaultyStorage::fail(cluster.directory_of(1), 0);
  CHECK(waiting.get().count == 2);
  CHECK(eventually([&] { return !cluster[1].status().is_storage_full; }));
  CHECK(cluster[1].propose("after").count == 3);
  CHECK(cluster[1].read(entries_of) == std::vector<std::string>{"before", "patient", "after"});
  CHECK(cluster[1].status().failure.ok());
}
