// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/record.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/replica.hpp>
#include <paxos/sim/clock.hpp>
#include <paxos/sim/disk.hpp>
#include <paxos/sim/footprint.hpp>
#include <paxos/sim/judge.hpp>
#include <paxos/sim/logged_storage.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::sim::detail {

/// One machine of a simulated cluster: the disk, the clock and what users wait for outlive the process that runs on it.
template <StateMachine Machine, class Network>
struct SimNode {
  using OnAnswer = std::function<void(const Answer&)>;
  using ReplicaType = Replica<Machine, Network, LoggedStorage>;
  struct Reading {
    std::function<void(const Machine*)> on_read;
    Position behind;  ///< what had been answered when it began
  };

  SimNode(Config node_config, std::uint64_t seed) : config(std::move(node_config)), random(seed) {}

  [[nodiscard]] Choose chance() {
    return [this](std::uint64_t bound) { return random.below(bound); };
  }
  [[nodiscard]] bool has_reached_its_end() const { return dies_after && disk.operations() >= *dies_after; }

  /// Opens the disk and begins a life on it. Throws StorageError.
  void open(FileStorageOptions options, Time now) {
    failed_calls_before = disk.failed_calls();
    full_calls_before = disk.full_calls();
    store = std::make_unique<LoggedStorage>(config, options, disk, random());
    store_life = std::make_shared<const StoreLife>(store->life());
    const typename ReplicaType::Life own{random(), SessionId{random(), random()}};
    replica = std::make_unique<ReplicaType>(config, network, *store, observer, own, clock.read(now));
  }

  /// As the greeter of a real node does. Who was let in once may go on: a connection is greeted once.
  [[nodiscard]] Refusal refusal_of(NodeId peer, const StoreLife& peers_life) try {
    std::vector<MetLife>& lives = known[peer];
    const MetLife newest = peers_life.newest();
    if (std::ranges::find(lives, newest) != lives.end()) return {};
    Refusal refusal = store->refusal_of_peer(peer, peers_life);
    if (refusal.is_welcome()) lives.push_back(newest);
    return refusal;
  } catch (const StorageError& error) {
    return {error.what()};  // its disk cannot remember the peer now
  }
  void replace_disk(const Disk::Copy& copy) {
    disk.replace(copy);
    is_damaged = is_lost = true;
    is_outdated = !copy.empty();
  }
  /// Whether it has met a life of the peer's that has a higher number, and lives on since then.
  [[nodiscard]] bool has_met_after(NodeId peer, std::uint64_t number) const {
    const auto found = known.find(peer);
    return found != known.end() &&
           std::ranges::any_of(found->second, [&](const MetLife& met) { return met.number > number; });
  }

  /// A peer has met a newer life of its disk.
  void mark_outdated(NodeId peer) {
    ensure(is_damaged, [&] { return "node " + to_string(config.id) + " is refused, though its disk is the newest"; });
    try {
      store->mark_outdated(peer);
    } catch (const StorageError&) {
      // Its disk cannot note that now, and so it will be told again.
    }
  }

  /// Holds what it keeps against its bounds, and what it applied against the truth.
  void check(Judge<Machine>& judge) {
    const std::size_t bound = config.pending_bytes_max + config.frame_bytes_max();
    ensure(store->backlog() <= bound, [&] { return "node " + to_string(config.id) + " keeps more than its bound"; });
    if (turns++ % 4 == 0) replica->image(bounds);
    const Slot applied = replica->state().applied();
    if (checked == applied) return;
    while (checked < applied) {
      checked = checked.next();
      const auto value = store->inspect(checked);
      ensure(value || is_damaged || store->is_failing(), "sim: an applied slot is not in the log");
      judge.on_applied(config.id, checked, value);
    }
    judge.check_state(config.id, replica->state());
  }

  /// Whether a call to its disk failed in this life, for any reason but space.
  [[nodiscard]] bool has_met_an_error() const { return disk.failed_calls() > failed_calls_before; }

  /// Tells users what became of what they asked, once the judge has heard it. They may ask again at once, or crash it.
  void give_answers(Judge<Machine>& judge) {
    const std::uint64_t now_living = life;
    for (const Answer& answer : replica->take_answers()) {
      judge.on_answer(config.id, answer);
      for (auto found = waiting.find(answer.id); found != waiting.end(); found = waiting.find(answer.id)) {
        const OnAnswer on_answer = std::move(found->second);
        waiting.erase(found);
        on_answer(answer);
      }
    }
    if (life != now_living) return;
    for (const ReadyRead& read : replica->take_reads()) {
      const auto found = reading.find(read.id);
      if (found == reading.end()) continue;
      const Reading asked = std::move(found->second);
      reading.erase(found);
      if (read.is_confirmed) judge.on_read(config.id, asked.behind, replica->state().applied());
      asked.on_read(read.is_confirmed ? &replica->state().machine() : nullptr);
    }
  }

  /// The process ends.
  void bury() {
    replica.reset();
    store.reset();
    is_frozen = is_disk_stalled = is_doomed = is_busy = false;
    asleep.clear();
    known.clear();
    ++life;
  }
  /// Those who waited for it hear of it.
  void mourn() {
    for (auto& [request, on_answer] : std::exchange(waiting, {})) on_answer(Answer{request, Errc::interrupted, {}});
    for (auto& [read, asked] : std::exchange(reading, {})) asked.on_read(nullptr);
  }

  Config config;
  MemoryBounds bounds{config};
  std::uint64_t turns = 0;
  Network network;
  NullObserver observer;
  Random random;  ///< its own stream: what happens to it does not depend on the others
  Clock clock{std::chrono::hours{1}};
  Disk disk;
  std::unique_ptr<LoggedStorage> store;
  std::shared_ptr<const StoreLife> store_life;  ///< of `store`, or of the last one
  std::unique_ptr<ReplicaType> replica;         ///< nullptr while it is down
  std::uint64_t life = 0;
  std::uint64_t failed_calls_before = 0;
  std::uint64_t full_calls_before = 0;
  bool is_frozen = false;
  bool is_disk_stalled = false;
  bool is_busy = false;      ///< its turn does not end
  bool is_doomed = false;    ///< dies at the end of this step, and reaches nobody until then
  bool is_damaged = false;   ///< its disk was tampered with
  bool is_lost = false;      ///< will not come back as the voter that it was
  bool is_outdated = false;  ///< its disk is an older copy
  std::optional<std::uint64_t> dies_after;
  std::vector<std::function<void()>> asleep;  ///< what happened to it while it was frozen
  std::vector<Record> durable;
  std::map<NodeId, std::vector<MetLife>> known;  ///< lives of peers that were let in during this life
  Slot checked;                                  ///< applied slots that were checked
  std::multimap<RequestId, OnAnswer> waiting;
  std::map<ReadId, Reading> reading;
};

}  // namespace paxos::sim::detail
