// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/time.hpp>
#include <paxos/sim/network.hpp>

namespace paxos::sim::detail {

/// The size, the configuration and the weather of one seed.
class Shape {
 public:
  /// `size`: so many nodes; 0: drawn, 1 to 5.
  Shape(std::size_t size, std::uint64_t seed, std::function<void(Config&)> adjust) : adjust_(std::move(adjust)) {
    Random mix{seed * 2 + 1};
    constexpr std::array<std::size_t, 10> sizes{1, 2, 3, 3, 3, 3, 4, 5, 5, 5};
    nodes = size != 0 ? size : sizes[static_cast<std::size_t>(mix.below(sizes.size()))];
    window_slots_ = 1 + mix.below(8);
    has_priorities_ = mix.chance(30);
    has_tiny_table_ = mix.chance(30);
    has_tiny_batches_ = mix.chance(30);
    // Timeouts near the latency: a new leader every few steps, and messages that outlive several.
    is_hasty_ = mix.chance(60);
    pace = std::chrono::milliseconds{is_hasty_ ? 60 : 300};
    length = 50 * pace;
    const auto up_to = [&](int ms) {
      return std::chrono::milliseconds{1 + static_cast<int>(mix.below(static_cast<std::uint64_t>(ms)))};
    };
    if (is_hasty_) conditions.latency_max = up_to(15);
    conditions.flush_max = up_to(is_hasty_ ? 20 : 40);
    priority_seed_ = mix();
    // A network that is never calm: what was said in one reign arrives in the next.
    if (mix.chance(40)) {
      conditions.straggler_percent = static_cast<unsigned>(mix.below(40));
      conditions.straggler_max = conditions.latency_max * static_cast<Duration::rep>(2 + mix.below(9));
      conditions.loss_percent = static_cast<unsigned>(mix.below(20));
      conditions.duplicate_percent = static_cast<unsigned>(mix.below(20));
    }
    // Who is deposed and does not know it is found out by its next write: so in some runs there are few.
    if (mix.chance(30)) {
      writes = static_cast<unsigned>(1 + mix.below(20));
      reads = 100;
    }
  }

  void adjust(Config& config) const {
    config.window_slots = window_slots_;
    config.promise_bytes_max = 64;
    config.catch_up_bytes_max = 256;
    config.request_timeout = 10 * pace;
    if (has_tiny_table_) config.sessions_max = 2;
    if (has_tiny_batches_) config.batch_commands_max = 2;
    if (has_priorities_)
      for (Member& member : config.members)
        member.priority = static_cast<int>(Random{priority_seed_ ^ member.id.value()}.below(3));
    if (is_hasty_) {
      config.heartbeat_interval = std::chrono::milliseconds{10};
      config.election_timeout = std::chrono::milliseconds{60};
      config.retransmit_interval = std::chrono::milliseconds{20};
    }
    if (adjust_) adjust_(config);
  }

  std::size_t nodes;
  Duration pace{};
  Duration length{};
  Conditions conditions;
  unsigned writes = 100;  ///< see Clients::Habits
  unsigned reads = 30;

 private:
  std::function<void(Config&)> adjust_;
  std::size_t window_slots_;
  bool has_priorities_;
  bool has_tiny_table_;
  bool has_tiny_batches_;
  bool is_hasty_;
  std::uint64_t priority_seed_;
};

}  // namespace paxos::sim::detail
