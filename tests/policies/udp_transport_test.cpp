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
    events.on_peer_up = [this](NodeId) { ++ups; };
    events.on_peer_down = [this](NodeId, std::string_view) { ++downs; };
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
  [[nodiscard]] Hello hello(const StoreLife& life) const {
    Config own = config;
    own.id = NodeId{2};
    return Greeter{own, life}.hello_to(NodeId{1});
  }
  [[nodiscard]] UdpGreeting greeting(const StoreLife& life) const { return greeting(hello(life)); }
  [[nodiscard]] static UdpGreeting greeting(const Hello& hello) { return {encoded(hello), 77, std::string(1200, ' ')}; }
  [[nodiscard]] static UdpAnswer welcome(const StoreLife& life, std::uint64_t question, std::uint64_t ticket) {
    return {encoded(HelloReply{true, {}, NodeId{2}, life}), question, ticket};
  }
  /// As a later release might say it.
  [[nodiscard]] static Bytes lengthened(const Bytes& handshake) {
    Buffer bytes{handshake.span().begin(), handshake.span().end()};
    bytes.resize(bytes.size() + 9, std::byte{5});
    return Bytes{bytes};
  }
  /// The node's next question that it has not asked before.
  [[nodiscard]] std::uint64_t question() {
    const std::uint64_t before = asked;
    REQUIRE(run_until([&] {
      UdpGreeting greeting;
      if (read(FrameKind::hello, greeting) > 0) asked = greeting.question;
      return asked != before;
    }));
    return asked;
  }
  /// What the next message to node 2 carries.
  [[nodiscard]] std::uint64_t ticket_in_use() {
    std::uint64_t used = 0;
    node->send(NodeId{2}, ReadIndex{1});
    node->end_turn();
    REQUIRE(run_until([&] { return read(FrameKind::message, used) > 0; }));
    return used;
  }
  /// The size of the next answer to a greeting; its ticket is kept.
  [[nodiscard]] std::size_t answer() {
    std::size_t size = 0;
    run_until([&] {
      UdpAnswer answer;
      size = read(FrameKind::hello_reply, answer);
      ticket = answer.ticket;
      return size > 0;
    });
    return size;
  }
  /// The size of the next datagram, which begins with that; 0 when there is none or it is of another kind.
  template <class Content>
  [[nodiscard]] std::size_t read(FrameKind kind, Content& content) {
    std::error_code error;
    Buffer bytes(65536);
    bytes.resize(peer.receive(asio::buffer(bytes), 0, error));
    if (error || bytes[6] != static_cast<std::byte>(kind)) return 0;
    Decoder decoder{std::span<const std::byte>{bytes}.subspan(frame_header_bytes)};
    decoder(content);
    return decoder.ok() ? bytes.size() : 0;
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
  std::uint64_t asked = 0;
  int ups = 0, downs = 0;
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

TEST_CASE("udp: a late answer of an earlier life, or of an earlier ticket, changes nothing", "[udp]") {
  Rig rig;
  const StoreLife second = life_of_2.next(3);
  const std::uint64_t first_question = rig.question();
  rig.say(FrameKind::hello_reply, Rig::welcome(life_of_2, first_question, 7));
  REQUIRE(rig.run_until([&] { return rig.ups == 1; }));
  CHECK(rig.ticket_in_use() == 7);
  const std::uint64_t second_question = rig.question();
  CHECK(second_question != first_question);
  rig.say(FrameKind::hello_reply, Rig::welcome(second, second_question, 8));
  REQUIRE(rig.run_until([&] { return rig.ticket_in_use() == 8; }));
  for (const std::uint64_t late : {first_question, second_question}) {
    rig.say(FrameKind::hello_reply, Rig::welcome(life_of_2, late, 7));
    rig.say(FrameKind::hello_reply, Rig::welcome(second, late, 6));
  }
  rig.say(FrameKind::hello, rig.greeting(second));
  REQUIRE(rig.answer() > 0);  // it has read all of that
  CHECK(rig.ticket_in_use() == 8);
  CHECK(rig.ups == 1);
  CHECK(rig.downs == 0);
  CHECK(rig.refused.empty());
}

TEST_CASE("udp: fields that a later release appends to a hello or to its answer are passed over", "[udp]") {
  Rig rig;
  UdpAnswer answer = Rig::welcome(life_of_2, rig.question(), 7);
  answer.reply = Rig::lengthened(answer.reply);
  rig.say(FrameKind::hello_reply, answer);
  CHECK(rig.run_until([&] { return rig.ups == 1; }));
  UdpGreeting greeting = rig.greeting(life_of_2);
  greeting.hello = Rig::lengthened(greeting.hello);
  rig.say(FrameKind::hello, greeting);
  CHECK(rig.answer() > 0);
  CHECK(rig.ticket != 0);
  CHECK(rig.dropped.empty());
}

TEST_CASE("udp: no answer is longer than the question, and a short question has none", "[udp]") {
  Rig rig;
  Hello hello = rig.hello({102, 64, std::vector<std::uint64_t>(64, 7)});
  SECTION("welcome") {}
  SECTION("refused") { hello.cluster = std::string(255, 'x'); }
  SECTION("short") {
    UdpGreeting greeting = Rig::greeting(hello);
    greeting.padding.clear();
    rig.say(FrameKind::hello, greeting);
    REQUIRE(rig.run_until([&] { return !rig.dropped.empty(); }));
    CHECK(rig.dropped.front() == "a malformed greeting");
  }
  rig.say(FrameKind::hello, Rig::greeting(hello));
  const std::size_t size = rig.answer();
  CHECK(size > 0);
  CHECK(size <= 1200);
  CHECK((rig.ticket == 0) == (hello.cluster != "paxos"));
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
