// Copyright (c) the paxos authors. MIT licence.
// Who is let in, and what the hostile, the misconfigured and the silent can do.
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <paxos/transport/tcp_transport.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("tcp: strangers are refused, and both sides say why", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  Config stranger = cluster.config_of(2);
  std::string reason;
  SECTION("another cluster") {
    stranger.cluster = "other";
    reason = "it belongs to cluster";
  }
  SECTION("other members") {
    stranger.members.emplace_back(3, "127.0.0.1:9");
    reason = "its members or session limits differ";
  }
  SECTION("other session limits") {
    ++stranger.sessions_max;
    reason = "its members or session limits differ";
  }
  cluster.start(stranger, first_life_of(2));
  CHECK(run_until(cluster.io, [&] {
    return cluster.heard_by(1).has_refusal("refuses this node: " + reason) &&
           cluster.heard_by(2).has_refusal("refuses this node: " + reason) &&
           cluster.heard_by(1).has_refusal("refused") &&
           cluster.heard_by(1).has_refusal("(says it is node 2): " + reason) &&
           cluster.heard_by(2).has_refusal("(says it is node 1): " + reason);
  }));
  CHECK(cluster.heard_by(1).up.empty());
  CHECK(cluster.heard_by(2).up.empty());
}

TEST_CASE("tcp: a node of a release that is too new is told so, in a frame that it can read", "[tcp][formats]") {
  Cluster cluster{2};
  cluster.start(1);
  RawPeer newer{cluster.io, cluster.port(1)};
  newer.listen();
  Hello hello = Greeter{cluster.config_of(2), first_life_of(2)}.hello_to(n1);
  hello.versions = {wire_version + 1, wire_version + 2};
  newer.hello(hello);
  const HelloReply reply = newer.greeting();
  CHECK_FALSE(reply.accepted);
  CHECK(reply.reason.find("it speaks wire versions 2 to 3, this node version 1") != std::string::npos);
  CHECK(run_until(cluster.io, [&] { return newer.is_closed && cluster.heard_by(1).has_refusal(reply.reason); }));
}

TEST_CASE("tcp: a node under another's address is refused by both sides", "[tcp]") {
  Cluster cluster{3};
  cluster.start(1);
  Config wrong = cluster.config_of(3);
  wrong.members[2].address = wrong.members[1].address;  // node 3 listens where node 2 should
  cluster.start(wrong, first_life_of(3));
  CHECK(run_until(cluster.io, [&] {
    return cluster.heard_by(1).has_refusal("refuses this node: it wants node 2, this is node 3") &&
           cluster.heard_by(3).has_refusal("it wants node 2, this is node 3");
  }));
}

TEST_CASE("tcp: a peer with another data directory under the same id is refused, the old one is not", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  cluster.start(2, {22, 1, {1}});
  REQUIRE(is_connected(cluster));
  cluster.stop(2);
  cluster.heard_by(2) = {};
  cluster.start(2, {23, 1, {1}});
  REQUIRE(run_until(cluster.io, [&] {
    return cluster.heard_by(1).has_refusal("another data directory claims to be node 2") &&
           cluster.heard_by(2).has_refusal("another data directory claims to be node 2");
  }));
  CHECK(cluster.heard_by(2).up.empty());
  CHECK(!cluster.node(1).is_up(n2));
  cluster.stop(2);
  cluster.start(2, {22, 1, {1}});
  CHECK(is_connected(cluster));
}

TEST_CASE("tcp: a node on an older copy of its disk is told to stop, and the one on the newest is let in", "[tcp]") {
  const StoreLife second = first_life_of(2).next(22), copy_of_first = first_life_of(2).next(23);
  Cluster cluster{2};
  cluster.start(1);
  cluster.start(2, second);
  REQUIRE(is_connected(cluster));
  cluster.stop(2);
  cluster.heard_by(2) = {};
  cluster.start(2, copy_of_first.next(24));
  REQUIRE(run_until(cluster.io, [&] { return !cluster.heard_by(2).outdated.empty(); }));
  CHECK(cluster.heard_by(2).outdated.front().first == n1);
  CHECK_THAT(cluster.heard_by(2).outdated.front().second, ContainsSubstring("node 2 is an older copy, in life 3"));
  CHECK(cluster.heard_by(2).up.empty());
  CHECK(cluster.heard_by(1).has_refusal("older copy"));
  CHECK(cluster.heard_by(1).outdated.empty());
  CHECK(cluster.heard_by(1).messages.empty());
  cluster.stop(2);
  cluster.start(2, second.next(25));
  CHECK(is_connected(cluster));
}

TEST_CASE("tcp: that its disk is outdated a node believes of a member alone, on a directory that it would let in",
          "[tcp]") {
  Cluster cluster{2};
  const StoreLife life = first_life_of(2).next(22);
  cluster.start(1);
  {
    FakePeer known{cluster, life};
    known.greet();
    REQUIRE(run_until(cluster.io, [&] { return cluster.node(1).is_up(n2); }));
  }
  FakePeer peer{cluster, life};
  HelloReply reply = peer.reply({"it is an older copy", RefusalCode::outdated});
  bool is_believed = false;
  SECTION("a member's word") { is_believed = true; }
  SECTION("a refusal for any other reason") { reply.code = RefusalCode::other; }
  SECTION("another cluster's word") { ++peer.fingerprint; }
  SECTION("that of somebody else at the member's address") { reply.node = n3; }
  SECTION("that of a member whose own disk was wiped") { ++reply.life.incarnation; }
  SECTION("that of a member whose own disk is an older copy") { reply.life = first_life_of(2); }
  peer.answer(reply);
  REQUIRE(run_until(cluster.io, [&] { return cluster.heard_by(1).has_refusal("refuses this node: it is an older"); }));
  settle(cluster.io);
  CHECK(cluster.heard_by(1).outdated.size() == (is_believed ? 1 : 0));
}

TEST_CASE("tcp: of its directory's life a node tells clients and those whom it refuses nothing", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  Hello hello = Greeter{cluster.config_of(2), first_life_of(2)}.hello_to(n1);
  const auto life_told = [&] {
    RawPeer raw{cluster.io, cluster.port(1)};
    raw.listen();
    raw.hello(hello);
    const HelloReply reply = raw.greeting();
    CHECK(reply.node == n1);
    if (!reply.accepted) CHECK(run_until(cluster.io, [&] { return raw.is_closed; }));
    return reply.life;
  };
  CHECK(life_told() == first_life_of(1));
  hello.life = {hello.life.incarnation, 1, {5}};
  CHECK(life_told() == first_life_of(1));  // an outdated member, who stops for it
  ++hello.life.incarnation;
  CHECK(life_told() == StoreLife{});
  hello.life = {first_life_of(2).incarnation, UINT64_MAX, {}};
  CHECK(life_told() == StoreLife{});
  hello.from = n3;
  CHECK(life_told() == StoreLife{});
  hello = client_hello();
  CHECK(life_told() == StoreLife{});
  hello.cluster = "other";
  CHECK(life_told() == StoreLife{});
}

TEST_CASE("tcp: one forged hello does not depose the node whose name it bears", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  cluster.start(2);
  REQUIRE(is_connected(cluster));
  RawPeer forger{cluster.io, cluster.port(1)};
  forger.listen();
  forger.hello(Greeter{cluster.config_of(2), {first_life_of(2).incarnation, UINT64_MAX, {}}}.hello_to(n1));
  const HelloReply reply = forger.greeting();
  CHECK(reply.code == RefusalCode::other);
  CHECK_THAT(reply.reason, ContainsSubstring("a malformed life"));
  cluster.stop(2);
  cluster.start(2);
  CHECK(is_connected(cluster));
  CHECK(cluster.heard_by(2).outdated.empty());
}

TEST_CASE("tcp: refused, a node pauses before it tries again", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  Config stranger = cluster.config_of(2);
  stranger.cluster = "other";
  SECTION("and does not spin") {
    cluster.options.backoff_max = std::chrono::hours{1};
    cluster.start(stranger, first_life_of(2));
    REQUIRE(run_until(cluster.io, [&] { return cluster.heard_by(2).has_refusal("node 1 at"); }));
    const auto dials_heard = [&] {
      return std::ranges::count_if(cluster.heard_by(1).refused, [](const std::string& one) {
        return one.find("(says it is node 2)") != std::string::npos;
      });
    };
    for (int i = 0; i < 100; ++i) {
      RawPeer client{cluster.io, cluster.port(1)};
      client.listen();
      client.hello(client_hello());
      REQUIRE(client.greeting().accepted);
      client.reset();
      settle(cluster.io);
    }
    CHECK(dials_heard() == 1);
  }
  SECTION("and is let in once it is put right") {
    cluster.options.backoff_min = cluster.options.backoff_max = std::chrono::milliseconds{10};
    cluster.start(stranger, first_life_of(2));
    REQUIRE(run_until(cluster.io, [&] { return cluster.heard_by(1).refused.size() >= 4; }));
    cluster.stop(2);
    cluster.start(2);
    CHECK(is_connected(cluster));
  }
}

TEST_CASE("tcp: who connects and says nothing is dropped after the bound", "[tcp]") {
  Cluster cluster{1};
  cluster.options.hello_timeout = std::chrono::milliseconds{20};
  cluster.start(1);
  RawPeer silent{cluster.io, cluster.port(1)};
  silent.listen();
  CHECK(run_until(cluster.io, [&] { return silent.is_closed; }));
  CHECK(silent.frames.empty());
  CHECK(cluster.heard_by(1).has_refusal("it said no hello in time"));
}

TEST_CASE("tcp: of too many silent connections the oldest gives way", "[tcp]") {
  Cluster cluster{1};
  cluster.options.ungreeted_max = 3;
  cluster.start(1);
  std::vector<std::unique_ptr<RawPeer>> silent;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(std::make_unique<RawPeer>(cluster.io, cluster.port(1)));
    silent.back()->listen();
  }
  REQUIRE(run_until(cluster.io, [&] { return silent[0]->is_closed && silent[1]->is_closed; }));
  silent[4]->hello(client_hello());
  CHECK(silent[4]->greeting().accepted);
  CHECK(!silent[2]->is_closed);
  CHECK(!silent[3]->is_closed);
  CHECK(cluster.heard_by(1).has_refusal("too many connections that say no hello"));
}

TEST_CASE("tcp: ten thousand random frames leave a node serving", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  cluster.start(2);
  REQUIRE(is_connected(cluster));
  const std::uint64_t fingerprint = cluster.config.fingerprint();
  std::minstd_rand random{20240501};
  const auto byte = [&] { return static_cast<std::byte>(random() >> 8); };
  for (int i = 0; i < 10'000; ++i) {
    RawPeer hostile{cluster.io, cluster.port(1)};
    Buffer noise(random() % 200);
    for (std::byte& one : noise) one = byte();
    Buffer frame;
    if (i % 4 == 1) hostile.hello(client_hello());
    if (i % 4 == 0) {
      frame = noise;
    } else {
      // A frame that is in order but for what it carries, or for one byte.
      const auto kind = static_cast<FrameKind>(1 + random() % 3);
      append_frame(frame, kind, fingerprint, [&](Buffer& out) { out.insert(out.end(), noise.begin(), noise.end()); });
      if (i % 4 == 3) frame[random() % frame.size()] ^= byte();
    }
    hostile.write(frame);
    if (i % 16 == 0) settle(cluster.io);
    hostile.reset();
  }
  CHECK(gets_through(cluster, 2, 1));
  CHECK(gets_through(cluster, 1, 2));
  RawPeer client{cluster.io, cluster.port(1)};
  client.listen();
  client.hello(client_hello());
  CHECK(client.greeting().accepted);
  CHECK(cluster.heard_by(1).client_messages.empty());
}

TEST_CASE("tcp: a damaged or malformed frame of a peer breaks its connection, which is made anew", "[tcp]") {
  Cluster cluster{2};
  cluster.start(1);
  Buffer frame;
  append_message_frame(frame, cluster.config.fingerprint(), ReadIndex{1});
  SECTION("damaged") { frame.back() ^= std::byte{1}; }
  SECTION("malformed") {
    frame.clear();
    append_frame(frame, FrameKind::message, cluster.config.fingerprint(),
                 [](Buffer& out) { out.push_back(std::byte{200}); });
  }
  SECTION("of another kind") {
    frame.clear();
    append_hello_frame(frame, Greeter{cluster.config_of(2), first_life_of(2)}.hello_to(n1));
  }
  RawPeer hostile{cluster.io, cluster.port(1)};
  hostile.listen();
  hostile.hello(Greeter{cluster.config_of(2), first_life_of(2)}.hello_to(n1));
  REQUIRE(hostile.greeting().accepted);
  hostile.write(frame);
  CHECK(run_until(cluster.io, [&] { return hostile.is_closed; }));
  CHECK(cluster.heard_by(1).messages.empty());
  CHECK(cluster.heard_by(1).has_refusal("refused node 2 at"));
  cluster.start(2);
  CHECK(gets_through(cluster, 2, 1));
}

TEST_CASE("tcp: a hello that is there when its time runs out has come in time", "[tcp]") {
  Cluster cluster{1};
  cluster.options.hello_timeout = std::chrono::milliseconds{20};
  cluster.start(1);
  RawPeer client{cluster.io, cluster.port(1)};
  settle(cluster.io);  // accepted: its time begins
  const auto over = std::chrono::steady_clock::now() + cluster.options.hello_timeout;
  client.hello(client_hello());
  while (std::chrono::steady_clock::now() < over) continue;  // so that both are ready when the context is run next
  client.listen();
  CHECK(client.greeting().accepted);
  settle(cluster.io);
  CHECK_FALSE(client.is_closed);
  CHECK(cluster.heard_by(1).refused.empty());
}

TEST_CASE("tcp: clients beyond the bound are refused, and told so", "[tcp]") {
  Cluster cluster{1};
  cluster.options.clients_max = 2;
  cluster.start(1);
  std::vector<std::unique_ptr<RawPeer>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawPeer>(cluster.io, cluster.port(1)));
    clients.back()->listen();
    clients.back()->hello(client_hello());
    const HelloReply reply = clients.back()->greeting();
    CHECK(reply.accepted == (i < 2));
    if (i == 2) CHECK_THAT(reply.reason, ContainsSubstring("serves 2 clients already"));
  }
  CHECK(run_until(cluster.io, [&] { return clients[2]->is_closed; }));
  clients[0]->reset();
  REQUIRE(run_until(cluster.io, [&] { return cluster.heard_by(1).gone.size() == 1; }));
  RawPeer next{cluster.io, cluster.port(1)};
  next.listen();
  next.hello(client_hello());
  CHECK(next.greeting().accepted);
}
