// Copyright (c) the paxos authors. MIT licence.
#include "examples/policies/sqlite_storage.hpp"

#include <fstream>
#include <memory>
#include <string>

#include <paxos/testing/storage_conformance.hpp>

#include "sqlite_disk.hpp"
#include "storage/rig.hpp"

using namespace paxos;
using examples::SqliteDisk;
using examples::SqliteStorage;

namespace {

// [snippet: sqlite_harness]
class SqliteHarness {
 public:
  using Store = SqliteStorage;
  static constexpr bool outlives_process = true;

  std::unique_ptr<SqliteStorage> open() { return open_as("paxos", NodeId{1}); }
  std::unique_ptr<SqliteStorage> open_as(const std::string& cluster, NodeId node) {
    disk_.start(is_cut_, random_);
    is_cut_ = false;
    auto store = std::make_unique<SqliteStorage>(test::config_in(dir_ / "data", node.value(), cluster), disk_.vfs());
    open_ = store.get();
    return store;
  }
  /// Often in the middle of a flush: it wrote, and did not come to its sync.
  void kill() {
    disk_.dies_at_sync = random_.chance(70);
    if (disk_.dies_at_sync) static_cast<void>(open_->flush().ok());
    disk_.dies_at_sync = false;
    disk_.stop();
  }
  void cut_power() {
    kill();
    is_cut_ = true;
  }
  void fail_writes() { (random_.chance(50) ? disk_.fails_writes : disk_.fails_syncs) = true; }
  void fail_reads() { disk_.fails_reads = true; }
  void fill_disk() { disk_.is_full = true; }
  void heal() { disk_.fails_writes = disk_.fails_syncs = disk_.fails_reads = disk_.is_full = false; }
  void hold_flush() { disk_.hold_sync(); }
  void wait_until_held() { disk_.wait_until_held(); }
  void release_flush() { disk_.release_sync(); }
  /// One bit of the database that is not free space. Not of its write-ahead log: to SQLite damage there is the log's
  /// end, so that this storage would fail (docs/storage.md says so).
  void damage(std::uint64_t seed) {
    Random random{seed};
    const std::string bytes = test::image_of(dir_ / "data").at("log.sqlite");
    std::size_t at = bytes.size() - 1;
    while (bytes[at] == 0 || random.chance(10)) at = static_cast<std::size_t>(random.below(bytes.size()));
    std::fstream file{dir_ / "data/log.sqlite", std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes[at] ^ (1 << random.below(8))));
  }

 private:
  test::TempDir dir_;
  SqliteDisk disk_;
  Random random_{1};
  SqliteStorage* open_ = nullptr;
  bool is_cut_ = false;
};

const testing::StorageConformance<SqliteHarness> sqlite_storage{"SqliteStorage"};
// [end of snippet]

}  // namespace
