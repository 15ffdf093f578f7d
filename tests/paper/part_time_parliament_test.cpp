// Copyright (c) the paxos authors. MIT licence.
// Leslie Lamport, "The Part-Time Parliament" (1998), sentence by sentence. A priest is an acceptor, a decree a value, a
// ledger the log, the president the leader.
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/membership.hpp>
#include <paxos/role/catch_up.hpp>
#include <paxos/role/learner.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

// 1.2 "The first requirement of the parliamentary protocol was the consistency of ledgers, meaning that no two ledgers
// could contain contradictory information."
TEST_CASE("Ledgers: contradictory information stops the node that is asked to believe it", "[paper]") {
  const Config config = config_of(3);
  MemoryStorage disk;
  Learner<MemoryStorage> learner{config, disk};
  CHECK(learner.learn(s(2), v("olive oil at 3 drachmas")));
  CHECK_THROWS_AS(learner.learn(s(2), v("olive oil at 4 drachmas")), InvariantViolation);
}

// 1.1 "The ledgers were written with indelible ink, and their entries could not be changed."
TEST_CASE("Ledgers: an entry, once written, is the same after any restart and any later vote", "[paper]") {
  AcceptorRig rig;
  rig.choose(s(1), v("decree"));
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("another")});
  rig.acceptor->on_accept(n3, Accept{b3, s(1), {}, v("decree")});
  rig.flush();
  rig.restart();
  CHECK(rig.disk.read(s(1)) == v("decree"));
}

// 2.1 "B1(B) Each ballot in B has a unique ballot number."
TEST_CASE("B1: a priest starts a ballot under a number that he never used, and nobody else can", "[paper][B1]") {
  AcceptorRig rig;
  (void)rig.acceptor->claim(Ballot{5, n1});
  rig.flush();
  rig.restart();
  CHECK_THROWS_AS((void)rig.acceptor->claim(Ballot{5, n1}), InvariantViolation);
  CHECK(rig.acceptor->promised().above(n1) > Ballot{5, n1});
  CHECK(Ballot{6, n1} != Ballot{6, n2});
}

// 2.1 "B2(B) The quorums of any two ballots in B have at least one priest in common."
TEST_CASE("B2: any two quorums of 1 to 9 nodes share a node", "[paper][B2]") {
  for (std::size_t nodes = 1; nodes <= 9; ++nodes) {
    const Membership membership{config_of(nodes).members};
    std::vector<unsigned> quorums;
    for (unsigned set = 0; set < (1U << nodes); ++set) {
      Votes votes;
      for (std::size_t i = 0; i < nodes; ++i)
        if (set & (1U << i)) votes.insert(i);
      if (membership.is_quorum(votes)) quorums.push_back(set);
    }
    REQUIRE_FALSE(quorums.empty());
    bool all_meet = true;
    for (const unsigned one : quorums)
      for (const unsigned other : quorums) all_meet = all_meet && (one & other) != 0;
    INFO(nodes << " nodes");
    CHECK(all_meet);
  }
}

// 2.1 "B3(B) For every ballot B in B, if any priest in B's quorum voted in an earlier ballot in B, then the decree of B
// equals the decree of the latest of those earlier ballots."
TEST_CASE("B3: the decree is that of the latest earlier ballot in which any priest of the quorum voted",
          "[paper][B3]") {
  const Ballot ballot{14, n1};
  ProposerRig rig{5};
  rig.proposer.prepare(ballot, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n1, whole_promise(ballot, {{s(1), Ballot{2, n2}, v("alpha")}}), t0);
  rig.proposer.on_promise(n2, whole_promise(ballot), t0);
  rig.proposer.on_promise(n3, whole_promise(ballot, {{s(1), Ballot{5, n3}, v("beta")}}), t0);
  rig.propose();
  CHECK(rig.proposals_to(n4).at(0) == std::pair{s(1), v("beta")});
}

// 2.2 "Priest p chooses a new ballot number b and sends a NextBallot(b) message to some set of priests."
TEST_CASE("Step 1: NextBallot goes out under a new number", "[paper]") {
  ProposerRig rig;
  rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
  CHECK(rig.net.all<Prepare>().size() == 3);
  CHECK_THROWS_AS(rig.proposer.prepare(b1, s(1), WriteTicket{}, t0), InvariantViolation);
}

// 2.2 "A priest q responds to the receipt of a NextBallot(b) message by sending a LastVote(b, v) message to p, where v
// is the vote with the largest ballot number less than b that q has cast, or his null vote null_q if q did not vote in
// any ballot numbered less than b."
TEST_CASE("Step 2: LastVote is the vote of the largest ballot, or none", "[paper]") {
  AcceptorRig rig;
  rig.acceptor->on_accept(n1, Accept{b1, s(1), {}, v("alpha")});
  rig.acceptor->on_accept(n2, Accept{b2, s(1), {}, v("beta")});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(1)});
  rig.acceptor->on_prepare(n3, Prepare{b3, s(2)});
  rig.flush();
  CHECK(rig.net.to(n3) ==
        std::vector<Message>{whole_promise(b3, {{s(1), b2, v("beta")}}), whole_promise(b3, {}, {}, s(2))});
}

// 2.2 "If p has received a Voted(b, q) message from every priest q in Q (the quorum for ballot b), then he writes d
// (the decree of that ballot) in his ledger and sends a Success(d) message to every priest."
TEST_CASE("Step 5: Success goes to every priest, and only after the whole quorum voted", "[paper]") {
  ProposerRig rig{5};
  rig.lead(b1);
  (void)rig.net.take();
  for (const NodeId node : {n1, n2}) {
    rig.accepted(node, s(1));
    rig.propose();
    CHECK(rig.net.all<Chosen>().empty());
  }
  rig.accepted(n5, s(1));
  rig.propose();
  CHECK(rig.net.all<Chosen>().size() == 5);
  CHECK(rig.chosen() == std::vector<Slot>{s(1)});
}

// 2.2 "Upon receiving a Success(d) message, a priest enters decree d in his ledger."
TEST_CASE("Step 6: who learns a decree writes it down, whether he voted for it or not", "[paper]") {
  const Config config = config_of(3);
  MemoryStorage disk;
  Learner<MemoryStorage> learner{config, disk};
  disk.append(AcceptRecord{b1, s(1), v("voted for")});
  CHECK(learner.learn(s(1), v("voted for")));
  CHECK(learner.learn(s(2), v("told")));
  const auto voted_for = [](Slot slot, const Value&) { return slot == s(1); };
  while (learner.deliver_next(voted_for, [](Slot, const Value&) {})) {
  }
  CHECK(disk.read(s(1)) == v("voted for"));
  CHECK(disk.read(s(2)) == v("told"));
}

// 3.1, the multi-decree parliament: a new president fills the gaps between the decrees that he finds with one that
// makes no difference, and then proposes what the citizens ask for.
// "The ides of February is national olive day"
TEST_CASE("Olive day: decrees 126 and 128 are found, 125 and 127 make no difference", "[paper]") {
  ProposerRig rig;
  rig.proposer.prepare(b3, s(125), WriteTicket{}, t0);
  const Promise promise{b3, s(125), Slot::infinity(), s(124), {{s(126), b1, v("126")}, {s(128), b2, v("128")}}};
  rig.proposer.on_promise(n2, promise, t0);
  rig.proposer.on_promise(n3, promise, t0);
  REQUIRE(rig.proposer.submit(command(1)));
  rig.propose();
  const Value olive_day{};
  CHECK(rig.proposals_to(n2) == std::vector<std::pair<Slot, Value>>{{s(125), olive_day},
                                                                    {s(126), v("126")},
                                                                    {s(127), olive_day},
                                                                    {s(128), v("128")},
                                                                    {s(129), olive_day},
                                                                    {s(130), batch({command(1)})}});
}

// 3.1: a priest who was away tells how far his ledger goes, and is sent what it lacks.
TEST_CASE("A priest who was away copies what his ledger lacks", "[paper]") {
  const Config config = config_of(3);
  RecordingNet net;
  MemoryStorage disk;
  CatchUp<RecordingNet, MemoryStorage> scribe{config, net, disk};
  for (std::uint64_t slot = 1; slot <= 3; ++slot) disk.append(LearnRecord{s(slot), v("decree")});
  scribe.on_request(n3, CatchUpRequest{s(2)}, s(3));
  CHECK(net.take() == std::vector<Sent>{{n3, CatchUpReply{s(2), s(3), {v("decree"), v("decree")}}}});
}

}  // namespace
