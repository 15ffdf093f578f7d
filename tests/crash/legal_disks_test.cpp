// Copyright (c) the paxos authors. MIT licence.
//
// The power is cut after every operation of a log's life, and the log is opened on every disk that this may leave: it
// is never refused, all that was confirmed is there, and nothing else than what was appended behind it, without gaps.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "crash/depth.hpp"
#include "crash/legal_disks.hpp"
#include "crash/story.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// Opens a log and compares it with the story. After how many records it is; FAILs where the log is refused, or breaks
/// the bounds.
std::size_t open_and_compare(const Story& story, sim::Disk& disk, const Bounds& bounds) {
  std::optional<std::size_t> place;
  std::string refusal;
  try {
    DiskStorage store{the_config(), small_segments, sim::DiskFiles{disk, 8}};
    const Recovered recovered = store.recover();
    place = story.find(recovered, bounds.confirmed, bounds.appended);
    for (Slot slot{1}; place && slot <= recovered.chosen_through; slot = slot.next())
      if (store.read(slot) != story.value(slot)) FAIL("slot " << slot.value() << " holds a wrong value");
    if (bounds.life && !(store.life().number > bounds.life->number && store.life().descends_from(*bounds.life)))
      FAIL("a life that had begun was forgotten, or the log was made anew");
    for (std::uint64_t number = 1; number <= bounds.peers_met; ++number)
      for (const StoreLife& life : {older_life_of(peer(number)), StoreLife{1, 1, {1}}})
        if (store.refusal_of_peer(peer(number), life).is_welcome())
          FAIL("a peer's life was forgotten, and another let in");
  } catch (const StorageError& error) {
    refusal = error.what();
  }
  if (!refusal.empty()) FAIL("a power cut left a log that is refused: " << refusal);
  if (!place) FAIL("the log is not as after any of these numbers of records");
  disk.settle();
  return *place;
}

struct Counts {
  std::uint64_t moments = 0, complete = 0, sampled = 0, disks = 0, opened = 0;
  Counts& operator+=(const Counts& other) {
    moments += other.moments;
    complete += other.complete;
    sampled += other.sampled;
    disks += other.disks;
    opened += other.opened;
    return *this;
  }
};

/// Opens the log on each disk that a power cut may leave at one of these moments; `each` is given those that open
/// differently from all before.
using EachDisk = std::function<void(const Moment&, const Files&, std::size_t place)>;
Counts cut_the_power(const Story& story, const std::vector<Moment>& moments, std::uint64_t combinations_max,
                     const EachDisk& each = {}) {
  Counts counts;
  std::set<std::uint64_t> seen;
  for (const Moment& moment : moments) {
    const Bounds& bounds = moment.bounds;
    LegalDisks legal{moment.disk, combinations_max, counts.moments++};
    const auto here = legal.visit([&](const Files& files) {
      const std::uint64_t what_for = bounds.confirmed * 100'000 + bounds.appended * 200 + bounds.peers_met * 20 +
                                     (bounds.life ? bounds.life->number : 0);
      if (!seen.insert(digest_of(files) ^ what_for * 0x9e3779b97f4a7c15ULL).second) return;
      ++counts.opened;
      sim::Disk disk = disk_of(files);
      INFO("moment " << counts.moments << ": " << bounds.confirmed << " records confirmed, " << bounds.appended
                     << " appended");
      const std::size_t place = open_and_compare(story, disk, bounds);
      if (each) each(moment, files, place);
    });
    counts.complete += here.complete;
    counts.sampled += here.sampled;
    counts.disks += here.visited;
  }
  return counts;
}

void print(const char* what, const Counts& counts, std::chrono::steady_clock::time_point start) {
  std::printf(
      "legal disks: %s: %llu moments, %llu disks, of which %llu differ and were opened; sectors enumerated "
      "completely %llu times, sampled %llu times; %.1f s\n",
      what, static_cast<unsigned long long>(counts.moments), static_cast<unsigned long long>(counts.disks),
      static_cast<unsigned long long>(counts.opened), static_cast<unsigned long long>(counts.complete),
      static_cast<unsigned long long>(counts.sampled),
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

/// The node comes back, writes on, and the power is cut again: in the recovery, and in what comes behind it.
Counts go_on(const Story& story, const Moment& moment, const Files& files, std::size_t place) {
  sim::Disk disk = disk_of(files);
  const Story next = with_other_end(story, place, {otherwise(story, place), {promise(300)}});
  // Until recover() has returned nobody has seen what it found, and a second cut may find less or more.
  Life life{next, disk, place, moment.bounds.peers_met};
  REQUIRE(life.open());
  const std::size_t in_recovery = life.moments().size() - 1;
  for (std::size_t i = 1; i < next.flushes().size(); ++i) REQUIRE(life.flush(next.flushes()[i]));
  life.end();
  std::vector<Moment> before, behind;
  for (std::size_t i = 0; i < life.moments().size(); ++i) {
    Moment& then = life.moments()[i];
    if (i < in_recovery) {
      then.bounds = moment.bounds;
    }
    (i < in_recovery ? before : behind).push_back(std::move(then));
  }
  Counts counts = cut_the_power(story, before, 24);
  counts += cut_the_power(next, behind, 24);
  return counts;
}

std::uint64_t reach_of_kill(std::uint64_t bound) { return bound - 1; }

}  // namespace

TEST_CASE("whatever a power cut leaves is a log that opens, with all that was confirmed", "[legal-disks]") {
  const auto start = std::chrono::steady_clock::now();
  const Story story = every_kind();
  sim::Disk disk;
  Life life{story, disk};
  REQUIRE(life.whole_story());
  std::set<std::size_t> torn_at;
  const Counts counts =
      cut_the_power(story, life.moments(), 4096, [&](const Moment& moment, const Files&, std::size_t place) {
        if (place > moment.bounds.confirmed && place < moment.bounds.appended) torn_at.insert(place);
      });
  print("one cut", counts, start);
  CHECK(counts.opened > 5000);
  CHECK(torn_at.size() > 5);
}

TEST_CASE("a second power cut, in a recovery or behind it, finds no less", "[legal-disks]") {
  const auto start = std::chrono::steady_clock::now();
  const Story story = every_kind();
  sim::Disk disk;
  Life life{story, disk};
  REQUIRE(life.whole_story());
  Counts counts;
  std::uint64_t number = 0, gone_on = 0;
  (void)cut_the_power(story, life.moments(), 64, [&](const Moment& moment, const Files& files, std::size_t place) {
    if (number++ % one_of(61) != 0) return;
    ++gone_on;
    counts += go_on(story, moment, files, place);
  });
  std::printf("legal disks: %llu disks, each of which was cut again\n", static_cast<unsigned long long>(gone_on));
  print("a second cut", counts, start);
  CHECK(gone_on > 50);
}

// The kernel calls pages clean whose write-back failed, and the next sync says that all is well.
TEST_CASE("no call that fails, and no restart behind it, makes anything believed that a power cut then takes",
          "[legal-disks]") {
  const auto start = std::chrono::steady_clock::now();
  const Story story = every_kind();
  Counts counts;
  std::uint64_t failures = 0;
  for (std::uint64_t nth = 1;; ++nth) {
    sim::Disk disk;
    disk.fail_call(nth);
    Life first{story, disk};
    const bool is_well = first.whole_story();
    first.end();
    if (disk.failed_calls() == 0) break;
    ++failures;
    INFO("call " << nth << " failed: " << first.error());
    disk.kill(reach_of_kill);
    const std::size_t place = open_and_compare(story, disk, first.bounds());
    if (is_well) continue;  // it was a call that may fail
    const Story next = with_other_end(story, place, {otherwise(story, place), {promise(300)}});
    disk.kill(reach_of_kill);
    Life second{next, disk, place, first.bounds().peers_met};
    REQUIRE(second.open());
    for (std::size_t i = 1; i < next.flushes().size(); ++i) REQUIRE(second.flush(next.flushes()[i]));
    second.end();
    counts += cut_the_power(next, second.moments(), 64 * depth());
  }
  std::printf("legal disks: %llu calls failed, each once\n", static_cast<unsigned long long>(failures));
  print("after a failure, a restart and a cut", counts, start);
  CHECK(failures > 60);
}

TEST_CASE("a recovery whose calls fail makes nothing believed that a power cut then takes", "[legal-disks]") {
  const auto start = std::chrono::steady_clock::now();
  const Story story = every_kind();
  sim::Disk whole;
  Life life{story, whole};
  REQUIRE(life.whole_story());
  Counts counts;
  std::uint64_t number = 0, failures = 0;
  (void)cut_the_power(story, life.moments(), 64, [&](const Moment& moment, const Files& files, std::size_t) {
    if (number++ % one_of(601) != 0) return;
    for (std::uint64_t nth = 1;; ++nth) {
      sim::Disk disk = disk_of(files);
      disk.fail_call(nth);
      try {
        const DiskStorage store{the_config(), small_segments, sim::DiskFiles{disk, 9}};
      } catch (const StorageError&) {
      }
      if (disk.failed_calls() == 0) break;
      ++failures;
      INFO("call " << nth << " of the recovery failed");
      disk.kill(reach_of_kill);
      const std::size_t place = open_and_compare(story, disk, moment.bounds);
      const Story next = with_other_end(story, place, {otherwise(story, place), {promise(300)}});
      disk.kill(reach_of_kill);
      Life second{next, disk, place, moment.bounds.peers_met};
      REQUIRE(second.open());
      for (std::size_t i = 1; i < next.flushes().size(); ++i) REQUIRE(second.flush(next.flushes()[i]));
      second.end();
      counts += cut_the_power(next, second.moments(), 16);
    }
  });
  std::printf("legal disks: %llu calls of recoveries failed, each once\n", static_cast<unsigned long long>(failures));
  print("after a failed recovery, another one and a cut", counts, start);
  CHECK(failures > 20);
}
