// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <paxos/core/lives_met.hpp>
#include <paxos/testing/storage_harness.hpp>
#include <paxos/testing/storage_model.hpp>

namespace paxos::test {

/// What a storage can get wrong.
enum class Mistake {
  none,
  tickets_go_on,             ///< in the next life
  ticket_too_early,          ///< durable() is what was appended
  flush_leaves_the_last,     ///< of a group
  backlog_stays,             ///< after a flush
  backlog_is_nothing,        //
  newest_promise_is_lost,    //
  promise_is_lowered,        //
  vote_is_no_promise,        //
  older_vote_counts,         //
  votes_out_of_order,        //
  votes_of_chosen_slots,     ///< are told too
  read_gives_votes,          ///< that are not chosen
  read_gives_flushed_only,   //
  own_vote_for_the_choice,   ///< a value that was learned does not replace it
  empty_is_nothing,          //
  large_is_cut,              //
  hole_in_the_unflushed,     ///< the newest is there without those before it
  no_sync,                   //
  cache_is_believed,         //
  ok_after_failure,          //
  failure_is_called_full,    //
  full_is_called_failure,    //
  full_loses_records,        //
  failed_read_is_silent,     //
  damage_is_believed,        //
  append_waits_for_flush,    //
  reads_miss_flushing,       //
  flush_counts_later_ones,   ///< what was appended while it ran
  same_life,                 //
  other_incarnation,         //
  same_incarnation,          ///< everywhere
  life_is_not_durable,       //
  peers_are_forgotten,       //
  peers_are_not_synced,      //
  incarnations_are_ignored,  //
  older_copies_lack_a_code,  //
  peer_in_spite_of_failure,  //
  mark_is_forgotten,         //
  opens_for_anybody,         //
  opens_for_another_node,    ///< of its cluster
  opens_for_other_clusters,  //
  reads_need_no_disk,        //
  peers_wait_for_flush,      //
  flush_throws_elsewhere,    ///< on another thread than the one that opened it
  append_throws_late,        //
};
inline Mistake mistake = Mistake::none;
inline bool makes(Mistake one) { return mistake == one; }

/// What outlives a ToyStorage, and what can befall it.
struct ToyPlace {
  std::vector<Record> disk, cache;  ///< what was synced; what was only written
  StoreLife life{incarnation(), 0, {}};
  LivesMet peers, cached_peers;
  bool is_outdated = false;
  bool is_full = false, is_failing = false, is_unreadable = false, is_damaged = false;

  std::mutex mutex;
  std::condition_variable changed;
  bool holds = false, is_held = false;

  static std::uint64_t incarnation() {
    static std::uint64_t last = 0;
    return makes(Mistake::same_incarnation) ? 7 : ++last;
  }
  void cut_power() {
    cache.clear();
    cached_peers = peers;
    if (makes(Mistake::life_is_not_durable)) life = {life.incarnation, 0, {}};
  }
};

/// A small storage that does every duty, but for one mistake.
class ToyStorage {
 public:
  /// In the place that a harness named last.
  explicit ToyStorage(const Config&) : place_(*current) {
    if (place_.is_outdated && !makes(Mistake::mark_is_forgotten)) throw std::runtime_error("outdated");
    if (place_.is_damaged && !makes(Mistake::damage_is_believed)) throw std::runtime_error("damaged");
    if (!makes(Mistake::same_life) || place_.life.number == 0) place_.life = place_.life.next(++nonce_);
    if (makes(Mistake::other_incarnation)) place_.life = StoreLife{ToyPlace::incarnation(), 1, {nonce_}};
    for (const Record& record : place_.disk) add(record);
    for (const Record& record : place_.cache) add(record);
    if (!makes(Mistake::cache_is_believed) && !makes(Mistake::no_sync)) sync();
    if (place_.is_damaged && !state_.chosen.empty()) state_.chosen.back() = Value{"something else"};
    if (makes(Mistake::tickets_go_on)) appended_ = durable_ = place_.disk.size();
  }
  ToyStorage(const ToyStorage&) = delete;
  ToyStorage& operator=(const ToyStorage&) = delete;
  ~ToyStorage() {
    if (makes(Mistake::hole_in_the_unflushed) && !unflushed_.empty()) place_.disk.push_back(unflushed_.back());
    if (makes(Mistake::cache_is_believed)) write(unflushed_.size());
  }

  Recovered recover() {
    Recovered recovered{state_.promised, state_.chosen_through(), {}};
    for (const auto& [slot, vote] : state_.accepted) recovered.accepted.push_back({slot, vote.ballot, vote.value});
    if (makes(Mistake::votes_out_of_order)) std::ranges::reverse(recovered.accepted);
    if (makes(Mistake::votes_of_chosen_slots) && !state_.chosen.empty())
      recovered.accepted.insert(recovered.accepted.begin(), {Slot{1}, state_.promised, state_.chosen.front()});
    return recovered;
  }
  WriteTicket append(const Record& record) {
    if (makes(Mistake::append_waits_for_flush)) const std::lock_guard wait{flush_mutex_};
    const std::lock_guard lock{mutex_};
    if (makes(Mistake::append_throws_late) && appended_ == 1000) throw std::runtime_error("too many");
    add(record);
    unflushed_.push_back(record);
    return WriteTicket{++appended_};
  }
  Status flush() {
    if (makes(Mistake::flush_throws_elsewhere) && std::this_thread::get_id() != opener_)
      throw std::runtime_error("not my thread");
    const std::lock_guard flushing{flush_mutex_};
    std::size_t count = 0;
    {
      const std::lock_guard lock{mutex_};
      if (has_failed_ && !makes(Mistake::ok_after_failure)) return failure();
      count = unflushed_.size();
    }
    if (count == 0) return {};
    stay_while_held();
    const std::lock_guard lock{mutex_};
    if (makes(Mistake::flush_counts_later_ones)) count = unflushed_.size() + 1;
    if (place_.is_failing) return has_failed_ = true, failure();
    if (place_.is_full) {
      if (makes(Mistake::full_loses_records)) unflushed_.pop_back();
      if (makes(Mistake::full_is_called_failure)) return {Errc::storage_failed, "no space"};
      return {Errc::storage_full, "no space"};
    }
    durable_ += makes(Mistake::full_loses_records) ? appended_ - durable_ : count;
    count = std::min(count, unflushed_.size());
    if (makes(Mistake::flush_leaves_the_last) && count > 1) --count;
    write(count);
    if (!makes(Mistake::no_sync)) sync();
    unflushed_.erase(unflushed_.begin(), unflushed_.begin() + static_cast<std::ptrdiff_t>(count));
    return {};
  }
  [[nodiscard]] WriteTicket durable() const {
    const std::lock_guard lock{mutex_};
    return WriteTicket{makes(Mistake::ticket_too_early) ? appended_ : durable_};
  }
  [[nodiscard]] std::size_t backlog() const {
    const std::lock_guard lock{mutex_};
    if (makes(Mistake::backlog_is_nothing)) return 0;
    std::size_t bytes = makes(Mistake::backlog_stays) ? appended_ : 0;
    for (const Record& record : unflushed_) bytes += 1 + value_of(record).size();
    return bytes;
  }
  std::optional<Value> read(Slot slot) {
    const std::lock_guard lock{mutex_};
    if (makes(Mistake::read_gives_votes) && state_.accepted.contains(slot)) return state_.accepted.at(slot).value;
    if (makes(Mistake::reads_miss_flushing) && place_.is_held) return std::nullopt;
    if (slot == Slot{} || slot > state_.chosen_through()) return std::nullopt;
    if (makes(Mistake::read_gives_flushed_only) && !unflushed_.empty()) return std::nullopt;
    if (place_.is_unreadable && !makes(Mistake::reads_need_no_disk)) {
      has_failed_ = !makes(Mistake::failed_read_is_silent);
      return std::nullopt;
    }
    const Value& value = state_.chosen[static_cast<std::size_t>(slot.value() - 1)];
    if (makes(Mistake::empty_is_nothing) && value.empty()) return std::nullopt;
    if (makes(Mistake::large_is_cut)) return Value{value.text().substr(0, 65536)};
    return value;
  }

  [[nodiscard]] const StoreLife& life() const { return place_.life; }
  Refusal refusal_of_peer(NodeId peer, const StoreLife& life) {
    if (makes(Mistake::peers_wait_for_flush)) const std::lock_guard wait{flush_mutex_};
    LivesMet& peers = makes(Mistake::peers_are_forgotten) ? own_peers_ : place_.cached_peers;
    Refusal refusal = peers.refusal_of(peer, life, "memory");
    if (makes(Mistake::incarnations_are_ignored) && refusal.code == RefusalCode::other) refusal = {};
    if (makes(Mistake::older_copies_lack_a_code) && !refusal.is_welcome()) refusal.code = RefusalCode::other;
    if (!refusal.is_welcome() || peers.has_met(peer, life)) return refusal;
    if (place_.is_failing) {
      if (makes(Mistake::peer_in_spite_of_failure)) return {};
      throw std::runtime_error("cannot remember the peer");
    }
    peers.meet(peer, life.newest());
    if (!makes(Mistake::peers_are_not_synced)) place_.peers = place_.cached_peers;
    return {};
  }
  void mark_outdated(NodeId) { place_.is_outdated = true; }

  static inline ToyPlace* current = nullptr;

 private:
  static Value value_of(const Record& record) {
    if (const auto* accept = get_if<AcceptRecord>(&record)) return accept->value;
    if (const auto* learn = get_if<LearnRecord>(&record)) return learn->value;
    return {};
  }

  /// The sum of the records, and what can go wrong in it.
  void add(const Record& record) {
    const Ballot promised = state_.promised;
    if (const auto* accept = get_if<AcceptRecord>(&record)) {
      if (makes(Mistake::older_vote_counts)) state_.accepted.erase(accept->slot);
      state_.add(record);
      if (makes(Mistake::vote_is_no_promise)) state_.promised = promised;
      return;
    }
    if (const auto* promise = get_if<PromiseRecord>(&record); promise && makes(Mistake::promise_is_lowered)) {
      state_.promised = promise->ballot;
      return;
    }
    const auto* learn = get_if<LearnRecord>(&record);
    if (learn != nullptr && makes(Mistake::own_vote_for_the_choice) && state_.accepted.contains(learn->slot))
      return state_.add(ChosenRecord{learn->slot});
    state_.add(record);
  }
  void write(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (!makes(Mistake::newest_promise_is_lost) || !holds_alternative<PromiseRecord>(unflushed_[i]))
        place_.cache.push_back(unflushed_[i]);
  }
  void sync() {
    place_.disk.insert(place_.disk.end(), place_.cache.begin(), place_.cache.end());
    place_.cache.clear();
  }
  void stay_while_held() {
    std::unique_lock lock{place_.mutex};
    place_.is_held = place_.holds;
    place_.changed.notify_all();
    place_.changed.wait(lock, [&] { return !place_.holds; });
    place_.is_held = false;
  }
  static Status failure() {
    return {makes(Mistake::failure_is_called_full) ? Errc::storage_full : Errc::storage_failed, "a broken cable"};
  }

  static inline std::uint64_t nonce_ = 0;

  ToyPlace& place_;
  std::thread::id opener_ = std::this_thread::get_id();
  LivesMet own_peers_;
  std::mutex flush_mutex_;
  mutable std::mutex mutex_;
  testing::StorageState state_;
  std::vector<Record> unflushed_;
  std::uint64_t appended_ = 0, durable_ = 0;
  bool has_failed_ = false;
};

struct ToyHarness {
  using Store = ToyStorage;
  static constexpr bool outlives_process = false;
  static constexpr std::chrono::milliseconds patience{50};

  std::unique_ptr<ToyStorage> open() {
    if (is_cut) place.cut_power();
    is_cut = false;
    ToyStorage::current = &place;
    return std::make_unique<ToyStorage>(Config{});
  }
  void open_as(const std::string& cluster, NodeId node) {
    if (makes(Mistake::opens_for_anybody)) return;
    if ((cluster != "paxos" && !makes(Mistake::opens_for_other_clusters)) ||
        (node != NodeId{1} && !makes(Mistake::opens_for_another_node)))
      throw std::runtime_error("the place of another node");
  }
  void cut_power() { is_cut = true; }
  void kill() {}
  void fail_writes() { place.is_failing = true; }
  void fail_reads() { place.is_unreadable = true; }
  void fill_disk() { place.is_full = true; }
  void heal() { place.is_failing = place.is_unreadable = place.is_full = false; }
  void damage(std::uint64_t) { place.is_damaged = true; }
  void hold_flush() { hold(true); }
  void release_flush() { hold(false); }
  void wait_until_held() {
    std::unique_lock lock{place.mutex};
    place.changed.wait(lock, [&] { return place.is_held; });
  }
  void hold(bool holds) {
    const std::lock_guard lock{place.mutex};
    place.holds = holds;
    place.changed.notify_all();
  }

  ToyPlace place;
  bool is_cut = false;
};

}  // namespace paxos::test
