// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/message.hpp>
#include <paxos/sim/explore_glossary.hpp>
#include <paxos/sim/explore_node.hpp>
#include <paxos/sim/explore_tables.hpp>
#include <paxos/sim/explore_tell.hpp>

namespace paxos::sim {

/// One way in which a node can go on.
struct LocalStep {
  std::uint32_t next = 0;     ///< the node's local state then
  std::uint32_t mail = 0;     ///< what it sends: a number of a row of sets of letters, one for each member; 0: nothing
  NodeEvent event;            ///< what happens
  bool is_judged = false;     ///< it voted, or learnt
  bool is_breach = false;     ///< an invariant threw: `next` is not to be followed
  bool is_unflushed = false;  ///< a crash could take something from it then
};

/// Every state that one member was seen in, and every way on from there: each computed once, by the real replica.
///
/// A local state is the replica with its disk, the letters that it may still get, and the votes that it ever made
/// durable. A letter, once sent, stays: so loss, repetition and reordering to any degree are all there. One that can
/// never have an effect any more is thrown away, unless `is_raw`.
template <StateMachine Machine>
class LocalStates {
 public:
  /// One node's state, as numbers into the tables.
  struct State {
    std::uint32_t core = 0;     ///< replica and disk
    std::uint32_t inbox = 0;    ///< set of letters
    std::uint32_t ballots = 0;  ///< set of votes
  };

  /// Of one node; the glossary is shared among all, and must outlive it.
  LocalStates(const Config& config, Glossary<Machine>& glossary, const typename Workbench<Machine>::Options& options,
              bool is_raw, std::vector<Pace> paces)
      : self_(config.id),
        members_(config.members.size()),
        glossary_(glossary),
        commands_(options.commands.size()),
        paces_(paces),
        is_raw_(is_raw || options.frame.with_hints),  // hints of any age are taken up
        tells_refusals_(options.frame.delivers(Nack{})),
        bench_(config, glossary.lexicon, options) {
    (void)glossary_.number_of(std::vector<std::uint32_t>{});
    (void)mail_number({});
    first_ = number_of(State{core_number(bench_.blank()), 0, votes_number({})});
  }
  LocalStates(const LocalStates&) = delete;
  LocalStates& operator=(const LocalStates&) = delete;

  [[nodiscard]] NodeId self() const { return self_; }                ///< whose states
  [[nodiscard]] std::uint32_t first() const { return first_; }       ///< the state that it starts in
  [[nodiscard]] std::size_t size() const { return states_.size(); }  ///< states met so far
  /// States met so far, without their hints and ballots.
  [[nodiscard]] std::size_t cores() const { return cores_.size(); }
  [[nodiscard]] std::size_t turns() const { return turns_.size(); }  ///< distinct turns taken so far
  /// Durable votes, by number.
  [[nodiscard]] const BitSet& votes(std::uint32_t state) const { return votes_[states_[state].ballots]; }
  /// What it takes for chosen, by number.
  [[nodiscard]] const BitSet& learnt(std::uint32_t state) const { return cores_[states_[state].core].learnt; }
  /// The set of letters to `member` among the mail.
  [[nodiscard]] std::uint32_t mail_to(std::uint32_t mail, std::size_t member) const {
    return mail_rows_[mail * members_ + member];
  }
  /// Equal for two states when, as far as a judge can see, they are the same: what was voted and learnt.
  [[nodiscard]] std::uint32_t verdict_key(std::uint32_t state) {
    const std::uint64_t key = std::uint64_t{cores_[states_[state].core].learnt_number} << 32 | states_[state].ballots;
    if (const auto known = verdict_keys_.find(key); known != PairMap::absent) return known;
    const auto number = static_cast<std::uint32_t>(verdict_keys_.size());
    verdict_keys_.insert(key, number);
    return number;
  }
  /// All that may happen to it next; computed once.
  [[nodiscard]] std::span<const LocalStep> steps(std::uint32_t state) {
    if (state >= known_.size()) known_.resize(state + 1, {0, unknown});
    if (known_[state].second == unknown) find_steps(state);
    return {steps_.data() + known_[state].first, known_[state].second};
  }

  /// The same state, with more letters.
  [[nodiscard]] std::uint32_t receive(std::uint32_t state, std::uint32_t set) {
    const std::uint64_t key = (std::uint64_t{state} << 32) | set;
    if (const auto known = received_.find(key); known != PairMap::absent) return known;
    State next = states_[state];
    std::vector<std::uint32_t> inbox = glossary_.letters_of(next.inbox);
    const std::vector<std::uint32_t> letters = glossary_.letters_of(set);
    inbox.insert(inbox.end(), letters.begin(), letters.end());
    next.inbox = glossary_.number_of(live(next.core, std::move(inbox)));
    const std::uint32_t number = number_of(next);
    received_.insert(key, number);
    return number;
  }

  /// The turn again, to tell of it.
  [[nodiscard]] NodeTurn replay(std::uint32_t state, const NodeEvent& event) {
    return take_turn(states_[state].core, event);
  }

  /// Checks what throwing letters away rests on: one that is thrown away would be so in every next state too, for every
  /// turn that was taken and every letter that was ever received. Returns how many were checked.
  [[nodiscard]] std::uint64_t verify_thrown_away() {
    std::uint64_t checked = 0;
    if (is_raw_) return checked;  // nothing is thrown away
    const std::size_t turns = turns_.size();
    for (std::size_t turn = 0; turn < turns; ++turn) {
      if (turns_[turn].is_breach || turns_[turn].core == turns_[turn].before) continue;
      for (std::size_t i = 0; i < received_letters_.size(); ++i) {
        if (!is_spent(turns_[turn].before, received_letters_[i])) continue;
        ++checked;
        ensure(is_spent(turns_[turn].core, received_letters_[i]), [&] {
          return "explore: a letter was thrown away that may matter again: " +
                 describe(glossary_.lexicon.message(glossary_.letters[received_letters_[i]].message));
        });
      }
    }
    return checked;
  }

 private:
  static constexpr std::uint32_t unknown = ~std::uint32_t{0};
  struct Core {
    NodeFacts facts;
    BitSet learnt;
    std::uint32_t learnt_number = 0;
    bool is_divergent = false;  ///< another replica has another state after the same slots
  };
  /// What a replica does on one event, whatever letters wait.
  struct Turn {
    std::uint32_t before = 0;
    std::uint32_t core = 0;
    std::uint32_t mail = 0;
    std::uint32_t votes = 0;
    bool is_breach = false;
  };

  // Numbers of things.

  std::uint32_t number_of(const State& state) {
    const auto [number, is_new] = state_numbers_.number_of({reinterpret_cast<const char*>(&state), sizeof state});
    if (is_new) states_.push_back(state);
    return number;
  }
  std::uint32_t core_number(const std::string& image) {
    const auto [number, is_new] = images_.number_of(image);
    if (!is_new) return number;
    bench_.load(image);
    Core core{bench_.facts(), {}};
    Slot slot;
    for (const Value& value : core.facts.learnt) {
      slot = slot.next();
      core.learnt.insert(glossary_.number_of_chosen(slot, value));
    }
    core.learnt_number = votes_number(core.learnt);
    const auto [digest, is_first] = glossary_.digests.try_emplace(core.learnt.bytes(), core.facts.digest);
    core.is_divergent = digest->second != core.facts.digest;
    cores_.push_back(std::move(core));
    return number;
  }
  std::uint32_t votes_number(const BitSet& votes) {
    const auto [number, is_new] = vote_sets_.number_of(votes.bytes());
    if (is_new) votes_.push_back(votes);
    return number;
  }

  // What can happen.

  void find_steps(std::uint32_t number) {
    const State state = states_[number];
    std::vector<LocalStep> steps;
    const std::size_t unflushed = cores_[state.core].facts.unflushed;
    const bool wants_flush = cores_[state.core].facts.wants_flush;
    for (const Pace pace : paces_) {
      if (unflushed > 0 && pace != paces_.back()) continue;
      const auto consider = [&](NodeEvent::Kind kind, std::uint32_t argument) {
        add_step(steps, number, state, NodeEvent{kind, pace, argument});
      };
      for (const std::uint32_t letter : glossary_.letters_of(state.inbox)) consider(NodeEvent::Kind::deliver, letter);
      if (wants_flush) consider(NodeEvent::Kind::flush, 0);
      for (std::uint32_t kept = 0; kept <= unflushed; ++kept) consider(NodeEvent::Kind::crash, kept);
      consider(NodeEvent::Kind::stand, 0);
      for (std::uint32_t command = 0; command < commands_; ++command) consider(NodeEvent::Kind::command, command);
    }
    known_[number] = {steps_.size(), static_cast<std::uint32_t>(steps.size())};
    steps_.insert(steps_.end(), steps.begin(), steps.end());
  }

  void add_step(std::vector<LocalStep>& steps, std::uint32_t number, const State& state, const NodeEvent& event) {
    const Turn turn = turn_of(state.core, event);
    LocalStep step{number, turn.mail, event, false, turn.is_breach, false};
    if (!turn.is_breach) {
      State next{turn.core, state.inbox, state.ballots};
      if (turn.core != state.core) next.inbox = glossary_.number_of(live(turn.core, glossary_.letters_of(state.inbox)));
      const BitSet all = votes_[state.ballots] | votes_[turn.votes];
      next.ballots = votes_number(all);
      step.is_judged = next.ballots != state.ballots || cores_[next.core].learnt != cores_[state.core].learnt;
      step.next = number_of(next);
      step.is_unflushed = cores_[next.core].facts.unflushed > 0;
      if (step.next == number && step.mail == 0) return;
      if (event.kind == NodeEvent::Kind::command && step.mail == 0) return;  // nothing is proposed within the bounds
    }
    const auto is_same = [&](const LocalStep& other) {
      return other.next == step.next && other.mail == step.mail && other.event.kind == step.event.kind &&
             other.event.argument * (event.kind == NodeEvent::Kind::command ? 1U : 0U) ==
                 event.argument * (event.kind == NodeEvent::Kind::command ? 1U : 0U) &&
             other.is_breach == step.is_breach;
    };
    if (std::ranges::none_of(steps, is_same)) steps.push_back(step);
  }

  Turn turn_of(std::uint32_t core, const NodeEvent& event) {
    const auto what = static_cast<std::uint64_t>(event.kind) | static_cast<std::uint64_t>(event.pace) << 3;
    const std::uint64_t key = (std::uint64_t{core} << 32) | what << 27 | event.argument;
    if (const auto known = turn_numbers_.find(key); known != PairMap::absent) return turns_[known];
    const NodeTurn taken = take_turn(core, event);
    Turn turn;
    turn.before = core;
    turn.is_breach = !taken.breach.empty();
    if (!turn.is_breach) {
      turn.core = core_number(taken.image);
      turn.mail = mail_number(taken.sent);
      turn.votes = votes_number(hardened(cores_[core].facts.promised, taken.hardened, turn.is_breach));
      turn.is_breach |= cores_[turn.core].is_divergent;
    }
    turn_numbers_.insert(key, static_cast<std::uint32_t>(turns_.size()));
    turns_.push_back(turn);
    return turn;
  }

  NodeTurn take_turn(std::uint32_t core, const NodeEvent& event) {
    bench_.load(images_[core]);
    const bool is_delivery = event.kind == NodeEvent::Kind::deliver;
    const Letter letter = is_delivery ? glossary_.letters[event.argument] : Letter{};
    return bench_.take(event, letter.from, is_delivery ? glossary_.lexicon.message(letter.message) : Message{});
  }

  std::uint32_t mail_number(const std::vector<std::pair<NodeId, Message>>& sent) {
    std::vector<std::vector<std::uint32_t>> sets(members_);
    for (const auto& [to, message] : sent)
      sets[static_cast<std::size_t>(to.value() - 1)].push_back(
          glossary_.number_of(Letter{self_, glossary_.lexicon.number_of(message)}));
    std::vector<std::uint32_t> row;
    for (auto& set : sets) row.push_back(glossary_.number_of(std::move(set)));
    const auto [number, is_new] =
        mail_.number_of({reinterpret_cast<const char*>(row.data()), row.size() * sizeof row[0]});
    if (is_new) mail_rows_.insert(mail_rows_.end(), row.begin(), row.end());
    return number;
  }

  BitSet hardened(Ballot promised, const std::vector<Record>& records, bool& is_breach) {
    BitSet votes;
    for (const Record& record : records) {
      const auto* promise = get_if<PromiseRecord>(&record);
      const auto* accept = get_if<AcceptRecord>(&record);
      if (promise == nullptr && accept == nullptr) continue;
      const Ballot& ballot = promise != nullptr ? promise->ballot : accept->ballot;
      is_breach |= ballot < promised;  // a durable promise that goes down
      promised = std::max(promised, ballot);
      if (accept != nullptr)
        votes.insert(
            glossary_.number_of(VoteFact{accept->slot, accept->ballot, glossary_.lexicon.number_of(accept->value)}));
    }
    return votes;
  }

  // Letters that cannot matter any more.

  std::vector<std::uint32_t> live(std::uint32_t core, std::vector<std::uint32_t> letters) {
    for (const std::uint32_t letter : letters) {
      if (letter >= is_received_.size()) is_received_.resize(letter + 1, false);
      if (!is_received_[letter]) received_letters_.push_back(letter);
      is_received_[letter] = true;
    }
    if (!is_raw_) std::erase_if(letters, [&](std::uint32_t letter) { return is_spent(core, letter); });
    return letters;
  }

  bool is_idle(std::uint32_t core, std::uint32_t letter) {
    const Turn turn = turn_of(core, {NodeEvent::Kind::deliver, paces_.back(), letter});
    return turn.core == core && turn.mail == 0 && !turn.is_breach;
  }

  /// By what is durable, which only grows: neither now nor later, crashes included, does the letter do anything.
  bool is_spent(std::uint32_t core, std::uint32_t letter) {
    return is_out_of_date(cores_[core].facts, letter) && is_idle(core, letter);
  }
  [[nodiscard]] bool is_out_of_date(const NodeFacts& facts, std::uint32_t letter) const {
    const Message& message = glossary_.lexicon.message(glossary_.letters[letter].message);
    if (const auto* chosen = get_if<Chosen>(&message))
      return chosen->ballot <= facts.promised &&
             (chosen->through <= facts.chosen_through ||
              (chosen->ballot < facts.promised && std::ranges::find(facts.voted, chosen->ballot) == facts.voted.end()));
    // What is refused has an effect where refusals arrive.
    if (const auto* prepare = get_if<Prepare>(&message)) return !tells_refusals_ && prepare->ballot < facts.promised;
    if (const auto* accept = get_if<Accept>(&message)) return !tells_refusals_ && accept->ballot < facts.promised;
    // This node stands only above its promise: a ballot that it does not run now is over.
    const auto is_over = [&](const Ballot& ballot) {
      return ballot <= facts.promised && (facts.proposer.is_idle || facts.proposer.ballot != ballot);
    };
    if (const auto* promise = get_if<Promise>(&message))
      return is_over(promise->ballot) || (facts.proposer.is_leading && facts.proposer.ballot == promise->ballot);
    if (const auto* accepted = get_if<Accepted>(&message))
      return is_over(accepted->ballot) ||
             (facts.proposer.ballot == accepted->ballot && accepted->last <= facts.proposer.decided);
    return false;
  }

  NodeId self_;
  std::size_t members_;
  Glossary<Machine>& glossary_;
  std::size_t commands_;
  std::vector<Pace> paces_;  ///< of a turn that begins with nothing unflushed; the last one also of the others
  bool is_raw_;
  bool tells_refusals_;
  Workbench<Machine> bench_;
  std::uint32_t first_ = 0;

  Strings images_;
  std::vector<Core> cores_;
  PairMap turn_numbers_;
  std::vector<Turn> turns_;

  Strings mail_;
  std::vector<std::uint32_t> mail_rows_;  ///< the same, one number for each member
  PairMap verdict_keys_;
  Strings vote_sets_;
  std::vector<BitSet> votes_;
  std::vector<bool> is_received_;
  std::vector<std::uint32_t> received_letters_;

  Strings state_numbers_;
  std::vector<State> states_;
  PairMap received_;
  std::vector<std::pair<std::size_t, std::uint32_t>> known_;  ///< of each state: where its steps begin, and how many
  std::vector<LocalStep> steps_;
};

}  // namespace paxos::sim
