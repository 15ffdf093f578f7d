// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/group_commit.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// A storage whose flushes wait until the test lets them go.
class GatedStore {
 public:
  Recovered recover() { return {}; }
  WriteTicket append(const Record&) { return {}; }
  Status flush() {
    std::unique_lock lock{mutex_};
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return let_go_ >= begun_; });
    if (throws_) throw std::runtime_error("out of everything");
    return {};
  }
  [[nodiscard]] WriteTicket durable() const { return {}; }
  [[nodiscard]] std::size_t backlog() const { return 0; }
  std::optional<Value> read(Slot) { return {}; }

  void let_go(int flushes) {
    const std::lock_guard lock{mutex_};
    let_go_ += flushes;
    changed_.notify_all();
  }
  void wait_for_begun(int flushes) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return begun_ >= flushes; });
  }
  int begun() {
    const std::lock_guard lock{mutex_};
    return begun_;
  }
  void throw_from_now_on() {
    const std::lock_guard lock{mutex_};
    throws_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0, let_go_ = 0;
  bool throws_ = false;
};
static_assert(Storage<GatedStore>);

/// Counts what the callback says.
class Reports {
 public:
  void add(const Status& status) {
    const std::lock_guard lock{mutex_};
    ++count_;
    last_ = status;
    changed_.notify_all();
  }
  Status wait_for(int count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return count_ >= count; });
    return last_;
  }
  int count() {
    const std::lock_guard lock{mutex_};
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
  Status last_;
};

}  // namespace

TEST_CASE("requests made during a flush make one more flush", "[group_commit][threads]") {
  GatedStore store;
  Reports reports;
  GroupCommit commit{store, [&](const Status& status) { reports.add(status); }};
  commit.request();
  store.wait_for_begun(1);
  for (int i = 0; i < 100; ++i) commit.request();
  CHECK(reports.count() == 0);
  store.let_go(1);
  store.wait_for_begun(2);
  store.let_go(1);
  CHECK(reports.wait_for(2).ok());
  CHECK(store.begun() == 2);

  commit.request();
  store.let_go(1);
  CHECK(reports.wait_for(3).ok());
}

TEST_CASE("destruction waits for the flush that runs, and begins no other", "[group_commit][threads]") {
  GatedStore store;
  Reports reports;
  {
    GroupCommit commit{store, [&](const Status& status) {
                         reports.add(status);
                         store.let_go(0);
                       }};
    commit.request();
    store.wait_for_begun(1);
    store.let_go(1);
  }
  CHECK(reports.count() == 1);
  CHECK(store.begun() == 1);
  {
    const GroupCommit unused{store, [](const Status&) {}};
  }
}

TEST_CASE("a flush that throws is reported as a failed one", "[group_commit][threads]") {
  GatedStore store;
  Reports reports;
  GroupCommit commit{store, [&](const Status& status) { reports.add(status); }};
  store.throw_from_now_on();
  store.let_go(1);
  commit.request();
  const Status status = reports.wait_for(1);
  CHECK(status.code == Errc::storage_failed);
  CHECK(status.text == "flush: out of everything");
}

TEST_CASE("a flush that throws what is no exception is reported as a failed one", "[group_commit][threads]") {
  struct Oddity : GatedStore {
    Status flush() { throw 7; }
  } store;
  Reports reports;
  GroupCommit<Oddity> commit{store, [&](const Status& status) { reports.add(status); }};
  commit.request();
  const Status status = reports.wait_for(1);
  CHECK(status.code == Errc::storage_failed);
  CHECK(status.text == "flush: an exception that is no std::exception");
}

TEST_CASE("work ahead that throws is reported as a failed flush", "[group_commit][threads]") {
  struct Unprepared : GatedStore {
    void prepare() { throw std::runtime_error("no space ahead"); }
  } store;
  Reports reports;
  GroupCommit<Unprepared> commit{store, [&](const Status& status) { reports.add(status); }};
  store.let_go(1);
  commit.request();
  const Status status = reports.wait_for(2);
  CHECK(status.code == Errc::storage_failed);
  CHECK(status.text == "prepare: no space ahead");
}

TEST_CASE("group commit makes a file storage durable while it is appended to", "[group_commit][threads]") {
  TempDir dir;
  FileStorage store{config_in(dir / "data"), FileStorageOptions{.segment_bytes = 64 << 10}};
  Reports reports;
  std::mutex mutex;
  std::condition_variable changed;
  Status failure;
  {
    GroupCommit commit{store, [&](const Status& status) {
                         const std::lock_guard lock{mutex};
                         if (!status.ok()) failure = status;
                         changed.notify_all();
                       }};
    constexpr std::uint64_t slots = 500;
    for (std::uint64_t slot = 1; slot <= slots; ++slot) {
      const WriteTicket ticket = store.append(learn(slot, noise(300, 1)));
      commit.request();
      if (slot % 10 != 0) continue;
      std::unique_lock lock{mutex};
      changed.wait(lock, [&] { return store.durable() >= ticket || !failure.ok(); });
    }
    CHECK(failure.ok());
    CHECK(store.durable() == WriteTicket{slots});
  }
}
