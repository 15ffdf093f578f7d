// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/file_storage.hpp>
#include <paxos/testing/storage_conformance.hpp>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <paxos/core/random.hpp>
#include <paxos/sim/logged_storage.hpp>

#include "storage/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// Counts harnesses of one kind: two at once need other random numbers, and a test alone the same as ever.
template <class Harness>
class Alive {
 public:
  Alive() { ++count_; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --count_; }
  [[nodiscard]] std::uint64_t seed() const { return 1000 * count_; }

 private:
  static inline std::uint64_t count_ = 0;
};

/// On the machine's own files, as shipped.
class FileHarness {
 public:
  using Store = FileStorage;
  static constexpr bool outlives_process = true;

  std::unique_ptr<FileStorage> open() { return open_as("paxos", NodeId{1}); }
  std::unique_ptr<FileStorage> open_as(const std::string& cluster, NodeId node) {
    return std::make_unique<FileStorage>(config_in(dir_ / "data", node.value(), cluster), small_segments);
  }
  /// One bit of one file that holds something. The lock says nothing; behind the log's last record there is nothing.
  void damage(std::uint64_t seed) {
    Random random{seed};
    Image image = image_of(dir_ / "data");
    image.erase("lock");
    auto file = image.begin();
    std::advance(file, static_cast<std::ptrdiff_t>(random.below(image.size())));
    const std::size_t used = file->second.find_last_not_of('\0') + 1;
    const auto at = static_cast<std::size_t>(random.below(used));
    std::fstream out{dir_ / ("data/" + file->first), std::ios::in | std::ios::out | std::ios::binary};
    out.seekp(static_cast<std::streamoff>(at));
    out.put(static_cast<char>(file->second[at] ^ (1 << random.below(8))));
  }

 private:
  TempDir dir_;
};

/// On files whose calls fail, or hang, as the test says.
class FaultyFileHarness {
 public:
  using Store = TestStorage;
  static constexpr bool outlives_process = true;

  FaultyFileHarness() { control_->next_random = alive_.seed(); }

  std::unique_ptr<TestStorage> open() {
    return std::make_unique<TestStorage>(config_in(dir_ / "data"), small_segments, TestFiles{control_});
  }
  void fail_writes() {
    static int turn = 0;
    const bool only_syncs = ++turn % 2 == 0;
    fail([=](Call call) { return call != Call::read && call != Call::open && (!only_syncs || call != Call::write); },
         eio);
  }
  void fail_reads() {
    fail([](Call call) { return call == Call::read; }, eio);
  }
  void fill_disk() {
    fail([](Call call) { return call == Call::write; }, enospc);
  }
  void heal() {
    fail([](Call) { return false; }, {});
  }

  void hold_flush() {
    gate_ = std::make_shared<Gate>();
    control_->fault = [gate = gate_](Call call) {
      if (call == Call::sync_data) gate->pass();
      return std::error_code{};
    };
  }
  void wait_until_held() { gate_->wait(); }
  void release_flush() { gate_->open(); }

 private:
  class Gate {
   public:
    void pass() {
      std::unique_lock lock{mutex_};
      is_reached_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return is_open_; });
    }
    void wait() {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return is_reached_; });
    }
    void open() {
      const std::lock_guard lock{mutex_};
      is_open_ = true;
      changed_.notify_all();
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_reached_ = false, is_open_ = false;
  };

  template <class Which>
  void fail(Which which, std::error_code error) {
    control_->fault = [=](Call call) { return which(call) ? error : std::error_code{}; };
  }

  Alive<FaultyFileHarness> alive_;
  TempDir dir_;
  std::shared_ptr<TestFiles::Control> control_ = std::make_shared<TestFiles::Control>();
  std::shared_ptr<Gate> gate_;
};

/// On a simulated disk, which loses what was not synced.
class SimHarness {
 public:
  class Store : public sim::LoggedStorage {
   public:
    /// On the disk of the harness that was used last: a NodeStorage is made from a Config alone.
    explicit Store(const Config& config) : LoggedStorage(config, small_segments, current_->disk_, current_->random_()) {
      current_->disk_.settle();
    }

   private:
    friend class SimHarness;
    static inline SimHarness* current_ = nullptr;
  };
  static constexpr bool outlives_process = false;  // for another process cannot see it
  static constexpr bool is_single_threaded = true;

  std::unique_ptr<Store> open() {
    const auto choose = [this](std::uint64_t bound) { return random_.below(bound); };
    if (is_cut_) disk_.crash(choose);
    if (is_killed_) disk_.kill(choose);
    is_cut_ = is_killed_ = false;
    Store::current_ = this;
    auto store = std::make_unique<Store>(config_in(std::string{sim::DiskFiles::directory}));
    open_ = store.get();
    return store;
  }
  /// Somewhere in a flush, more often than not.
  void cut_power() {
    if (random_.chance(70)) open_->begin_flush();
    is_cut_ = true;
  }
  void kill() {
    if (random_.chance(70)) open_->begin_flush();
    is_killed_ = true;
  }
  void fail_writes() { disk_.fail_call(1 + random_.below(2)); }
  void fail_reads() { disk_.fail_read(1); }
  void fill_disk() { disk_.set_space(20000); }
  void heal() { disk_.heal(); }
  void damage(std::uint64_t seed) {
    Random random{seed};
    REQUIRE(disk_.rot([&](std::uint64_t bound) { return random.below(bound); }));
  }

 private:
  Alive<SimHarness> alive_;
  sim::Disk disk_;
  Random random_{alive_.seed()};
  Store* open_ = nullptr;
  bool is_cut_ = false, is_killed_ = false;
};

const testing::StorageConformance<FileHarness> file_storage{"FileStorage"};
const testing::StorageConformance<FaultyFileHarness> on_faulty_files{"FileStorage on a bad disk"};
const testing::StorageConformance<SimHarness> on_a_simulated_disk{"FileStorage on a simulated disk"};

}  // namespace
