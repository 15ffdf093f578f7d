// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/error.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/replica/replicated_state.hpp>
#include <paxos/sim/ghost_votes.hpp>

namespace paxos::sim {

/// What users are promised, judged from outside: throws InvariantViolation at the first breach.
///
/// Beside the ghosts it keeps a twin of the state machine, which has no sessions and no disk: it runs each command of
/// the chosen slots once, in order. So it knows every result and every state, and what every command's place is. A
/// history is linearizable if results are the twin's, and whoever asks after an answer comes behind it: the log is
/// the witness, and no search is needed.
template <StateMachine Machine>
class Judge {
 public:
  /// Nothing was seen yet.
  Judge(Membership membership, const Config& config) : ghosts_(std::move(membership)), shared_(config) {}

  [[nodiscard]] GhostVotes& ghosts() { return ghosts_; }              ///< who voted for what
  [[nodiscard]] const GhostVotes& ghosts() const { return ghosts_; }  ///< who voted for what
  /// The twin after all slots that somebody applied.
  [[nodiscard]] const Machine& truth() const { return twin_; }
  /// Asked with the twin after every slot: what must always hold of the state.
  std::function<bool(const Machine&)> invariant;

  /// `id` is submitted, once more perhaps.
  void on_submitted(const RequestId& id) {
    Asked& asked = asked_[id];
    if (asked.attempts++ == 0) asked.behind = newest_;
    asked.is_refused = false;
  }

  /// A node told a caller how a command ended. Throws when that is not so.
  void on_answer(NodeId node, const Answer& answer) {
    Asked& asked = asked_[answer.id];
    const auto ran = ran_.find(answer.id);
    if (!answer.error) {
      ensure(ran != ran_.end(), [&] { return who(node) + "acknowledged a command that is not chosen and applied"; });
      ensure(ran->second.result == answer.result,
             [&] { return who(node) + "answered with another result than the command had"; });
      ensure(ran->second.position > asked.behind, [&] {
        return who(node) + "acknowledged a command whose place is before what was answered when it was first asked";
      });
      newest_ = std::max(newest_, ran->second.position);
    } else if (make_error_code(*answer.error) == Outcome::not_applied && asked.attempts == 1) {
      ensure(ran == ran_.end(), [&] { return who(node) + "called a command not applied that was"; });
      asked.is_refused = true;
    }
  }

  /// A read begins: it must show all that was answered by now. Gives what to hand to on_read().
  [[nodiscard]] Position read_begins() const { return newest_; }
  /// A node served a read that began behind `behind`. Throws when its state was older.
  void on_read(NodeId node, const Position& behind, Slot applied) {
    ensure(applied >= behind.slot, [&] {
      return who(node) + "served a read from slot " + to_string(applied) + ", though slot " + to_string(behind.slot) +
             " had been answered before it began";
    });
    newest_ = std::max(newest_, Position{applied, UINT32_MAX});
  }

  /// `node` applied `slot`, whose value it takes from its log; nullopt: its disk is known to be damaged.
  void on_applied(NodeId node, Slot slot, const std::optional<Value>& value) {
    if (value) ghosts_.check_learned(node, slot, *value);
    while (shared_.applied() < slot) advance(node);
  }
  /// The state of a node after what on_applied() told.
  void check_state(NodeId node, const ReplicatedState<Machine>& state) const {
    const auto truth = digests_.find(state.applied());
    if (truth == digests_.end()) return;
    ensure(truth->second.first == state.digest(), [&] {
      return who(node) + "has another state after slot " + to_string(state.applied()) + " than its peers";
    });
    ensure(truth->second.second == digest_of(state.machine()), [&] {
      return who(node) + "has another state after slot " + to_string(state.applied()) +
             " than if each command had run exactly once";
    });
  }

  [[nodiscard]] std::size_t commands_run() const { return ran_.size(); }  ///< distinct ones

 private:
  struct Asked {
    std::size_t attempts = 0;
    Position behind;          ///< whatever was answered before the first attempt stands here or before
    bool is_refused = false;  ///< "not applied" was said of the only attempt
  };
  struct Ran {
    Position position;
    Bytes result;
  };

  static std::string who(NodeId node) { return "node " + to_string(node) + " "; }

  static std::uint64_t digest_of(const Machine& machine) {
    Buffer state;
    encode(state, machine);
    std::uint64_t hash = 14695981039346656037ULL;
    for (const std::byte byte : state) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211ULL;
    return hash;
  }

  /// Runs the next chosen slot on the shared state, which says what the sessions make of each command, and on the twin.
  void advance(NodeId node) {
    const Slot slot = shared_.applied().next();
    const Value* value = ghosts_.chosen(slot);
    ensure(value != nullptr, [&] { return who(node) + "applied slot " + to_string(slot) + ", which is not chosen"; });
    std::vector<Answer> answers;
    shared_.apply(slot, *value, answers);
    const auto commands = commands_of(*value);
    for (std::uint32_t index = 0; index < answers.size(); ++index)
      if (commands && !answers[index].error) run((*commands)[index], Position{slot, index}, answers[index]);
    ensure(!invariant || invariant(twin_),
           [&] { return "after slot " + to_string(slot) + " the user's invariant does not hold of the state"; });
    digests_.emplace(slot, std::pair{shared_.digest(), digest_of(twin_)});
  }

  void run(const Command& command, Position position, const Answer& answer) {
    if (!ran_.contains(command.id)) {
      const auto asked = asked_.find(command.id);
      ensure(asked == asked_.end() || !asked->second.is_refused,
             "a command runs that its client was told is not applied");
      typename Machine::Command decoded{};
      ensure(decode(command.payload.span(), decoded), "a command ran that cannot be decoded");
      ran_.emplace(command.id, Ran{position, apply(std::move(decoded), position)});
    }
    ensure(ran_.at(command.id).result == answer.result, "a command's result is not the one that it had");
  }

  Bytes apply(typename Machine::Command command, Position position) {
    if constexpr (std::is_void_v<paxos::detail::RawResultOf<Machine>>) {
      paxos::detail::apply_to(twin_, std::move(command), position);
      return {};
    } else {
      return encoded(paxos::detail::apply_to(twin_, std::move(command), position));
    }
  }

  GhostVotes ghosts_;
  ReplicatedState<Machine> shared_;
  Machine twin_{};
  std::map<Slot, std::pair<std::uint64_t, std::uint64_t>> digests_;
  std::map<RequestId, Ran> ran_;
  std::map<RequestId, Asked> asked_;
  Position newest_;  ///< whoever is answered, or reads, now, is at least here
};

}  // namespace paxos::sim
