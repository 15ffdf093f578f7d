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
    ("replica/session_table.hpp", "if (issued_after < evicted_through_) return Verdict::expired;",
     "if (issued_after < evicted_through_ && !MUTANT(evicted-retry-runs)) return Verdict::expired;"),
    ("replica/session_table.hpp", "return issued_after < session.forgotten_through ?",
     "return issued_after < session.forgotten_through && !MUTANT(evicted-retry-runs) && !MUTANT(reopened-session-forgets) ?"),
    ("replica/submitter.hpp", "pending.has_left = true;\n", "pending.has_left = !MUTANT(left-told-as-not-applied);\n"),
    ("replica.hpp", "!forward.is_relayed && leader != NodeId{}",
     "!MUTANT(commands-not-relayed) && !forward.is_relayed && leader != NodeId{}"),
    # Reads.
    ("replica/reader.hpp", "view.confirmed_round >= asked_->round", "(view.confirmed_round >= asked_->round || MUTANT(read-without-a-round))"),
    ("replica/reader.hpp", "      if (!asked_ && !(open_.empty() && open_remote_.empty()))\n        asked_ =",
     """      if (MUTANT(remote-read-joins) && asked_)
        asked_->remote.insert(asked_->remote.end(), open_remote_.begin(), open_remote_.end()), open_remote_.clear();
      if (!asked_ && !(open_.empty() && open_remote_.empty()))
        asked_ ="""),
    ("replica/reader.hpp", "return remote.is_relayed ||", "return MUTANT(reads-not-relayed) || remote.is_relayed ||"),
    ("replica/reader.hpp", "confirmed_.begin()->first <= view.applied",
     "(MUTANT(read-before-apply) || confirmed_.begin()->first <= view.applied)"),
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
    # Messages that wait, and their merging.
    ("replica/outbox.hpp", "if (left->last.next() != right->first) continue;",
     "if (left->last.next() != right->first && !(MUTANT(acks-merged-over-a-gap) && left->last < right->first)) continue;"),
    ("replica/outbox.hpp", "|| left->ballot != right->ballot) continue;",
     "|| (left->ballot != right->ballot && !MUTANT(acks-merged-over-ballots))) continue;"),
    ("replica/outbox.hpp", "if (waiting_.size() >= waiting_max ||", "if ((waiting_.size() >= waiting_max && !MUTANT(outbox-without-a-bound)) ||"),
    ("replica/submitter.hpp", "if (!pending_.empty() && bytes_ + cost(command) > config_.pending_bytes_max)",
     "if (!pending_.empty() && bytes_ + cost(command) > config_.pending_bytes_max && !MUTANT(pending-without-a-bound))"),
    ("replica/submitter.hpp", "return !pending_.contains(old);", "return !pending_.contains(old) && !MUTANT(fresh-without-a-bound);"),
    ("replica/outbox.hpp", "|| value_bytes_ >= value_bytes_max_)", "|| (value_bytes_ >= value_bytes_max_ && !MUTANT(outbox-bytes-without-a-bound)))"),
    # Slots that are over.
    ("role/acceptor.hpp", "if (store_.read(accept.slot) != accept.value) return;",
     "if (store_.read(accept.slot) != accept.value && !MUTANT(any-value-confirmed-in-a-chosen-slot)) return;"),
    ("role/acceptor.hpp", "if (slots_between(votes_.base(), accept.slot) > window_)",
     "if (slots_between(votes_.base(), accept.slot) > window_ && !MUTANT(acceptor-window-ignored))"),
    ("role/proposer.hpp", "command.payload.size() > config_.pending_bytes_max)", "command.payload.size() > config_.pending_bytes_max && !MUTANT(batches-without-a-bound))"),
    ("role/proposer.hpp", "while (in_flight_.admits(next_slot_)) {",
     "while (in_flight_.admits(next_slot_) || MUTANT(proposer-window-ignored)) {"),
    ("role/proposer.hpp", "        const auto found = reported_.find(next_slot_);\n",
     """        const auto found = reported_.find(next_slot_);
        if (found == reported_.end() && MUTANT(holes-left)) {
          next_slot_ = next_slot_.next();
          continue;
        }
"""),
    ("role/learner.hpp", "if (!is_held(slot, *known)) {", "if (!is_held(slot, *known) && !MUTANT(any-vote-logged-as-chosen)) {"),
    ("role/learner.hpp", "    above_.advance(recovered.chosen_through);\n",
     """    above_.advance(MUTANT(applied-again-after-a-restart) && recovered.chosen_through > Slot{}
                       ? recovered.chosen_through.previous()
                       : recovered.chosen_through);
"""),
    # What users are told.
    ("replica/submitter.hpp", "    const bool is_new = reign != reign_;\n",
     """    const bool is_new = reign != reign_;
    if (MUTANT(answered-before-chosen) && !pending_.empty() && pending_.begin()->second.has_left)
      finish(pending_.begin(), Answer{pending_.begin()->first, std::nullopt, {}});
"""),
    ("replica/session_table.hpp", "return from(session.answers, id.sequence)->answer;",
     "return MUTANT(answer-of-another-command) ? session.answers.front().answer : from(session.answers, id.sequence)->answer;"),
    ("replica/session_table.hpp", "if (entry->second.last_use < oldest->second.last_use) oldest = entry;",
     """{
        // What differs from node to node: here an address, as a local clock would.
        const auto age = [this](const auto& one) {
          return MUTANT(evicted-by-a-local-order) ? (reinterpret_cast<std::uintptr_t>(this) >> 6) * one.second.last_use % 7
                                                  : one.second.last_use;
        };
        if (age(*entry) < age(*oldest)) oldest = entry;
      }"""),
    ("replica/submitter.hpp", "        pending.is_with_proposer = false;\n        hand_over(pending, ways, now, propose);",
     """        if (MUTANT(lost-slot-lost-command)) continue;
        pending.is_with_proposer = false;
        hand_over(pending, ways, now, propose);"""),
    # Who leads.
    ("role/leader_election.hpp", "    return outcome();\n  }\n\n  /// Of the poll",
     "    return MUTANT(no-pre-vote) ? Advice::stand : outcome();\n  }\n\n  /// Of the poll"),
    ("role/leader_election.hpp", "    return poll(now, chosen_through);\n",
     "    if (!may_lead && MUTANT(stalled-disk-does-not-poll)) return Advice::none;\n    return poll(now, chosen_through);\n"),
    ("role/leader_election.hpp", "    if (standing_ == Standing::leader) return false;\n",
     """    if (MUTANT(support-against-a-leader)) return true;
    if (standing_ == Standing::leader) return false;
"""),
    ("role/leader_election.hpp", "    return random_.between(config_.election_timeout, 2 * config_.election_timeout);",
     """    if (MUTANT(no-back-off)) return config_.election_timeout;
    if (MUTANT(stands-again-at-once)) return Duration{};
    return random_.between(config_.election_timeout, 2 * config_.election_timeout);"""),
    ("role/leader_election.hpp", "if (!may_lead || !has_quorum(now)) return Advice::resign;",
     """if ((!may_lead && !MUTANT(stalled-disk-ignored)) || (!has_quorum(now) && !MUTANT(leads-without-a-quorum)))
        return Advice::resign;"""),
    ("replica.hpp", "case Verdict::stalled: follow_advice(Advice::resign, now); break;",
     "case Verdict::stalled: if (!MUTANT(stuck-reign-goes-on)) follow_advice(Advice::resign, now); break;"),
    ("replica.hpp", "case Verdict::wedged: follow_advice(Advice::stand, now); break;",
     "case Verdict::wedged: if (!MUTANT(wedged-reign-goes-on)) follow_advice(Advice::stand, now); break;"),
    ("role/leader_election.hpp", "if (slots_between(peer.chosen_through, chosen_through) > config_.window_slots) continue;",
     "if (slots_between(peer.chosen_through, chosen_through) > config_.window_slots && !MUTANT(handed-over-to-a-laggard)) continue;"),
    ("role/leader_election.hpp", "from == leader_ && offer.ballot == leader_ballot_ ? Advice::stand",
     "((from == leader_ && offer.ballot == leader_ballot_) || MUTANT(anybody-hands-over)) ? Advice::stand"),
    ("replica.hpp", "if (proposer_.phase() != Proposer<Box>::Phase::idle && proposer_.ballot() < ballot) proposer_.stand_down();",
     """if (proposer_.phase() != Proposer<Box>::Phase::idle && proposer_.ballot() < ballot &&
        !MUTANT(deposed-leader-goes-on)) proposer_.stand_down();"""),
    ("replica/ballot_book.hpp", "step = std::min(std::min(rise, reach), allowance.left);",
     "step = MUTANT(rounds-without-a-bound) ? rise : std::min(std::min(rise, reach), allowance.left);"),
    ("replica/ballot_book.hpp", "if (now >= allowance.until)", "if (now >= allowance.until || MUTANT(rounds-without-a-pause))"),
    ("replica/ballot_book.hpp", "return ballot.node == from && hear(from, ballot, now);",
     "return (ballot.node == from || MUTANT(ballots-of-others-obeyed)) && hear(from, ballot, now);"),
    ("replica.hpp", "if (!is_well_formed(message)) return", "if (!is_well_formed(message) && !MUTANT(slots-without-a-bound)) return"),
    ("role/proposer.hpp", "reported_bytes_ > config_.acceptor_bytes_max())",
     "reported_bytes_ > config_.acceptor_bytes_max() && !MUTANT(promises-without-a-bound))"),
    ("role/proposer.hpp", "if (slots_between(promise.chosen_through, accepted.slot) > Config::reported_slots_max) return false;",
     "if (slots_between(promise.chosen_through, accepted.slot) > Config::reported_slots_max && !MUTANT(reports-without-a-bound)) return false;"),
    # Catching up.
    ("role/catch_up.hpp", "      fallback = peer;\n", "      if (!MUTANT(leader-never-asked)) fallback = peer;\n"),
    ("role/catch_up.hpp", "if (!reply.values.empty()) {", "if (!reply.values.empty() || MUTANT(empty-answers-multiply)) {"),
    ("role/catch_up.hpp", "      helper_ = from;\n", "      if (!MUTANT(helpers-forgotten)) helper_ = from;\n"),
    ("role/catch_up.hpp", "(bytes > 0 && bytes + value->size() > config_.catch_up_bytes_max)",
     "(bytes > 0 && bytes + value->size() > config_.catch_up_bytes_max && !MUTANT(catch-up-without-a-bound))"),
    ("role/catch_up.hpp", "      if (bytes > config_.catch_up_bytes_max) break;\n",
     "      if (bytes > config_.catch_up_bytes_max && !MUTANT(catch-up-without-a-bound)) break;\n"),
    # The disk: syncs and their errors.
    ("storage/file_storage.hpp", "if (const auto error = files_.sync_data(*written[i]))",
     """if (auto error = MUTANT(no-sync) ? std::error_code{} : files_.sync_data(*written[i]);
          error && MUTANT(failed-sync-tried-again) ? bool(error = files_.sync_data(*written[i]))
                                                   : error && !MUTANT(sync-error-ignored))"""),
    ("storage/file_storage.hpp", "return WriteTicket{durable_.load(std::memory_order_acquire)};",
     """if (MUTANT(appended-taken-for-durable)) {
      const std::lock_guard lock{const_cast<std::mutex&>(mutex_)};
      return last_ticket_;
    }
    return WriteTicket{durable_.load(std::memory_order_acquire)};"""),
    ("storage/file_storage.hpp", "    if (failure_.ok())\n      failure_ = error ? failed(location.segment, \"cannot be read",
     "    if (failure_.ok() && !MUTANT(failed-read-ignored))\n      failure_ = error ? failed(location.segment, \"cannot be read"),
    ("storage/file_storage.hpp", "        if (status.code != Errc::storage_full) failure_ = status;\n",
     """        if (status.code != Errc::storage_full && !MUTANT(failed-flush-is-not-final)) failure_ = status;
        if (status.code == Errc::storage_full && MUTANT(full-disk-drops-records)) writing_.clear();
"""),
    ("storage/segment_files.hpp", "if ((error = files_.sync(*next_)) ||",
     "if ((!MUTANT(segment-renamed-before-its-sync) && (error = files_.sync(*next_))) ||"),
    ("storage/segment_files.hpp", "(error = files_.sync_directory(directory_.path())))",
     "(!MUTANT(segment-name-not-synced) && (error = files_.sync_directory(directory_.path()))))"),
    ("storage/data_directory.hpp", "\"cannot create '\" + file(\"identity\") + \"'\");\n    sync();\n",
     "\"cannot create '\" + file(\"identity\") + \"'\");\n    if (!MUTANT(identity-name-not-synced)) sync();\n"),
    ("storage/data_directory.hpp", "if (!error) error = files_.sync(target);",
     "if (!error && !MUTANT(identity-renamed-before-its-sync)) error = files_.sync(target);"),
    ("storage/data_directory.hpp", "  void sync_parents() {\n", "  void sync_parents() {\n    if (MUTANT(parents-not-synced)) return;\n"),
    ("storage/data_directory.hpp", "if (!files_.try_lock(lock_)) {", "if (!files_.try_lock(lock_) && !MUTANT(no-lock)) {"),
    ("storage/data_directory.hpp", "if (identity_.node != config.id || identity_.common != config.common())",
     "if ((identity_.node != config.id || identity_.common != config.common()) && !MUTANT(directory-of-another-node))"),
    # The disk: what is believed at a start.
    ("storage/log_recovery.hpp", "    throw_on(files_.sync(*file), \"cannot sync \" + name(number));\n    Buffer block",
     "    if (!MUTANT(no-sync-at-start)) throw_on(files_.sync(*file), \"cannot sync \" + name(number));\n    Buffer block"),
    ("storage/log_recovery.hpp", "if (last_flush_.segment == 0) return;",
     "if (last_flush_.segment == 0 || MUTANT(no-sync-at-start) || MUTANT(last-flush-not-rewritten)) return;"),
    ("storage/log_recovery.hpp", "if (behind.proof > log_.next_sequence) {",
     "if (behind.proof > log_.next_sequence && !MUTANT(log-cut-at-any-damage) && !MUTANT(later-flushes-prove-nothing)) {"),
    ("storage/log_recovery.hpp", "if (!was_being_cut && !looks_torn(bytes_, static_cast<std::size_t>(offset), frame))",
     """if ((!was_being_cut && !looks_torn(bytes_, static_cast<std::size_t>(offset), frame) && !MUTANT(log-cut-at-any-damage) &&
         !MUTANT(rot-taken-for-a-torn-tail)) || (behind.bytes > 0 && MUTANT(torn-tail-taken-for-damage)))"""),
    ("storage/log_recovery.hpp", "    const std::uint64_t used = std::max(used_end(bytes_, offset), begun_end);\n",
     """    const std::uint64_t used = std::max(used_end(bytes_, offset), begun_end);
    if (MUTANT(torn-tail-left)) return;
"""),
    ("storage/log_recovery.hpp", "if (header.sequence != log_.next_sequence || (!begins_flush && header.flush_first != flush_first_))",
     """if (!MUTANT(records-of-any-place) &&
        (header.sequence != log_.next_sequence || (!begins_flush && header.flush_first != flush_first_)))"""),
    ("storage/segment.hpp", "  const std::uint64_t little = little_endian(offset);\n",
     """  const std::uint64_t little = little_endian(MUTANT(records-of-any-place) ? std::uint64_t{} : offset);
  if (MUTANT(records-of-any-place)) seed = 0;
"""),
    ("storage/segment.hpp", "frame.header.header_crc != frame_header_crc(rest, offset, seed))",
     "(frame.header.header_crc != frame_header_crc(rest, offset, seed) && !MUTANT(no-record-checksum)))"),
    ("storage/segment.hpp", "frame.valid = crc32c(frame.payload(), seed) == frame.header.payload_crc;",
     """frame.valid = crc32c(frame.payload(), seed) == frame.header.payload_crc || MUTANT(no-record-checksum) ||
                  MUTANT(no-payload-checksum);"""),
    # Who is who.
    ("storage/peer_book.hpp", "if (file_.is_there()) read();",
     "if (file_.is_there() && !MUTANT(peers-forgotten-at-restart)) read();"),
    ("core/lives_met.hpp", "life.descends_from(*known)) return {};",
     """life.descends_from(*known) ||
        (life.incarnation != known->incarnation ? MUTANT(wiped-node-admitted) : MUTANT(rolled-back-disk-admitted)))
      return {};"""),
    ("core/store_life.hpp", "return lives_ago >= nonces.size() ||",
     "return lives_ago >= nonces.size() || (lives_ago > 0 && MUTANT(lives-only-counted)) ||"),
    ("storage/life_file.hpp", "    content_.life = content_.life.next(files.random());\n",
     """    content_.life = content_.life.next(files.random());
    if (!directory.is_new() && MUTANT(life-not-durable)) return;
"""),
    ("storage/life_file.hpp", "    content_.outdated_by = peer;\n",
     "    content_.outdated_by = peer;\n    if (MUTANT(outdated-mark-not-written)) return;\n"),
    ("storage/sealed_file.hpp", "if (!error) error = files_.sync(target);",
     "if (!error && !MUTANT(sealed-file-renamed-before-its-sync)) error = files_.sync(target);"),
    ("storage/sealed_file.hpp", "    directory_.sync();\n", "    if (!MUTANT(sealed-file-name-not-synced)) directory_.sync();\n"),
    ("transport/hello.hpp", "if (refusal.is_welcome()) met_.meet(from, life.newest());",
     "if (refusal.is_welcome()) met_.meet(from, life.newest());\n    if (MUTANT(wiped-node-welcomed)) return {};"),
    ("transport/outgoing.hpp", "shared_->greeter.refusal_of(peer_, reply).is_welcome();",
     "(shared_->greeter.refusal_of(peer_, reply).is_welcome() || MUTANT(outdated-on-anybodys-word));"),
    ("transport/hello.hpp", "if (hello.cluster != cluster_)", "if (hello.cluster != cluster_ && !MUTANT(strange-cluster-welcomed))"),
    ("transport/hello.hpp", "if (hello.from == id_)", "if (hello.from == id_ && !MUTANT(own-id-welcomed))"),
    ("transport/frame.hpp", "if (length > payload_bytes_max_) return", "if (length > payload_bytes_max_ && !MUTANT(frame-length-unbounded)) return"),
    ("transport/frame.hpp", "      error_ = FrameError::bad_checksum;\n      return std::nullopt;",
     "      if (!MUTANT(no-frame-checksum)) {\n        error_ = FrameError::bad_checksum;\n        return std::nullopt;\n      }"),
]

# Mutants that the simulation does not find, and the file of tests that does.
DIRECTED = {
    "acks-of-other-reigns": "role/leader_election",
    "stalled-disk-ignored": "role/leader_election",
    "stalled-disk-does-not-poll": "role/leader_election_ways",
    "handed-over-to-a-laggard": "role/leader_election",
    "anybody-hands-over": "role/leader_election",
    "no-back-off": "role/leader_election",
    "catch-up-without-a-bound": "role/catch_up",
    "empty-answers-multiply": "role/catch_up",
    "helpers-forgotten": "role/catch_up",
    "outbox-without-a-bound": "sim/footprint",
    "outbox-bytes-without-a-bound": "sim/footprint",
    "pending-without-a-bound": "sim/footprint",
    "promises-without-a-bound": "sim/footprint",
    "batches-without-a-bound": "sim/footprint",
    "fresh-without-a-bound": "sim/footprint",
    "rounds-without-a-bound": "replica/hostile_member",
    "rounds-without-a-pause": "replica/hostile_member",
    "slots-without-a-bound": "replica/hostile_member",
    "reports-without-a-bound": "replica/hostile_member",
    "ballots-of-others-obeyed": "replica/replica",
    "no-lock": "storage/file_storage",
    "directory-of-another-node": "storage/data_directory",
    "parents-not-synced": "storage/data_directory",
    "failed-flush-is-not-final": "storage/file_storage",
    "wiped-node-welcomed": "transport/hello",
    "outdated-on-anybodys-word": "transport/tcp_stranger",
    "outdated-mark-not-written": "storage/life_file",
    "strange-cluster-welcomed": "transport/hello",
    "own-id-welcomed": "transport/hello",
    "frame-length-unbounded": "transport/frame",
    "no-frame-checksum": "transport/frame",
    "read-over-two-reigns": "replica/reader",
    "remote-read-joins": "replica/reader",
    "heartbeat-answered-below-the-promise": "replica/replica",
    "any-value-confirmed-in-a-chosen-slot": "role/acceptor",
    "lost-slot-lost-command": "replica/submitter",
    "leads-without-a-quorum": "role/leader_election",
    "stuck-reign-goes-on": "sim/regressions",
    "wedged-reign-goes-on": "sim/regressions",
    "deposed-leader-goes-on": "replica/replica",
    "acks-merged-over-ballots": "replica/outbox",
    "failed-read-ignored": "storage/file_storage",
    "rot-taken-for-a-torn-tail": "storage/log_recovery",
    "records-of-any-place": "storage/segment",
}

# Mutants of what surrounds the protocol: the disk, elections, catching up, sessions, bounds.
SURROUNDINGS_FROM = "outbox-without-a-bound"

HOME = "#include <paxos/core/ensure.hpp>\n"  # where the switch stands
SITE = re.compile(r"MUTANT\(([a-z0-9-]+)\)")


def names():
    return list(dict.fromkeys(name for _, _, new in EDITS for name in SITE.findall(new)))


def kind(name):
    """`protocol` or `rest`."""
    return "protocol" if names().index(name) < names().index(SURROUNDINGS_FROM) else "rest"


def bound(name):
    """The seeds within which the simulation has to find it."""
    return 1000 if kind(name) == "protocol" else 10000


def write(source, out):
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(source, out)
    for file, old, new in EDITS:
        path = out / "paxos" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"mutate.py: {file} holds {text.count(old)} times, not once: {old}")
        switch = r'([] { static const bool is_on = paxos::detail::is_mutant("\1"); return is_on; }())'
        text = text.replace(old, SITE.sub(switch, new))
        if HOME not in text:
            text = text.replace("#pragma once\n", "#pragma once\n" + HOME, 1)
        path.write_text(text)
    ensure = out / "paxos/core/ensure.hpp"
    ensure.write_text(ensure.read_text().replace("#include <string>\n", "#include <string>\n" + SWITCH, 1))


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(names()))
    else:
        write(*map(pathlib.Path, sys.argv[1:]))
