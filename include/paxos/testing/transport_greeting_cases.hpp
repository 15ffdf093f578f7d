// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/testing/sample_messages.hpp>
#include <paxos/testing/transport_cases.hpp>
#include <paxos/testing/transport_world.hpp>

namespace paxos::testing {

/// Who is let in: members on the newest life of their disk, and remote clients.
template <TransportHarness H>
struct TransportGreetingCases {
  static std::vector<ConformanceCase> all() {
    return {{"who is refused by refusal_of_peer is not heard", &judge_is_obeyed},
            {"what refusal_of_peer throws refuses the peer", &judge_that_throws},
            {"of another cluster nothing is heard", &another_cluster},
            {"a member on another data directory is refused and the old one is not", &wiped_disk},
            {"a member on an older copy of its disk is told to stop and the newest is let in", &outdated_disk},
            {"a client's requests arrive and so do the answers", &client},
            {"a client's end is told once and is the last word on it", &client_leaves},
            {"no more clients are served than may be", &clients_max}};
  }

  static void judge_is_obeyed() {
    expect_refused([](const StoreLife&) { return Refusal{"not today"}; });
  }
  static void judge_that_throws() {
    expect_refused([](const StoreLife&) -> Refusal { throw std::runtime_error("not today"); });
  }

  static void another_cluster() {
    World<H> world{3};
    world.start(1);
    world.start(3);
    Config stranger = world.config_of(2);
    stranger.cluster = "other";
    world.start(stranger, first_life_of(NodeId{2}));
    const auto talk = [&] {
      world.at(1).send_now(NodeId{2}, ReadIndex{1});
      world.at(2).send_now(NodeId{1}, ReadIndex{1});
    };
    if (H::greets)
      CHECK(world.run_until([&] { return !world.at(1).refused.empty() && !world.at(2).refused.empty(); }, talk));
    talk();
    REQUIRE(world.time_passes(1, 3));
    CHECK(world.at(1).count_from(NodeId{2}) == 0);
    CHECK(world.at(2).messages.empty());
    CHECK_FALSE(world.at(1).is_up(NodeId{2}));
    CHECK(world.at(2).ups.empty());
    world.start(2);
    CHECK(world.all_reach_each_other());
  }

  static void wiped_disk() {
    skip_unless_it_greets();
    World<H> world{2};
    const StoreLife wiped{first_life_of(NodeId{2}).incarnation + 50, 1, {1}};
    world.start(1);
    world.start(world.config_of(2), first_life_of(NodeId{2}));
    REQUIRE(world.all_reach_each_other());
    const std::size_t heard = world.at(1).count_from(NodeId{2});
    TestNode<H>& stranger = world.start(world.config_of(2), wiped);
    CHECK(world.run_until([&] { return !world.at(1).refused.empty() && !stranger.refused.empty(); },
                          [&] { stranger.send_now(NodeId{1}, ReadIndex{1}); }));
    CHECK(stranger.ups.empty());
    CHECK(stranger.outdated.empty());
    CHECK(world.at(1).count_from(NodeId{2}) == heard);
    world.start(world.config_of(2), first_life_of(NodeId{2}).next(7));
    CHECK(world.all_reach_each_other());
  }

  static void outdated_disk() {
    skip_unless_it_greets();
    World<H> world{2};
    const StoreLife second = first_life_of(NodeId{2}).next(22), copy = first_life_of(NodeId{2}).next(23).next(24);
    world.start(1);
    world.start(world.config_of(2), second);
    REQUIRE(world.all_reach_each_other());
    const std::size_t heard = world.at(1).count_from(NodeId{2});
    TestNode<H>& outdated = world.start(world.config_of(2), copy);
    CHECK(world.run_until([&] { return !outdated.outdated.empty() && !world.at(1).refused.empty(); },
                          [&] { outdated.send_now(NodeId{1}, ReadIndex{1}); }));
    CHECK(outdated.ups.empty());
    CHECK(outdated.messages.empty());
    CHECK(world.at(1).outdated.empty());
    CHECK(world.at(1).count_from(NodeId{2}) == heard);
    world.start(world.config_of(2), second.next(25));
    CHECK(world.all_reach_each_other());
  }

  static void client() {
    if constexpr (!MakesClients<H>) {
      SKIP("needs a harness that makes clients (connect_client)");
    } else {
      World<H> world{1};
      TestNode<H>& node = world.start(1);
      const auto client = world.harness.connect_client(node.config, node.net().port());
      const Message forward = Forward{{{{1, 2}, 3}, 3, Slot{8}, Bytes{"cmd"}}};
      for (const Message& request : {forward, Message{ReadIndex{6}}}) {
        REQUIRE(world.run_until([&] { return !node.client_messages.empty(); }, [&] { client->send(request); }));
        CHECK(node.client_messages.front().second == request);
        const ClientId id = node.client_messages.front().first;
        const Message answer = ForwardReply{{{1, 2}, 3}, 0, Slot{9}, patterned(10'000, 1)};
        client->heard.clear();
        REQUIRE(world.run_until([&] { return !client->heard.empty(); },
                                [&] {
                                  node.send(id, answer);
                                  node.end_turn();
                                }));
        CHECK(client->heard.front() == answer);
        node.client_messages.clear();
      }
      CHECK(node.messages.empty());
    }
  }

  static void client_leaves() {
    if constexpr (!MakesClients<H>) {
      SKIP("needs a harness that makes clients (connect_client)");
    } else {
      World<H> world{1};
      TestNode<H>& node = world.start(1);
      for (const bool is_expelled : {false, true}) {
        auto client = world.harness.connect_client(node.config, node.net().port());
        node.client_messages.clear();
        node.gone.clear();
        REQUIRE(world.run_until([&] { return !node.client_messages.empty(); }, [&] { client->send(ReadIndex{6}); }));
        const ClientId id = node.client_messages.back().first;
        if (is_expelled) {
          client->send(Nack{{1, NodeId{1}}});  // what a client may not say
          CHECK(world.run_until([&] { return client->is_refused || !node.gone.empty(); }));
        }
        client.reset();
        REQUIRE(world.run_until([&] { return !node.gone.empty(); }));
        node.send(id, ReadIndexReply{6, true, Slot{1}});
        node.end_turn();
        world.settle();
        CHECK(node.gone == std::vector{id});
        for (const auto& [from, message] : node.client_messages) CHECK(message == Message{ReadIndex{6}});
      }
    }
  }

  static void clients_max() {
    if constexpr (!LimitsClients<H>) {
      SKIP("needs a harness that can limit the clients of a node (limit_clients)");
    } else {
      World<H> world{1};
      world.options = world.harness.options();
      world.harness.limit_clients(*world.options, 2);
      TestNode<H>& node = world.start(1);
      std::vector<std::unique_ptr<TestClient>> clients;
      for (std::uint64_t i = 1; i <= 3; ++i) {
        clients.push_back(world.harness.connect_client(node.config, node.net().port()));
        const auto is_heard = [&] {
          return std::ranges::any_of(node.client_messages,
                                     [&](const auto& one) { return one.second == Message{ReadIndex{i}}; });
        };
        CHECK(world.run_until([&] { return is_heard() || clients.back()->is_refused; },
                              [&] { clients.back()->send(ReadIndex{i}); }));
        CHECK(is_heard() == (i <= 2));
      }
      clients.erase(clients.begin());
      REQUIRE(world.run_until([&] { return !node.gone.empty(); }));
      const auto next = world.harness.connect_client(node.config, node.net().port());
      node.client_messages.clear();
      CHECK(world.run_until([&] { return !node.client_messages.empty(); }, [&] { next->send(ReadIndex{4}); }));
    }
  }

 private:
  static void skip_unless_it_greets() {
    if (!H::greets) SKIP("needs a transport that greets its peers (TransportDuties::greets)");
  }

  /// Node 1 refuses node 2 so, until it changes its mind.
  static void expect_refused(Refusal (*refuse)(const StoreLife&)) {
    skip_unless_it_greets();
    World<H> world{3};
    bool is_welcome = false;
    StoreLife told;
    const auto judge = [&](NodeId peer, const StoreLife& life) {
      if (peer == NodeId{3} || is_welcome) return Refusal{};
      told = life;
      return refuse(life);
    };
    world.start(world.config_of(1), first_life_of(NodeId{1}), judge);
    world.start(2);
    world.start(3);
    const auto talk = [&] {
      world.at(1).send_now(NodeId{2}, ReadIndex{1});
      world.at(2).send_now(NodeId{1}, ReadIndex{1});
    };
    CHECK(world.run_until(
        [&] { return world.at(1).questions > 0 && !world.at(1).refused.empty() && !world.at(2).refused.empty(); },
        talk));
    talk();
    REQUIRE(world.time_passes(1, 3));
    CHECK(told == first_life_of(NodeId{2}));
    CHECK(world.at(1).count_from(NodeId{2}) == 0);
    CHECK_FALSE(world.at(1).is_up(NodeId{2}));
    CHECK(world.at(2).outdated.empty());
    is_welcome = true;
    CHECK(world.all_reach_each_other());
  }
};

}  // namespace paxos::testing
