// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/reader.hpp>

#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;
using View = Reader<RecordingNet>::View;

struct Rig {
  /// Node 1 leads at ballot 1, its reign is open, slot 5 is chosen and applied, round 3 is confirmed.
  View view{n1, b1, true, true, s(5), 3, s(5), {}};

  void follow(NodeId leader) {
    view.leader = leader;
    view.is_leading = view.is_open = false;
    view.ballot = {};
    reach({leader});
  }
  /// A leader may be reached through these, itself or others.
  void reach(const std::vector<NodeId>& nodes) {
    view.ways = {};
    for (const NodeId node : nodes)
      if (node != NodeId{}) view.ways.insert(static_cast<std::size_t>(node.value() - 1));
  }
  /// Ends a turn in which that node, and no other, is asked; gives the question's nonce.
  std::uint64_t asks(NodeId node) {
    CHECK(end_turn().empty());
    const auto asked = net.all<ReadIndex>();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].first == node);
    return asked[0].second.nonce;
  }
  /// The reads that are over after this turn.
  std::vector<ReadyRead> end_turn() {
    (void)net.take();
    reader.end_turn(view, now, [this] { return ++round; });
    return reader.take_ready();
  }

  Config config = config_of(3);
  RecordingNet net;
  Time now = t0;
  std::uint64_t round = 3;
  Reader<RecordingNet> reader{config, net, 100};
};

bool served(const std::vector<ReadyRead>& reads, ReadId id) {
  return reads.size() == 1 && reads[0].id == id && reads[0].is_confirmed;
}

TEST_CASE("Reader: a leader serves once a quorum answered a round that began after the read", "[reader]") {
  Rig rig;
  REQUIRE(rig.reader.read(7, rig.now));
  CHECK(rig.end_turn().empty());
  CHECK(rig.round == 4);
  CHECK(rig.end_turn().empty());
  rig.view.confirmed_round = 4;
  CHECK(served(rig.end_turn(), 7));
  CHECK(rig.end_turn().empty());
}

TEST_CASE("Reader: reads that come while a round is out share the next one", "[reader]") {
  Rig rig;
  REQUIRE(rig.reader.read(1, rig.now));
  (void)rig.end_turn();
  REQUIRE(rig.reader.read(2, rig.now));
  REQUIRE(rig.reader.read(3, rig.now));
  CHECK(rig.end_turn().empty());
  CHECK(rig.round == 4);
  rig.view.confirmed_round = 4;
  CHECK(served(rig.end_turn(), 1));
  CHECK(rig.round == 5);
  rig.view.confirmed_round = 5;
  CHECK(rig.end_turn().size() == 2);
}

TEST_CASE("Reader: a confirmed read waits until what was chosen when it began is applied", "[reader]") {
  Rig rig;
  rig.view.chosen_through = s(8);
  REQUIRE(rig.reader.read(1, rig.now));
  (void)rig.end_turn();
  rig.view.confirmed_round = 4;
  rig.view.chosen_through = s(20);  // what is chosen later does not hold the read up
  rig.view.applied = s(7);
  CHECK(rig.end_turn().empty());
  rig.view.applied = s(8);
  CHECK(served(rig.end_turn(), 1));
}

TEST_CASE("Reader: a leader serves nothing before the slot that opened its reign is applied", "[reader]") {
  Rig rig;
  rig.view.is_open = false;
  REQUIRE(rig.reader.read(1, rig.now));
  rig.view.confirmed_round = 99;
  CHECK(rig.end_turn().empty());
  CHECK(rig.round == 3);
  rig.view.is_open = true;
  (void)rig.end_turn();
  rig.view.confirmed_round = 100;
  CHECK(served(rig.end_turn(), 1));
}

// Between two reigns of one node another may have led, and acknowledged more.
TEST_CASE("Reader: a later reign of the same node confirms nothing that an earlier one noted", "[reader]") {
  Rig rig;
  REQUIRE(rig.reader.read(1, rig.now));
  (void)rig.end_turn();
  rig.view.ballot = Ballot{9, n1};
  rig.view.chosen_through = s(9);
  rig.view.confirmed_round = 4;
  CHECK(rig.end_turn().empty());
  CHECK(rig.round == 5);  // asks anew, and notes slot 9
  rig.view.confirmed_round = 5;
  CHECK(rig.end_turn().empty());
  rig.view.applied = s(9);
  CHECK(served(rig.end_turn(), 1));
}

TEST_CASE("Reader: a follower asks the leader, and serves once it has applied the leader's index", "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  CHECK(rig.end_turn().empty());
  REQUIRE(rig.net.all<ReadIndex>().size() == 1);
  CHECK(rig.net.all<ReadIndex>()[0].first == n2);
  const auto nonce = rig.net.all<ReadIndex>()[0].second.nonce;
  rig.reader.on_read_index_reply(ReadIndexReply{nonce + 1, true, s(1)}, rig.now);
  CHECK(rig.end_turn().empty());
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(6)}, rig.now);
  CHECK(rig.end_turn().empty());
  rig.view.applied = s(6);
  CHECK(served(rig.end_turn(), 1));
}

TEST_CASE("Reader: an answer that takes longer than the patience for it serves the reads that asked", "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  rig.now += rig.config.election_timeout;
  CHECK(rig.asks(n2) == nonce);
  REQUIRE(rig.reader.read(2, rig.now));
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(served(rig.end_turn(), 1));

  // What came after the question asks anew, and the repeated question's answer says nothing about it.
  REQUIRE(rig.net.all<ReadIndex>().size() == 1);
  CHECK(rig.net.all<ReadIndex>()[0].second.nonce != nonce);
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(rig.end_turn().empty());
}

TEST_CASE("Reader: a question that was refused goes to whoever leads then", "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, false, {}}, rig.now);
  rig.follow(n3);
  CHECK(rig.asks(n3) == nonce);
}

// In a network that repeats messages each question would bring two refusals, and each refusal two questions.
TEST_CASE("Reader: refusals do not multiply questions", "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  for (int repeated = 0; repeated < 2; ++repeated) {
    rig.reader.on_read_index_reply(ReadIndexReply{nonce, false, {}}, rig.now);
    (void)rig.end_turn();
    CHECK(rig.net.is_silent());
  }
  rig.now += rig.config.heartbeat_interval;
  CHECK(rig.asks(n2) == nonce);
}

TEST_CASE("Reader: an index that is never reached holds up the reads that it was given for, and no others",
          "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  rig.reader.on_read_index_reply(ReadIndexReply{rig.asks(n2), true, Slot{std::uint64_t{1} << 60}}, rig.now);
  REQUIRE(rig.reader.read(2, rig.now));
  rig.reader.on_read_index_reply(ReadIndexReply{rig.asks(n2), true, s(5)}, rig.now);
  CHECK(served(rig.end_turn(), 2));
}

TEST_CASE("Reader: a leader answers other nodes with what its own reads would get", "[reader]") {
  Rig rig;
  rig.reader.on_read_index(n2, ReadIndex{55});
  (void)rig.end_turn();
  CHECK(rig.net.is_silent());
  rig.view.chosen_through = s(9);
  rig.view.confirmed_round = 4;
  (void)rig.end_turn();
  CHECK(rig.net.take() == std::vector<Sent>{{n2, ReadIndexReply{55, true, s(5)}}});
}

TEST_CASE("Reader: who ceases to lead, or knows no leader, refuses others", "[reader]") {
  Rig rig;
  rig.reader.on_read_index(n3, ReadIndex{1});
  (void)rig.end_turn();
  rig.follow(n2);
  rig.view.confirmed_round = 4;
  (void)rig.end_turn();
  CHECK(rig.net.take() == std::vector<Sent>{{n3, ReadIndexReply{1, false, {}}}});
  rig.follow(NodeId{});
  rig.reader.on_read_index(n3, ReadIndex{2});
  (void)rig.end_turn();
  CHECK(rig.net.take() == std::vector<Sent>{{n3, ReadIndexReply{2, false, {}}}});
}

TEST_CASE("Reader: its own reads survive a change of leader", "[reader]") {
  Rig rig;
  REQUIRE(rig.reader.read(1, rig.now));
  (void)rig.end_turn();
  rig.follow(n2);
  rig.view.confirmed_round = 4;  // a round of a reign that is over
  CHECK(rig.end_turn().empty());
  CHECK(rig.net.all<ReadIndex>().size() == 1);
}

TEST_CASE("Reader: a read that nobody confirms in time fails, in every stage", "[reader]") {
  Rig rig;
  rig.view.applied = s(0);
  REQUIRE(rig.reader.read(1, rig.now));
  (void)rig.end_turn();
  rig.view.confirmed_round = 4;
  (void)rig.end_turn();  // 1 waits to be applied
  REQUIRE(rig.reader.read(2, rig.now));
  (void)rig.end_turn();  // 2 waits for a round
  REQUIRE(rig.reader.read(3, rig.now));
  rig.reader.on_tick(rig.now + rig.config.request_timeout - 1ms);
  CHECK(rig.reader.take_ready().empty());
  rig.reader.on_tick(rig.now + rig.config.request_timeout);
  const auto over = rig.reader.take_ready();
  CHECK(over.size() == 3);
  for (const ReadyRead& read : over) CHECK_FALSE(read.is_confirmed);
  rig.view.applied = s(99);
  rig.view.confirmed_round = 99;
  CHECK(rig.end_turn().empty());
}

TEST_CASE("Reader: a node that does not lead asks its leader for others, along with itself, and passes the answer on",
          "[reader]") {
  Rig rig;
  rig.follow(n2);
  rig.reader.on_read_index(n3, ReadIndex{55});
  CHECK(rig.end_turn().empty());
  REQUIRE(rig.net.all<ReadIndex>().size() == 1);
  const auto [leader, question] = rig.net.all<ReadIndex>()[0];
  CHECK(leader == n2);
  CHECK(question.is_relayed);
  CHECK(question.nonce != 55);
  rig.reader.on_read_index_reply(ReadIndexReply{question.nonce, true, s(8)}, rig.now);
  CHECK(rig.net.to(n3) == std::vector<Message>{ReadIndexReply{55, true, s(8)}});
}

TEST_CASE("Reader: what is asked while a question is out, here or from elsewhere, is not answered by its answer",
          "[reader]") {
  Rig rig;
  rig.follow(n2);
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  REQUIRE(rig.reader.read(2, rig.now));
  rig.reader.on_read_index(n3, ReadIndex{55});
  CHECK(rig.end_turn().empty());
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(rig.net.to(n3).empty());
  CHECK(served(rig.end_turn(), 1));
  REQUIRE(rig.net.all<ReadIndex>().size() == 1);
  CHECK(rig.net.all<ReadIndex>()[0].second.nonce != nonce);
}

TEST_CASE("Reader: the next question begins with the way that the last answer came by", "[reader]") {
  Rig rig;
  rig.follow(NodeId{});
  rig.reach({n2, n3});
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  rig.now += rig.config.election_timeout;
  CHECK(rig.asks(n3) == nonce);
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(served(rig.end_turn(), 1));
  REQUIRE(rig.reader.read(2, rig.now));
  CHECK(rig.asks(n3) != nonce);
}

TEST_CASE("Reader: what was passed on once is not passed on again, nor back to who asked", "[reader]") {
  Rig rig;
  rig.follow(n2);
  rig.reader.on_read_index(n3, ReadIndex{55, true});
  rig.reader.on_read_index(n2, ReadIndex{56});
  (void)rig.end_turn();
  CHECK(rig.net.all<ReadIndex>().empty());
  CHECK(rig.net.to(n3) == std::vector<Message>{ReadIndexReply{55, false, {}}});
  CHECK(rig.net.to(n2) == std::vector<Message>{ReadIndexReply{56, false, {}}});
}

TEST_CASE("Reader: while the leader is out of reach the question goes through the others, one after the other",
          "[reader]") {
  Rig rig;
  const bool is_heard = GENERATE(false, true);
  rig.follow(is_heard ? n1 : NodeId{});
  rig.reach({n2, n3});
  REQUIRE(rig.reader.read(1, rig.now));
  const auto nonce = rig.asks(n2);
  for (const NodeId next : {n3, n2, n3}) {
    rig.now += rig.config.election_timeout;
    CHECK(rig.asks(next) == nonce);
  }
  // For others it asks the leader itself, or nobody.
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(served(rig.end_turn(), 1));
  rig.reader.on_read_index(n3, ReadIndex{55});
  (void)rig.end_turn();
  CHECK(rig.net.all<ReadIndex>().empty());
  CHECK(rig.net.to(n3) == std::vector<Message>{ReadIndexReply{55, false, {}}});
}

TEST_CASE("Reader: what other nodes ask is bounded, and one of them takes nobody's place", "[reader]") {
  Rig rig;
  rig.follow(n2);
  for (std::uint64_t nonce = 0; nonce < 5000; ++nonce) rig.reader.on_read_index(n3, ReadIndex{nonce});
  rig.reader.on_read_index(n4, ReadIndex{1});
  const auto nonce = rig.asks(n2);
  rig.reader.on_read_index_reply(ReadIndexReply{nonce, true, s(5)}, rig.now);
  CHECK(rig.net.all<ReadIndexReply>().size() <= 1024);
  CHECK(rig.net.to(n4).size() == 1);
}

TEST_CASE("Reader: reads that wait are bounded, in whatever stage they are", "[reader]") {
  Rig rig;
  rig.follow(n2);
  ReadId taken = 0;
  for (int group = 0; group < 3; ++group) {
    for (int i = 0; i < 400'000; ++i) taken += rig.reader.read(taken + 1, rig.now) ? 1U : 0U;
    (void)rig.end_turn();
    const auto asked = rig.net.all<ReadIndex>();
    if (!asked.empty()) rig.reader.on_read_index_reply(ReadIndexReply{asked[0].second.nonce, true, s(99)}, rig.now);
  }
  CHECK(taken == std::size_t{1} << 20);
  rig.reader.fail_all();
  CHECK(rig.reader.take_ready().size() == taken);
  CHECK(rig.reader.read(1, rig.now));
}

}  // namespace
