// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>
#include <paxos/core/command.hpp>
#include <paxos/transport/frame.hpp>
#include <paxos/transport/hello.hpp>

#include "cluster.hpp"

using namespace examples;
using namespace std::chrono_literals;

namespace {

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random() & 0xff);
  return bytes;
}

std::string text_of(const paxos::Buffer& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// A frame with a right header around anything.
std::string frame(paxos::FrameKind kind, std::uint64_t fingerprint, std::string_view payload) {
  paxos::Buffer out;
  paxos::append_frame(out, kind, fingerprint, [&](paxos::Buffer& buffer) {
    const auto bytes = std::as_bytes(std::span{payload});
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  });
  return text_of(out);
}

/// The servers are up, have a leader, and hold the one tweet that was there before, and that alone.
void check_unharmed(Cluster& cluster) {
  for (std::size_t site = 1; site <= cluster.size(); ++site) {
    INFO(cluster.log_of(site));
    REQUIRE(cluster.server(site).is_running());
    REQUIRE(eventually(30s, [&] { return cluster.ask(site, {{"head", "log"}})["stat"] == 200; }));
    const Json log = cluster.ask(site, {{"head", "log"}});
    REQUIRE(log["body"].size() == 1);
    CHECK(log["body"][0]["body"] == "before");
    CHECK(cluster.log_line(site) == cluster.log_line(1));
  }
  CHECK(cluster.ask(2, {{"head", "tweet"}, {"body", "after"}})["stat"] == 200);
  CHECK(cluster.ask(1, {{"head", "view"}})["body"].size() == 2);
}

void start_with_one_tweet(Cluster& cluster) {
  cluster.start_all();
  static_cast<void>(cluster.leader());
  REQUIRE(cluster.ask(1, {{"head", "tweet"}, {"body", "before"}})["stat"] == 200);
}

}  // namespace

TEST_CASE("10,000 random lines to a client port leave the servers up and correct", "[hostile]") {
  Cluster cluster;
  start_with_one_tweet(cluster);
  std::mt19937 random{20260301};
  const std::string good = R"({"head":"view","user":"dave","id":"phone:7"})";
  auto socket = std::make_unique<Socket>(cluster.client_port(1));
  int answered = 0;
  int refused = 0;
  for (int i = 0; i < 10000; ++i) {
    std::string line = random_bytes(random, 1 + random() % 300);
    if (i % 3 == 1) {
      line = good;
      for (int flips = 0; flips < 3; ++flips) line[random() % line.size()] = static_cast<char>(random() & 0xff);
    }
    if (i % 3 == 2) line = std::string(random() % 2000, "[{\"'\\:,0"[random() % 9]);
    for (char& c : line) {
      if (c == '\n' || c == '\0') c = ' ';
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) line += '?';
    const auto reply = socket->ask(line);
    if (!reply) {
      socket = std::make_unique<Socket>(cluster.client_port(1));
      continue;
    }
    ++answered;
    const Json parsed = Json::parse(*reply);
    refused += parsed["stat"] == 400 || parsed["stat"] == 404;
  }
  CHECK(answered == 10000);
  CHECK(refused > 9000);

  SECTION("and so do bytes without any order") {
    for (int i = 0; i < 300; ++i) {
      Socket noise{cluster.client_port(2)};
      static_cast<void>(noise.send(random_bytes(random, random() % 100000)));
      if (i % 2) noise.end_of_sending();
    }
  }
  check_unharmed(cluster);
}

TEST_CASE("10,000 random frames to a peer port leave the servers up and correct", "[hostile]") {
  Cluster cluster;
  start_with_one_tweet(cluster);
  std::mt19937 random{20260302};
  paxos::Buffer greeting;
  paxos::Hello hello;
  hello.cluster = "twitter";
  hello.role = paxos::Role::client;
  paxos::append_hello_frame(greeting, hello);

  for (int i = 0; i < 10000; ++i) {
    std::string bytes = random_bytes(random, 1 + random() % 400);
    if (i % 4 == 1) bytes = frame(static_cast<paxos::FrameKind>(1 + random() % 3), random(), bytes);
    if (i % 4 == 2) {
      bytes = frame(paxos::FrameKind::hello, random(), bytes);
      bytes[random() % bytes.size()] = static_cast<char>(random() & 0xff);
    }
    if (i % 4 == 3) {
      // A client who is let in, and then sends commands that are none.
      paxos::Command command{
          {paxos::SessionId::named("noise"), static_cast<std::uint64_t>(i)}, 0, {}, paxos::Bytes{bytes}};
      paxos::Buffer forward;
      paxos::append_message_frame(forward, 0, paxos::Forward{command});
      bytes = text_of(greeting) + text_of(forward) + frame(paxos::FrameKind::message, 0, bytes);
    }
    // A connection each, read to its end: what a connection that breaks off throws away would have been seen by nobody.
    Socket socket{cluster.peer_port(1 + random() % 3)};
    REQUIRE(socket.is_open());
    static_cast<void>(socket.send(bytes));
    socket.end_of_sending();
    REQUIRE(socket.ends());
  }
  check_unharmed(cluster);
}

TEST_CASE("A frame that claims 4 GiB allocates nothing", "[hostile]") {
  Cluster cluster;
  start_with_one_tweet(cluster);
  const std::size_t before = cluster.server(1).memory_kib("VmHWM");
  REQUIRE(before > 0);
  for (const paxos::FrameKind kind : {paxos::FrameKind::hello, paxos::FrameKind::message}) {
    for (const std::uint32_t length : {0xffffffffU, 0x7fffffffU, 0x10000000U}) {
      std::string bytes = frame(kind, 0, "");
      for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(length >> (8 * i));
      Socket socket{cluster.peer_port(1)};
      REQUIRE(socket.send(bytes + std::string(10000, 'x')));
      CHECK(socket.ends());
    }
  }
  CHECK(cluster.server(1).memory_kib("VmHWM") < before + (std::size_t{64} << 10));
  check_unharmed(cluster);
}
