// Copyright (c) the paxos authors. MIT licence.
#include <paxos/role/acceptor.hpp>

#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

TEST_CASE("Acceptor: a promise leaves once it is durable, not before", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  CHECK(rig.net.is_silent());
  CHECK(rig.acceptor->promised() == b2);
  rig.flush();
  CHECK(rig.net.take() == std::vector<Sent>{{n2, whole_promise(b2)}});
  CHECK(rig.disk.durable_records().back() == Record{PromiseRecord{b2}});
}

TEST_CASE("Acceptor: a vote leaves once it is durable, not before", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  CHECK(rig.net.is_silent());
  rig.flush();
  CHECK(rig.net.take() == std::vector<Sent>{{n2, Accepted{b2, s(1), s(1)}}});
  CHECK(rig.disk.durable_records().back() == Record{AcceptRecord{b2, s(1), v("x")}});
}

TEST_CASE("Acceptor: the answer to a repeated Prepare waits for the first one's write", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  CHECK(rig.net.is_silent());
  CHECK(rig.disk.records().size() == 1);  // the repetition writes nothing
  rig.flush();
  CHECK(rig.net.all<Promise>().size() == 2);
}

TEST_CASE("Acceptor: a promise waits for every accept that it reports", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.flush();
  (void)rig.net.take();
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  CHECK(rig.net.is_silent());
  rig.flush();
  REQUIRE(rig.net.all<Promise>().size() == 1);
  CHECK(rig.net.all<Promise>()[0].second.accepted == std::vector<AcceptedValue>{{s(1), b2, v("x")}});
}

TEST_CASE("Acceptor: a refusal waits until the promise that it cites is durable", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("x")});
  CHECK(rig.net.is_silent());
  rig.flush();
  CHECK(rig.net.to(n1) == std::vector<Message>{Nack{b2}, Nack{b2}});
  CHECK(rig.voted(s(1)) == nullptr);
}

TEST_CASE("Acceptor: accepting at a ballot promises that ballot", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n3, Accept{b3, s(1), {}, v("x")});
  CHECK(rig.acceptor->promised() == b3);
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("y")});
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.flush();
  CHECK(rig.voted(s(2)) == nullptr);
  CHECK(rig.net.to(n2) == std::vector<Message>{Nack{b3}, Nack{b3}});
}

TEST_CASE("Acceptor: at three ballots, the newest accept wins and the older one cannot come back", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("one")});
  rig.acceptor->on_accept(n3, Accept{b3, s(1), {}, v("three")});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("two")});
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("one")});
  REQUIRE(rig.voted(s(1)) != nullptr);
  CHECK(*rig.voted(s(1)) == v("three"));
  CHECK(rig.acceptor->vote(s(1))->ballot == b3);
}

TEST_CASE("Acceptor: a repeated Accept is answered again and written once", "[acceptor]") {
  AcceptorRig rig;
  for (int i = 0; i < 3; ++i) rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  CHECK(rig.disk.records().size() == 1);
  rig.flush();
  CHECK(rig.net.all<Accepted>().size() == 3);
}

TEST_CASE("Acceptor: a second value at one ballot and slot gets no vote", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.flush();
  (void)rig.net.take();
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("y")});
  rig.flush();
  CHECK(rig.net.is_silent());
  CHECK(*rig.voted(s(1)) == v("x"));
}

TEST_CASE("Acceptor: after a restart it remembers what was durable, and only that", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.flush();
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("lost")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.restart();
  CHECK(rig.acceptor->promised() == b2);
  REQUIRE(rig.voted(s(1)) != nullptr);
  CHECK(*rig.voted(s(1)) == v("x"));
  CHECK(rig.voted(s(2)) == nullptr);

  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  CHECK(rig.net.take() == std::vector<Sent>{{n1, Nack{b2}}});  // durable before this life: nothing to wait for
}

TEST_CASE("Acceptor: a vote alone carries the promise over a restart", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n3, Accept{b3, s(7), {}, v("x")});
  rig.flush();
  rig.restart();
  CHECK(rig.acceptor->promised() == b3);
  rig.acceptor->on_accept(n2, Accept{b2, s(8), {}, v("y")});
  CHECK(rig.net.take() == std::vector<Sent>{{n2, Nack{b3}}});
}

TEST_CASE("Acceptor: a long promise comes in parts that leave nothing out", "[acceptor]") {
  AcceptorRig rig{[](Config& config) { config.promise_bytes_max = 10; }};
  for (std::uint64_t slot = 1; slot <= 5; ++slot) rig.acceptor->on_accept(n2, Accept{b2, s(slot), {}, v("123456")});
  rig.flush();
  (void)rig.net.take();

  std::vector<AcceptedValue> reported;
  Slot next = s(1);
  int parts = 0;
  while (next < Slot::infinity()) {
    REQUIRE(++parts <= 5);
    rig.acceptor->on_prepare(n3, Prepare{b3, next});
    rig.flush();
    REQUIRE(rig.net.all<Promise>().size() == 1);
    const Promise part = rig.net.all<Promise>()[0].second;
    (void)rig.net.take();
    CHECK(part.first_slot == next);
    CHECK(part.next_slot > part.first_slot);
    reported.insert(reported.end(), part.accepted.begin(), part.accepted.end());
    next = part.next_slot;
  }
  CHECK(parts == 5);
  REQUIRE(reported.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(reported[i] == AcceptedValue{s(i + 1), b2, v("123456")});
}

TEST_CASE("Acceptor: one value larger than a part still goes out, alone", "[acceptor]") {
  AcceptorRig rig{[](Config& config) { config.promise_bytes_max = 1; }};
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("larger than the bound")});
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("and another")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  const Promise part = rig.net.all<Promise>().at(0).second;
  CHECK(part.accepted.size() == 1);
  CHECK(part.next_slot == s(2));
}

TEST_CASE("Acceptor: a promise speaks for the slots from first_slot on", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("two")});
  rig.acceptor->on_accept(n2, Accept{b2, s(4), {}, v("four")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(3)});
  rig.flush();
  const Promise promise = rig.net.all<Promise>().at(0).second;
  CHECK(promise.first_slot == s(3));
  CHECK(promise.next_slot == Slot::infinity());
  CHECK(promise.accepted == std::vector<AcceptedValue>{{s(4), b2, v("four")}});
}

TEST_CASE("Acceptor: what is chosen is told by chosen_through, not by votes", "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("y")});
  rig.choose(s(1), v("x"));
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  const Promise promise = rig.net.all<Promise>().at(0).second;
  CHECK(promise.chosen_through == s(1));
  CHECK(promise.accepted == std::vector<AcceptedValue>{{s(2), b2, v("y")}});
}

TEST_CASE("Acceptor: it remembers votes for a bounded window of slots and drops Accepts beyond", "[acceptor]") {
  AcceptorRig rig{[](Config& config) { config.window_slots = 2; }};
  const auto window = rig.config.acceptor_window_slots();
  rig.acceptor->on_accept(n2, Accept{b2, s(window), {}, v("last")});
  rig.acceptor->on_accept(n2, Accept{b2, s(window + 1), {}, v("beyond")});
  rig.flush();
  CHECK(rig.net.all<Accepted>().size() == 1);
  CHECK(rig.voted(s(window + 1)) == nullptr);
  rig.choose(s(1), v("x"));
  rig.acceptor->on_accept(n2, Accept{b2, s(window + 1), {}, v("beyond")});
  CHECK(rig.voted(s(window + 1)) != nullptr);
}

TEST_CASE("Acceptor: a log written under a larger window is taken up whole", "[acceptor]") {
  AcceptorRig rig{[](Config& config) { config.window_slots = 8; }};
  for (std::uint64_t slot = 1; slot <= 32; ++slot) rig.acceptor->on_accept(n2, Accept{b2, s(slot), {}, v("x")});
  rig.flush();
  rig.config.window_slots = 1;
  rig.restart();
  CHECK(rig.voted(s(32)) != nullptr);
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  CHECK(rig.net.all<Promise>().at(0).second.accepted.size() == 32);

  // The larger window does not come back with it, or it would grow from restart to restart.
  rig.acceptor->on_accept(n3, Accept{b3, s(5), {}, v("y")});
  CHECK(*rig.voted(s(5)) == v("x"));
  for (std::uint64_t slot = 1; slot <= 4; ++slot) rig.choose(s(slot), v("x"));
  rig.acceptor->on_accept(n3, Accept{b3, s(33), {}, v("y")});
  CHECK(rig.voted(s(33)) == nullptr);
  rig.acceptor->on_accept(n3, Accept{b3, s(5), {}, v("y")});
  CHECK(*rig.voted(s(5)) == v("y"));
}

TEST_CASE("Acceptor: it confirms a slot that it knows as chosen, for a leader that does not", "[acceptor]") {
  AcceptorRig rig;
  rig.choose(s(1), v("x"));
  rig.acceptor->on_accept(n3, Accept{b3, s(1), {}, v("x")});
  CHECK(rig.acceptor->promised() == b3);
  rig.flush();
  CHECK(rig.net.take() == std::vector<Sent>{{n3, Accepted{b3, s(1), s(1)}}});
}

// A deposed leader at ballot 1 got nowhere with "old"; ballot 2 chose "new" without this acceptor, who fetched it and
// so never promised ballot 2. The old leader's Accept, still on its way, is no breach of anything: it is late.
TEST_CASE("Acceptor: a late Accept of a deposed leader for a slot chosen since gets no vote and does no harm",
          "[acceptor]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  rig.choose(s(1), v("new"));
  rig.flush();
  (void)rig.net.take();
  CHECK_NOTHROW(rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("old")}));
  rig.flush();
  CHECK(rig.net.all<Accepted>().empty());
  CHECK(rig.disk.read(s(1)) == v("new"));
}

TEST_CASE("Acceptor: a claimed ballot is durable before its ticket is, and cannot be claimed twice", "[acceptor]") {
  AcceptorRig rig;
  const WriteTicket claimed = rig.acceptor->claim(b2);
  CHECK(claimed > rig.disk.durable());
  CHECK_THROWS_AS((void)rig.acceptor->claim(b2), InvariantViolation);
  CHECK_THROWS_AS((void)rig.acceptor->claim(b1), InvariantViolation);
  rig.flush();
  CHECK(claimed <= rig.disk.durable());
  rig.restart();
  CHECK(rig.acceptor->promised() == b2);
  CHECK_THROWS_AS((void)rig.acceptor->claim(b2), InvariantViolation);
}

TEST_CASE("Acceptor: rounds near 2^62 and slots near 2^64 hold no surprise", "[acceptor]") {
  const Ballot high{std::uint64_t{1} << 62, n2};
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{high, Slot::infinity()});
  rig.acceptor->on_prepare(n3, Prepare{b3, Slot::infinity()});
  rig.acceptor->on_accept(n2, Accept{high, Slot::infinity(), {}, v("x")});
  rig.acceptor->on_accept(n2, Accept{high, s(0), {}, v("x")});
  rig.flush();
  CHECK(rig.net.to(n2) == std::vector<Message>{whole_promise(high, {}, {}, Slot::infinity())});
  CHECK(rig.net.to(n3) == std::vector<Message>{Nack{high}});

  // A log whose end is near: the window reaches the last slot and no further.
  const Slot end{std::numeric_limits<std::uint64_t>::max() - 2};
  Acceptor<RecordingNet, MemoryStorage> late{rig.config, rig.net, rig.disk};
  late.restore(Recovered{b2, end, {}});
  late.on_accept(n3, Accept{b3, end.next(), {}, v("x")});
  late.on_accept(n3, Accept{b3, Slot::infinity(), {}, v("y")});
  REQUIRE(late.vote(end.next()) != nullptr);
  CHECK(late.last_vote() == Slot::infinity());
}

}  // namespace
