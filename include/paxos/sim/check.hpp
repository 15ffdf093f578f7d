// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <paxos/cereal.hpp>
#include <paxos/core/ballot.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/random.hpp>
#include <paxos/sim/clients.hpp>
#include <paxos/sim/cluster.hpp>
#include <paxos/sim/faults.hpp>
#include <paxos/sim/injector.hpp>
#include <paxos/sim/shape.hpp>
#include <paxos/sim/shrink.hpp>

/// A cluster on virtual time, with everything that can go wrong: check() puts your state machine through it.
namespace paxos::sim {

/// What to run.
struct Options {
  std::size_t nodes = 3;                                     ///< 0: each seed draws 1 to 5
  std::uint64_t seeds = 100;                                 ///< so many runs,
  std::uint64_t first_seed = 1;                              ///< from this seed on
  Faults faults = Faults::all();                             ///< which kinds may strike
  std::function<void(Config&)> adjust = {};                  ///< the last word on each node's configuration
  std::optional<std::vector<std::size_t>> only_faults = {};  ///< of each schedule only these, by their numbers from 0
  std::size_t trace_lines = 0;                               ///< so many of the newest lines are kept
  bool shrinks = true;                                       ///< a failing schedule is made as short as can be
  /// A command line that runs the same check, as paxos-sim does: told in failures, before --seed and what else it
  /// needs. Without it the text says which Options to run again with.
  std::string program = {};
  std::function<void(std::uint64_t seed)> before_seed = {};  ///< progress
};

/// What was run, and what happened.
struct Report {
  std::uint64_t seeds = 0;         ///< how many were run
  std::uint64_t steps = 0;         ///< events scheduled, with those still to come at the end
  Duration simulated{};            ///< virtual time, of all seeds together
  std::uint64_t acknowledged = 0;  ///< commands that were answered with success
  std::uint64_t not_applied = 0;   ///< commands of which that was said
  std::uint64_t unknown = 0;       ///< commands of which that was said
  std::uint64_t reads = 0;         ///< reads that were served
  std::uint64_t slots = 0;         ///< slots that were chosen
  std::uint64_t elections = 0;     ///< Prepares sent
  std::uint64_t nodes_lost = 0;    ///< whose disk was damaged and which refused to start, or were wiped
  Duration worst_recovery{};       ///< from healing to the first acknowledged command
  FaultTally faults;               ///< how often each kind struck
  std::uint64_t trace_hash = 0;    ///< equal for equal runs

  Report& operator+=(const Report& other) {
    seeds += other.seeds;
    steps += other.steps;
    simulated += other.simulated;
    acknowledged += other.acknowledged;
    not_applied += other.not_applied;
    unknown += other.unknown;
    reads += other.reads;
    slots += other.slots;
    elections += other.elections;
    nodes_lost += other.nodes_lost;
    worst_recovery = std::max(worst_recovery, other.worst_recovery);
    faults += other.faults;
    trace_hash = (trace_hash ^ other.trace_hash) * 1099511628211ULL;
    return *this;
  }
};

/// A seed that broke a promise. The text says which, the command that replays it, the faults that it needs, and the end
/// of the trace.
class CheckFailed : public std::runtime_error {
 public:
  /// `text`: as above.
  CheckFailed(std::uint64_t seed, const std::string& text) : std::runtime_error(text), seed_(seed) {}
  [[nodiscard]] std::uint64_t seed() const { return seed_; }  ///< replays it, at the same commit

 private:
  std::uint64_t seed_;
};

/// One seed: a size, a configuration, a schedule of faults, some seconds of trouble, then a part of the network and at
/// last all of it healed; and each time progress.
template <StateMachine Machine>
class Run {
 public:
  using Commands = typename Clients<Machine>::Commands;   ///< gives the next command of a client
  using Invariant = std::function<bool(const Machine&)>;  ///< what must hold of every machine after every slot

  /// Draws all that the seed decides; nothing runs yet.
  Run(const Options& options, std::uint64_t seed, Commands commands, Invariant invariant)
      : shape_(options.nodes, seed, options.adjust),
        schedule_(ScheduleDraw{options.faults, shape_.nodes, shape_.length, shape_.pace, seed}.run()),
        cluster_(
            shape_.nodes, seed, shape_.conditions, [this](Config& config) { shape_.adjust(config); },
            options.trace_lines),
        clients_(cluster_, std::move(commands), Random{seed ^ 0xc11e}()),
        random_(seed ^ 0x7e57) {
    if (options.only_faults) keep_only(*options.only_faults);
    cluster_.judge().invariant = std::move(invariant);
  }

  [[nodiscard]] const std::vector<Fault>& schedule() const { return schedule_; }  ///< in order of time
  /// Of all that was sent; kept as far as Options::trace_lines says.
  [[nodiscard]] Trace& trace() { return cluster_.trace(); }

  /// Throws at the first promise that is broken.
  [[nodiscard]] Report run() {
    Injector<Machine> injector{cluster_, schedule_};
    injector.on_wake = [this](NodeId id) { clients_.read_at(id); };
    clients_.act_every(shape_.pace / 4, {shape_.writes, shape_.writes / 2, shape_.reads});
    cluster_.run_for(shape_.length);
    clients_.stop();
    injector.stop();
    cluster_.heal();
    isolate_all_but_a_quorum();
    report_.worst_recovery = require_progress();
    require_stability();
    require_service_everywhere();
    cluster_.heal();
    report_.worst_recovery = std::max(report_.worst_recovery, require_progress());
    quorum_ = cluster_.ids();
    std::erase_if(quorum_, [&](NodeId id) { return cluster_.is_damaged(id); });
    require_service_everywhere();
    for (const NodeId id : cluster_.ids())
      ensure(!cluster_.is_outdated(id) || !cluster_.is_up(id),
             [&] { return "node " + to_string(id) + " goes on with an older copy of its disk"; });
    return report(injector.tally());
  }

 private:
  static constexpr Duration patience = std::chrono::seconds{60};

  void keep_only(const std::vector<std::size_t>& numbers) {
    std::vector<Fault> kept;
    for (const std::size_t number : numbers) {
      if (number >= schedule_.size())
        throw std::invalid_argument("sim::Options: only_faults names fault " + std::to_string(number) +
                                    ", but the schedule of this seed has " + std::to_string(schedule_.size()) +
                                    ", numbered from 0");
      kept.push_back(schedule_[number]);
    }
    schedule_ = std::move(kept);
  }

  /// A quorum of whole nodes that can talk to each other is enough, whatever is up with the other links, in either
  /// direction.
  void isolate_all_but_a_quorum() {
    auto ids = cluster_.ids();
    std::erase_if(ids, [&](NodeId id) { return cluster_.is_damaged(id); });
    for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random_.below(i)]);
    const std::size_t quorum = cluster_.ids().size() / 2 + 1;
    ensure(ids.size() >= quorum, "sim: more disks were damaged than the cluster can lose");
    quorum_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(quorum));
    const auto is_in = [&](NodeId id) { return std::ranges::count(quorum_, id) != 0; };
    for (const NodeId from : cluster_.ids())
      for (const NodeId to : cluster_.ids())
        if ((!is_in(from) || !is_in(to)) && random_.chance(50)) cluster_.cut(from, to);
  }

  /// Somebody in the quorum is served soon; what was asked comes to an end; the quorum's nodes agree. How long it took
  /// until the first command was acknowledged.
  Duration require_progress() {
    const Time start = cluster_.now();
    const std::uint64_t before = clients_.counts().acknowledged;
    for (std::size_t i = 0; clients_.counts().acknowledged == before; ++i) {
      ensure(cluster_.now() - start < patience, "no progress: no command was acknowledged after healing");
      const NodeId next = quorum_[i % quorum_.size()];
      if (cluster_.is_up(next)) clients_.write_at(next);
      cluster_.run_for(shape_.pace);
    }
    const Duration recovery = cluster_.now() - start;
    ensure(cluster_.run_until([&] { return clients_.open() == 0; }, patience), "no progress: commands never ended");
    cluster_.run_for(10 * shape_.pace);  // the last stragglers
    require_agreement();
    return recovery;
  }

  /// A leader whom a quorum hears stays; and nobody stands again and again who cannot win. A few elections are granted:
  /// leadership may be offered to each node of higher priority, and come back if that one is out of the others' reach.
  void require_stability() {
    const std::size_t elections_max = std::max<std::size_t>(4, 2 * (cluster_.ids().size() - quorum_.size()));
    std::set<Ballot> ballots;
    cluster_.on_send = [&](NodeId, NodeId, const Message& message) {
      if (const auto* prepare = get_if<Prepare>(&message)) ballots.insert(prepare->ballot);
    };
    cluster_.run_for(20 * shape_.pace);
    cluster_.on_send = nullptr;
    ensure(ballots.size() <= elections_max, [&] {
      return "no progress: " + std::to_string(ballots.size()) + " elections while a quorum could talk to each other";
    });
  }

  /// Every node of the quorum is, whether or not it can talk to the leader, who may be outside of it.
  /// One by one, as a table of two sessions may evict a session that has a command on its way.
  void require_service_everywhere() {
    require_quiet();
    for (const NodeId id : quorum_) {
      // One whose disk failed before the healing may have found out only now, and be started again.
      ensure(cluster_.run_until([&] { return cluster_.is_up(id); }, patience), "no progress: a node stays down");
      const std::uint64_t before = clients_.counts().acknowledged;
      clients_.write_at(id);
      ensure(cluster_.run_until([&] { return clients_.open() == 0; }, patience), "no progress: a command never ended");
      ensure(clients_.counts().acknowledged == before + 1,
             [&] { return "no progress: after healing a command was refused: " + clients_.last_error(); });
      require_agreement();
      const std::uint64_t reads = clients_.counts().reads;
      clients_.read_at(id);
      ensure(cluster_.run_until([&] { return clients_.open() == 0; }, patience), "no progress: a read never ended");
      ensure(clients_.counts().reads == reads + 1, "no progress: after healing a read was not confirmed");
    }
  }

  /// What was asked for in the trouble, and asked again, is worked off first, however much that is.
  void require_quiet() {
    const Time start = cluster_.now();
    for (std::uint64_t before = ~std::uint64_t{0}; cluster_.ghosts().chosen_slots() != before;) {
      ensure(cluster_.now() - start < patience, "no progress: what was asked for is not worked off");
      before = cluster_.ghosts().chosen_slots();
      cluster_.run_for(4 * shape_.pace);
    }
  }

  void require_agreement() {
    const auto agree = [&] {
      if (!std::ranges::all_of(quorum_, [&](NodeId id) { return cluster_.is_up(id); })) return false;
      const Slot last = cluster_.replica(quorum_.front()).state().applied();
      return std::ranges::all_of(quorum_, [&](NodeId id) { return cluster_.replica(id).state().applied() == last; });
    };
    ensure(cluster_.run_until(agree, patience), [&] {
      std::string text = "no progress: the nodes did not catch up with each other; applied are";
      for (const NodeId id : quorum_)
        text += " " + (cluster_.is_up(id) ? to_string(cluster_.replica(id).state().applied()) : std::string{"(down)"});
      return text;
    });
  }

  Report report(const FaultTally& faults) {
    Report report = report_;
    report.seeds = 1;
    report.steps = cluster_.steps();
    report.simulated = cluster_.now() - Time{};
    const auto& counts = clients_.counts();
    report.acknowledged = counts.acknowledged;
    report.not_applied = counts.not_applied;
    report.unknown = counts.unknown;
    report.reads = counts.reads;
    report.slots = cluster_.ghosts().chosen_slots();
    report.elections = cluster_.sent()["Prepare"];
    for (const NodeId id : cluster_.ids()) report.nodes_lost += cluster_.is_lost(id) ? 1 : 0;
    report.faults = faults;
    report.trace_hash = cluster_.trace().hash();
    return report;
  }

  detail::Shape shape_;
  std::vector<Fault> schedule_;
  Cluster<Machine> cluster_;
  Clients<Machine> clients_;
  Random random_;
  std::vector<NodeId> quorum_;
  Report report_;
};

namespace detail {

/// Runs a seed; the text of what broke, if anything did.
template <StateMachine Machine, class Commands, class Invariant>
std::optional<std::string> failure_of(const Options& options, std::uint64_t seed, const Commands& commands,
                                      const Invariant& invariant, Report* report, std::vector<std::string>* trace) {
  Run<Machine> run{options, seed, commands, invariant};
  try {
    const Report one = run.run();
    if (report != nullptr) *report += one;
    return std::nullopt;
  } catch (const InvariantViolation& broken) {
    if (trace != nullptr) *trace = run.trace().lines();
    return broken.what();
  } catch (const std::exception& error) {
    if (trace != nullptr) *trace = run.trace().lines();
    return std::string{"an exception, which Machine::apply must not throw: "} + error.what();
  }
}

/// What a failure is about, whatever the numbers in it.
inline std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

template <StateMachine Machine, class Commands, class Invariant>
[[noreturn]] void explain(Options options, std::uint64_t seed, const Commands& commands, const Invariant& invariant,
                          const std::string& why) {
  const std::vector<Fault> schedule = Run<Machine>{Options{options}, seed, commands, invariant}.schedule();
  std::vector<std::size_t> needed(schedule.size());
  for (std::size_t i = 0; i < needed.size(); ++i) needed[i] = i;
  const std::size_t all = needed.size();
  if (options.only_faults) needed = *options.only_faults;
  if (options.shrinks) {
    needed = shrunk(std::move(needed), [&](const std::vector<std::size_t>& kept) {
      options.only_faults = kept;
      const auto again = failure_of<Machine>(options, seed, commands, invariant, nullptr, nullptr);
      return again && without_digits(*again) == without_digits(why);
    });
  }
  options.only_faults = needed;
  options.trace_lines = std::max<std::size_t>(options.trace_lines, 60);
  std::vector<std::string> trace;
  const auto last = failure_of<Machine>(options, seed, commands, invariant, nullptr, &trace);
  std::string numbers;
  for (const std::size_t number : needed) numbers += (numbers.empty() ? "" : ",") + std::to_string(number);
  std::string text = "seed " + std::to_string(seed) + ": " + why + "\nreplay: ";
  if (options.program.empty()) {
    text += "the same check with .nodes = " + std::to_string(options.nodes) +
            ", .seeds = 1, .first_seed = " + std::to_string(seed) + ", .only_faults = {{" + numbers +
            "}}, .trace_lines = 1000";
  } else {
    text += options.program + " --seed " + std::to_string(seed) + " --nodes " + std::to_string(options.nodes) +
            " --only " + (needed.empty() ? "none" : numbers);
  }
  text += "\nthe faults that it needs, " + std::to_string(needed.size()) + " of " + std::to_string(all) + ":\n";
  const std::vector<Fault> complete = Run<Machine>{[&] {
                                                     Options whole = options;
                                                     whole.only_faults.reset();
                                                     return whole;
                                                   }(),
                                                   seed, commands, invariant}
                                          .schedule();
  for (const std::size_t number : needed) text += describe(complete[number]) + "\n";
  text += "with these: " +
          last.value_or("nothing broke this time: do commands() and invariant() depend on their arguments alone?") +
          "\nthe end of the trace:\n";
  for (const std::string& line : trace) text += line + "\n";
  throw CheckFailed(seed, text);
}

}  // namespace detail

/// Puts a state machine through faults, `options.seeds` runs of them, and throws CheckFailed at the first that breaks a
/// promise of the library's (see Judge) or the user's own: `commands(random)` gives a command, `invariant(machine)`
/// says whether a state is as it should be, and is asked after every slot. Both must depend on their arguments alone,
/// or a failure cannot be repeated. A large state costs time: it is encoded after every slot on every node.
template <StateMachine Machine, class Commands, class Invariant>
Report check(const Options& options, const Commands& commands, const Invariant& invariant) {
  if (options.nodes > members_max)
    throw std::invalid_argument("sim::Options: nodes (" + std::to_string(options.nodes) +
                                ") must be 1 to 9, or 0 for 1 to 5 as each seed draws; a cluster has no more");
  if (options.seeds == 0) throw std::invalid_argument("sim::Options: seeds is 0, and nothing would be tested; try 100");
  Report report;
  for (std::uint64_t seed = options.first_seed; seed < options.first_seed + options.seeds; ++seed) {
    if (options.before_seed) options.before_seed(seed);
    const auto why = detail::failure_of<Machine>(options, seed, commands, invariant, &report, nullptr);
    if (why) detail::explain<Machine>(options, seed, commands, invariant, *why);
  }
  return report;
}

}  // namespace paxos::sim
