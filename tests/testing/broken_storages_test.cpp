// Copyright (c) the paxos authors. MIT licence.
//
// A suite counts when it catches storages that are wrong.
#include <unistd.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <paxos/storage/file_storage.hpp>
#include <paxos/testing/storage_suite.hpp>

#include "storage/rig.hpp"
#include "toy_storage.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// What the storage is told for not doing the duties whose names have `part` in them.
template <class Harness>
std::vector<std::string> complaints(std::string_view part = {}) {
  std::vector<std::string> all;
  for (const testing::StorageCheck& check : testing::storage_checks<Harness>()) {
    if (check.run == nullptr || check.duty.find(part) == std::string_view::npos) continue;
    try {
      check.run();
    } catch (const std::exception& error) {
      all.push_back(std::string{check.duty} + ": " + error.what());
    }
  }
  return all;
}

/// On files whose lock nobody minds.
struct Lockless : PosixFileSystem {
  bool try_lock(File&) { return true; }
};

/// Does all its work in the destructor.
class LateStorage : public FileStorage {
 public:
  explicit LateStorage(const Config& config) : FileStorage(config, small_segments) {}
  LateStorage(const LateStorage&) = delete;
  LateStorage& operator=(const LateStorage&) = delete;
  ~LateStorage() {
    if (!FileStorage::flush().ok()) std::puts("LateStorage: its last flush failed");
    for (const auto& [peer, life] : late_) static_cast<void>(FileStorage::refusal_of_peer(peer, life));
    if (outdated_by_ != NodeId{}) FileStorage::mark_outdated(outdated_by_);
  }
  WriteTicket append(const Record& record) { return appended_ = FileStorage::append(record); }
  Status flush() { return durable_ = appended_, Status{}; }
  [[nodiscard]] WriteTicket durable() const { return durable_; }
  [[nodiscard]] std::size_t backlog() const { return durable_ == appended_ ? 0 : FileStorage::backlog(); }
  Refusal refusal_of_peer(NodeId peer, const StoreLife& life) {
    late_.emplace_back(peer, life);
    return {};
  }
  void mark_outdated(NodeId peer) { outdated_by_ = peer; }

 private:
  WriteTicket appended_, durable_;
  std::vector<std::pair<NodeId, StoreLife>> late_;
  NodeId outdated_by_;
};

template <class StoreType>
struct HarnessOf {
  using Store = StoreType;
  static constexpr bool outlives_process = true;
  std::unique_ptr<Store> open() { return std::make_unique<Store>(config_in(dir / "data")); }
  TempDir dir;
};

}  // namespace

TEST_CASE("a storage that does its duties passes the whole suite, and skips only what needs other processes",
          "[storage_suite][threads]") {
  mistake = Mistake::none;
  CHECK(complaints<ToyHarness>() == std::vector<std::string>{});
  std::size_t skipped = 0;
  for (const auto& check : testing::storage_checks<ToyHarness>()) {
    CHECK((check.run == nullptr) == !check.lacks.empty());
    if (check.run != nullptr) continue;
    CAPTURE(check.duty);
    CHECK(check.lacks.find("outlives its process") != std::string_view::npos);
    ++skipped;
  }
  CHECK(skipped == 4);
}

TEST_CASE("each mistake of a storage is found by the test of that duty", "[storage_suite]") {
  using enum Mistake;
  const std::vector<std::pair<Mistake, std::string_view>> expected{
      {tickets_go_on, "the tickets of each life are 1"},
      {ticket_too_early, "a flush makes durable all"},
      {flush_leaves_the_last, "a flush makes durable all"},
      {backlog_stays, "backlog() grows"},
      {backlog_is_nothing, "backlog() grows"},
      {newest_promise_is_lost, "a promise that was flushed is there"},
      {promise_is_lowered, "an older promise never lowers"},
      {vote_is_no_promise, "an accepted ballot is promised"},
      {older_vote_counts, "the newest ballot counts"},
      {votes_out_of_order, "slots are told in order"},
      {votes_of_chosen_slots, "what is chosen can be read"},
      {read_gives_votes, "nothing else can"},
      {read_gives_flushed_only, "flushed or not"},
      {own_vote_for_the_choice, "what was learned can be read"},
      {empty_is_nothing, "values of every size"},
      {large_is_cut, "values of every size"},
      {hole_in_the_unflushed, "may lose the newest, and none before it"},
      {no_sync, "random records and power cuts"},
      {cache_is_believed, "what recover() gives after a process died"},
      {ok_after_failure, "after a failed flush nothing is ever confirmed again"},
      {failure_is_called_full, "after a failed flush nothing is ever confirmed again"},
      {full_is_called_failure, "a full disk keeps the records waiting"},
      {full_loses_records, "a full disk keeps the records waiting"},
      {failed_read_is_silent, "a read that fails gives nothing"},
      {damage_is_believed, "damaged data are refused"},
      {append_waits_for_flush, "nobody waits for a flush that hangs"},
      {reads_miss_flushing, "nobody waits for a flush that hangs"},
      {flush_counts_later_ones, "run beside a flush"},
      {same_life, "each start is another life"},
      {other_incarnation, "each start is another life"},
      {same_incarnation, "each start is another life"},
      {life_is_not_durable, "a life is durable"},
      {peers_are_forgotten, "the newest life of a peer is remembered"},
      {peers_are_not_synced, "remembered though the power goes"},
      {incarnations_are_ignored, "the newest life of a peer is remembered"},
      {older_copies_lack_a_code, "the newest life of a peer is remembered"},
      {peer_in_spite_of_failure, "a peer that cannot be remembered"},
      {mark_is_forgotten, "an outdated storage is never opened again"},
      {opens_for_anybody, "belongs to one node"},
      {opens_for_another_node, "belongs to one node"},
      {opens_for_other_clusters, "belongs to one node"},
      {reads_need_no_disk, "a read that fails gives nothing"},
      {peers_wait_for_flush, "nobody waits for a flush that hangs"},
      {flush_throws_elsewhere, "run beside a flush"},
      {append_throws_late, "run beside a flush"},
  };
  CHECK(expected.size() == static_cast<std::size_t>(append_throws_late));
  for (const auto& [made, duty] : expected) {
    mistake = made;
    const auto found = complaints<ToyHarness>(duty);
    mistake = none;
    CAPTURE(static_cast<int>(made), duty);
    CHECK(found.size() == 1);
  }
}

TEST_CASE("whatever is thrown in a process that is to die ends there, and is told here", "[storage_suite]") {
  const auto in_the_other = [](auto work) {
    try {
      testing::in_a_process_that_dies(work);
    } catch (int) {
      ::_exit(0);  // the copy left its place
    }
  };
  CHECK_THROWS_AS(in_the_other([] { throw 7; }), testing::DutyBroken);
  CHECK_THROWS_AS(in_the_other([] { throw std::runtime_error("words"); }), testing::DutyBroken);
  CHECK_NOTHROW(in_the_other([] {}));
}

TEST_CASE("a storage without a lock is found", "[storage_suite]") {
  CHECK(complaints<HarnessOf<BasicFileStorage<Lockless>>>("open once at a time").size() == 1);
}

TEST_CASE("a storage that works only when it is destroyed is found when its process dies", "[storage_suite]") {
  CHECK(complaints<HarnessOf<LateStorage>>("a process that dies").size() == 1);
  CHECK(complaints<HarnessOf<LateStorage>>("remembered though the process dies").size() == 1);
  CHECK(complaints<HarnessOf<LateStorage>>("known as such though the process dies").size() == 1);
}
