// Copyright (c) the paxos authors. MIT licence.
// A node whose directory is an older copy: restored from a backup, or a clone of one that lives.
#include <filesystem>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

/// Three nodes. Node 3 was stopped once; `backup` is its directory of that time, and all have met a newer life of it.
struct Rig {
  Rig() {
    CHECK(cluster[3].propose("before").count == 1);
    cluster.stop(3);
    std::filesystem::copy(cluster.directory_of(3), backup);
    cluster.start(3);
    REQUIRE(eventually([&] { return has_met_all(3); }));
    CHECK(cluster[3].propose("behind the copy").count == 2);
  }
  [[nodiscard]] bool has_met_all(std::size_t id) const {
    return cluster.story(id).tells("up: 1") && cluster.story(id).tells("up: 2");
  }

  TempDir dir;
  std::string backup = dir / "backup";
  ClusterOf<FileNode> cluster{3};
};

}  // namespace

TEST_CASE("a node restored from an older copy of its directory is refused, stops, and starts no more",
          "[node][threads]") {
  Rig rig;
  auto& cluster = rig.cluster;
  cluster.stop(3);
  std::filesystem::remove_all(cluster.directory_of(3));
  std::filesystem::copy(rig.backup, cluster.directory_of(3));
  cluster.start(3);
  REQUIRE(eventually([&] { return !cluster[3].status().failure.ok(); }));
  const Status failure = cluster[3].status().failure;
  CHECK(failure.code == Errc::storage_failed);
  CHECK_THAT(failure.text, ContainsSubstring("the data directory is outdated: node"));
  CHECK_THAT(failure.text, ContainsSubstring("refuses this node"));
  CHECK(cluster.story(3).count("stopped: ") == 1);
  CHECK((cluster.story(1).tells("older copy") || cluster.story(2).tells("older copy")));
  cluster.stop(3);
  for (int i = 0; i < 3; ++i)
    CHECK_THROWS_MATCHES(cluster.start(3), StorageError,
                         MessageMatches(ContainsSubstring(cluster.directory_of(3) + "' is an older copy") &&
                                        ContainsSubstring("add a new member with a new id")));
  CHECK(cluster[1].propose("served by the other two").count == 3);
}

TEST_CASE("an older copy is refused, even when every node was restarted since, and when nobody tells it at first",
          "[node][threads]") {
  Rig rig;
  auto& cluster = rig.cluster;
  cluster.stop_all();
  std::filesystem::remove_all(cluster.directory_of(3));
  std::filesystem::copy(rig.backup, cluster.directory_of(3));
  // By now its number of lives is higher than what the others met.
  for (int i = 0; i < 5; ++i) {
    cluster.start(3);
    cluster.stop(3);
  }
  cluster.start_all();
  CHECK(eventually([&] { return !cluster[3].status().failure.ok(); }));
  CHECK(cluster[1].propose("served by the other two").count == 3);
  CHECK(cluster[2].read(entries_of).size() == 3);
}

TEST_CASE("a clone from before the last start of a node that lives stops, and the node goes on", "[node][threads]") {
  Rig rig;
  auto& cluster = rig.cluster;
  Witness witness;
  Config config = cluster.config_of(3);
  config.data_dir = rig.backup;
  {
    FileNode clone{config, witness, TcpOptions{.listen = "127.0.0.1:0"}};
    REQUIRE(eventually([&] { return !clone.status().failure.ok(); }));
  }
  CHECK(witness.story->tells("stopped: the data directory is outdated"));
  CHECK_THROWS_AS(FileNode(config, Witness{}, TcpOptions{.listen = "127.0.0.1:0"}), StorageError);
  CHECK(cluster[3].status().failure.ok());
  CHECK(cluster[3].propose("from the node itself").count == 3);
  cluster.stop(1);
  CHECK(cluster[3].propose("its vote counts").count == 4);
}
