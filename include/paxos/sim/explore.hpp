// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/sim/explore_local.hpp>
#include <paxos/sim/explore_tables.hpp>
#include <paxos/sim/explore_tell.hpp>

namespace paxos::sim {

/// How far an exploration goes. What is used up of them is part of every state, in a few bits.
struct Bounds {
  static constexpr std::size_t ballots_max = 127;   ///< what a state has room for
  static constexpr std::size_t crashes_max = 31;    ///< what a state has room for
  static constexpr std::size_t commands_max = 127;  ///< what a state has room for

  std::size_t nodes = 3;     ///< members of the cluster
  std::size_t ballots = 3;   ///< how often a node stands for election, in all
  std::size_t slots = 2;     ///< the log ends there
  std::size_t crashes = 1;   ///< in all
  std::size_t commands = 2;  ///< in all
  /// The kinds of message that may arrive; all others are lost.
  std::vector<std::string> messages = {"Prepare", "Promise", "Accept", "Accepted", "Chosen"};
  bool is_raw = false;  ///< keep the letters that can have no effect any more
  bool with_hints =
      false;  ///< the state of the election, of catching up and of who submitted is part of a node's state
  bool has_slow_disks = false;  ///< no flush is part of a turn: a check of what Workbench says of flushes
  std::size_t promise_bytes_max = std::size_t{1} << 20;     ///< 1: a part of a promise for each slot
  std::size_t states_max = std::size_t{3} << 30;            ///< then it gives up, and says so
  std::function<bool()> is_time_up = [] { return false; };  ///< asked now and then; true: it gives up, and says so
};

/// What an exploration found.
struct Exploration {
  bool is_complete = false;        ///< every state within the bounds was seen
  std::size_t states = 0;          ///< distinct ones
  std::uint64_t transitions = 0;   ///< with those that lead to a state seen before
  std::size_t depth = 0;           ///< of the longest of all shortest paths
  std::size_t local_states = 0;    ///< of all members: replica, disk, letters and votes
  std::size_t replica_states = 0;  ///< of all members: replica and disk
  std::size_t turns = 0;           ///< that real replicas took
  std::size_t bytes = 0;           ///< held by the states
  std::string breach;              ///< what rule was broken; empty: none
  std::vector<std::string> story;  ///< how it came to that, step by step, as short as can be
};

/// Every state that a cluster of shipping replicas can reach within bounds, breadth first.
///
/// Nothing but a node's own turn changes a node, so each is computed once (LocalStates), and a state of the cluster is
/// one number for each member and what of the bounds is used up. Checked in every state: no slot is chosen with two
/// values, no ballot carries two values in one slot, no node took for chosen what is not, no durable promise went down,
/// equal logs gave equal machines. Chosen is what a quorum durably voted for at one ballot, at whatever time.
template <StateMachine Machine>
class Explorer {
 public:
  /// `commands`: as many as Bounds::commands, all different. Throws std::invalid_argument for bounds beyond their own.
  Explorer(Bounds bounds, const std::vector<typename Machine::Command>& commands) : bounds_(std::move(bounds)) {
    check_bounds(commands.size());
    typename Workbench<Machine>::Options options;
    options.frame.last_slot = Slot{bounds_.slots};
    options.frame.with_hints = bounds_.with_hints;
    for (const std::string& name : bounds_.messages) options.frame.kinds |= 1U << kind_named(name);
    for (std::size_t i = 0; i < bounds_.commands; ++i)
      options.commands.push_back(Command{RequestId{SessionId{1, i + 1}, 1}, 0, Slot{}, encoded(commands.at(i))});
    (void)glossary_.lexicon.number_of(Value{});
    for (std::uint64_t id = 1; id <= bounds_.nodes; ++id) {
      const Config config = config_of(id);
      members_.push_back(std::make_unique<LocalStates<Machine>>(config, glossary_, options, bounds_.is_raw, paces()));
    }
    states_ = std::make_unique<StateTable>(words());
    judged_ = std::make_unique<StateTable>(words());
  }

  /// Explores until all is seen, a rule is broken, or the bounds on time or states are reached. `on_progress` is called
  /// now and then.
  Exploration run(const std::function<void(const Exploration&)>& on_progress = [](const Exploration&) {}) {
    begin();
    std::size_t level_end = states_->size();
    std::size_t next_progress = 0;
    for (std::size_t state = 0; state < states_->size();) {
      if (state >= level_end) {
        level_end = states_->size();
        ++found_.depth;
      }
      if (bounds_.is_time_up() || states_->size() >= bounds_.states_max) return figures();
      if (state >= next_progress) {
        on_progress(figures());
        next_progress += progress_states;
      }
      const std::size_t end = std::min({state + batch_states, level_end, states_->size()});
      for (; state < end; ++state)
        if (!expand(static_cast<std::uint32_t>(state))) return figures();
      if (!settle()) return figures();
    }
    found_.is_complete = true;
    return figures();
  }

  /// Checks what the exploration took for granted: see LocalStates::verify_thrown_away.
  std::uint64_t verify_thrown_away() {
    std::uint64_t checked = 0;
    for (auto& member : members_) checked += member->verify_thrown_away();
    return checked;
  }

 private:
  /// One number for each member, then what is used up.
  using Row = std::array<std::uint32_t, members_max + 1>;
  struct Found {
    Row row;
    std::uint64_t hash = 0;
    std::uint32_t parent = 0;
    bool is_judged = false;
  };
  /// What is used up, in one word: three counts; and which members have something unflushed.
  static constexpr std::uint32_t one_crash = 1, one_ballot = 1 << 5, one_command = 1 << 12, one_debtor = 1 << 19;
  static_assert(Bounds::crashes_max == one_ballot / one_crash - 1 &&
                Bounds::ballots_max == one_command / one_ballot - 1 &&
                Bounds::commands_max == one_debtor / one_command - 1 && members_max <= 32 - 19);
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::size_t batch_states = 64, progress_states = std::size_t{1} << 22;

  void begin() {
    Row row{};
    for (std::size_t i = 0; i < bounds_.nodes; ++i) row[i] = members_[i]->first();
    states_->insert(row.data(), StateTable::hash(row.data(), words()), none);
  }

  /// What is not flushed matters only if it is lost. So a turn is prompt, or else its node is one that will crash, of
  /// which there are no more than crashes to come (see spend()).
  [[nodiscard]] std::vector<Pace> paces() const {
    if (bounds_.has_slow_disks) return {Pace::slow};
    return bounds_.crashes == 0 ? std::vector{Pace::prompt} : std::vector{Pace::prompt, Pace::lazy};
  }

  [[nodiscard]] std::size_t words() const { return bounds_.nodes + 1; }

  [[nodiscard]] Config config_of(std::uint64_t id) const {
    Config config;
    config.id = NodeId{id};
    for (std::uint64_t member = 1; member <= bounds_.nodes; ++member)
      config.members.emplace_back(member, "node-" + std::to_string(member) + ":1");
    config.data_dir = "explored";
    config.promise_bytes_max = bounds_.promise_bytes_max;
    config.window_slots = std::max<std::size_t>(bounds_.slots, 1);
    return config;
  }

  void check_bounds(std::size_t commands) const {
    const auto require = [](const char* field, std::size_t value, std::size_t least, std::size_t most,
                            const char* why) {
      if (value < least || value > most)
        throw std::invalid_argument("sim::Bounds: " + std::string{field} + " (" + std::to_string(value) + ") must be " +
                                    std::to_string(least) + " to " + std::to_string(most) + ", " + why);
    };
    constexpr const char* packed = "which is what a state has bits for; explore less";
    require("nodes", bounds_.nodes, 1, members_max, "which is what a cluster may have; try 3");
    require("ballots", bounds_.ballots, 0, Bounds::ballots_max, packed);
    require("crashes", bounds_.crashes, 0, Bounds::crashes_max, packed);
    require("commands", bounds_.commands, 0, Bounds::commands_max, packed);
    require("commands", bounds_.commands, 0, commands, "as so many commands are given; give more");
    require("states_max", bounds_.states_max, 1, none - 1, "which a number of 32 bits can count; explore less");
  }

  static std::size_t kind_named(const std::string& name) {
    for (std::size_t kind = 0; kind < std::size(message_names); ++kind)
      if (message_names[kind] == name) return kind;
    throw std::invalid_argument("there is no message named " + name);
  }

  /// The use of the bounds after the step; nullopt when they do not admit it.
  [[nodiscard]] std::optional<std::uint32_t> spend(std::uint32_t used, std::size_t member,
                                                   const LocalStep& step) const {
    std::uint32_t crashes = used % one_ballot;
    const std::uint32_t ballots = used % one_command / one_ballot, commands = used % one_debtor / one_command;
    switch (step.event.kind) {
      case NodeEvent::Kind::crash:
        if (crashes++ >= bounds_.crashes) return std::nullopt;
        used += one_crash;
        break;
      case NodeEvent::Kind::stand:
        if (ballots >= bounds_.ballots) return std::nullopt;
        used += one_ballot;
        break;
      case NodeEvent::Kind::command:
        if (commands != step.event.argument) return std::nullopt;
        used += one_command;
        break;
      default: break;
    }
    used &= ~(one_debtor << member);
    if (step.is_unflushed) used |= one_debtor << member;
    const auto debtors = static_cast<std::size_t>(std::popcount(used / one_debtor));
    if (debtors + crashes > bounds_.crashes && !bounds_.has_slow_disks) return std::nullopt;
    return used;
  }

  /// The row after a step of `member`.
  [[nodiscard]] Row after(const Row& row, std::size_t member, const LocalStep& step, std::uint32_t used) {
    Row next = row;
    next[member] = step.next;
    next[bounds_.nodes] = used;
    if (step.mail != 0)
      for (std::size_t other = 0; other < bounds_.nodes; ++other)
        if (const auto letters = members_[member]->mail_to(step.mail, other); letters != 0)
          next[other] = members_[other]->receive(next[other], letters);
    return next;
  }

  [[nodiscard]] Row row_of(std::size_t state) const {
    Row row{};
    std::copy_n(states_->row(state), words(), row.begin());
    return row;
  }

  /// Finds what follows the state. False when a rule is broken on the way there.
  bool expand(std::uint32_t state) {
    const Row row = row_of(state);
    for (std::size_t member = 0; member < bounds_.nodes; ++member) {
      for (const LocalStep& step : members_[member]->steps(row[member])) {
        const auto used = spend(row[bounds_.nodes], member, step);
        if (!used) continue;
        if (step.is_breach) return tell(state, member, step.event);
        const Row next = after(row, member, step, *used);
        if (next == row) continue;
        const std::uint64_t hash = StateTable::hash(next.data(), words());
        states_->expect(hash);
        batch_.push_back(Found{next, hash, state, step.is_judged});
      }
    }
    return true;
  }

  /// Adds what was found. False when it breaks a rule.
  bool settle() {
    for (const Found& next : batch_) states_->expect_row(next.hash);
    found_.transitions += batch_.size();
    for (const Found& next : batch_) {
      if (!states_->insert(next.row.data(), next.hash, next.parent) || !next.is_judged) continue;
      if (!is_unjudged(next.row)) continue;
      if (std::string breach = judge(next.row); !breach.empty()) {
        found_.breach = std::move(breach);
        found_.story = story_to(states_->size() - 1);
        return false;
      }
    }
    batch_.clear();
    return true;
  }

  /// No state was judged before that is the same to a judge.
  [[nodiscard]] bool is_unjudged(const Row& row) {
    Row key{};
    for (std::size_t i = 0; i < bounds_.nodes; ++i) key[i] = members_[i]->verdict_key(row[i]);
    return judged_->insert(key.data(), StateTable::hash(key.data(), words()), none);
  }

  /// The rule that the state breaks; empty when it breaks none.
  [[nodiscard]] std::string judge(const Row& row) {
    std::map<std::pair<Slot, Ballot>, std::map<std::uint32_t, std::size_t>> votes;
    std::map<Slot, std::uint32_t> chosen;
    for (std::size_t i = 0; i < bounds_.nodes; ++i)
      members_[i]->votes(row[i]).each([&](std::size_t bit) {
        const VoteFact& vote = glossary_.votes[bit];
        ++votes[{vote.slot, vote.ballot}][vote.value];
      });
    for (const auto& [where, values] : votes) {
      const std::string place = "slot " + to_string(where.first) + " at ballot " + to_string(where.second);
      if (values.size() > 1) return "two values in " + place + ": a ballot was used twice";
      if (values.begin()->second <= bounds_.nodes / 2) continue;
      const auto [truth, is_first] = chosen.try_emplace(where.first, values.begin()->first);
      if (truth->second != values.begin()->first) return "two values are chosen in slot " + to_string(where.first);
    }
    for (std::size_t i = 0; i < bounds_.nodes; ++i) {
      std::string breach;
      members_[i]->learnt(row[i]).each([&](std::size_t bit) {
        const VoteFact& fact = glossary_.votes[bit];
        const auto truth = chosen.find(fact.slot);
        if (truth == chosen.end() || truth->second != fact.value)
          breach = "node " + std::to_string(i + 1) + " takes a value for chosen in slot " + to_string(fact.slot) +
                   " that no quorum voted for";
      });
      if (!breach.empty()) return breach;
    }
    return {};
  }

  bool tell(std::size_t state, std::size_t member, const NodeEvent& event) {
    const Row row = row_of(state);
    const NodeTurn turn = members_[member]->replay(row[member], event);
    found_.breach =
        turn.breach.empty() ? "a durable promise went down, or equal logs gave different machines" : turn.breach;
    found_.story = story_to(state);
    found_.story.push_back(describe(glossary_, NodeId{member + 1}, event, turn));
    return false;
  }

  /// The steps from the first state to this one.
  [[nodiscard]] std::vector<std::string> story_to(std::size_t state) {
    std::deque<std::size_t> path{state};
    while (states_->parent(path.front()) != none) path.push_front(states_->parent(path.front()));
    std::vector<std::string> story;
    for (std::size_t i = 1; i < path.size(); ++i) story.push_back(step_between(row_of(path[i - 1]), row_of(path[i])));
    return story;
  }

  [[nodiscard]] std::string step_between(const Row& before, const Row& then) {
    for (std::size_t member = 0; member < bounds_.nodes; ++member)
      for (const LocalStep& step : members_[member]->steps(before[member])) {
        const auto used = spend(before[bounds_.nodes], member, step);
        if (!used || step.is_breach || after(before, member, step, *used) != then) continue;
        return describe(glossary_, NodeId{member + 1}, step.event,
                        members_[member]->replay(before[member], step.event));
      }
    return "?";
  }

  [[nodiscard]] Exploration figures() {
    found_.states = states_->size();
    found_.bytes = states_->bytes();
    found_.local_states = found_.replica_states = found_.turns = 0;
    for (const auto& member : members_) {
      found_.local_states += member->size();
      found_.replica_states += member->cores();
      found_.turns += member->turns();
    }
    return found_;
  }

  Bounds bounds_;
  Glossary<Machine> glossary_;
  std::vector<std::unique_ptr<LocalStates<Machine>>> members_;
  std::unique_ptr<StateTable> states_;
  std::unique_ptr<StateTable> judged_;  ///< verdict keys
  std::vector<Found> batch_;
  Exploration found_;
};

}  // namespace paxos::sim
