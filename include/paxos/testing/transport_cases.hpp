// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/testing/sample_messages.hpp>
#include <paxos/testing/transport_world.hpp>

namespace paxos::testing {

/// A test case of a suite: what it shows, and how.
struct ConformanceCase {
  std::string_view title;
  void (*run)();
  bool has_threads = false;  ///< worth a run under the thread sanitizer
};

/// What every transport does while nothing is wrong.
template <TransportHarness H>
struct TransportCases {
  static std::vector<ConformanceCase> all() {
    return {{"before start() nothing is told and no peer is answered", &before_start},
            {"a message of every kind arrives as it was sent and from whom it says", &every_kind},
            {"the largest message arrives as it was sent", &largest},
            {"a message above the largest is dropped and told", &above_the_largest},
            {"what was sent in a turn leaves when the turn ends", &end_of_turn},
            {"nothing leaves before the turn ends", &not_before_end_of_turn},
            {"an unknown receiver is ignored", &unknown_receiver},
            {"no call of the node's tells anything from inside", &no_call_back},
            {"a peer is told up and down in turns and reached again after a restart", &restarts}};
  }

  static void before_start() {
    World<H> world{3};
    TestNode<H>& late = world.make(world.config_of(1), first_life_of(NodeId{1}));
    world.start(2);
    world.start(3);
    REQUIRE(world.time_passes(2, 3));
    CHECK(late.has_told_nothing());
    CHECK_FALSE(world.at(2).is_up(NodeId{1}));
    CHECK(world.at(2).count_from(NodeId{1}) == 0);
    late.start();
    CHECK(world.all_reach_each_other());
  }

  static void every_kind() {
    World<H> world{3};
    world.start_all();
    using Way = std::tuple<std::size_t, std::size_t, std::size_t>;  // from, to, kind
    std::set<Way> missing;
    for (std::size_t from = 1; from <= 3; ++from)
      for (std::size_t to = 1; to <= 3; ++to)
        for (std::size_t kind = 0; kind < Message::alternatives && from != to; ++kind) missing.insert({from, to, kind});
    const auto sample = [](std::size_t from, std::size_t kind) { return sample_messages(NodeId{from})[kind]; };
    const bool is_complete = world.run_until(
        [&] {
          std::erase_if(missing, [&](const Way& way) {
            const auto& [from, to, kind] = way;
            return world.at(to).has_heard(NodeId{from}, sample(from, kind));
          });
          return missing.empty();
        },
        [&] {
          for (const auto& [from, to, kind] : missing) world.at(from).send(NodeId{to}, sample(from, kind));
          for (std::size_t node = 1; node <= 3; ++node) world.at(node).end_turn();
        });
    if (!is_complete) {
      const auto& [from, to, kind] = *missing.begin();
      CAPTURE(from, to, message_names[kind]);
      FAIL("a message never arrived as it was sent");
    }
    for (std::size_t node = 1; node <= 3; ++node)
      for (const auto& [from, message] : world.at(node).messages) {
        CAPTURE(node, from.value(), name_of(message));
        REQUIRE(message == sample(from.value(), message.index()));
      }
  }

  static void largest() {
    World<H> world{2};
    world.start_all();
    for (std::uint64_t slot = 1; slot <= 3; ++slot) {
      const Message message = message_of(world.config.frame_bytes_max(), slot);
      REQUIRE(world.run_until([&] { return world.at(2).count_from(NodeId{1}) > 0; },
                              [&] { world.at(1).send_now(NodeId{2}, message); }));
      REQUIRE(world.reaches(1, 2));
      for (const auto& [from, heard] : world.at(2).messages)
        REQUIRE((heard == message || holds_alternative<ReadIndex>(heard)));
      world.at(2).messages.clear();
    }
  }

  static void above_the_largest() {
    if (!H::bounds_messages) SKIP("needs a transport that bounds messages (TransportDuties::bounds_messages)");
    World<H> world{2};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    const Message message = message_of(world.config.frame_bytes_max() + 1, 1);
    CHECK(world.run_until([&] { return world.at(1).dropped == std::vector{NodeId{2}}; },
                          [&, has_sent = false]() mutable {
                            if (!std::exchange(has_sent, true)) world.at(1).send_now(NodeId{2}, message);
                          }));
    REQUIRE(world.time_passes(1, 2));
    CHECK_FALSE(world.at(2).has_heard(NodeId{1}, message));
    CHECK(world.at(1).is_up(NodeId{2}));
  }

  static void end_of_turn() {
    World<H> world{2};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    constexpr std::uint64_t count = 50;
    const auto have_arrived = [&] {
      std::set<std::uint64_t> nonces;
      for (const auto& [from, message] : world.at(2).messages) nonces.insert(get<ReadIndex>(message).nonce);
      for (std::uint64_t nonce = 1; nonce <= count; ++nonce)
        if (!nonces.contains(nonce)) return false;
      return true;
    };
    CHECK(world.run_until(have_arrived, [&] {
      for (std::uint64_t nonce = 1; nonce <= count; ++nonce) world.at(1).send(NodeId{2}, ReadIndex{nonce});
      world.at(1).end_turn();
    }));
  }

  static void not_before_end_of_turn() {
    if (!H::holds_until_end_of_turn)
      SKIP("needs a transport that lets go with end_turn() (TransportDuties::holds_until_end_of_turn)");
    World<H> world{3};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    world.at(1).send(NodeId{2}, ReadIndex{1});
    REQUIRE(world.time_passes(2, 3));
    CHECK_FALSE(world.at(2).has_heard(NodeId{1}, ReadIndex{1}));
    world.at(1).end_turn();
    CHECK(world.run_until([&] { return world.at(2).has_heard(NodeId{1}, ReadIndex{1}); },
                          [&, repeats = 0]() mutable {
                            if (repeats++ > 0) world.at(1).send_now(NodeId{2}, ReadIndex{1});
                          }));
  }

  static void unknown_receiver() {
    World<H> world{2};
    world.start_all();
    for (const NodeId nobody : {NodeId{77}, NodeId{}}) world.at(1).send_now(nobody, ReadIndex{1});
    world.at(1).send(ClientId{5}, ReadIndexReply{1, true, Slot{1}});
    world.at(1).end_turn();
    REQUIRE(world.time_passes(1, 2));
    CHECK_FALSE(world.at(2).has_heard(NodeId{1}, ReadIndex{1}));
    CHECK(world.at(1).dropped.empty());
  }

  /// The world sees to it that nothing was told from inside.
  static void no_call_back() {
    World<H> world{3};
    world.config.peer_queue_bytes_max = 2 * world.config.frame_bytes_max();
    world.start(1);
    world.start(2);
    REQUIRE(world.reaches(1, 2));
    world.at(2).is_paused = true;
    const Message large = message_of(world.config.frame_bytes_max() / 2, 1);
    const Message too_large = message_of(world.config.frame_bytes_max() + 1, 1);
    for (int round = 0; round < 16; ++round) {
      for (const NodeId peer : {NodeId{2}, NodeId{3}, NodeId{77}})
        for (const Message& message : {large, too_large, sample_messages(NodeId{1})[12]})
          world.at(1).send(peer, message);
      if (round % 2 == 0) world.at(1).end_turn();
    }
    world.at(1).send(ClientId{5}, ReadIndexReply{1, true, Slot{1}});
    world.at(2).is_paused = false;
    CHECK(world.reaches(1, 2));
    world.at(1).stop();
  }

  static void restarts() {
    World<H> world{2};
    world.start_all();
    REQUIRE(world.all_reach_each_other());
    for (std::size_t restart = 1; restart <= 3; ++restart) {
      CHECK(world.at(1).is_up(NodeId{2}));
      world.at(2).stop();
      REQUIRE(world.run_until([&] { return world.at(1).downs.size() >= restart; }));
      world.start(2);
      CHECK(world.all_reach_each_other());
      CHECK(world.run_until([&] { return world.at(1).is_up(NodeId{2}) && world.at(2).is_up(NodeId{1}); }));
      CHECK(world.at(1).ups.size() > restart);
    }
    CHECK(world.at(1).refused.empty());
  }
};

}  // namespace paxos::testing
