// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/replica.hpp>

namespace paxos::sim {

/// How much a part of a replica holds, by its image: entries of queues, windows and tables, and the bytes of the values
/// and payloads in them. Its memory is a constant times the first, and the second.
class Footprint {
 public:
  static constexpr bool is_loading = false;  ///< for image(): it writes

  template <class... T>
  void operator()(const T&... fields) {
    (add(fields), ...);
  }

  std::size_t entries = 0;  ///< in all containers together
  std::size_t bytes = 0;    ///< of payloads, each counted where it is held

 private:
  template <class T>
  void add(const T& field) {
    if constexpr (requires { const_cast<T&>(field).image(*this); }) {
      const_cast<T&>(field).image(*this);
    } else if constexpr (requires { const_cast<T&>(field).serialize(*this); }) {
      const_cast<T&>(field).serialize(*this);
    }
  }
  void add(const Bytes& value) { bytes += value.size(); }
  void add(const BatchBuilder& batch) { bytes += batch.bytes(); }
  void add(const Message& message) { message.visit(*this); }
  template <class T>
  void add(const std::optional<T>& field) {
    if (field) add(*field);
  }
  template <class Key, class T>
  void add(const std::pair<Key, T>& entry) {
    add(entry.second);
  }
  template <class T>
  void add(const std::vector<T>& elements) {
    add_all(elements);
  }
  template <class T>
  void add(const std::deque<T>& elements) {
    add_all(elements);
  }
  template <class Key, class T>
  void add(const std::map<Key, T>& elements) {
    add_all(elements);
  }
  template <class T>
  void add(const SlotWindow<T>& window) {
    entries += static_cast<std::size_t>(slots_between(window.base(), window.last()));
    for (Slot slot = window.base().next(); slot <= window.last(); slot = slot.next())
      if (const T* entry = window.find(slot)) add(*entry);
  }

  template <class Container>
  void add_all(const Container& elements) {
    entries += elements.size();
    if constexpr (!std::is_trivially_copyable_v<typename Container::value_type>)
      for (const auto& element : elements) add(element);
  }
};

/// Bounded memory: no part of a replica holds more than its Config allows, whatever the others send and whatever the
/// disk does. Give it to Replica::image(); it throws InvariantViolation. V is a largest value, Config::frame_bytes_max.
///
/// | part | entries | bytes |
/// |---|---|---|
/// | Outbox | `waiting_max`, and the values in Promises | `pending_bytes_max` + V |
/// | Acceptor | `acceptor_window_slots`; as many again after a restart that forgot what was chosen | as many V |
/// | Learner | `acceptor_window_slots` | as many V |
/// | Proposer | what acceptors report, and `window_slots`; full batches | as many V, and `pending_bytes_max` + V |
/// | Submitter | `pending_bytes_max` / 256 commands, their ids twice | `pending_bytes_max`, or one command |
/// | Reader | `reads_max` reads, their groups, those that are over; `remote_max` of each member, twice | |
/// | LeaderElection, CatchUp | a few for each member | |
/// | sessions | `sessions_max` | |
class MemoryBounds {
 public:
  static constexpr bool is_loading = false;  ///< for image(): it writes

  explicit MemoryBounds(const Config& config) : config_(config) {}  ///< what a replica of this configuration may hold

  template <class... Part>
  void operator()(const Part&... parts) {
    (check(parts), ...);
  }

 private:
  struct Allowed {
    std::string_view part;
    std::size_t entries = 0;
    std::size_t bytes = 0;
  };

  template <class Part>
  void check(const Part& part) const {
    const Allowed allowed = allowed_for(part);
    Footprint held;
    held(part);
    ensure(held.entries <= allowed.entries && held.bytes <= allowed.bytes, [&] {
      return std::string{allowed.part} + " holds " + std::to_string(held.entries) + " entries and " +
             std::to_string(held.bytes) + " bytes; allowed are " + std::to_string(allowed.entries) + " and " +
             std::to_string(allowed.bytes);
    });
  }
  template <StateMachine Machine>
  void check(const ReplicatedState<Machine>& state) const {
    ensure(state.sessions().size() <= config_.sessions_max, "more sessions are remembered than sessions_max");
  }

  template <class Small>
  [[nodiscard]] Allowed allowed_for(const Small&) const {
    return {"a part without queues", 4 * members_max, 0};
  }
  template <Transport Net>
  [[nodiscard]] Allowed allowed_for(const Outbox<Net>&) const {
    const std::size_t bytes = config_.pending_bytes_max + largest();
    return {"the outbox", Outbox<Net>::waiting_max + bytes / sizeof(AcceptedValue), bytes};
  }
  template <DurableTransport Net, Storage Store>
  [[nodiscard]] Allowed allowed_for(const Acceptor<Net, Store>&) const {
    return {"the acceptor", 2 * window(), config_.acceptor_bytes_max()};
  }
  template <Storage Store>
  [[nodiscard]] Allowed allowed_for(const Learner<Store>&) const {
    return {"the learner", window(), window() * largest()};
  }
  template <DurableTransport Net>
  [[nodiscard]] Allowed allowed_for(const Proposer<Net>&) const {
    const std::size_t told = config_.acceptor_bytes_max() + largest();
    const std::size_t waiting = config_.pending_bytes_max + largest();
    return {"the proposer", told / sizeof(AcceptedValue) + config_.window_slots + waiting / sizeof(Command),
            told + config_.window_slots * largest() + waiting};
  }
  template <Transport Net>
  [[nodiscard]] Allowed allowed_for(const Submitter<Net>&) const {
    const std::size_t commands = config_.pending_bytes_max / Submitter<Net>::command_cost + 1;
    return {"the submitter", 3 * commands, config_.pending_bytes_max};
  }
  template <Transport Net>
  [[nodiscard]] Allowed allowed_for(const Reader<Net>&) const {
    constexpr auto remote = static_cast<std::size_t>(Reader<Net>::remote_max) * members_max;
    return {"the reader", 3 * Reader<Net>::reads_max + 2 * remote, 0};
  }

  [[nodiscard]] std::size_t window() const { return config_.acceptor_window_slots(); }
  [[nodiscard]] std::size_t largest() const { return config_.frame_bytes_max(); }

  const Config& config_;
};

}  // namespace paxos::sim
