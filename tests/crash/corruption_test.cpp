// Copyright (c) the paxos authors. MIT licence.
//
// Every byte of a node's disk is flipped in turn, while the two others are healthy. No acknowledged command is lost and
// no wrong one applied; the node starts as if nothing had been, or cuts what nobody was told of, or refuses and names
// the place.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "crash/legal_disks.hpp"
#include "crash/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

using DiskStorage = BasicFileStorage<sim::DiskFiles>;

/// Three disks as a power cut of the whole cluster left them, and what is known of them.
struct Past {
  std::map<NodeId, Files> disks;
  std::map<NodeId, std::vector<Record>> durable;
  std::set<std::uint64_t> acknowledged;
  std::vector<std::uint64_t> entries;
};

Past a_past() {
  World world{3};
  const NodeId leader = world.elect();
  world.write(4);
  for (int i = 0; i < 4; ++i) world.write(7, 900);
  // So that the logs hold all kinds of records: what a node fetched, and marks of restarts.
  const NodeId away{leader == NodeId{1} ? 2U : 1U};
  world.take_away(away);
  world.write(3, 200);
  world.bring_back(away);
  world.require([&] { return world.all_agree(); }, "the node never caught up");
  world.write(2, 100);
  world.finish();
  Past past;
  past.acknowledged = world.acknowledged;
  past.entries = world.cluster.replica(leader).state().machine().entries;
  for (const NodeId id : world.cluster.ids()) {
    world.cluster.crash(id);
    past.disks[id] = files_of(world.cluster.disk(id));
    past.durable[id] = world.cluster.durable_records(id);
  }
  return past;
}

/// The cluster goes on from its disks, of which that of `damaged` is another one now. Whether that node refused.
bool goes_on_without_it(const Past& past, NodeId damaged, const sim::Disk& disk) {
  World world{3, 2, 2};
  world.unmake();
  for (const auto& [id, records] : past.durable)
    for (const Record& record : records) world.cluster.judge().ghosts().on_durable(id, record);
  for (const auto& [id, files] : past.disks) world.cluster.disk(id) = id == damaged ? disk : disk_of(files);
  world.cluster.mark_damaged(damaged);
  world.acknowledged = past.acknowledged;
  for (const NodeId id : world.cluster.ids()) world.cluster.start(id);
  world.write(3);
  world.read_everywhere();
  world.finish();
  for (const NodeId id : world.cluster.ids()) {
    if (world.cluster.is_lost(id)) continue;
    const auto& entries = world.cluster.replica(id).state().machine().entries;
    ensure(std::ranges::equal(past.entries, std::span{entries}.first(std::min(past.entries.size(), entries.size()))),
           "a command that was applied is another one now");
  }
  return world.cluster.is_lost(damaged);
}

struct Opened {
  std::string refusal;
  Recovered recovered;
  std::vector<std::optional<Value>> values;
  std::uint64_t torn_bytes = 0;

  [[nodiscard]] bool is_same(const Opened& other) const {
    return recovered.promised == other.recovered.promised &&
           recovered.chosen_through == other.recovered.chosen_through &&
           recovered.accepted == other.recovered.accepted && values == other.values;
  }
};

Opened open(NodeId id, sim::Disk disk) {
  Opened opened;
  Config config{.id = id, .members = {{1, ""}, {2, ""}, {3, ""}}, .data_dir = std::string{sim::DiskFiles::directory}};
  try {
    DiskStorage store{config, World::Cluster::storage_options, sim::DiskFiles{disk, 1}};
    opened.recovered = store.recover();
    opened.torn_bytes = store.torn_bytes();
    for (Slot slot{1}; slot <= opened.recovered.chosen_through; slot = slot.next())
      opened.values.push_back(store.read(slot));
  } catch (const StorageError& error) {
    opened.refusal = error.what();
  }
  return opened;
}

struct Counts {
  std::uint64_t flips = 0, harmless = 0, cut = 0, refused = 0, clusters = 0;
};

/// One node whose disk is flipped byte by byte.
class Victim {
 public:
  Victim(const Past& past, NodeId id)
      : past_(past), id_(id), disk_(disk_of(past.disks.at(id))), sound_(open(id, disk_)) {}

  [[nodiscard]] const Opened& sound() const { return sound_; }

  void flip_every_byte(Counts& counts) {
    for (const auto& [file, bytes] : past_.disks.at(id_)) {
      std::size_t used = bytes.size();
      while (used > 0 && bytes[used - 1] == std::byte{0}) --used;
      for (std::size_t at = 0; at < bytes.size(); ++at) {
        // Behind the log's end lie zeros, and all sectors of them are alike but the one that a record may end in.
        if (at > used + 1024 && at % 61 != 0) continue;
        const bool is_header = at < 128 || (at >= 4096 && at < 4096 + 256);
        for (unsigned bit = 0; bit < 8; ++bit)
          if (is_header || bit == at % 8) flip(file, bytes, at, 1U << bit, counts);
        flip(file, bytes, at, 0xFF, counts);
      }
    }
  }

 private:
  void flip(const std::string& file, const sim::Disk::Bytes& bytes, std::size_t at, unsigned mask, Counts& counts) {
    sim::Disk disk = disk_;
    const sim::Disk::Inode inode = disk.names().at(file);
    const std::byte flipped = bytes[at] ^ static_cast<std::byte>(mask);
    check_done(disk.write(inode, std::span{&flipped, 1}, at).second);
    check_done(disk.sync(inode, true));
    disk.settle();
    const Opened opened = open(id_, disk);
    INFO("node " << id_.value() << ", file " << file << ", byte " << at << ", xor " << mask);
    bool wants_cluster = counts.flips++ % 401 == 0;
    if (!opened.refusal.empty()) {
      ++counts.refused;
      if (opened.refusal.find("/" + file + "'") == std::string::npos)
        FAIL("another place is named: " << opened.refusal);
      if (file.starts_with("log-") && opened.refusal.find("offset ") == std::string::npos)
        FAIL("no offset is named: " << opened.refusal);
    } else {
      // All that stands in the log was there before the flip: a cut may take nothing of it.
      if (!opened.is_same(sound_)) FAIL("it forgot something");
      wants_cluster |= opened.torn_bytes > 0;
      ++(opened.torn_bytes > 0 ? counts.cut : counts.harmless);
    }
    if (!wants_cluster) return;
    ++counts.clusters;
    std::string failure;
    try {
      if (goes_on_without_it(past_, id_, disk) == opened.refusal.empty()) failure = "it refused once and started once";
    } catch (const std::exception& error) {
      failure = error.what();
    }
    REQUIRE(failure == "");
  }

  const Past& past_;
  NodeId id_;
  sim::Disk disk_;
  Opened sound_;
};

}  // namespace

TEST_CASE("no flipped byte of a log loses an acknowledged command, or brings a wrong one", "[corruption]") {
  const auto start = std::chrono::steady_clock::now();
  const Past past = a_past();
  Counts counts;
  for (const auto& [id, files] : past.disks) {
    Victim victim{past, id};
    REQUIRE(victim.sound().refusal == "");
    REQUIRE(files.size() >= 5);  // the lock, the identity and three segments
    REQUIRE_FALSE(goes_on_without_it(past, id, disk_of(files)));
    victim.flip_every_byte(counts);
  }
  std::printf(
      "corruption: %llu flips: %llu harmless, %llu cut as the torn end, %llu refused and named; %llu of them "
      "in a running cluster; %.1f s\n",
      static_cast<unsigned long long>(counts.flips), static_cast<unsigned long long>(counts.harmless),
      static_cast<unsigned long long>(counts.cut), static_cast<unsigned long long>(counts.refused),
      static_cast<unsigned long long>(counts.clusters),
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  CHECK(counts.refused > 50'000);
  CHECK(counts.harmless > 1'000);
  CHECK(counts.cut > 0);
  CHECK(counts.clusters > 100);
}
