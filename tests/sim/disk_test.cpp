// Copyright (c) the paxos authors. MIT licence.
#include <paxos/sim/disk.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include "sim/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

sim::Disk::Inode make(sim::Disk& disk, const std::string& name, std::string_view text) {
  sim::Disk::Inode inode = 0;
  REQUIRE_FALSE(disk.create(name, inode));
  REQUIRE(disk.write(inode, bytes_of(text), 0).first == text.size());
  return inode;
}

}  // namespace

TEST_CASE("A disk: the read that is to fail fails, once", "[sim]") {
  sim::Disk disk;
  const auto file = make(disk, "file", "text");
  std::array<std::byte, 8> in{};
  disk.fail_read(2);
  CHECK(disk.read(file, in, 0) == std::pair{std::size_t{4}, std::error_code{}});
  CHECK(disk.read(file, in, 0) == std::pair{std::size_t{0}, std::make_error_code(std::errc::io_error)});
  CHECK(disk.failed_calls() == 1);
  CHECK(disk.read(file, in, 3).first == 1);
}

TEST_CASE("A disk: a write that fails leaves a first part of its bytes, of any length", "[sim]") {
  sim::Disk disk;
  const auto file = make(disk, "file", "....");
  std::set<std::string> left;
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(disk.write(file, bytes_of("...."), 0).second);
    disk.fail_call(1);
    const auto [count, error] = disk.write(file, bytes_of("abcd"), 0);
    CHECK(count == 0);
    CHECK(error == std::errc::io_error);
    left.emplace(reinterpret_cast<const char*>(disk.content(file).data()), disk.content(file).size());
  }
  CHECK(left == std::set<std::string>{"....", "a...", "ab..", "abc.", "abcd"});
}

TEST_CASE("A disk: a file that another one replaces gives its space back", "[sim]") {
  sim::Disk disk;
  disk.set_space(10);
  make(disk, "old", "1234567");
  make(disk, "new", "89");
  REQUIRE_FALSE(disk.rename("new", "old"));
  CHECK(make(disk, "next", "12345678") != 0);
  CHECK(disk.is_full());
}

TEST_CASE("A node whose disk fails a read stops at its next write, and is back once somebody starts it", "[sim]") {
  SimRig rig{3, 1};
  auto& cluster = rig.cluster;
  const NodeId leader = rig.elect();
  const NodeId late = rig.other_than({leader});
  const NodeId server = rig.other_than({leader, late});
  cluster.isolate(late);
  for (const char* entry : {"a", "b", "c"}) rig.write(leader, entry);
  for (const NodeId id : {leader, server}) cluster.disk(id).fail_read(1);
  cluster.links().mend_all();
  const auto failed = [&] { return cluster.disk(leader).failed_calls() + cluster.disk(server).failed_calls(); };
  REQUIRE(cluster.run_until([&] { return failed() > 0; }, 10s));
  rig.submit(leader, "d");
  REQUIRE(cluster.run_until([&] { return !cluster.is_up(leader) || !cluster.is_up(server); }, 10s));
  const auto is_up = [&](NodeId id) { return cluster.is_up(id); };
  REQUIRE(cluster.run_until([&] { return std::ranges::all_of(cluster.ids(), is_up); }, 10s));
  rig.require_agreement();
  for (const char* entry : {"a", "b", "c"}) CHECK(rig.timeline(late).count(entry) == 1);
}
