// Copyright (c) the paxos authors. MIT licence.
// Robbert van Renesse and Deniz Altinbuken, "Paxos Made Moderately Complex" (2015), invariant by invariant. A pvalue
// (ballot, slot, command) is an AcceptedValue; a scout is phase 1, a commander one slot of phase 2.
#include <map>
#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>
#include <paxos/role/learner.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// Feeds one acceptor a few hundred random requests of three leaders, who each propose one value a (ballot, slot).
template <class Check>
void for_random_requests(std::uint64_t seed, Check&& check) {
  Random random{seed};
  AcceptorRig rig;
  for (int i = 0; i < 300; ++i) {
    const NodeId leader{1 + random.below(3)};
    const Ballot ballot{1 + random.below(6), leader};
    const Slot slot{1 + random.below(5)};
    if (random.chance(30)) {
      rig.acceptor->on_prepare(leader, Prepare{ballot, s(1)});
    } else {
      rig.acceptor->on_accept(leader, Accept{ballot, slot, {}, v(to_string(ballot) + "/" + to_string(slot))});
    }
    if (random.chance(30)) rig.flush();
    if (random.chance(5)) rig.restart();
    check(rig);
  }
}

// "A1: An acceptor can only adopt strictly increasing ballot numbers."
TEST_CASE("A1: an acceptor's ballot never goes down; on its disk, not over restarts either", "[paper][A1]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Ballot highest_durable;
    for_random_requests(seed, [&](AcceptorRig& rig) {
      for (const Record& record : rig.disk.durable_records()) {
        if (const auto* promise = get_if<PromiseRecord>(&record))
          highest_durable = std::max(highest_durable, promise->ballot);
      }
      CHECK(rig.acceptor->promised() >= highest_durable);
    });
  }
}

// "A2: An acceptor α can only add ⟨b, s, c⟩ to α.accepted (i.e., accept ⟨b, s, c⟩) if b = α.ballot_num."
TEST_CASE("A2: what is accepted is accepted at the ballot that was adopted", "[paper][A2]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::size_t seen = 0;
    for_random_requests(seed, [&](AcceptorRig& rig) {
      const auto records = rig.disk.records();
      if (records.size() > seen)
        if (const auto* accept = get_if<AcceptRecord>(&records.back()))
          CHECK(accept->ballot == rig.acceptor->promised());
      seen = records.size();
    });
  }
}

// "A3: Acceptor α cannot remove pvalues from α.accepted"; here an acceptor keeps, of each slot, the newest.
TEST_CASE("A3: the vote of a slot only ever gives way to one of a higher ballot", "[paper][A3]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::map<std::uint64_t, Ballot> durable;
    for_random_requests(seed, [&](AcceptorRig& rig) {
      for (const Record& record : rig.disk.durable_records())
        if (const auto* accept = get_if<AcceptRecord>(&record))
          durable[accept->slot.value()] = std::max(durable[accept->slot.value()], accept->ballot);
      for (const auto& [slot, ballot] : durable) {
        REQUIRE(rig.acceptor->vote(s(slot)) != nullptr);
        CHECK(rig.acceptor->vote(s(slot))->ballot >= ballot);
      }
    });
  }
}

// "A4: Suppose α and α′ are acceptors, with ⟨b, s, c⟩ ∈ α.accepted and ⟨b, s, c′⟩ ∈ α′.accepted. Then c = c′."
TEST_CASE("A4: all acceptors are sent one value for a ballot and slot, first time and again", "[paper][A4]") {
  ProposerRig rig{5};
  rig.lead(b3, {{s(1), b1, v("one")}});
  for (std::uint64_t i = 1; i <= 5; ++i) {
    REQUIRE(rig.proposer.submit(command(i)));
    rig.propose();
  }
  rig.proposer.on_tick(t0 + 1s);
  rig.proposer.on_tick(t0 + 2s);
  std::map<Slot, Value> sent;
  for (const auto& [to, accept] : rig.net.all<Accept>()) {
    const auto [known, is_first] = sent.try_emplace(accept.slot, accept.value);
    CHECK(known->second == accept.value);
  }
  CHECK(sent.size() == 7);
}

// "A5: Suppose that for each α among a majority of acceptors, ⟨b, s, c⟩ ∈ α.accepted. If b′ > b and ⟨b′, s, c′⟩ ∈
// α′.accepted, then c = c′."
TEST_CASE("A5: three leaders in turn, any two of three acceptors each: a majority's value is the last one",
          "[paper][A5]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random{seed};
    std::vector<AcceptorRig> acceptors(3);
    std::map<Ballot, std::pair<Value, std::set<std::size_t>>> votes;
    for (std::uint64_t round = 1; round <= 4; ++round) {
      const Ballot ballot{round, NodeId{1 + random.below(3)}};
      ProposerRig leader;
      leader.proposer.prepare(ballot, s(1), WriteTicket{}, t0);
      const std::size_t absent = random.below(3);
      for (std::size_t i = 0; i < 3; ++i) {
        if (i == absent) continue;
        (void)acceptors[i].net.take();
        acceptors[i].acceptor->on_prepare(ballot.node, Prepare{ballot, s(1)});
        acceptors[i].flush();
        leader.proposer.on_promise(NodeId{i + 1}, acceptors[i].net.all<Promise>().at(0).second, t0);
      }
      // With nothing reported, the first command takes slot 2; slot 1 is then the no-op: give each its own by hand.
      leader.propose();
      Accept accept = leader.net.all<Accept>().at(0).second;
      if (accept.value.empty()) accept.value = v("of round " + std::to_string(round));
      for (std::size_t i = 0; i < 3; ++i) {
        if (random.chance(40)) continue;  // lost
        acceptors[i].acceptor->on_accept(ballot.node, accept);
        acceptors[i].flush();
        if (acceptors[i].acceptor->vote(s(1)) == nullptr || acceptors[i].acceptor->vote(s(1))->ballot != ballot)
          continue;
        votes[ballot].first = accept.value;
        votes[ballot].second.insert(i);
      }
    }
    for (const auto& [low, chosen] : votes) {
      if (chosen.second.size() < 2) continue;
      for (const auto& [high, later] : votes) {
        INFO("seed " << seed);
        if (high > low) CHECK(later.first == chosen.first);
      }
    }
  }
}

// "C1: For any b and s, at most one commander is started."
TEST_CASE("C1: a slot is proposed once a ballot; what is sent again is the same", "[paper][C1]") {
  ProposerRig rig{3, [](Config& config) { config.window_slots = 2; }};
  rig.lead(b3, {{s(2), b1, v("x")}});
  std::map<Slot, int> proposed;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    REQUIRE(rig.proposer.submit(command(i)));
    rig.propose();
    rig.accepted(n1, s(i));
    rig.accepted(n3, s(i));
    rig.propose();
  }
  for (const auto& [slot, value] : rig.proposals_to(n2)) ++proposed[slot];
  for (const auto& [slot, times] : proposed) CHECK(times == 1);
  CHECK(proposed.size() >= 10);
}

// "C2: Suppose that for each α among a majority of acceptors ⟨b, s, c⟩ ∈ α.accepted. If b′ > b and a commander is
// started for ⟨b′, s, c′⟩, then c = c′."
TEST_CASE("C2: whichever majority a scout hears, the commander gets the command of the majority", "[paper][C2]") {
  for (unsigned heard = 0; heard < 32; ++heard) {  // nodes 1, 2 and 3 of five accepted "c" at ballot 2
    ProposerRig rig{5};
    rig.proposer.prepare(Ballot{7, n1}, s(1), WriteTicket{}, t0);
    for (std::uint64_t i = 0; i < 5; ++i) {
      if ((heard & (1U << i)) == 0) continue;
      const std::vector<AcceptedValue> accepted =
          i < 3 ? std::vector<AcceptedValue>{{s(1), b2, v("c")}} : std::vector<AcceptedValue>{{s(1), b1, v("older")}};
      rig.proposer.on_promise(NodeId{i + 1}, whole_promise(Ballot{7, n1}, accepted), t0);
    }
    if (!rig.proposer.is_leading()) continue;
    rig.propose();
    INFO("heard " << heard);
    CHECK(rig.proposals_to(n1).at(0).second == v("c"));
  }
}

// pmax(pvals) ≡ {⟨s, c⟩ | ∃b : ⟨b, s, c⟩ ∈ pvals ∧ ∀b′, c′ : ⟨b′, s, c′⟩ ∈ pvals ⇒ b′ ≤ b}
TEST_CASE("pmax: a leader's proposals against a slow twin, over random pvalues", "[paper][pmax]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random{seed};
    std::vector<std::vector<AcceptedValue>> promises(3);
    std::map<Slot, AcceptedValue> pmax;
    for (auto& accepted : promises) {
      for (std::uint64_t slot = 1; slot <= 8; ++slot) {
        if (random.chance(50)) continue;
        const Ballot ballot{1 + random.below(4), NodeId{1 + random.below(3)}};
        const AcceptedValue pvalue{s(slot), ballot, v(to_string(ballot) + "/" + std::to_string(slot))};
        accepted.push_back(pvalue);
        const auto [best, is_first] = pmax.try_emplace(s(slot), pvalue);
        if (best->second.ballot < ballot) best->second = pvalue;
      }
    }
    const Ballot ballot{9, n1};
    ProposerRig rig{5};
    rig.proposer.prepare(ballot, s(1), WriteTicket{}, t0);
    for (std::uint64_t i = 0; i < 3; ++i)
      rig.proposer.on_promise(NodeId{i + 1}, whole_promise(ballot, promises[i]), t0);
    rig.propose();
    const Slot last = pmax.empty() ? s(0) : pmax.rbegin()->first;
    const auto proposals = rig.proposals_to(n2);
    REQUIRE(proposals.size() == last.value() + 1);
    for (const auto& [slot, value] : proposals) {
      INFO("seed " << seed << ", slot " << slot.value());
      CHECK(value == (pmax.contains(slot) ? pmax.at(slot).value : Value{}));
    }
  }
}

// "R1: There are no two different commands decided for the same slot"
TEST_CASE("R1: a second decision for a slot must be the first one", "[paper][R1]") {
  const Config config = config_of(3);
  MemoryStorage disk;
  Learner<MemoryStorage> learner{config, disk};
  CHECK(learner.learn(s(3), v("c")));
  CHECK_FALSE(learner.learn(s(3), v("c")));
  CHECK_THROWS_AS(learner.learn(s(3), v("other")), InvariantViolation);
}

}  // namespace
