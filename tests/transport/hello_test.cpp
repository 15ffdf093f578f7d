// Copyright (c) the paxos authors. MIT licence.
#include <stdexcept>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <paxos/transport/hello.hpp>

#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Config config_of(std::uint64_t node) {
  return Config{.id = NodeId{node},
                .members = {{1, "127.0.0.1:7001"}, {2, "127.0.0.1:7002"}, {3, "127.0.0.1:7003"}},
                .data_dir = "unused"};
}

const StoreLife second_life{22, 2, {102, 101}};
const StoreLife copy_of_first{22, 2, {202, 101}};

/// Node 1 judges what node 2 says.
struct Rig {
  Greeter greeter{config_of(1), {11, 1, {1}}};
  Hello good = Greeter{config_of(2), second_life}.hello_to(NodeId{1});

  [[nodiscard]] Refusal refusal_of_life(const StoreLife& life) {
    Hello hello = good;
    hello.life = life;
    return greeter.refusal_of(hello);
  }
};

}  // namespace

TEST_CASE("the bytes of the handshake are fixed", "[hello][golden]") {
  Buffer hello;
  append_hello_frame(hello,
                     {{1, 1}, "paxos", 0x0102030405060708, NodeId{1}, NodeId{2}, {0x77, 3, {0x66, 0x55}}, Role::peer});
  CHECK(hex(hello) ==
        "50415853010001004a0000000000000008070605040302011c77d3f2"  // header
        "01000100"                                                  // versions
        "050000007061786f73"                                        // cluster
        "0807060504030201"                                          // fingerprint
        "0100000000000000"                                          // from
        "0200000000000000"                                          // to
        "7700000000000000"                                          // life: incarnation
        "0300000000000000"                                          // number
        "0200000066000000000000005500000000000000"                  // nonces
        "01"                                                        // role: peer
  );
  Buffer reply;
  append_hello_reply_frame(reply, 0x0102030405060708,
                           {false, "no", NodeId{2}, {0x88, 1, {0x99}}, RefusalCode::outdated});
  CHECK(hex(reply) ==
        "50415853010002002e0000000000000008070605040302012586c3ea"  // header
        "00"                                                        // accepted
        "020000006e6f"                                              // reason
        "0200000000000000"                                          // node
        "88000000000000000100000000000000010000009900000000000000"  // life
        "02"                                                        // code: outdated
        "0100"                                                      // version
  );
}

TEST_CASE("a member that knows us is welcome, again and again", "[hello]") {
  Rig rig;
  CHECK(rig.greeter.refusal_of(rig.good).is_welcome());
  CHECK(rig.greeter.refusal_of(rig.good).is_welcome());
}

TEST_CASE("a hello with one thing wrong is refused, and the reason names it", "[hello]") {
  Rig rig;
  Hello wrong = rig.good;
  const auto check = [&](const std::string& reason) {
    CHECK_THAT(rig.greeter.refusal_of(wrong).text, ContainsSubstring(reason));
    wrong = rig.good;
  };
  wrong.versions = {wire_version + 1, wire_version + 3};
  check("it speaks wire versions 2 to 4, this node version 1; the releases are too far apart");
  wrong.versions = {0, wire_version_oldest - 1};
  check("it speaks wire version 0, this node version 1; the releases are too far apart");
  wrong.cluster = "other";
  check("it belongs to cluster \"other\", this node to \"paxos\"");
  wrong.fingerprint ^= 1;
  check("members or session limits differ");
  wrong.to = NodeId{3};
  check("it wants node 3, this is node 1");
  wrong.to = NodeId{};
  check("it wants node 0, this is node 1");
  wrong.from = NodeId{4};
  check("node 4 is not a member");
  wrong.from = NodeId{};
  check("node 0 is not a member");
  wrong.from = NodeId{1};
  check("it says that it is node 1, as this node is");
  wrong.role = static_cast<Role>(3);
  check("neither that it is a peer nor that it is a client");
}

TEST_CASE("the answer to a hello names the newest wire version that both speak", "[hello][formats]") {
  Rig rig;
  Hello newer = rig.good;
  newer.versions.newest = wire_version + 1;
  CHECK(rig.greeter.refusal_of(newer).is_welcome());
  CHECK(rig.greeter.reply(newer, {}).version == wire_version);
  HelloReply answer = rig.greeter.reply(rig.good, {});
  answer.node = NodeId{2};
  answer.life = second_life;
  CHECK(rig.greeter.refusal_of(NodeId{2}, answer).is_welcome());
  answer.version = wire_version + 1;
  CHECK_THAT(rig.greeter.refusal_of(NodeId{2}, answer).text,
             ContainsSubstring("it answers in wire version 2, this node speaks version 1"));
}

TEST_CASE("what a later release appends to a hello, or to its answer, is passed over", "[hello][formats]") {
  const Rig rig;
  const HelloReply reply = rig.greeter.reply(rig.good, {"no"});
  Buffer of_hello, of_reply;
  encode(of_hello, rig.good);
  encode(of_reply, reply);
  for (Buffer* const bytes : {&of_hello, &of_reply}) encode(*bytes, std::uint64_t{7});
  Hello read_hello;
  HelloReply read_reply;
  CHECK(decode_hello(of_hello, read_hello));
  CHECK(read_hello == rig.good);
  CHECK(decode_hello(of_reply, read_reply));
  CHECK(read_reply == reply);
  of_hello.resize(of_hello.size() - 9);
  CHECK_FALSE(decode_hello(of_hello, read_hello));
}

TEST_CASE("a node that comes back with another data directory is refused", "[hello]") {
  Rig rig;
  REQUIRE(rig.greeter.refusal_of(rig.good).is_welcome());
  const StoreLife wiped{23, 1, {301}};
  CHECK_THAT(rig.refusal_of_life(wiped).text, ContainsSubstring("another data directory claims to be node 2"));
  CHECK(rig.refusal_of_life(wiped).code == RefusalCode::other);
  CHECK(rig.greeter.refusal_of(rig.good).is_welcome());
  CHECK_THAT(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, wiped}).text,
             ContainsSubstring("another data directory claims to be node 2"));
  CHECK(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, second_life}).is_welcome());
}

TEST_CASE("a node that comes back in a later life is welcome; one with an older copy of its disk is told so",
          "[hello]") {
  Rig rig;
  REQUIRE(rig.refusal_of_life(second_life).is_welcome());
  CHECK(rig.refusal_of_life(copy_of_first).code == RefusalCode::outdated);
  CHECK(rig.refusal_of_life(copy_of_first.next(203).next(204)).code == RefusalCode::outdated);
  CHECK(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, copy_of_first}).code ==
        RefusalCode::outdated);
  CHECK(rig.refusal_of_life(second_life).is_welcome());
  CHECK(rig.refusal_of_life(second_life.next(103)).is_welcome());
  CHECK(rig.refusal_of_life(second_life).code == RefusalCode::outdated);
  const HelloReply reply = rig.greeter.reply(rig.good, rig.refusal_of_life(copy_of_first));
  CHECK_FALSE(reply.accepted);
  CHECK(reply.code == RefusalCode::outdated);
  CHECK_THAT(reply.reason, ContainsSubstring("an older copy"));
}

TEST_CASE("a life that no directory can have is refused and leaves no memory", "[hello]") {
  Rig rig;
  for (const StoreLife& forged : {StoreLife{22, UINT64_MAX, {}}, StoreLife{22, 9, {101}}, StoreLife{}}) {
    CHECK(rig.refusal_of_life(forged).code == RefusalCode::other);
    CHECK_THAT(rig.refusal_of_life(forged).text, ContainsSubstring("a malformed life"));
    CHECK_FALSE(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, forged}).is_welcome());
  }
  CHECK(rig.greeter.refusal_of(rig.good).is_welcome());
}

TEST_CASE("a node tells its life to a peer that is welcome or outdated, and to nobody else", "[hello]") {
  const Rig rig;
  const StoreLife own{11, 1, {1}};
  Hello client = rig.good;
  client.role = Role::client;
  CHECK(rig.greeter.reply(rig.good, {}).life == own);
  CHECK(rig.greeter.reply(rig.good, {"older", RefusalCode::outdated}).life == own);
  CHECK(rig.greeter.reply(rig.good, {"no"}).life == StoreLife{});
  CHECK(rig.greeter.reply(client, {}).life == StoreLife{});
  CHECK(rig.greeter.reply(client, {"older", RefusalCode::outdated}).life == StoreLife{});
}

TEST_CASE("who judges peers durably is asked at each greeting, and what it throws refuses", "[hello]") {
  int asked = 0;
  Greeter greeter{config_of(1), {}, [&](NodeId peer, const StoreLife& life) {
                    CHECK(peer == NodeId{2});
                    CHECK(life == second_life);
                    if (++asked == 2) throw std::runtime_error("disk on fire");
                    return Refusal{};
                  }};
  const Hello good = Rig{}.good;
  CHECK(greeter.refusal_of(good).is_welcome());
  CHECK_THAT(greeter.refusal_of(good).text, ContainsSubstring("cannot remember node 2's data directory: disk on fire"));
  CHECK(greeter.refusal_of(good).is_welcome());
  Hello stranger = good;
  stranger.cluster = "other";
  CHECK_FALSE(greeter.refusal_of(stranger).is_welcome());
  CHECK(asked == 3);
}

TEST_CASE("a refused hello leaves no memory of its data directory", "[hello]") {
  Rig rig;
  Hello stranger = rig.good;
  stranger.cluster = "other";
  stranger.life.incarnation = 99;
  CHECK(!rig.greeter.refusal_of(stranger).is_welcome());
  CHECK(rig.greeter.refusal_of(rig.good).is_welcome());
}

TEST_CASE("an answer from somebody else than the dialled node is refused", "[hello]") {
  Rig rig;
  CHECK_THAT(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{3}, {33, 1, {1}}}).text,
             ContainsSubstring("node 3 answers where node 2 should"));
}

TEST_CASE("a client needs to know the cluster's name and nothing else", "[hello]") {
  Rig rig;
  Hello client;
  client.cluster = "paxos";
  client.role = Role::client;
  CHECK(rig.greeter.refusal_of(client).is_welcome());
  client.to = NodeId{1};
  CHECK(rig.greeter.refusal_of(client).is_welcome());
  client.to = NodeId{2};
  CHECK_THAT(rig.greeter.refusal_of(client).text, ContainsSubstring("it wants node 2"));
  client.to = NodeId{};
  client.cluster = "other";
  CHECK_THAT(rig.greeter.refusal_of(client).text, ContainsSubstring("cluster \"other\""));
}

TEST_CASE("what a stranger calls its cluster cannot break a line of a log", "[hello]") {
  Rig rig;
  Hello hostile = rig.good;
  hostile.cluster = "a\nb\x1b[2J" + std::string(1000, 'x');
  const std::string refusal = rig.greeter.refusal_of(hostile).text;
  CHECK_THAT(refusal, ContainsSubstring("a?b?[2J"));
  CHECK(refusal.size() < 500);
}

TEST_CASE("a long refusal is cut so that the other side can read it", "[hello]") {
  StoreLife many_lives{0x88, 0, {}};
  for (std::uint64_t nonce = 0; nonce < 100; ++nonce) many_lives = many_lives.next(nonce);
  Buffer frame;
  append_hello_reply_frame(frame, 1, {false, std::string(5000, 'x'), NodeId{2}, many_lives, RefusalCode::other});
  CHECK(frame.size() <= frame_header_bytes + hello_bytes_max);
  HelloReply reply;
  REQUIRE(decode(std::span{frame}.subspan(frame_header_bytes), reply));
  CHECK(reply.reason.size() == refusal_bytes_max);
}
