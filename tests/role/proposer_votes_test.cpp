// Copyright (c) the paxos authors. MIT licence.
#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/role/proposer.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

TEST_CASE("Proposer: a slot is chosen by a majority of votes, for 1 to 9 nodes", "[proposer]") {
  for (std::size_t nodes = 1; nodes <= 9; ++nodes) {
    ProposerRig rig{nodes};
    rig.lead(b1);
    for (std::size_t votes = 1; votes <= nodes; ++votes) {
      rig.accepted(NodeId{votes}, s(1));
      INFO(votes << " of " << nodes);
      CHECK(rig.chosen() == (votes == nodes / 2 + 1 ? std::vector<Slot>{s(1)} : std::vector<Slot>{}));
      CHECK(rig.proposer.decided() == (2 * votes > nodes ? s(1) : s(0)));
    }
  }
}

TEST_CASE("Proposer: a repeated vote counts once, a stranger's not at all", "[proposer]") {
  ProposerRig rig{5};
  rig.lead(b1);
  for (int i = 0; i < 9; ++i) rig.accepted(n2, s(1));
  rig.accepted(n3, s(1));
  rig.accepted(NodeId{6}, s(1));
  rig.accepted(NodeId{}, s(1));
  CHECK(rig.chosen().empty());
  rig.accepted(n5, s(1));
  CHECK(rig.chosen() == std::vector<Slot>{s(1)});
}

TEST_CASE("Proposer: votes for other ballots do not count, higher or lower, this node's own included", "[proposer]") {
  ProposerRig rig;
  rig.lead(Ballot{5, n1});
  for (const Ballot& other : {Ballot{4, n1}, Ballot{6, n1}, Ballot{5, n2}, Ballot{}}) {
    rig.proposer.on_accepted(n2, Accepted{other, s(1), s(1)});
    rig.proposer.on_accepted(n3, Accepted{other, s(1), s(1)});
  }
  CHECK(rig.chosen().empty());
}

TEST_CASE("Proposer: one Accepted speaks for a run of slots, and hostile runs cost nothing", "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    REQUIRE(rig.proposer.submit(command(i)));
    rig.propose();
  }
  rig.proposer.on_accepted(n1, Accepted{b1, s(1), s(4)});
  rig.proposer.on_accepted(n2, Accepted{b1, s(2), s(3)});
  CHECK(rig.chosen() == std::vector<Slot>{s(2), s(3)});
  CHECK(rig.proposer.decided() == s(0));  // slot 1 is a hole
  rig.proposer.on_accepted(n3, Accepted{b1, s(4), s(1)});
  CHECK(rig.chosen().empty());
  rig.proposer.on_accepted(n3, Accepted{b1, s(0), Slot::infinity()});
  CHECK(rig.chosen() == std::vector<Slot>{s(1), s(4)});
  CHECK(rig.proposer.decided() == s(4));
}

TEST_CASE("Proposer: at most window_slots are in flight; the rest waits its turn", "[proposer]") {
  ProposerRig rig{3, [](Config& config) {
                    config.window_slots = 3;
                    config.batch_commands_max = 1;
                  }};
  rig.lead(b1);
  for (std::uint64_t i = 1; i <= 9; ++i) REQUIRE(rig.proposer.submit(command(i)));
  rig.propose();
  CHECK(rig.proposals_to(n2).size() == 3);
  rig.accepted(n1, s(2));
  rig.accepted(n2, s(2));
  rig.propose();
  CHECK(rig.proposals_to(n2).size() == 3);  // slot 1 holds the window back
  rig.accepted(n1, s(1));
  rig.accepted(n2, s(1));
  rig.propose();
  CHECK(rig.proposals_to(n2).size() == 5);
}

TEST_CASE("Proposer: what waits is bounded, and what exceeds it is refused", "[proposer]") {
  ProposerRig rig{3, [](Config& config) {
                    config.window_slots = 1;
                    config.batch_bytes_max = 64;
                    config.command_bytes_max = 64;
                    config.pending_bytes_max = 1024;
                  }};
  rig.lead(b1);
  std::uint64_t taken = 0;
  while (taken < 1000 && rig.proposer.submit(command(taken + 1, "0123456789"))) ++taken;
  CHECK(taken > 5);
  CHECK(taken < 60);
}

TEST_CASE("Proposer: commands of one turn share a slot, in the order of submission", "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(rig.proposer.submit(command(i)));
  rig.propose();
  CHECK(rig.proposals_to(n2).at(1) == std::pair{s(2), batch({command(1), command(2), command(3)})});
}

TEST_CASE("Proposer: unanswered Accepts are sent again after retransmit_interval, only to who did not vote",
          "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  rig.accepted(n1, s(1));
  (void)rig.net.take();
  rig.proposer.on_tick(t0 + rig.config.retransmit_interval - 1ms);
  CHECK(rig.net.is_silent());
  rig.proposer.on_tick(t0 + rig.config.retransmit_interval);
  CHECK(rig.net.take() ==
        std::vector<Sent>{{n2, Accept{b1, s(1), s(0), Value{}}}, {n3, Accept{b1, s(1), s(0), Value{}}}});
  rig.proposer.on_tick(t0 + rig.config.retransmit_interval + 1ms);
  CHECK(rig.net.is_silent());
  rig.accepted(n2, s(1));
  rig.proposer.on_tick(t0 + 10s);
  CHECK(rig.net.is_silent());  // chosen: nothing is left to ask for
}

TEST_CASE("Proposer: the others hear what is chosen with the next Accept, or at once when there is none",
          "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  (void)rig.net.take();
  rig.accepted(n1, s(1));
  rig.accepted(n3, s(1));
  rig.propose();
  CHECK(rig.net.take() == std::vector<Sent>{{n1, Chosen{b1, s(1)}}, {n2, Chosen{b1, s(1)}}, {n3, Chosen{b1, s(1)}}});

  for (std::uint64_t i = 1; i <= 2; ++i) {
    REQUIRE(rig.proposer.submit(command(i)));
    rig.propose();
  }
  (void)rig.net.take();
  rig.accepted(n1, s(2));
  rig.accepted(n3, s(2));
  rig.propose();
  CHECK(rig.net.is_silent());  // slot 3 is under way: its successor, or its end, will tell
  REQUIRE(rig.proposer.submit(command(3)));
  rig.propose();
  CHECK(rig.net.all<Accept>().at(0).second.chosen_through == s(2));
  CHECK(rig.net.all<Chosen>().empty());
}

TEST_CASE("Proposer: while it hands over it takes no new commands", "[proposer]") {
  ProposerRig rig;
  rig.lead(b1);
  (void)rig.net.take();
  REQUIRE(rig.proposer.submit(command(1)));
  rig.proposer.propose(t0, false);
  CHECK(rig.net.all<Accept>().empty());
  rig.proposer.propose(t0, true);
  CHECK(rig.net.all<Accept>().size() == 3);
}

TEST_CASE("Proposer: alone, it chooses by its own vote, once that is durable", "[proposer]") {
  ProposerRig rig{1};
  rig.lead(b1);
  CHECK(rig.chosen().empty());
  CHECK(rig.net.to(n1).back() == Message{Accept{b1, s(1), s(0), Value{}}});
  rig.accepted(n1, s(1));
  CHECK(rig.chosen() == std::vector<Slot>{s(1)});
}

TEST_CASE("Proposer: it works up to the last slots of a 64-bit log", "[proposer]") {
  const Slot near_end{std::numeric_limits<std::uint64_t>::max() - 4};
  ProposerRig rig;
  rig.proposer.prepare(b1, s(1), WriteTicket{}, t0);
  rig.proposer.on_promise(n1, whole_promise(b1, {}, near_end), t0);
  rig.proposer.on_promise(n2, whole_promise(b1, {}, near_end), t0);
  rig.propose();
  CHECK(rig.proposer.opening_slot() == near_end.next());
  rig.proposer.on_accepted(n1, Accepted{b1, near_end.next(), Slot::infinity()});
  rig.proposer.on_accepted(n2, Accepted{b1, near_end.next(), Slot::infinity()});
  CHECK(rig.chosen() == std::vector<Slot>{near_end.next()});
}

}  // namespace
