// Copyright (c) the paxos authors. MIT licence.
#pragma once

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
  struct Reading {
    std::function<void(const Machine*)> on_read;
    Position behind;  ///< what had been answered when it began
  };

  SimNode(Config node_config, std::uint64_t seed) : config(std::move(node_config)), random(seed) {}

  [[nodiscard]] Choose chance() {
    return [this](std::uint64_t bound) { return random.below(bound); };
  }
  [[nodiscard]] bool has_reached_its_end() const { return dies_after && disk.operations() >= *dies_after; }

  /// As the greeter of a real node does: asks the storage once a life, and then no more.
  [[nodiscard]] bool admits(NodeId peer, std::uint64_t incarnation) try {
    const auto found = known.find(peer);
    if (found != known.end()) return found->second == incarnation;
    if (!store->admits_peer(peer, incarnation)) return false;
    known.emplace(peer, incarnation);
    return true;
  } catch (const StorageError&) {
    return false;  // its disk cannot remember the peer now
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
  std::unique_ptr<Replica<Machine, Network, LoggedStorage>> replica;  ///< nullptr while it is down
  std::uint64_t life = 0;
  std::uint64_t failed_calls_before = 0;
  std::uint64_t full_calls_before = 0;
  bool is_frozen = false;
  bool is_disk_stalled = false;
  bool is_busy = false;     ///< its turn does not end
  bool is_doomed = false;   ///< dies at the end of this step, and reaches nobody until then
  bool is_damaged = false;  ///< its disk was tampered with
  bool is_lost = false;     ///< will not come back as the voter that it was
  std::optional<std::uint64_t> dies_after;
  std::vector<std::function<void()>> asleep;  ///< what happened to it while it was frozen
  std::vector<Record> durable;
  std::map<NodeId, std::uint64_t> known;  ///< peers that were admitted in this life, by their directories
  Slot checked;                           ///< applied slots that were checked
  std::multimap<RequestId, OnAnswer> waiting;
  std::map<ReadId, Reading> reading;
};

}  // namespace paxos::sim::detail
