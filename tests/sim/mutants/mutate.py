#!/usr/bin/env python3
# Copyright (c) the paxos authors. MIT licence.
"""mutate.py INCLUDE OUT: copies the library to OUT with every mutant built in, each behind a switch.

A program compiled against OUT behaves as the library does, unless the environment variable PAXOS_MUTANT names a
mutant: then that one rule is broken. `mutate.py --list` prints the names. A test of safety counts once some mutant
makes it fail; tests/sim/mutants/run shows that for all of them.
"""
import pathlib
import re
import shutil
import sys

SWITCH = """
#include <cstdlib>
#include <string_view>
namespace paxos::detail {
inline bool is_mutant(std::string_view name) {
  static const char* const chosen = std::getenv("PAXOS_MUTANT");
  return chosen != nullptr && name == chosen;
}
}  // namespace paxos::detail
"""

# (file, text that stands there exactly once, what stands there instead). MUTANT(name) is true when `name` is chosen.
EDITS = [
    # Quorums and votes.
    ("role/proposer.hpp", "if (membership_.is_quorum(promised_by_)) start_leading();",
     """if (membership_.is_quorum(promised_by_) ||
         (MUTANT(phase-1-quorum-one-short) && promised_by_.count() + 1 >= membership_.quorum_size())) start_leading();"""),
    ("role/proposer.hpp", "!membership_.is_quorum(proposal->votes)",
     """!(membership_.is_quorum(proposal->votes) || MUTANT(learn-from-one) ||
         (MUTANT(phase-2-quorum-one-short) && proposal->votes.count() + 1 >= membership_.quorum_size()) ||
         (MUTANT(even-majority) && 2 * proposal->votes.count() >= membership_.size()))"""),
    ("role/proposer.hpp", "!proposal->votes.insert(*member)",
     """(!proposal->votes.insert(*member) && !(MUTANT(votes-counted-twice) && [&] {
         for (std::size_t i = 0; i < 16; ++i) if (proposal->votes.insert(i)) break;
         return true; }()))"""),
    ("role/proposer.hpp", "accepted.ballot != ballot_)", "(accepted.ballot != ballot_ && !MUTANT(votes-of-other-ballots)))"),
    # Phase 1.
    ("role/proposer.hpp", "reports_.assign(membership_.size(), Report{first_slot, now});",
     """reports_.assign(membership_.size(), Report{first_slot, now});
        if (MUTANT(no-phase-1)) return start_leading();"""),
    ("role/proposer.hpp", "auto& [ballot, value] = reported_[accepted.slot];",
     """if (MUTANT(reported-values-ignored)) continue;
        auto& [ballot, value] = reported_[accepted.slot];
        if (MUTANT(last-report-wins)) ballot = Ballot{};
        if (MUTANT(first-report-wins) && ballot != Ballot{}) continue;
        if (MUTANT(lowest-ballot-wins) && ballot != Ballot{}) {
          if (accepted.ballot >= ballot) continue;
          ballot = Ballot{}; }"""),
    ("role/proposer.hpp", "if (promise.next_slot < Slot::infinity()) {",
     "if (promise.next_slot < Slot::infinity() && !MUTANT(first-part-taken-for-whole)) {"),
    ("role/proposer.hpp", "base_ = std::max(base_, promise.chosen_through);",
     "if (!MUTANT(chosen-in-promise-ignored)) base_ = std::max(base_, promise.chosen_through);"),
    ("role/proposer.hpp", "promise.ballot != ballot_)", "(promise.ballot != ballot_ && !MUTANT(promises-of-other-ballots)))"),
    # The acceptor.
    ("role/acceptor.hpp", "    raise_promise(prepare.ballot);\n",
     """    const bool is_new = prepare.ballot > promised_;
    raise_promise(prepare.ballot);
    if (MUTANT(promise-not-gated) || (MUTANT(repeated-promise-not-gated) && !is_new))
      return net_.send_after(WriteTicket{}, from, promise_from(prepare.ballot, prepare.first_slot));
"""),
    ("role/acceptor.hpp", "invariant 1. The first one stands.\n    }\n",
     """invariant 1. The first one stands.
    }
    if (MUTANT(accepted-not-gated) || (MUTANT(own-vote-not-gated) && accept.ballot.node == self_))
      return net_.send_after(WriteTicket{}, from, Accepted{accept.ballot, accept.slot, accept.slot});
"""),
    ("role/acceptor.hpp", "  Store& store_;\n", "  Store& store_;\n  NodeId self_;\n"),
    ("role/acceptor.hpp", "store_(store),\n", "store_(store),\n        self_(config.id),\n"),
    ("role/acceptor.hpp", "if (accept.ballot < promised_) return refuse(from);",
     "if (accept.ballot < promised_ && !MUTANT(accept-below-the-promise)) return refuse(from);"),
    ("role/acceptor.hpp", "promised_ = accept.ballot;  //",
     "if (!MUTANT(accept-does-not-promise) && !MUTANT(accept-below-the-promise)) promised_ = accept.ballot;  //"),
    ("role/acceptor.hpp", "if (prepare.ballot < promised_) return refuse(from);",
     """if (prepare.ballot < promised_) {
      if (!MUTANT(promise-goes-down)) return refuse(from);
      promised_ = prepare.ballot;
    }"""),
    ("role/acceptor.hpp", "last_write_ = promise_write_ = store_.append(PromiseRecord{promised_});",
     "if (!MUTANT(promise-not-written)) last_write_ = promise_write_ = store_.append(PromiseRecord{promised_});"),
    ("role/acceptor.hpp", "promised_ = recovered.promised;",
     "if (!MUTANT(promise-forgotten-at-restart)) promised_ = recovered.promised;"),
    ("role/acceptor.hpp", "for (const AcceptedValue& accepted : recovered.accepted)\n",
     "if (!MUTANT(accepts-forgotten-at-restart)) for (const AcceptedValue& accepted : recovered.accepted)\n"),
    # Ballots.
    ("role/proposer.hpp", "    claimed_ = after;\n",
     "    claimed_ = MUTANT(prepare-before-the-claim) ? WriteTicket{} : after;\n"),
    ("role/acceptor.hpp", "    raise_promise(ballot);\n    return promise_write_;",
     """    if (MUTANT(no-claim-written)) {
      promised_ = ballot;
      return promise_write_;
    }
    raise_promise(ballot);
    return promise_write_;"""),
    # Learning.
    ("replica.hpp", "vote->ballot == ballot) learn(", "(vote->ballot == ballot || MUTANT(chosen-without-ballot-check))) learn("),
    ("role/learner.hpp", "const Slot slot = above_.base().next();",
     """Slot slot = above_.base().next();
    while (MUTANT(delivers-over-a-hole) && above_.find(slot) == nullptr && slot < above_.last()) slot = slot.next();"""),
    ("replica.hpp", "    learner_.log_chosen();\n    catch_up_.on_request(",
     """    if (const auto* vote = acceptor_.vote(request.first_slot); MUTANT(catch-up-serves-unchosen) && vote != nullptr)
      return outbox_.send(from, CatchUpReply{request.first_slot, request.first_slot, {vote->value}});
    learner_.log_chosen();
    catch_up_.on_request("""),
    ("role/proposer.hpp", "broadcast(Accept{ballot_, next_slot_, announced_, value});",
     "broadcast(Accept{ballot_, next_slot_, MUTANT(in-flight-told-as-chosen) ? in_flight_.last() : announced_, value});"),
    # Sessions.
    ("replica/replicated_state.hpp", "case SessionTable::Verdict::repeated: return",
     "case SessionTable::Verdict::repeated: if (MUTANT(no-session-dedup)) break; return"),
    ("replica/replicated_state.hpp", "case SessionTable::Verdict::settled: return",
     "case SessionTable::Verdict::settled: if (MUTANT(settled-runs-again)) break; return"),
    ("replica/session_table.hpp", "    const std::uint64_t offset = id.sequence - session.lowest;\n    if (offset >= session.answers",
     """    if (id.sequence < session.lowest) return;
    const std::uint64_t offset = id.sequence - session.lowest;
    if (offset >= session.answers"""),
    ("replica/session_table.hpp", "if (issued_after < evicted_through_) return Verdict::expired;",
     "if (issued_after < evicted_through_ && !MUTANT(evicted-retry-runs)) return Verdict::expired;"),
    ("replica/session_table.hpp", "return issued_after < session.forgotten_through ?",
     "return issued_after < session.forgotten_through && !MUTANT(evicted-retry-runs) && !MUTANT(reopened-session-forgets) ?"),
    ("replica/submitter.hpp", "pending.has_left = true;\n", "pending.has_left = !MUTANT(left-told-as-not-applied);\n"),
    # Reads.
    ("replica/reader.hpp", "view.confirmed_round >= asked_->round", "(view.confirmed_round >= asked_->round || MUTANT(read-without-a-round))"),
    ("replica/reader.hpp", "confirmed_.front().index <= view.applied",
     "(MUTANT(read-before-apply) || confirmed_.front().index <= view.applied)"),
    ("replica/reader.hpp", "if (!asked_ && view.is_open &&",
     "if (!asked_ && (view.is_open || MUTANT(read-before-the-opening)) &&"),
    ("replica/reader.hpp", "(is_own_round && group.ballot != view.ballot)",
     "(is_own_round && !MUTANT(read-over-two-reigns) && group.ballot != view.ballot)"),
    ("replica.hpp", "reader_.on_read_index(from, request);",
     """if (MUTANT(read-index-from-anyone)) return outbox_.send(from, ReadIndexReply{request.nonce, true, state_.applied()});
    reader_.on_read_index(from, request);"""),
    ("replica.hpp", "if (heartbeat.ballot < acceptor_.promised()) return",
     "if (heartbeat.ballot < acceptor_.promised() && !MUTANT(heartbeat-answered-below-the-promise)) return"),
    ("role/leader_election.hpp", "ack.ballot != leader_ballot_ ||", "(ack.ballot != leader_ballot_ && !MUTANT(acks-of-other-reigns)) ||"),
    ("role/leader_election.hpp", "return round_ + 1;", "return MUTANT(round-from-before-the-read) ? round_ : round_ + 1;"),
    # The disk.
    ("replica.hpp", "if (status.ok()) {\n      outbox_.on_durable(store_.durable());",
     """if (status.ok() || MUTANT(goes-on-after-a-failed-flush)) {
      outbox_.on_durable(MUTANT(goes-on-after-a-failed-flush) ? WriteTicket{~0ULL} : store_.durable());"""),
]

SITE = re.compile(r"MUTANT\(([a-z0-9-]+)\)")


def names():
    return list(dict.fromkeys(name for _, _, new in EDITS for name in SITE.findall(new)))


def main():
    if sys.argv[1:] == ["--list"]:
        return print("\n".join(names()))
    source, out = map(pathlib.Path, sys.argv[1:])
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(source, out)
    for file, old, new in EDITS:
        path = out / "paxos" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"mutate.py: {file} holds {text.count(old)} times, not once: {old}")
        switch = r'([] { static const bool is_on = paxos::detail::is_mutant("\1"); return is_on; }())'
        path.write_text(text.replace(old, SITE.sub(switch, new)))
    ensure = out / "paxos/core/ensure.hpp"
    ensure.write_text(ensure.read_text().replace("#include <string>\n", "#include <string>\n" + SWITCH, 1))


main()
