// Copyright (c) the paxos authors. MIT licence.
// Stopping and destroying at any moment, with one thread and with several.
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/transport/tcp_transport.hpp>

#include "rig.hpp"
#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// Every node answers every message with one to each other node, some of them large, some of them bulk.
struct Storm {
  explicit Storm(Cluster& all) : cluster(all) {}

  TransportEvents events(std::size_t node) {
    TransportEvents made;
    made.on_message = [this, node](NodeId, Message&&) {
      ++heard;
      if (cluster.transports[node - 1] == nullptr) return;
      for (std::size_t to = 1; to <= 3; ++to) {
        if (to == node) continue;
        Message message = ReadIndex{heard};
        if (heard % 7 == 0) message = Accept{{1, n1}, Slot{heard}, Slot{}, filled(50'000, 'v')};
        if (heard % 11 == 0) message = CatchUpReply{Slot{heard}, Slot{9}, {filled(50'000, 'b')}};
        if (heard % 2 == to % 2 || heard % 5 == 0) cluster.node(node).send(NodeId{to}, message);
      }
      cluster.node(node).end_turn();
    };
    return made;
  }
  void start(std::size_t node) {
    auto& place = cluster.transports[node - 1];
    place = std::make_unique<TcpTransport>(cluster.io.get_executor(), cluster.config_of(node), first_life_of(node),
                                           events(node), cluster.options);
    place->start();
  }
  void stir() {
    for (std::size_t from = 1; from <= 3; ++from)
      for (std::size_t to = 1; to <= 3; ++to)
        if (from != to && cluster.transports[from - 1])
          for (int i = 0; i < 20; ++i) cluster.send(from, to, ReadIndex{0});
  }

  Cluster& cluster;
  std::uint64_t heard = 0;
};

}  // namespace

TEST_CASE("tcp life: nodes stop and start at random moments under load", "[tcp][life]") {
  Cluster cluster{3};
  cluster.options.backoff_min = cluster.options.backoff_max = std::chrono::milliseconds{2};
  Storm storm{cluster};
  std::minstd_rand random{7};
  for (std::size_t node = 1; node <= 3; ++node) storm.start(node);
  for (int round = 0; round < 200; ++round) {
    storm.stir();
    const std::uint64_t handlers = random() % 60;
    cluster.io.restart();
    for (std::uint64_t i = 0; i < handlers; ++i) cluster.io.run_one_for(std::chrono::milliseconds{5});
    const std::size_t victim = 1 + random() % 3;
    if (random() % 2 == 0) cluster.node(victim).stop();
    cluster.stop(victim);
    storm.start(victim);
  }
  for (std::size_t node = 1; node <= 3; ++node) cluster.start(node);
  for (std::size_t from = 1; from <= 3; ++from)
    for (std::size_t to = 1; to <= 3; ++to)
      if (from != to) CHECK(run_until(cluster.io, [&, from, to] { return cluster.node(from).is_up(NodeId{to}); }));
}

TEST_CASE("tcp life: no event comes after stop(), which any event may call", "[tcp][life]") {
  for (int which = 0; which < 4; ++which) {
    Cluster cluster{2};
    cluster.start(1);
    std::unique_ptr<TcpTransport> node;
    int events_after_end = 0;
    bool has_ended = false;
    const auto end = [&](bool is_chosen) {
      if (has_ended) ++events_after_end;
      if (!is_chosen) return;
      has_ended = true;
      if (which % 2 == 0) node->stop();
      node.reset();
    };
    TransportEvents events;
    events.on_peer_up = [&](NodeId) { end(which < 2); };
    events.on_message = [&](NodeId, Message&&) { end(which >= 2); };
    events.on_peer_down = [&](NodeId, std::string_view) { end(false); };
    node = std::make_unique<TcpTransport>(cluster.io.get_executor(), cluster.config_of(2), first_life_of(2),
                                          std::move(events));
    node->start();
    CHECK(run_until(cluster.io, [&] {
      for (int i = 0; i < 5 && !has_ended; ++i) cluster.send(1, 2, ReadIndex{1});
      return has_ended;
    }));
    CHECK(run_until(cluster.io, [&] { return !cluster.node(1).is_up(n2); }));
    settle(cluster.io);
    CHECK(events_after_end == 0);
  }
}

TEST_CASE("tcp life: a context may be destroyed with work of a stopped transport left", "[tcp][life]") {
  for (int handlers = 0; handlers < 30; ++handlers) {
    Cluster cluster{2};
    cluster.start(1);
    cluster.start(2);
    cluster.send(1, 2, ReadIndex{1});
    cluster.io.restart();
    for (int i = 0; i < handlers; ++i) cluster.io.run_one_for(std::chrono::milliseconds{1});
    cluster.transports.clear();
  }
}

TEST_CASE("tcp life: on strands of a context with several threads, messages arrive in order", "[tcp][life]") {
  asio::io_context io;
  ReservedPort port1{io};
  ReservedPort port2{io};
  Config config{.id = n1, .members = {{1, port1.address()}, {2, port2.address()}}, .data_dir = "unused"};
  constexpr std::uint64_t count = 5000;
  struct Side {
    explicit Side(asio::io_context& context) : strand(asio::make_strand(context)) {}
    asio::strand<asio::io_context::executor_type> strand;
    std::unique_ptr<TcpTransport> transport;
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    bool is_in_order = true;
  };
  Side sides[2] = {Side{io}, Side{io}};
  std::atomic<int> finished{0};
  const auto send_some = [&](Side& side, NodeId other) {
    for (int i = 0; i < 50 && side.sent < count; ++i) side.transport->send(other, ReadIndex{side.sent++});
    side.transport->end_turn();
  };
  for (std::uint64_t i = 0; i < 2; ++i) {
    Side& side = sides[i];
    const NodeId other{2 - i};
    config.id = NodeId{i + 1};
    TransportEvents events;
    events.on_peer_up = [&, other](NodeId) { send_some(side, other); };
    events.on_message = [&, other](NodeId, Message&& message) {
      if (std::get<ReadIndex>(message).nonce != side.received++) side.is_in_order = false;
      if (side.received % 25 == 0) send_some(side, other);
      if (side.received == count) ++finished;
    };
    side.transport = std::make_unique<TcpTransport>(side.strand, config, first_life_of(i + 1), std::move(events));
    asio::post(side.strand, [&side] { side.transport->start(); });
  }
  auto work = asio::make_work_guard(io);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { io.run(); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (finished < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  for (Side& side : sides) asio::post(side.strand, [&side] { side.transport.reset(); });
  work.reset();
  for (std::thread& thread : threads) thread.join();
  for (const Side& side : sides) {
    CHECK(side.received == count);
    CHECK(side.is_in_order);
  }
}
