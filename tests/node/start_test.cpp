// Copyright (c) the paxos authors. MIT licence.
#include <string>
#include <system_error>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Config alone_in(const std::string& directory, const std::string& address = "127.0.0.1:0") {
  return {.id = NodeId{1}, .members = {{1, address}}, .data_dir = directory};
}

}  // namespace

TEST_CASE("two nodes on one data directory: the second one is told", "[node][threads]") {
  TempDir dir;
  FileNode first{alone_in(dir / "1")};
  CHECK(first.propose("x").count == 1);
  CHECK_THROWS_WITH(FileNode{alone_in(dir / "1")},
                    ContainsSubstring(dir / "1") && ContainsSubstring("in use by process"));
  CHECK(first.propose("y").count == 2);
}

TEST_CASE("another node's directory is refused", "[node][threads]") {
  TempDir dir;
  {
    const FileNode first{alone_in(dir / "1")};
  }
  const Config other{.id = NodeId{2}, .members = {{2, "127.0.0.1:0"}}, .data_dir = dir / "1"};
  CHECK_THROWS_WITH(FileNode{other}, ContainsSubstring("was made for node 1"));
}

TEST_CASE("a port in use is named, and the directory is let go", "[node][threads]") {
  TempDir dir;
  std::string address;
  {
    const FileNode first{alone_in(dir / "1")};
    address = "127.0.0.1:" + std::to_string(first.port());
    CHECK_THROWS_WITH((FileNode{alone_in(dir / "2", address)}), ContainsSubstring(address));
    CHECK_THROWS_AS((FileNode{alone_in(dir / "2", address)}), std::system_error);
  }
  FileNode second{alone_in(dir / "2", address)};
  CHECK(second.propose("x").count == 1);
}

TEST_CASE("a configuration that breaks a rule is refused before anything is touched", "[node]") {
  TempDir dir;
  Config config = alone_in(dir / "1");
  config.id = NodeId{7};
  CHECK_THROWS_AS(FileNode{config}, ConfigError);
  config = alone_in(dir / "1");
  config.election_timeout = config.heartbeat_interval;
  CHECK_THROWS_WITH(FileNode{config}, ContainsSubstring("election_timeout"));
  config = alone_in(dir / "1", "nowhere");
  CHECK_THROWS_AS(FileNode{config}, ConfigError);
  config = alone_in("");
  CHECK_THROWS_WITH(FileNode{config}, ContainsSubstring("data_dir"));
}
