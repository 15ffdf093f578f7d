// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/testing/sample_messages.hpp>
#include <paxos/testing/transport_cases.hpp>
#include <paxos/testing/transport_world.hpp>
#include <paxos/transport/frame.hpp>

namespace paxos::testing {

/// What a slow peer, a dead one and a hostile stranger may cost.
template <TransportHarness H>
struct TransportBoundCases {
  static std::vector<ConformanceCase> all() {
    return {{"what waits for a peer that is down is bounded and costs nobody else", &peer_down},
            {"what waits for a peer that does not read is bounded and costs nobody else", &peer_not_reading},
            {"bulk messages do not delay the others", &bulk},
            {"malformed bytes are dropped and the node goes on", &malformed_bytes}};
  }

  /// Much more than may wait for one peer and than a kernel holds besides.
  struct Flood {
    explicit Flood(World<H>& all) : world(all) {
      world.config.peer_queue_bytes_max = std::max(2 * world.config.frame_bytes_max(), std::size_t{1} << 20);
      const std::size_t bytes = std::min(world.config.frame_bytes_max(), std::size_t{256} << 10);
      count = std::max(16 * world.config.peer_queue_bytes_max, std::size_t{64} << 20) / bytes;
      value = patterned(bytes - 100, 1);
    }
    [[nodiscard]] bool is_over() const { return sent == count; }
    void send_some() {
      for (int i = 0; i < 16 && !is_over(); ++i)
        world.at(1).send(NodeId{2}, Accept{{1, NodeId{1}}, Slot{++sent}, Slot{}, value});
      world.at(1).end_turn();
    }
    /// How much of it came through, whole.
    [[nodiscard]] std::size_t arrived() {
      std::size_t found = 0;
      for (const auto& [from, message] : world.at(2).messages) {
        const auto* accept = get_if<Accept>(&message);
        if (accept == nullptr) continue;
        ++found;
        REQUIRE(accept->value == value);
      }
      return found;
    }

    World<H>& world;
    std::size_t count = 0;
    std::size_t sent = 0;
    Bytes value;
  };

  static void peer_down() {
    World<H> world{3};
    Flood flood{world};
    world.start(1);
    world.start(3);
    REQUIRE(world.reaches(1, 3));
    while (!flood.is_over()) {
      flood.send_some();
      world.drive();
      if (flood.sent % 64 == 0) REQUIRE(world.reaches(1, 3));
    }
    world.start(2);
    CHECK(world.reaches(1, 2));
    CHECK(flood.arrived() < flood.count / 2);
  }

  static void peer_not_reading() {
    World<H> world{3};
    Flood flood{world};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    world.at(2).is_paused = true;
    while (!flood.is_over()) {
      flood.send_some();
      world.drive();
      if (flood.sent % 64 == 0) REQUIRE(world.reaches(1, 3));
    }
    world.settle();
    if (H::tells_drops) {
      REQUIRE_FALSE(world.at(1).dropped.empty());
      CHECK(std::ranges::count(world.at(1).dropped, NodeId{2}) == std::ssize(world.at(1).dropped));
    }
    world.at(2).is_paused = false;
    CHECK(world.reaches(1, 2));
    CHECK(flood.arrived() < flood.count / 2);
    CHECK(world.reaches(2, 1));
  }

  static void bulk() {
    if (!H::overtakes_bulk)
      SKIP("needs a transport where messages wait for a slow peer (TransportDuties::overtakes_bulk)");
    World<H> world{2};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    world.at(2).is_paused = true;
    const std::size_t bytes = std::min(world.config.frame_bytes_max() / 2, std::size_t{1} << 20);
    const Bytes value = patterned(bytes, 1);
    const std::size_t count = (std::size_t{64} << 20) / bytes;
    for (std::uint64_t slot = 1; slot <= count; ++slot) {
      world.at(1).send_now(NodeId{2}, CatchUpReply{Slot{slot}, Slot{slot}, {value}});
      world.drive();
    }
    world.at(1).send_now(NodeId{2}, ReadIndex{1});
    world.at(2).is_paused = false;
    const auto& heard = world.at(2).messages;
    const auto urgent = [&] {
      return std::ranges::find_if(heard, [](const auto& one) { return one.second == Message{ReadIndex{1}}; });
    };
    REQUIRE(world.run_until([&] { return urgent() != heard.end(); }));
    // Some of the bulk was on its way already; the rest was not, and comes later.
    CHECK(world.run_until([&] {
      return std::ranges::any_of(urgent(), heard.end(), is_bulk, [](const auto& one) { return one.second; });
    }));
  }

  static void malformed_bytes() {
    if constexpr (!InjectsBytes<H>) {
      SKIP("needs a harness that can send bytes of a stranger (inject)");
    } else {
      World<H> world{2};
      world.start_all();
      REQUIRE(world.all_reach_each_other());
      std::minstd_rand random{20240501};
      const auto byte = [&] { return static_cast<std::byte>(random() >> 8); };
      const std::string address = world.config.members.front().address;
      for (int i = 0; i < 2000; ++i) {
        Buffer noise(random() % 200);
        for (std::byte& one : noise) one = byte();
        if (i % 3 > 0) {
          // A frame of the library's that is in order but for what it carries, or for one byte.
          Buffer frame;
          append_frame(frame, static_cast<FrameKind>(1 + random() % 3), world.config.fingerprint(),
                       [&](Buffer& out) { out.insert(out.end(), noise.begin(), noise.end()); });
          if (i % 3 == 2) frame[random() % frame.size()] ^= byte();
          noise = std::move(frame);
        }
        world.harness.inject(address, noise);
        if (i % 16 == 0) world.drive();
      }
      REQUIRE(world.time_passes(1, 2));
      if (H::tells_strangers) CHECK(world.at(1).refused.size() + world.at(1).dropped.size() > 0);
      for (const auto& [from, message] : world.at(1).messages) CHECK(name_of(message) == "ReadIndex");
      CHECK(world.at(1).client_messages.empty());
    }
  }
};

}  // namespace paxos::testing
