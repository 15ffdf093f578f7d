// Copyright (c) the paxos authors. MIT licence.
#include <paxos/role/proposer.hpp>

#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;
using Phase = Proposer<RecordingNet>::Phase;

TEST_CASE("Proposer: no Prepare leaves before its claim on the ballot is durable", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b1, s(1), WriteTicket{1}, t0);
  CHECK(rig.proposer.phase() == Phase::preparing);
  CHECK(rig.net.is_silent());
  rig.net.on_durable(WriteTicket{1});
  CHECK(rig.net.take() == std::vector<Sent>{{n1, Prepare{b1, s(1)}}, {n2, Prepare{b1, s(1)}}, {n3, Prepare{b1, s(1)}}});
}

TEST_CASE("Proposer: not even for the next part, if a peer answers a Prepare that never left", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b1, s(1), WriteTicket{1}, t0);
  CHECK(rig.proposer.on_promise(n2, Promise{b1, s(1), s(2), {}, {}}, t0));
  CHECK(rig.net.is_silent());
  rig.net.on_durable(WriteTicket{1});
  CHECK(rig.net.take().back() == Sent{n2, Prepare{b1, s(2)}});
}

TEST_CASE("Proposer: a ballot is prepared once; the next must be higher", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b2, s(1), WriteTicket{}, t0);
  rig.proposer.stand_down();
  CHECK_THROWS_AS(rig.proposer.prepare(b2, s(1), WriteTicket{}, t0), InvariantViolation);
  CHECK_THROWS_AS(rig.proposer.prepare(b1, s(1), WriteTicket{}, t0), InvariantViolation);
}

TEST_CASE("Proposer: it leads after a quorum of whole promises, no sooner, for 1 to 9 nodes", "[proposer]") {
  for (std::size_t nodes = 1; nodes <= 9; ++nodes) {
    ProposerRig rig{nodes};
    rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
    for (std::size_t answered = 1; answered <= nodes; ++answered) {
      rig.proposer.on_promise(NodeId{answered}, whole_promise(b1), t0);
      INFO(answered << " of " << nodes);
      CHECK(rig.proposer.is_leading() == (2 * answered > nodes));
    }
  }
}

TEST_CASE("Proposer: one acceptor's repeated promise counts once, a stranger's not at all", "[proposer]") {
  ProposerRig rig{5};
  rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
  for (int i = 0; i < 5; ++i) rig.proposer.on_promise(n2, whole_promise(b1), t0);
  for (std::uint64_t stranger = 6; stranger < 10; ++stranger)
    rig.proposer.on_promise(NodeId{stranger}, whole_promise(b1), t0);
  rig.proposer.on_promise(n3, whole_promise(b1), t0);
  CHECK_FALSE(rig.proposer.is_leading());
  rig.proposer.on_promise(n4, whole_promise(b1), t0);
  CHECK(rig.proposer.is_leading());
}

TEST_CASE("Proposer: promises for another ballot do not count", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
  rig.proposer.stand_down();
  const Ballot again{4, n1};
  rig.proposer.prepare(again, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n2, whole_promise(b1), t0);
  rig.proposer.on_promise(n3, whole_promise(b1), t0);
  CHECK_FALSE(rig.proposer.is_leading());
}

TEST_CASE("Proposer: a promise in parts counts when its last part is here, whatever was lost or repeated",
          "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b3, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n1, whole_promise(b3), t0);
  (void)rig.net.take();

  const Promise first{b3, s(1), s(2), {}, {{s(1), b1, v("one")}}};
  const Promise second{b3, s(2), s(3), {}, {{s(2), b1, v("two")}}};
  const Promise last{b3, s(3), Slot::infinity(), {}, {{s(3), b1, v("three")}}};
  rig.proposer.on_promise(n2, last, t0);  // overtook the others: not whole without them
  CHECK_FALSE(rig.proposer.is_leading());
  rig.proposer.on_promise(n2, first, t0);
  CHECK(rig.net.take() == std::vector<Sent>{{n2, Prepare{b3, s(2)}}});
  rig.proposer.on_promise(n2, first, t0);  // repeated
  CHECK(rig.net.is_silent());

  // The answer to the second question is lost: it is asked again, from where the promise broke off.
  rig.proposer.on_tick(t0 + rig.config.retransmit_interval);
  const auto asked = rig.net.all<Prepare>();
  CHECK(rig.net.to(n2) == std::vector<Message>{Prepare{b3, s(2)}});
  CHECK(rig.net.to(n3) == std::vector<Message>{Prepare{b3, s(1)}});
  CHECK(rig.net.to(n1).empty());  // has answered in full
  rig.proposer.on_promise(n2, second, t0);
  CHECK_FALSE(rig.proposer.is_leading());
  rig.proposer.on_promise(n2, last, t0);
  REQUIRE(rig.proposer.is_leading());

  (void)rig.net.take();
  rig.propose();
  CHECK(rig.proposals_to(n3) ==
        std::vector<std::pair<Slot, Value>>{{s(1), v("one")}, {s(2), v("two")}, {s(3), v("three")}, {s(4), Value{}}});
}

TEST_CASE("Proposer: a part that makes no headway is dropped", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b1, s(5), WriteTicket{}, t0);
  (void)rig.net.take();
  rig.proposer.on_promise(n2, Promise{b1, s(5), s(5), {}, {}}, t0);
  rig.proposer.on_promise(n2, Promise{b1, s(5), s(4), {}, {}}, t0);
  CHECK(rig.net.is_silent());
}

TEST_CASE("Proposer: it proposes what the highest ballot left, and a no-op where nobody voted", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(Ballot{9, n1}, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n2, whole_promise(Ballot{9, n1}, {{s(1), b3, v("new")}, {s(3), b1, v("old")}}), t0);
  rig.proposer.on_promise(n3, whole_promise(Ballot{9, n1}, {{s(1), b1, v("old")}, {s(3), b2, v("new")}}), t0);
  (void)rig.net.take();
  rig.propose();
  CHECK(rig.proposals_to(n2) ==
        std::vector<std::pair<Slot, Value>>{{s(1), v("new")}, {s(2), Value{}}, {s(3), v("new")}, {s(4), Value{}}});
  CHECK(rig.proposer.opening_slot() == s(4));
}

TEST_CASE("Proposer: it proposes nothing in slots that the quorum knows as chosen", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b3, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n1, whole_promise(b3, {{s(2), b1, v("two")}, {s(6), b1, v("six")}}), t0);
  rig.proposer.on_promise(n2, whole_promise(b3, {}, s(4)), t0);
  (void)rig.net.take();
  rig.propose();
  CHECK(rig.proposals_to(n2) ==
        std::vector<std::pair<Slot, Value>>{{s(5), Value{}}, {s(6), v("six")}, {s(7), Value{}}});
  CHECK(rig.proposer.decided() == s(4));
}

TEST_CASE("Proposer: commands wait behind what earlier ballots left", "[proposer]") {
  ProposerRig rig{3, [](Config& config) { config.window_slots = 2; }};
  rig.lead(b3, {{s(1), b1, v("one")}, {s(2), b1, v("two")}, {s(3), b1, v("three")}});
  CHECK(rig.proposals_to(n2).size() == 2);
  REQUIRE(rig.proposer.submit(command(1)));
  for (std::uint64_t slot = 1; slot <= 4; ++slot) {
    rig.accepted(n1, s(slot));
    rig.accepted(n2, s(slot));
    rig.propose();
  }
  const auto proposals = rig.proposals_to(n2);
  REQUIRE(proposals.size() == 5);
  CHECK(proposals[2].second == v("three"));
  CHECK(proposals[3].second == Value{});
  CHECK(proposals[4].second == batch({command(1)}));
}

TEST_CASE("Proposer: a malformed promise is dropped, not believed", "[proposer]") {
  ProposerRig rig;
  rig.proposer.prepare(b3, s(2), WriteTicket{}, t0);
  rig.proposer.on_promise(n1, whole_promise(b3, {}, {}, s(2)), t0);
  const auto offer = [&](const Promise& promise) {
    CHECK_NOTHROW(rig.proposer.on_promise(n2, promise, t0));
    CHECK_FALSE(rig.proposer.is_leading());
  };
  offer(whole_promise(b3, {{Slot::infinity(), b1, v("x")}}, {}, s(2)));
  offer(whole_promise(b3, {{s(1), b1, v("before what it speaks for")}}, {}, s(2)));
  offer(Promise{b3, s(2), s(4), {}, {{s(4), b1, v("after what it speaks for")}}});
  offer(whole_promise(b3, {}, Slot::infinity(), s(2)));
  offer(whole_promise(b3, {{s(2), b3, v("accepted before it was proposed")}}, {}, s(2)));
  offer(whole_promise(b3, {{s(5 + Config::reported_slots_max), b1, v("beyond any window")}}, s(4), s(2)));
  rig.proposer.on_promise(n3, whole_promise(b3, {}, {}, s(2)), t0);
  CHECK(rig.proposer.is_leading());
}

TEST_CASE("Proposer: standing down forgets the reign, and late answers revive nothing", "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  REQUIRE(rig.proposer.submit(command(1)));
  rig.propose();
  rig.proposer.stand_down();
  CHECK_FALSE(rig.proposer.submit(command(2)));
  CHECK_FALSE(rig.proposer.has_in_flight());
  rig.proposer.on_accepted(n1, Accepted{b1, s(1), s(2)});
  rig.proposer.on_accepted(n2, Accepted{b1, s(1), s(2)});
  rig.proposer.on_promise(n2, whole_promise(b1), t0);
  CHECK(rig.chosen().empty());
  CHECK_FALSE(rig.proposer.is_leading());
  (void)rig.net.take();
  rig.propose();
  rig.proposer.on_tick(t0 + 10s);
  CHECK(rig.net.is_silent());
}

}  // namespace
