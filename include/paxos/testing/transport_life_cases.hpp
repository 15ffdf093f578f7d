// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <catch2/catch_test_macros.hpp>

#include <paxos/testing/sample_messages.hpp>
#include <paxos/testing/transport_cases.hpp>
#include <paxos/testing/transport_world.hpp>

namespace paxos::testing {

/// Stopping and destroying at any moment, with one thread and with several. Most of what can be wrong here only a
/// sanitizer sees.
template <TransportHarness H>
struct TransportLifeCases {
  static std::vector<ConformanceCase> all() {
    return {{"any event may call stop() and nothing is told after it", &stop_in_an_event},
            {"any event may destroy it and nothing is told after it", &destroyed_in_an_event},
            {"it may be destroyed at any moment", &destroyed_at_any_moment},
            {"its context may go with what it left there", &context_goes},
            {"nodes stop and start at random moments under load", &storm},
            {"nodes on strands of several threads exchange messages", &threads, true}};
  }

  static void stop_in_an_event() {
    for (const std::string_view event : events_of_harness()) Ending{event}.run(&TestNode<H>::stop);
  }
  static void destroyed_in_an_event() {
    for (const std::string_view event : events_of_harness()) Ending{event}.run(&TestNode<H>::destroy);
  }

  /// Those that this transport and its harness can bring about.
  static std::vector<std::string_view> events_of_harness() {
    std::vector<std::string_view> found{"on_message", "on_peer_up", "on_peer_down"};
    if (H::bounds_messages || H::tells_drops) found.push_back("on_dropped");
    if (H::greets) found.insert(found.end(), {"on_refused", "on_outdated"});
    if (MakesClients<H>) found.insert(found.end(), {"on_client_message", "on_client_gone"});
    return found;
  }

  /// Node 2 of three ends inside of its first event of that name.
  struct Ending {
    explicit Ending(std::string_view its_event) : event(its_event) {
      world.config.peer_queue_bytes_max = 2 * world.config.frame_bytes_max();
    }

    void run(void (TestNode<H>::*end)()) {
      CAPTURE(event);
      world.start_all();
      if (event != "on_peer_up") REQUIRE(world.all_reach_each_other());
      if (event == "on_outdated") become_outdated();
      bool has_ended = false;
      world.at(2).on_any = [&](std::string_view told) {
        if (has_ended || told != event) return;
        has_ended = true;
        end_twice(end);
      };
      begin();
      REQUIRE(world.run_until([&] { return has_ended; }, [&] { provoke(); }));
      world.at(3).is_paused = false;
      if (event == "on_peer_down" || event == "on_refused") world.start(3);
      REQUIRE(world.time_passes(1, 3));
      CHECK_FALSE(world.at(1).has_heard(NodeId{2}, ReadIndex{1}));
      world.start(2);
      CHECK(world.reaches(1, 2));
    }

   private:
    void end_twice(void (TestNode<H>::*end)()) {
      TestNode<H>& node = world.at(2);
      for (int twice = 0; twice < 2; ++twice) {
        (node.*end)();
        if (!node.is_made()) continue;
        node.send_now(NodeId{1}, ReadIndex{1});
        node.send(ClientId{1}, ReadIndexReply{1, true, Slot{1}});
        node.end_turn();
      }
    }
    /// Its peers have met a newer life of it.
    void become_outdated() {
      world.start(2);
      REQUIRE(world.all_reach_each_other());
      world.start(world.config_of(2), first_life_of(NodeId{2}).next(23).next(24));
    }
    void begin() {
      if (event == "on_peer_down") world.destroy(3);
      if (event == "on_dropped") world.at(3).is_paused = true;
      if (event == "on_refused") {
        Config stranger = world.config_of(3);
        stranger.cluster = "other";
        world.start(stranger, first_life_of(NodeId{3}));
      }
    }
    void provoke() {
      for (std::uint64_t i = 0; i < 5; ++i) world.at(1).send_now(NodeId{2}, ReadIndex{i});
      if (event == "on_dropped") {
        world.at(2).send_now(NodeId{3}, message_of(world.config.frame_bytes_max() + 1, 1));
        for (int i = 0; i < 8; ++i) world.at(2).send_now(NodeId{3}, message_of(world.config.frame_bytes_max() / 2, 1));
      }
      if constexpr (MakesClients<H>)
        if (event.starts_with("on_client")) provoke_with_client();
    }
    void provoke_with_client() {
      TestNode<H>& node = world.at(2);
      if (!client && node.client_messages.empty())
        client = world.harness.connect_client(node.config, node.net().port());
      if (client) client->send(ReadIndex{6});
      if (event == "on_client_gone" && !node.client_messages.empty()) client.reset();
    }

    std::string_view event;
    World<H> world{3};
    std::unique_ptr<TestClient> client;
  };

  /// At each of the first moments of its life, with a message on its way and one that waits.
  static void run_handlers_and_leave(int handlers, bool is_drained) {
    World<H> world{2};
    world.is_drained_in_the_end = is_drained;
    world.start_all();
    for (int done = 0; done < handlers; ++done) {
      TestNode<H>& next = world.at(1 + static_cast<std::size_t>(done) % 2);
      next.io.restart();
      next.io.run_one_for(std::chrono::milliseconds{1});
      if (done % 4 == 0) world.at(1).send_now(NodeId{2}, ReadIndex{1});
      if (done % 4 == 2) world.at(1).send(NodeId{2}, message_of(20'000, 1));
    }
    if (handlers % 3 == 0) world.at(1).stop();
    world.destroy(1);
  }
  static void destroyed_at_any_moment() {
    for (int handlers = 0; handlers < 40; ++handlers) run_handlers_and_leave(handlers, true);
  }
  static void context_goes() {
    for (int handlers = 0; handlers < 40; ++handlers) run_handlers_and_leave(handlers, false);
  }

  static void storm() {
    World<H> world{3};
    std::minstd_rand random{7};
    const Message large = message_of(20'000, 1);
    const Bytes value = patterned(5'000, 1);
    // Each message is passed on to both others, until it has been passed on four times.
    const auto answer = [&](std::size_t node, std::string_view event) {
      if (event != "on_message") return;
      TestNode<H>& here = world.at(node);
      const Message message = std::move(here.messages.back().second);
      here.messages.clear();
      const auto* mark = get_if<ReadIndex>(&message);
      for (std::size_t to = 1; to <= 3 && mark != nullptr && mark->nonce < 4; ++to) {
        here.send(NodeId{to}, ReadIndex{mark->nonce + 1});
        if (mark->nonce == 3) here.send(NodeId{to}, large);
        if (mark->nonce == 2) here.send(NodeId{to}, CatchUpReply{Slot{1}, Slot{9}, {value}});
      }
      here.end_turn();
    };
    const auto start = [&](std::size_t node) {
      world.start(node).on_any = [&answer, node](std::string_view event) { answer(node, event); };
    };
    for (std::size_t node = 1; node <= 3; ++node) start(node);
    for (int round = 0; round < 100; ++round) {
      for (std::size_t from = 1; from <= 3; ++from)
        for (std::size_t to = 1; to <= 3; ++to)
          if (from != to) world.at(from).send_now(NodeId{to}, ReadIndex{0});
      for (std::uint64_t left = random() % 20; left > 0; --left) world.drive();
      const std::size_t victim = 1 + random() % 3;
      if (random() % 2 == 0) world.at(victim).stop();
      start(victim);
    }
    for (std::size_t node = 1; node <= 3; ++node) world.start(node);
    CHECK(world.all_reach_each_other());
  }

  /// One side of an exchange, on a strand: says a number again and again until the other side says it back.
  struct Side {
    using Strand = asio::strand<asio::io_context::executor_type>;
    using Net = typename H::Transport;

    Side(asio::io_context& io, std::uint64_t rounds_wanted, std::atomic<int>& sides_done)
        : strand(asio::make_strand(io)), timer(strand), rounds(rounds_wanted), done(sides_done) {}

    void start(const Config& config, NodeId peer, typename Net::Options options) {
      other = peer;
      TransportEvents events;
      events.on_message = [this](NodeId, Message&& message) { hear(message); };
      net = std::make_unique<Net>(strand, config, first_life_of(config.id), std::move(events), std::move(options));
      asio::post(strand, [this] {
        net->start();
        repeat();
      });
    }
    void stop() {
      asio::post(strand, [this] {
        timer.cancel();
        net.reset();
      });
    }

   private:
    void hear(const Message& message) {
      if (const auto* asked = get_if<ReadIndex>(&message)) {
        net->send(other, ReadIndexReply{asked->nonce, true, Slot{1}});
      } else if (const auto* answer = get_if<ReadIndexReply>(&message); answer && answer->nonce == round) {
        if (++round == rounds) ++done;
        net->send(other, ReadIndex{round});
      }
      net->end_turn();
    }
    void repeat() {
      net->send(other, ReadIndex{round});
      net->end_turn();
      timer.expires_after(std::chrono::milliseconds{20});
      timer.async_wait([this](const std::error_code& cancelled) {
        if (!cancelled && net) repeat();
      });
    }

    Strand strand;
    asio::steady_timer timer;
    std::unique_ptr<Net> net;
    NodeId other;
    std::uint64_t round = 0;
    std::uint64_t rounds;
    std::atomic<int>& done;
  };

  static void threads() {
    World<H> addresses{2};  // not started; its harness makes the options
    asio::io_context io;
    std::atomic<int> done{0};
    Side first{io, 500, done}, second{io, 500, done};
    auto work = asio::make_work_guard(io);
    first.start(addresses.config_of(1), NodeId{2}, addresses.harness.options());
    second.start(addresses.config_of(2), NodeId{1}, addresses.harness.options());
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { io.run(); });
    const auto deadline = std::chrono::steady_clock::now() + H::patience;
    while (done < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    first.stop();
    second.stop();
    work.reset();
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 2);
  }
};

}  // namespace paxos::testing
