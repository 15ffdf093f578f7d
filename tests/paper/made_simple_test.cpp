// Copyright (c) the paxos authors. MIT licence.
// Leslie Lamport, "Paxos Made Simple" (2001), sentence by sentence.
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/role/leader_election.hpp>
#include <paxos/role/learner.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

// 2.2 "P1. An acceptor must accept the first proposal that it receives."
TEST_CASE("P1: an acceptor that promised nothing accepts the first proposal", "[paper][P1]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.flush();
  CHECK(rig.net.to(n2) == std::vector<Message>{Accepted{b2, s(1), s(1)}});
}

// 2.2 "P1a. An acceptor can accept a proposal numbered n iff it has not responded to a prepare request having a number
// greater than n."
TEST_CASE("P1a: having promised ballot 2, an acceptor refuses ballot 1 and accepts 2 and 3", "[paper][P1a]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("x")});
  rig.flush();
  CHECK(rig.net.to(n1) == std::vector<Message>{Nack{b2}});
  CHECK(rig.voted(s(1)) == nullptr);
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("y")});
  rig.acceptor->on_accept(n3, Accept{b3, s(2), {}, v("z")});
  REQUIRE(rig.voted(s(1)) != nullptr);
  REQUIRE(rig.voted(s(2)) != nullptr);
}

// 2.2 "P2. If a proposal with value v is chosen, then every higher-numbered proposal that is chosen has value v."
TEST_CASE("P2: what ballot 1 chose, ballot 3 chooses again", "[paper][P2]") {
  ProposerRig first;
  first.lead(b1);
  first.accepted(n1, s(1));
  first.accepted(n2, s(1));
  const auto chosen = first.proposer.take_chosen();
  REQUIRE(chosen.size() == 1);

  ProposerRig second;
  second.proposer.prepare(b3, s(1), WriteTicket{}, t0);
  second.proposer.on_promise(n3, whole_promise(b3), t0);
  second.proposer.on_promise(n2, whole_promise(b3, {{s(1), b1, chosen[0].value}}), t0);
  second.propose();
  second.accepted(n2, s(1));
  second.accepted(n3, s(1));
  CHECK(second.proposer.take_chosen().at(0).value == chosen[0].value);
}

// 2.2 "P2a. If a proposal with value v is chosen, then every higher-numbered proposal accepted by any acceptor has
// value v."
TEST_CASE("P2a: an acceptor that never heard of the chosen proposal accepts its value only", "[paper][P2a]") {
  AcceptorRig deaf;  // slept while the others chose "v" at ballot 1
  ProposerRig candidate;
  candidate.proposer.prepare(b3, s(1), WriteTicket{}, t0);
  candidate.proposer.on_promise(n2, whole_promise(b3, {{s(1), b1, v("v")}}), t0);
  candidate.proposer.on_promise(n3, whole_promise(b3), t0);
  candidate.propose();
  for (const auto& [to, accept] : candidate.net.all<Accept>())
    if (to == n3) deaf.acceptor->on_accept(n1, accept);
  REQUIRE(deaf.voted(s(1)) != nullptr);
  CHECK(*deaf.voted(s(1)) == v("v"));
}

// 2.2 "P2b. If a proposal with value v is chosen, then every higher-numbered proposal issued by any proposer has value
// v."
TEST_CASE("P2b: whichever quorum answers, the proposal issued has the chosen value", "[paper][P2b]") {
  for (const NodeId absent : {n1, n2, n3}) {  // nodes 1 and 2 chose "v" at ballot 1
    ProposerRig rig;
    rig.proposer.prepare(b3, s(1), WriteTicket{}, t0);
    for (const NodeId node : {n1, n2, n3})
      if (node != absent)
        rig.proposer.on_promise(node, node == n3 ? whole_promise(b3) : whole_promise(b3, {{s(1), b1, v("v")}}), t0);
    rig.propose();
    CHECK(rig.proposals_to(n1).at(0) == std::pair{s(1), v("v")});
  }
}

// 2.2 "P2c. For any v and n, if a proposal with value v and number n is issued, then there is a set S consisting of a
// majority of acceptors such that either (a) no acceptor in S has accepted any proposal numbered less than n, or (b) v
// is the value of the highest-numbered proposal among all proposals numbered less than n accepted by the acceptors in
// S."
TEST_CASE("P2c (a): where no acceptor of the majority has accepted anything, any value may be issued", "[paper][P2c]") {
  ProposerRig rig;
  rig.lead(b3);
  REQUIRE(rig.proposer.submit(command(1)));
  rig.propose();
  CHECK(rig.proposals_to(n2).back().second == batch({command(1)}));
}
TEST_CASE("P2c (b): else it is the value of the highest-numbered proposal, in whatever order they are reported",
          "[paper][P2c]") {
  const AcceptedValue low{s(1), b1, v("low")}, middle{s(1), b2, v("middle")}, high{s(1), b3, v("high")};
  const std::vector<std::vector<AcceptedValue>> orders{{low, middle, high}, {low, high, middle}, {middle, low, high},
                                                       {middle, high, low}, {high, low, middle}, {high, middle, low}};
  const Ballot ballot{9, n1};
  for (const auto& order : orders) {
    ProposerRig rig{5};
    rig.proposer.prepare(ballot, s(1), WriteTicket{}, t0);
    for (std::uint64_t i = 0; i < 3; ++i) rig.proposer.on_promise(NodeId{i + 2}, whole_promise(ballot, {order[i]}), t0);
    rig.propose();
    CHECK(rig.proposals_to(n1).at(0) == std::pair{s(1), v("high")});
  }
}

// 2.2 "Phase 1. (a) A proposer selects a proposal number n and sends a prepare request with number n to a majority of
// acceptors."
TEST_CASE("Phase 1 (a): prepare requests go to at least a majority", "[paper]") {
  ProposerRig rig{5};
  rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
  CHECK(rig.net.all<Prepare>().size() >= 3);
  for (const auto& [to, prepare] : rig.net.all<Prepare>()) CHECK(prepare.ballot == b1);
}

// 2.2 "(b) If an acceptor receives a prepare request with number n greater than that of any prepare request to which it
// has already responded, then it responds to the request with a promise not to accept any more proposals numbered less
// than n and with the highest-numbered proposal (if any) that it has accepted."
TEST_CASE("Phase 1 (b): a promise reports the highest-numbered proposal accepted, and binds", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("one")});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("two")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  CHECK(rig.net.to(n3) == std::vector<Message>{whole_promise(b3, {{s(1), b2, v("two")}})});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("two")});
  rig.flush();
  CHECK(rig.net.to(n2).back() == Message{Nack{b3}});
}

// 2.2 "Phase 2. (a) If the proposer receives a response to its prepare requests (numbered n) from a majority of
// acceptors, then it sends an accept request to each of those acceptors for a proposal numbered n with a value v, where
// v is the value of the highest-numbered proposal among the responses, or is any value if the responses reported no
// proposals."
TEST_CASE("Phase 2 (a): no accept request before a majority answered; then one to each", "[paper]") {
  ProposerRig rig{5};
  rig.proposer.prepare(b3, s(1), WriteTicket{}, t0);
  for (const NodeId node : {n1, n2}) {
    rig.proposer.on_promise(node, whole_promise(b3, {{s(1), b1, v("v")}}), t0);
    rig.propose();
    CHECK(rig.net.all<Accept>().empty());
  }
  rig.proposer.on_promise(n3, whole_promise(b3), t0);
  rig.propose();
  for (const NodeId node : {n1, n2, n3}) CHECK(rig.proposals_to(node).at(0) == std::pair{s(1), v("v")});
}

// 2.2 "(b) If an acceptor receives an accept request for a proposal numbered n, it accepts the proposal unless it has
// already responded to a prepare request having a number greater than n."
TEST_CASE("Phase 2 (b): an acceptor accepts unless it promised more", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("two")});
  REQUIRE(rig.voted(s(1)) != nullptr);
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(2), {}, v("late")});
  CHECK(rig.voted(s(2)) == nullptr);
}

// 2.2 "an acceptor needs to remember only the highest-numbered proposal that it has ever accepted and the number of the
// highest-numbered prepare request to which it has responded."
// 2.2 "an acceptor must remember this information even if it fails and then restarts."
TEST_CASE("An acceptor remembers its promise and its newest vote over a restart", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("one")});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("two")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.flush();
  rig.restart();
  CHECK(rig.acceptor->promised() == b3);
  REQUIRE(rig.acceptor->vote(s(1)) != nullptr);
  CHECK(rig.acceptor->vote(s(1))->ballot == b2);
  CHECK(*rig.voted(s(1)) == v("two"));
}

// 2.2 "if an acceptor ignores a prepare or accept request because it has already received a prepare request with a
// higher number, then the acceptor should probably inform the proposer, who should then abandon its proposal."
TEST_CASE("An acceptor that ignores a request informs the proposer", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.acceptor->on_prepare(n1, Prepare{b1, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  rig.flush();
  CHECK(rig.net.to(n1) == std::vector<Message>{Nack{b3}});
  CHECK(rig.net.to(n2) == std::vector<Message>{Nack{b3}});
}

// 2.3 "To learn that a value has been chosen, a learner must find out that a proposal has been accepted by a majority
// of acceptors."
TEST_CASE("Learning: a majority that accepted one proposal, not a majority that accepted something", "[paper]") {
  ProposerRig rig{5};
  rig.lead(Ballot{4, n1});
  rig.accepted(n1, s(1));
  rig.accepted(n2, s(1));
  rig.proposer.on_accepted(n3, Accepted{b3, s(1), s(1)});  // accepted, but another proposal
  CHECK(rig.chosen().empty());
  rig.accepted(n3, s(1));
  CHECK(rig.chosen() == std::vector<Slot>{s(1)});
}

// 2.4 "To guarantee progress, a distinguished proposer must be selected as the only one to try issuing proposals."
TEST_CASE("Progress: while one proposer is heard, no other tries", "[paper]") {
  const Config config = config_of(3);
  RecordingNet net;
  LeaderElection<RecordingNet> election{config, net, 1};
  election.start(t0);
  Time now = t0;
  for (int i = 0; i < 200; ++i, now += 20ms) {
    election.on_leader_heard(n2, b2, now);
    CHECK(election.on_tick(now, s(0), true) == LeaderElection<RecordingNet>::Advice::none);
  }
  CHECK(net.is_silent());
}

// 2.5 "An acceptor records its intended response in stable storage before actually sending the response."
TEST_CASE("Stable storage comes before the response", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("x")});
  CHECK(rig.net.is_silent());
  CHECK(rig.disk.records().size() == 2);
  rig.flush();
  CHECK(rig.net.to(n2).size() == 2);
}

// 2.5 "Different proposers choose their numbers from disjoint sets of numbers, so two different proposers never issue a
// proposal with the same number."
TEST_CASE("Ballots of two nodes never meet", "[paper]") {
  Ballot mine, theirs;
  for (int i = 0; i < 100; ++i) {
    mine = theirs.above(n1);
    theirs = mine.above(n2);
    CHECK(mine != theirs);
    CHECK(mine < theirs);
    CHECK(mine.above(n1) != mine.above(n2));
  }
}

// 2.5 "Each proposer remembers (in stable storage) the highest-numbered proposal it has tried to issue, and begins
// phase 1 with a higher proposal number than any it has already used."
TEST_CASE("A ballot is remembered before it is used", "[paper]") {
  AcceptorRig own;
  ProposerRig rig;
  const WriteTicket claimed = own.acceptor->claim(b1);
  rig.proposer.prepare(b1, s(1), claimed, t0);
  CHECK(rig.net.is_silent());
  own.flush();
  rig.net.on_durable(own.disk.durable());
  CHECK(rig.net.all<Prepare>().size() == 3);
  own.restart();
  CHECK(own.acceptor->promised() >= b1);
}

// 3 "A newly chosen leader executes phase 1 for infinitely many instances of the consensus algorithm"
// 3 "it can do this by sending a single reasonably short message to the other servers."
TEST_CASE("Phase 1 for all slots at once is one message to each", "[paper]") {
  ProposerRig rig;
  rig.lead(b1);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    REQUIRE(rig.proposer.submit(command(i)));
    rig.propose();
  }
  CHECK(rig.net.all<Prepare>().size() == 3);
  CHECK(rig.proposals_to(n2).size() == 21);
}

// 3 "In phase 1, an acceptor responds with more than a simple OK only if it has already received a phase 2 message from
// some proposer."
TEST_CASE("A promise is a simple OK where nothing was accepted", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_prepare(n2, Prepare{b2, s(1)});
  rig.flush();
  CHECK(rig.net.all<Promise>().at(0).second.accepted.empty());
}

// 3 "we let it fill the gap immediately by proposing, as commands 136 and 137, a special “no-op” command that leaves
// the state unchanged."
TEST_CASE("The new leader of section 3: 135 and 140 were reported, 136 to 139 were not", "[paper]") {
  ProposerRig rig;
  rig.proposer.prepare(b3, s(135), WriteTicket{}, t0);
  const Promise promise{b3, s(135), Slot::infinity(), s(134), {{s(135), b1, v("135")}, {s(140), b1, v("140")}}};
  rig.proposer.on_promise(n1, promise, t0);
  rig.proposer.on_promise(n2, promise, t0);
  rig.propose();
  const Value no_op{};
  CHECK(rig.proposals_to(n2) == std::vector<std::pair<Slot, Value>>{{s(135), v("135")},
                                                                    {s(136), no_op},
                                                                    {s(137), no_op},
                                                                    {s(138), no_op},
                                                                    {s(139), no_op},
                                                                    {s(140), v("140")},
                                                                    {s(141), no_op}});
}

// 3 "suppose a leader can get α commands ahead—that is, it can propose commands i + 1 through i + α after commands 1
// through i are chosen."
TEST_CASE("The leader gets alpha slots ahead of what is chosen, and no further", "[paper]") {
  constexpr std::size_t alpha = 4;
  ProposerRig rig{3, [](Config& config) {
                    config.window_slots = alpha;
                    config.batch_commands_max = 1;
                  }};
  rig.lead(b1);
  for (std::uint64_t i = 1; i <= 20; ++i) REQUIRE(rig.proposer.submit(command(i)));
  for (std::uint64_t i = 0; i <= 10; ++i) {
    rig.propose();
    CHECK(rig.proposals_to(n2).back().first == s(i + alpha));
    rig.accepted(n1, s(i + 1));
    rig.accepted(n2, s(i + 1));
  }
}

// 3 "A gap of up to α − 1 commands could then arise."
TEST_CASE("A gap of alpha - 1 slots holds the learner back, and is closed", "[paper]") {
  const Config config = config_of(3);
  MemoryStorage disk;
  Learner<MemoryStorage> learner{config, disk};
  std::vector<Slot> applied;
  const auto deliver = [&] {
    while (learner.deliver_next([](Slot, const Value&) { return false; },
                                [&](Slot slot, const Value&) { applied.push_back(slot); })) {
    }
  };
  CHECK(learner.learn(s(4), v("four")));
  deliver();
  CHECK(applied.empty());
  for (const std::uint64_t slot : {3UL, 1UL, 2UL}) {
    CHECK(learner.learn(s(slot), Value{}));
    deliver();
  }
  CHECK(applied == std::vector<Slot>{s(1), s(2), s(3), s(4)});
}

// 3 "the effective cost of executing a state machine command—that is, of achieving consensus on the command/value—is
// the cost of executing only phase 2 of the consensus algorithm."
TEST_CASE("A command costs one Accept to each acceptor and its answer", "[paper]") {
  ProposerRig rig;
  rig.lead(b1);
  rig.accepted(n1, s(1));
  rig.accepted(n2, s(1));
  rig.propose();
  (void)rig.net.take();
  REQUIRE(rig.proposer.submit(command(1)));
  rig.propose();
  CHECK(rig.net.take().size() == 3);  // one of them to itself
}

}  // namespace
