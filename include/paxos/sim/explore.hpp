// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/sim/explore_local.hpp>
#include <paxos/sim/explore_tables.hpp>
#include <paxos/sim/explore_tell.hpp>

namespace paxos::sim {

/// How far an exploration goes.
struct Bounds {
  std::size_t nodes = 3;
  std::size_t ballots = 3;   ///< how often a node stands for election, in all
  std::size_t slots = 2;     ///< the log ends there
  std::size_t crashes = 1;   ///< in all
  std::size_t commands = 2;  ///< in all
  /// The kinds of message that may arrive; all others are lost.
  std::vector<std::string> messages = {"Prepare", "Promise", "Accept", "Accepted", "Chosen"};
  bool is_raw = false;  ///< keep the letters that can have no effect any more
  bool with_hints =
      false;  ///< the state of the election, of catching up and of who submitted is part of a node's state
  std::size_t states_max = std::size_t{3} << 30;
  std::function<bool()> is_time_up = [] { return false; };
};

/// What an exploration found.
struct Exploration {
  bool is_complete = false;  ///< every state within the bounds was seen
  std::size_t states = 0;
  std::uint64_t transitions = 0;   ///< with those that lead to a state seen before
  std::size_t depth = 0;           ///< of the longest of all shortest paths
  std::size_t local_states = 0;    ///< of all members: replica, disk, letters and votes
  std::size_t replica_states = 0;  ///< of all members: replica and disk
  std::size_t turns = 0;           ///< that real replicas took
  std::size_t bytes = 0;           ///< held by the states
  std::uint64_t checked_letters = 0;
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
  /// `commands`: as many as Bounds::commands, all different.
  Explorer(Bounds bounds, const std::vector<typename Machine::Command>& commands) : bounds_(std::move(bounds)) {
    typename Workbench<Machine>::Options options;
    options.frame.last_slot = Slot{bounds_.slots};
    options.frame.with_hints = bounds_.with_hints;
    for (const std::string& name : bounds_.messages) options.frame.kinds |= 1U << kind_named(name);
    for (std::size_t i = 0; i < bounds_.commands; ++i)
      options.commands.push_back(Command{RequestId{SessionId{1, i + 1}, 1}, 0, Slot{}, encoded(commands.at(i))});
    (void)glossary_.lexicon.number_of(Value{});
    for (std::uint64_t id = 1; id <= bounds_.nodes; ++id) {
      const Config config = config_of(id);
      for (const bool is_mortal : {false, true}) {
        options.is_mortal = is_mortal;
        members_[is_mortal ? 1 : 0].push_back(
            std::make_unique<LocalStates<Machine>>(config, glossary_, options, bounds_.is_raw));
      }
    }
    states_ = std::make_unique<StateTable>(bounds_.nodes + 1);
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
    each_member([&](LocalStates<Machine>& member) { checked += member.verify_thrown_away(); });
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
  /// What is used up, in one word: three counts; and which members may still crash.
  static constexpr std::uint32_t one_crash = 1, one_ballot = 1 << 5, one_command = 1 << 12, one_mortal = 1 << 19;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::size_t batch_states = 64, progress_states = std::size_t{1} << 22;

  /// Only nodes that may crash need to tell what a crash would take from them. With one crash to come it is settled
  /// from the start whom it hits: a first state for each. Otherwise any may, until the crashes are used up.
  void begin() {
    const std::uint32_t all = (1U << bounds_.nodes) - 1;
    if (bounds_.crashes == 1) {
      for (std::size_t member = 0; member < bounds_.nodes; ++member) begin(1U << member);
    } else {
      begin(bounds_.crashes == 0 ? 0 : all);
    }
  }
  void begin(std::uint32_t mortals) {
    Row row{};
    row[bounds_.nodes] = mortals * one_mortal;
    for (std::size_t i = 0; i < bounds_.nodes; ++i) row[i] = local(row, i).first();
    states_->insert(row.data(), StateTable::hash(row.data(), words()), none);
  }
  [[nodiscard]] LocalStates<Machine>& local(const Row& row, std::size_t member) {
    return *members_[(row[bounds_.nodes] / one_mortal >> member) & 1][member];
  }

  [[nodiscard]] std::size_t words() const { return bounds_.nodes + 1; }

  [[nodiscard]] Config config_of(std::uint64_t id) const {
    Config config;
    config.id = NodeId{id};
    for (std::uint64_t member = 1; member <= bounds_.nodes; ++member)
      config.members.emplace_back(member, "node-" + std::to_string(member) + ":1");
    config.data_dir = "explored";
    config.window_slots = std::max<std::size_t>(bounds_.slots, 1);
    return config;
  }

  static std::size_t kind_named(const std::string& name) {
    for (std::size_t kind = 0; kind < std::size(message_names); ++kind)
      if (message_names[kind] == name) return kind;
    throw std::invalid_argument("there is no message named " + name);
  }

  /// The use of the bounds after the event; nullopt when they do not admit it.
  [[nodiscard]] std::optional<std::uint32_t> spend(std::uint32_t used, const NodeEvent& event) const {
    const std::uint32_t crashes = used % one_ballot, ballots = used % one_command / one_ballot,
                        commands = used % one_mortal / one_command;
    switch (event.kind) {
      case NodeEvent::Kind::crash:
        if (crashes >= bounds_.crashes) return std::nullopt;
        used += one_crash;
        return crashes + 1 == bounds_.crashes ? used % one_mortal : used;
      case NodeEvent::Kind::stand: return ballots < bounds_.ballots ? std::optional{used + one_ballot} : std::nullopt;
      case NodeEvent::Kind::command:
        return commands == event.argument ? std::optional{used + one_command} : std::nullopt;
      default: return used;
    }
  }

  /// The row after a step of `member`.
  [[nodiscard]] Row after(const Row& row, std::size_t member, const LocalStep& step, std::uint32_t used) {
    Row next = row;
    next[member] = step.next;
    next[bounds_.nodes] = used;
    if (step.mail != 0)
      for (std::size_t other = 0; other < bounds_.nodes; ++other)
        if (const auto letters = local(row, member).mail_to(step.mail, other); letters != 0)
          next[other] = local(row, other).receive(next[other], letters);
    if (const std::uint32_t before = row[bounds_.nodes] / one_mortal; before != used / one_mortal)
      for (std::size_t other = 0; other < bounds_.nodes; ++other)
        if ((before >> other) & 1) next[other] = members_[0][other]->adopt(*members_[1][other], next[other]);
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
      for (const LocalStep& step : local(row, member).steps(row[member])) {
        const auto used = spend(row[bounds_.nodes], step.event);
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
      if (std::string breach = judge(next.row); !breach.empty()) {
        found_.breach = std::move(breach);
        found_.story = story_to(states_->size() - 1);
        return false;
      }
    }
    batch_.clear();
    return true;
  }

  /// The rule that the state breaks; empty when it breaks none.
  [[nodiscard]] std::string judge(const Row& row) {
    std::map<std::pair<Slot, Ballot>, std::map<std::uint32_t, std::size_t>> votes;
    std::map<Slot, std::uint32_t> chosen;
    for (std::size_t i = 0; i < bounds_.nodes; ++i)
      local(row, i).votes(row[i]).each([&](std::size_t bit) {
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
      local(row, i).learnt(row[i]).each([&](std::size_t bit) {
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
    const NodeTurn turn = local(row, member).replay(row[member], event);
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
      for (const LocalStep& step : local(before, member).steps(before[member])) {
        const auto used = spend(before[bounds_.nodes], step.event);
        if (!used || step.is_breach || after(before, member, step, *used) != then) continue;
        return describe(glossary_, NodeId{member + 1}, step.event,
                        local(before, member).replay(before[member], step.event));
      }
    return "?";
  }

  template <class Visit>
  void each_member(Visit&& visit) {
    for (auto& kind : members_)
      for (auto& member : kind) visit(*member);
  }

  [[nodiscard]] Exploration figures() {
    found_.states = states_->size();
    found_.bytes = states_->bytes();
    found_.local_states = found_.replica_states = found_.turns = 0;
    each_member([&](LocalStates<Machine>& member) {
      found_.local_states += member.size();
      found_.replica_states += member.cores();
      found_.turns += member.turns();
    });
    return found_;
  }

  Bounds bounds_;
  Glossary<Machine> glossary_;
  std::array<std::vector<std::unique_ptr<LocalStates<Machine>>>, 2> members_;  ///< that cannot crash; that can
  std::unique_ptr<StateTable> states_;
  std::vector<Found> batch_;
  Exploration found_;
};

}  // namespace paxos::sim
