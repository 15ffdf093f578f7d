// Copyright (c) the paxos authors. MIT licence.
// What is UdpTransport's own: a raw socket at node 2's address says what a test wants.
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "examples/policies/udp_transport.hpp"
#include "policies/udp_port.hpp"

using namespace paxos;
using namespace examples;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

const StoreLife life_of_1{101, 1, {1}}, life_of_2{102, 1, {2}};

struct Rig {
  Rig() : peer(io, asio::ip::udp::v4()) {
    const auto address = [] { return "127.0.0.1:" + std::to_string(test::free_udp_port()); };
    config.members = {{1, address()}, {2, address()}};
    config.batch_bytes_max = config.command_bytes_max = config.promise_bytes_max = config.catch_up_bytes_max = 8192;
    peer.bind(place_of(1));
    peer.non_blocking(true);
    TransportEvents events;
    events.on_message = [this](NodeId from, Message&& message) { heard.emplace_back(from, std::move(message)); };
    events.on_dropped = [this](NodeId, std::string_view why) { dropped.emplace_back(why); };
    events.on_refused = [this](std::string_view why) { refused.emplace_back(why); };
    node = std::make_unique<UdpTransport>(io.get_executor(), config, life_of_1, std::move(events));
    node->start();
  }
  [[nodiscard]] udp::endpoint place_of(std::size_t member) const {
    return {asio::ip::address_v4::loopback(), parse_address(config.members[member].address, "address").port};
  }

  template <class Content>
  void say(FrameKind kind, const Content& content) {
    Buffer datagram;
    append_frame(datagram, kind, config.fingerprint(), [&](Buffer& out) { encode(out, content); });
    peer.send_to(asio::buffer(datagram), place_of(0));
  }
  void say(std::uint64_t with, const Message& message) {
    Buffer datagram;
    append_frame(datagram, FrameKind::message, config.fingerprint(), [&](Buffer& out) {
      encode(out, with);
      encode_message(out, message);
    });
    peer.send_to(asio::buffer(datagram), place_of(0));
  }
  [[nodiscard]] UdpGreeting greeting(const StoreLife& life) const {
    Config own = config;
    own.id = NodeId{2};
    return {Greeter{own, life}.hello_to(NodeId{1}), 77, std::string(1200, ' ')};
  }
  /// The size of the next answer to a greeting; its ticket is kept.
  [[nodiscard]] std::size_t answer() {
    std::size_t size = 0;
    run_until([&] {
      std::error_code error;
      Buffer bytes(65536);
      bytes.resize(peer.receive(asio::buffer(bytes), 0, error));
      UdpAnswer answer;
      if (error || bytes[6] != std::byte{2} || !decode(std::span<const std::byte>{bytes}.subspan(28), answer))
        return false;
      ticket = answer.ticket;
      size = bytes.size();
      return true;
    });
    return size;
  }
  bool run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io.restart();
      io.run_one_for(std::chrono::milliseconds{1});
    }
    return true;
  }

  asio::io_context io{1};
  Config config{.id = NodeId{1}, .members = {}, .data_dir = "unused"};
  udp::socket peer;
  std::vector<std::pair<NodeId, Message>> heard;
  std::vector<std::string> dropped, refused;
  std::uint64_t ticket = 0;
  std::unique_ptr<UdpTransport> node;
};

}  // namespace

TEST_CASE("udp: a message counts with the ticket that was given to the sender's newest life alone", "[udp]") {
  Rig rig;
  rig.say(FrameKind::hello, rig.greeting(life_of_2));
  REQUIRE(rig.answer() > 0);
  const std::uint64_t first = rig.ticket;
  REQUIRE(first != 0);
  rig.say(FrameKind::hello, rig.greeting(life_of_2));
  REQUIRE(rig.answer() > 0);
  CHECK(rig.ticket == first);
  rig.say(FrameKind::hello, rig.greeting(life_of_2.next(3)));
  REQUIRE(rig.answer() > 0);
  CHECK(rig.ticket != first);
  for (const std::uint64_t wrong : {std::uint64_t{0}, first, rig.ticket + 1}) rig.say(wrong, ReadIndex{wrong});
  rig.say(rig.ticket, ReadIndex{5});
  REQUIRE(rig.run_until([&] { return !rig.heard.empty(); }));
  CHECK(rig.heard == std::vector<std::pair<NodeId, Message>>{{NodeId{2}, ReadIndex{5}}});
}

TEST_CASE("udp: no answer is longer than the question, and a short question has none", "[udp]") {
  Rig rig;
  UdpGreeting greeting = rig.greeting({102, 64, std::vector<std::uint64_t>(64, 7)});
  SECTION("welcome") {}
  SECTION("refused") { greeting.hello.cluster = std::string(255, 'x'); }
  SECTION("short") {
    greeting.padding.clear();
    rig.say(FrameKind::hello, greeting);
    REQUIRE(rig.run_until([&] { return !rig.dropped.empty(); }));
    CHECK(rig.dropped.front() == "a malformed greeting");
    greeting.padding.resize(1200);
  }
  rig.say(FrameKind::hello, greeting);
  const std::size_t size = rig.answer();
  CHECK(size > 0);
  CHECK(size <= 1200);
  CHECK((rig.ticket == 0) == (greeting.hello.cluster != "paxos"));
}

TEST_CASE("udp: random bytes from a member's address leave a node serving", "[udp]") {
  Rig rig;
  std::minstd_rand random{20240501};
  const auto byte = [&] { return static_cast<std::byte>(random() >> 8); };
  Buffer greeting;
  append_frame(greeting, FrameKind::hello, rig.config.fingerprint(),
               [&](Buffer& out) { encode(out, rig.greeting(life_of_2)); });
  for (int i = 0; i < 2000; ++i) {
    Buffer noise(random() % 200);
    for (std::byte& one : noise) one = byte();
    Buffer datagram;
    if (i % 3 == 0) datagram = noise;
    if (i % 3 == 1)
      append_frame(datagram, static_cast<FrameKind>(1 + random() % 3), rig.config.fingerprint(),
                   [&](Buffer& out) { out.insert(out.end(), noise.begin(), noise.end()); });
    if (i % 3 == 2) {
      datagram = greeting;
      datagram[random() % datagram.size()] ^= std::byte{1};
      if (i % 2 == 0) datagram.resize(random() % datagram.size());
    }
    rig.peer.send_to(asio::buffer(datagram), rig.place_of(0));
    rig.io.restart();
    rig.io.poll();
  }
  CHECK(rig.dropped.size() > 0);
  CHECK(rig.dropped.size() < 200);  // told, and not each
  rig.say(FrameKind::hello, rig.greeting(life_of_2));
  REQUIRE(rig.answer() > 0);
  rig.say(rig.ticket, ReadIndex{5});
  REQUIRE(rig.run_until([&] { return !rig.heard.empty(); }));
  CHECK(rig.heard == std::vector<std::pair<NodeId, Message>>{{NodeId{2}, ReadIndex{5}}});
}

TEST_CASE("udp: who is no member is told of and not answered", "[udp]") {
  Rig rig;
  asio::ip::udp::socket stranger{rig.io, {asio::ip::address_v4::loopback(), 0}};
  std::swap(rig.peer, stranger);
  rig.say(FrameKind::hello, rig.greeting(life_of_2));
  REQUIRE(rig.run_until([&] { return !rig.refused.empty(); }));
  CHECK_THAT(rig.refused.front(), ContainsSubstring("who is no member"));
  CHECK(rig.peer.available() == 0);
}

TEST_CASE("udp: a message that fits no datagram, a name for an address and a port in use are named", "[udp]") {
  Rig rig;
  const auto make = [&] { UdpTransport{rig.io.get_executor(), rig.config, life_of_1, {}}; };
  CHECK_THROWS_MATCHES((UdpTransport{rig.io.get_executor(), rig.config, life_of_1, {}, {.silence_max = {}}}),
                       ConfigError,
                       MessageMatches(ContainsSubstring("greet_interval must be positive and below silence_max")));
  CHECK_THROWS_MATCHES(make(), std::system_error, MessageMatches(ContainsSubstring("node 1 cannot have port")));
  rig.config.batch_bytes_max = 1 << 20;
  CHECK_THROWS_MATCHES(make(), ConfigError,
                       MessageMatches(ContainsSubstring("must fit a datagram (65471 bytes)") &&
                                      ContainsSubstring("set batch_bytes_max")));
  rig.config.batch_bytes_max = 8192;
  rig.config.members[1].address = "localhost:7002";
  CHECK_THROWS_MATCHES(make(), ConfigError,
                       MessageMatches(ContainsSubstring("address of member 2") && ContainsSubstring("IP address")));
}
