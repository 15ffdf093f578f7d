// Copyright (c) the paxos authors. MIT licence.
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

/// Node 1 judges what node 2 says.
struct Rig {
  Greeter greeter{config_of(1), 11};
  Hello good = Greeter{config_of(2), 22}.hello_to(NodeId{1});
};

}  // namespace

TEST_CASE("the bytes of the handshake are fixed", "[hello][golden]") {
  Buffer hello;
  append_hello_frame(hello, {1, "paxos", 0x0102030405060708, NodeId{1}, NodeId{2}, 0x77, Role::peer});
  CHECK(hex(hello) ==
        "50415853010001002c0000000000000008070605040302019efb8dbc"  // header
        "0100"                                                      // version
        "050000007061786f73"                                        // cluster
        "0807060504030201"                                          // fingerprint
        "0100000000000000"                                          // from
        "0200000000000000"                                          // to
        "7700000000000000"                                          // incarnation
        "01"                                                        // role: peer
  );
  Buffer reply;
  append_hello_reply_frame(reply, 0x0102030405060708, {false, "no", NodeId{2}, 0x88});
  CHECK(hex(reply) ==
        "5041585301000200170000000000000008070605040302015877e3bf"  // header
        "00020000006e6f02000000000000008800000000000000");
}

TEST_CASE("a member that knows us is welcome, again and again", "[hello]") {
  Rig rig;
  CHECK(rig.greeter.refusal_of(rig.good).empty());
  CHECK(rig.greeter.refusal_of(rig.good).empty());
}

TEST_CASE("a hello with one thing wrong is refused, and the reason names it", "[hello]") {
  Rig rig;
  Hello wrong = rig.good;
  const auto check = [&](const std::string& reason) {
    CHECK_THAT(rig.greeter.refusal_of(wrong), ContainsSubstring(reason));
    wrong = rig.good;
  };
  wrong.version = 2;
  check("wire version 2, here 1");
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

TEST_CASE("a node that comes back with another data directory is refused", "[hello]") {
  Rig rig;
  REQUIRE(rig.greeter.refusal_of(rig.good).empty());
  Hello wiped = rig.good;
  wiped.incarnation = 23;
  CHECK_THAT(rig.greeter.refusal_of(wiped), ContainsSubstring("another data directory claims to be node 2"));
  CHECK(rig.greeter.refusal_of(rig.good).empty());
  CHECK_THAT(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, 23}),
             ContainsSubstring("another data directory claims to be node 2"));
  CHECK(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{2}, 22}).empty());
}

TEST_CASE("a refused hello leaves no memory of its data directory", "[hello]") {
  Rig rig;
  Hello stranger = rig.good;
  stranger.cluster = "other";
  stranger.incarnation = 99;
  CHECK(!rig.greeter.refusal_of(stranger).empty());
  CHECK(rig.greeter.refusal_of(rig.good).empty());
}

TEST_CASE("an answer from somebody else than the dialled node is refused", "[hello]") {
  Rig rig;
  CHECK_THAT(rig.greeter.refusal_of(NodeId{2}, HelloReply{true, {}, NodeId{3}, 33}),
             ContainsSubstring("node 3 answers where node 2 should"));
}

TEST_CASE("a client needs to know the cluster's name and nothing else", "[hello]") {
  Rig rig;
  Hello client;
  client.cluster = "paxos";
  client.role = Role::client;
  CHECK(rig.greeter.refusal_of(client).empty());
  client.to = NodeId{1};
  CHECK(rig.greeter.refusal_of(client).empty());
  client.to = NodeId{2};
  CHECK_THAT(rig.greeter.refusal_of(client), ContainsSubstring("it wants node 2"));
  client.to = NodeId{};
  client.cluster = "other";
  CHECK_THAT(rig.greeter.refusal_of(client), ContainsSubstring("cluster \"other\""));
}

TEST_CASE("what a stranger calls its cluster cannot break a line of a log", "[hello]") {
  Rig rig;
  Hello hostile = rig.good;
  hostile.cluster = "a\nb\x1b[2J" + std::string(1000, 'x');
  const std::string refusal = rig.greeter.refusal_of(hostile);
  CHECK_THAT(refusal, ContainsSubstring("a?b?[2J"));
  CHECK(refusal.size() < 500);
}

TEST_CASE("a long refusal is cut so that the other side can read it", "[hello]") {
  Buffer frame;
  append_hello_reply_frame(frame, 1, {false, std::string(5000, 'x'), NodeId{2}, 0x88});
  CHECK(frame.size() <= frame_header_bytes + hello_bytes_max);
  HelloReply reply;
  REQUIRE(decode(std::span{frame}.subspan(frame_header_bytes), reply));
  CHECK(reply.reason.size() == refusal_bytes_max);
}
