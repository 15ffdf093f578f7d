// Copyright (c) the paxos authors. MIT licence.
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/transport/loopback_transport.hpp>

#include "rig.hpp"
#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

struct Rig {
  asio::io_context io{1};
  std::shared_ptr<LoopbackNetwork> network = std::make_shared<LoopbackNetwork>();
  Config config{.id = n1, .members = {{1, "a:1"}, {2, "b:1"}}, .data_dir = "unused"};
  std::vector<Heard> heard{2};
  std::vector<std::unique_ptr<LoopbackTransport>> nodes{2};

  Rig() {
    make(1);
    make(2);
  }
  void make(std::size_t node) {
    config.id = NodeId{node};
    nodes[node - 1] =
        std::make_unique<LoopbackTransport>(io.get_executor(), config, StoreLife{}, heard[node - 1].events(), network);
  }
  void start() {
    nodes[0]->start();
    nodes[1]->start();
    settle(io);
  }
};

}  // namespace

TEST_CASE("loopback: both sides learn that the other is up, and messages arrive in order", "[loopback]") {
  Rig rig;
  rig.start();
  CHECK(rig.heard[0].up == std::vector{n2});
  CHECK(rig.heard[1].up == std::vector{n1});
  std::vector<std::pair<NodeId, Message>> expected;
  for (const Message& message : samples()) {
    rig.nodes[0]->send(n2, message);
    expected.emplace_back(n1, message);
  }
  CHECK(rig.heard[1].messages.empty());
  settle(rig.io);
  CHECK(rig.heard[1].messages == expected);
  CHECK(rig.heard[0].messages.empty());
}

TEST_CASE("loopback: a cut works one way, on what is under way too, until it is healed", "[loopback]") {
  Rig rig;
  rig.start();
  rig.nodes[0]->send(n2, ReadIndex{1});
  rig.network->cut(n1, n2);
  rig.nodes[0]->send(n2, ReadIndex{2});
  rig.nodes[1]->send(n1, ReadIndex{3});
  settle(rig.io);
  CHECK(rig.heard[1].messages.empty());
  CHECK(rig.heard[0].messages == std::vector<std::pair<NodeId, Message>>{{n2, ReadIndex{3}}});
  rig.network->heal(n1, n2);
  rig.nodes[0]->send(n2, ReadIndex{4});
  settle(rig.io);
  CHECK(rig.heard[1].messages == std::vector<std::pair<NodeId, Message>>{{n1, ReadIndex{4}}});
}

TEST_CASE("loopback: what waits for one receiver is bounded, and a drop is told once it is left", "[loopback]") {
  Rig rig;
  rig.config.peer_queue_bytes_max = rig.config.frame_bytes_max();
  rig.make(2);
  rig.start();
  const Accept accept{{1, n1}, Slot{1}, Slot{}, filled(std::size_t{1} << 20, 'v')};
  for (int i = 0; i < 20; ++i) rig.nodes[0]->send(n2, accept);
  CHECK(rig.heard[0].dropped.empty());
  settle(rig.io);
  CHECK(rig.heard[0].dropped.size() == 1);
  CHECK(rig.heard[1].messages.size() == rig.config.frame_bytes_max() >> 20);
  rig.nodes[0]->send(n2, accept);
  settle(rig.io);
  CHECK(rig.heard[1].messages.size() == (rig.config.frame_bytes_max() >> 20) + 1);
}

TEST_CASE("loopback: a stopped node hears nothing more, its peers hear that it is gone, and its id is free",
          "[loopback]") {
  Rig rig;
  rig.start();
  rig.nodes[0]->send(n2, ReadIndex{1});
  rig.nodes[1]->stop();
  rig.nodes[0]->send(n2, ReadIndex{2});
  settle(rig.io);
  CHECK(rig.heard[1].messages.empty());
  CHECK(rig.heard[0].down == std::vector<std::pair<NodeId, std::string>>{{n2, "stopped"}});
  rig.make(2);
  rig.nodes[1]->start();
  rig.nodes[0]->send(n2, ReadIndex{3});
  settle(rig.io);
  CHECK(rig.heard[1].messages == std::vector<std::pair<NodeId, Message>>{{n1, ReadIndex{3}}});
}

TEST_CASE("loopback: a second node of the same id is an error, one of another cluster is not seen", "[loopback]") {
  Rig rig;
  rig.config.cluster = "other";
  rig.make(2);
  rig.start();
  rig.nodes[0]->send(n2, ReadIndex{1});
  settle(rig.io);
  CHECK(rig.heard[1].messages.empty());
  CHECK(rig.heard[0].up.empty());
  rig.config.cluster = "paxos";
  rig.config.id = n1;
  LoopbackTransport twin{rig.io.get_executor(), rig.config, StoreLife{}, {}, rig.network};
  CHECK_THROWS_AS(twin.start(), InvariantViolation);
}

TEST_CASE("loopback: nodes on threads of their own exchange messages in order", "[loopback]") {
  auto network = std::make_shared<LoopbackNetwork>();
  constexpr std::uint64_t rounds = 2000;
  asio::io_context contexts[2];
  std::vector<std::unique_ptr<LoopbackTransport>> nodes{2};
  std::uint64_t received[2] = {0, 0};
  bool in_order = true;
  for (std::size_t i = 0; i < 2; ++i) {
    const NodeId other{2 - i};
    Config config{.id = NodeId{i + 1}, .members = {{1, "a:1"}, {2, "b:1"}}, .data_dir = "unused"};
    TransportEvents events;
    events.on_message = [&, i, other](NodeId, Message&& message) {
      const std::uint64_t nonce = get<ReadIndex>(message).nonce;
      if (nonce != received[i]++) in_order = false;
      nodes[i]->send(other, ReadIndex{i == 0 ? nonce + 1 : nonce});
      if (received[i] >= rounds) {
        nodes[i]->stop();
        contexts[i].stop();
      }
    };
    nodes[i] = std::make_unique<LoopbackTransport>(contexts[i].get_executor(), config, StoreLife{}, std::move(events),
                                                   network);
  }
  nodes[0]->start();
  nodes[1]->start();
  nodes[0]->send(n2, ReadIndex{0});
  const auto work0 = asio::make_work_guard(contexts[0]);
  const auto work1 = asio::make_work_guard(contexts[1]);
  std::thread second{[&] { contexts[1].run_for(std::chrono::seconds{30}); }};
  contexts[0].run_for(std::chrono::seconds{30});
  second.join();
  CHECK(received[0] == rounds);
  CHECK(received[1] == rounds);
  CHECK(in_order);
}
