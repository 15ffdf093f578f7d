// Copyright (c) the paxos authors. MIT licence.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <paxos/transport/tcp_transport.hpp>

#include "rig.hpp"
#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

Message large(std::uint64_t slot) { return Accept{{1, n1}, Slot{slot}, Slot{}, filled(std::size_t{1} << 20, 'v')}; }
Message large_bulk(std::uint64_t slot) {
  return CatchUpReply{Slot{slot}, Slot{9}, {filled(std::size_t{1} << 20, 'b')}};
}

}  // namespace

TEST_CASE("tcp: three nodes reach each other, and messages of every kind arrive in order", "[tcp]") {
  Cluster cluster{3};
  for (std::size_t node = 1; node <= 3; ++node) cluster.start(node);
  REQUIRE(is_connected(cluster));
  for (std::size_t node = 1; node <= 3; ++node) CHECK(cluster.heard_by(node).up.size() == 2);

  std::vector<Message> sent;
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (const Message& message : samples())
      if (!is_bulk(message)) sent.push_back(message);
    sent.push_back(ReadIndex{round});
  }
  sent.insert(sent.begin() + 100, large(1));
  for (std::size_t from = 1; from <= 3; ++from) {
    for (const Message& message : sent)
      for (std::size_t to = 1; to <= 3; ++to)
        if (from != to) cluster.node(from).send(NodeId{to}, message);
    cluster.node(from).end_turn();
  }
  REQUIRE(run_until(cluster.io, [&] {
    return std::ranges::all_of(cluster.heard, [&](const Heard& one) { return one.messages.size() == 2 * sent.size(); });
  }));
  for (std::size_t to = 1; to <= 3; ++to)
    for (std::size_t from = 1; from <= 3; ++from) {
      std::vector<Message> got;
      for (const auto& [sender, message] : cluster.heard_by(to).messages)
        if (sender == NodeId{from}) got.push_back(message);
      if (from != to) CHECK(got == sent);
    }
}

TEST_CASE("tcp: what is sent while a peer is being dialled waits for it", "[tcp]") {
  Cluster cluster{2};
  cluster.options.patience = std::chrono::minutes{1};
  cluster.start(1);
  cluster.send(1, 2, ReadIndex{7});
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(1).down.empty(); }));
  cluster.start(2);
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(2).messages.empty(); }));
  CHECK(cluster.heard_by(2).messages.front() == std::pair<NodeId, Message>{n1, ReadIndex{7}});
}

TEST_CASE("tcp: a peer that is down for long is sent nothing old when it returns", "[tcp]") {
  Cluster cluster{2};
  cluster.options.patience = Duration::zero();
  cluster.start(1);
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(1).down.empty(); }));
  cluster.send(1, 2, ReadIndex{7});
  CHECK(cluster.node(1).queued_bytes(n2) == 0);
  cluster.start(2);
  REQUIRE(gets_through(cluster, 1, 2));
  CHECK(cluster.heard_by(2).messages.front().second == Message{Nack{{99, n1}}});
}

TEST_CASE("tcp: an outage is told once, however often the peer is dialled in vain", "[tcp]") {
  Cluster cluster{2};
  cluster.options.backoff_min = cluster.options.backoff_max = std::chrono::milliseconds{1};
  cluster.start(1);
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(1).down.empty(); }));
  std::size_t handlers = 0;
  REQUIRE(run_until(cluster.io, [&] { return ++handlers > 50; }));
  CHECK(cluster.heard_by(1).down.size() == 1);
}

TEST_CASE("tcp: a second connection of the same peer replaces the first", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  const Greeter greeter{cluster.config_of(2), first_life_of(2)};
  RawPeer first{cluster.io, cluster.port(1)};
  first.listen();
  first.hello(greeter.hello_to(n1));
  REQUIRE(first.greeting().accepted);
  RawPeer second{cluster.io, cluster.port(1)};
  second.listen();
  second.hello(greeter.hello_to(n1));
  REQUIRE(second.greeting().accepted);
  CHECK(run_until(cluster.io, [&] { return first.is_closed; }));
  second.message(cluster.config.fingerprint(), ReadIndex{5});
  CHECK(run_until(cluster.io, [&] { return cluster.heard_by(1).messages.size() == 1; }));
  CHECK(!second.is_closed);
}

TEST_CASE("tcp: a peer that stops reading costs its own bounded queue, and drops are told", "[tcp]") {
  Cluster cluster{3};
  cluster.config.peer_queue_bytes_max = std::size_t{8} << 20;
  FakePeer stalled{cluster};
  cluster.start(1);
  cluster.start(3);
  stalled.greet();
  REQUIRE(run_until(cluster.io, [&] { return cluster.node(1).is_up(n2) && cluster.node(1).is_up(n3); }));
  std::uint64_t slot = 0;
  REQUIRE(run_until(cluster.io, [&] {
    cluster.send(1, 2, large(++slot));
    CHECK(cluster.node(1).queued_bytes(n2) <= cluster.config.peer_queue_bytes_max);
    return !cluster.heard_by(1).dropped.empty();
  }));
  CHECK(cluster.heard_by(1).dropped.front().first == n2);
  CHECK_THAT(cluster.heard_by(1).dropped.front().second, ContainsSubstring("its queue is full"));
  CHECK(gets_through(cluster, 1, 3));
  CHECK(cluster.node(1).is_up(n2));
}

TEST_CASE("tcp: bulk messages do not delay urgent ones", "[tcp]") {
  Cluster cluster{2};
  FakePeer slow{cluster};
  cluster.start(1);
  slow.greet();
  REQUIRE(run_until(cluster.io, [&] { return cluster.node(1).is_up(n2); }));
  constexpr std::uint64_t bulks = 12;
  for (std::uint64_t i = 0; i < bulks; ++i) cluster.send(1, 2, large_bulk(i + 1));
  settle(cluster.io);  // some of them fill the socket; the peer does not read yet
  cluster.send(1, 2, ReadIndex{1});
  slow.peer.listen();
  REQUIRE(run_until(cluster.io, [&] { return slow.peer.frames.size() == 1 + bulks + 1; }));
  std::size_t urgent_at = 0;
  for (std::size_t i = 1; i < slow.peer.frames.size(); ++i) {
    Message message;
    REQUIRE(decode_message(slow.peer.frames[i].second, message));
    if (!is_bulk(message)) urgent_at = i;
  }
  CHECK(urgent_at > 0);
  CHECK(urgent_at < bulks);  // not the last: it overtook
}

TEST_CASE("tcp: a client forwards commands, is answered, and its end is told once", "[tcp]") {
  Cluster cluster{1};
  cluster.start(1);
  RawPeer client{cluster.io, cluster.port(1)};
  client.listen();
  client.hello(client_hello());
  REQUIRE(client.greeting().accepted);
  const std::uint64_t fingerprint = cluster.config.fingerprint();
  const Message forward = Forward{{{{1, 2}, 3}, 3, Slot{8}, Bytes{"cmd"}}};
  client.message(fingerprint, forward);
  REQUIRE(run_until(cluster.io, [&] { return cluster.heard_by(1).client_messages.size() == 1; }));
  const auto& [id, message] = cluster.heard_by(1).client_messages.front();
  CHECK(message == forward);
  const Message answer = ForwardReply{{{1, 2}, 3}, 0, Slot{9}, filled(100'000, 'r')};
  cluster.node(1).send_to_client(id, answer);
  cluster.node(1).end_turn();
  REQUIRE(run_until(cluster.io, [&] { return client.frames.size() == 2; }));
  Message got;
  REQUIRE(decode_message(client.frames[1].second, got));
  CHECK(got == answer);
  SECTION("it leaves") { client.reset(); }
  SECTION("it sends what a client may not") { client.message(fingerprint, Nack{{1, n1}}); }
  SECTION("it sends a frame of another cluster") { client.message(fingerprint + 1, forward); }
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(1).gone.empty(); }));
  cluster.node(1).send_to_client(id, answer);
  cluster.node(1).end_turn();
  settle(cluster.io);
  CHECK(cluster.heard_by(1).gone == std::vector{id});
  CHECK(cluster.heard_by(1).client_messages.size() == 1);
}

TEST_CASE("tcp: a client that does not read its answers is closed", "[tcp]") {
  Cluster cluster{1};
  cluster.options.client_queue_bytes_max = std::size_t{4} << 20;
  cluster.start(1);
  RawPeer client{cluster.io, cluster.port(1)};
  client.hello(client_hello());
  client.message(cluster.config.fingerprint(), Forward{{{{1, 2}, 3}, 3, Slot{8}, Bytes{"cmd"}}});
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(1).client_messages.empty(); }));
  const ClientId id = cluster.heard_by(1).client_messages.front().first;
  REQUIRE(run_until(cluster.io, [&] {
    cluster.node(1).send_to_client(id, ForwardReply{{{1, 2}, 3}, 0, Slot{9}, filled(std::size_t{1} << 20, 'r')});
    cluster.node(1).end_turn();
    return !cluster.heard_by(1).gone.empty();
  }));
  CHECK(cluster.heard_by(1).gone == std::vector{id});
  CHECK(cluster.heard_by(1).has_refusal("its answers wait in vain"));
}

TEST_CASE("tcp: a port in use is named", "[tcp]") {
  Cluster cluster{1};
  cluster.start(1);
  const Config config = cluster.config_of(1);
  CHECK_THROWS_MATCHES((TcpTransport{cluster.io.get_executor(), config, StoreLife{}, {}}), std::system_error,
                       MessageMatches(ContainsSubstring("host 127.0.0.1, port " + std::to_string(cluster.port(1)))));
}

TEST_CASE("tcp: a peer's address must have a port that can be dialled", "[tcp]") {
  asio::io_context io;
  const Config config{.id = n1, .members = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:0"}}, .data_dir = "unused"};
  CHECK_THROWS_MATCHES((TcpTransport{io.get_executor(), config, StoreLife{}, {}}), ConfigError,
                       MessageMatches(ContainsSubstring("address of member 2") && ContainsSubstring("port 0")));
}

TEST_CASE("tcp: an option that breaks its rule is named, with the rule and a cure", "[tcp]") {
  const auto is_refused = [](auto TcpOptions::* field, auto value, const std::string& text) {
    Cluster cluster{1};
    cluster.options.*field = value;
    CHECK_THROWS_MATCHES(cluster.start(1), ConfigError, MessageMatches(ContainsSubstring("TcpOptions: " + text)));
  };
  is_refused(&TcpOptions::hello_timeout, Duration::zero(), "hello_timeout must be positive to a day");
  is_refused(&TcpOptions::connect_timeout, Duration::zero(), "connect_timeout must be positive");
  is_refused(&TcpOptions::backoff_min, Duration::zero(), "backoff_min must be positive");
  is_refused(&TcpOptions::backoff_max, Duration::max(), "backoff_max must be positive to a day");
  is_refused(&TcpOptions::backoff_max, Duration{1}, "backoff_max must be at least backoff_min");
  is_refused(&TcpOptions::refused_backoff_max, Duration::zero(), "refused_backoff_max must be positive");
  is_refused(&TcpOptions::patience, Duration{-1}, "patience must be 0 to a day");
  is_refused(&TcpOptions::ungreeted_max, std::size_t{0}, "ungreeted_max must be at least 1, or nobody can say hello");
  is_refused(&TcpOptions::client_queue_bytes_max, std::size_t{0}, "client_queue_bytes_max must be at least 4 KiB");
  Cluster cluster{1};
  cluster.options.patience = Duration::zero();
  CHECK_NOTHROW(cluster.start(1));
}

TEST_CASE("tcp: host names are looked up", "[tcp]") {
  Cluster cluster{2};
  for (Member& member : cluster.config.members) member.address.replace(0, 9, "localhost");
  cluster.start(1);
  cluster.start(2);
  CHECK(is_connected(cluster));
}

TEST_CASE("tcp: on strands of a context with several threads, messages arrive in order", "[tcp]") {
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
      if (get<ReadIndex>(message).nonce != side.received++) side.is_in_order = false;
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
