// Copyright (c) the paxos authors. MIT licence.
//
// paxos-explore: every state that a small cluster can reach within bounds. Status 0: no rule was broken. 1: one was,
// and the shortest way to it is printed. 2: the arguments are wrong.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <paxos/sim/explore.hpp>

namespace {

/// Commands are numbers; the machine is the list of those that ran.
struct Numbers {
  using Command = std::uint64_t;
  std::vector<std::uint64_t> ran;
  void apply(Command command) { ran.push_back(command); }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ran);
  }
};

void print(const char* what, const paxos::sim::Exploration& found, double seconds) {
  std::printf(
      "%s: %zu states, %llu transitions, depth %zu, %zu local states, %zu replica states, %zu turns, %zu MiB, %.1f s\n",
      what, found.states, static_cast<unsigned long long>(found.transitions), found.depth, found.local_states,
      found.replica_states, found.turns, found.bytes >> 20, seconds);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  paxos::sim::Bounds bounds;
  double seconds_max = 1e9;
  bool is_verified = false;
  CLI::App app{"Explores every state of a small cluster of paxos replicas."};
  app.add_option("--nodes", bounds.nodes, "members")->check(CLI::Range(1, 9));
  app.add_option("--ballots", bounds.ballots, "how often a node stands for election, in all")
      ->check(CLI::Range(std::size_t{0}, paxos::sim::Bounds::ballots_max));
  app.add_option("--slots", bounds.slots, "where the log ends")->check(CLI::Range(1, 60));
  app.add_option("--crashes", bounds.crashes, "in all")
      ->check(CLI::Range(std::size_t{0}, paxos::sim::Bounds::crashes_max));
  app.add_option("--commands", bounds.commands, "in all")
      ->check(CLI::Range(std::size_t{0}, paxos::sim::Bounds::commands_max));
  app.add_option("--messages", bounds.messages, "kinds that arrive; all others are lost");
  app.add_flag("--raw", bounds.is_raw, "keep the messages that can have no effect any more");
  app.add_flag("--hints", bounds.with_hints, "election, catching up and submitting are part of the state");
  app.add_flag("--slow-disks", bounds.has_slow_disks, "every flush is an event of its own");
  app.add_option("--promise-bytes", bounds.promise_bytes_max, "values in one part of a promise; 1: one");
  app.add_flag("--verify", is_verified, "check that thrown away messages have no effect");
  app.add_option("--seconds", seconds_max, "stop after this long");
  app.add_option("--states", bounds.states_max, "stop at this many states");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  bounds.is_time_up = [&] { return seconds() > seconds_max; };
  std::vector<std::uint64_t> commands;
  for (std::uint64_t i = 1; i <= bounds.commands; ++i) commands.push_back(i);

  paxos::sim::Explorer<Numbers> explorer{bounds, commands};
  const auto found = explorer.run([&](const auto& so_far) { print("explored", so_far, seconds()); });
  print(!found.breach.empty() ? "breach" : found.is_complete ? "complete" : "incomplete", found, seconds());
  if (is_verified)
    std::printf("thrown away without effect: %llu\n", static_cast<unsigned long long>(explorer.verify_thrown_away()));
  if (found.breach.empty()) return 0;
  std::printf("%s\n", found.breach.c_str());
  for (std::size_t i = 0; i < found.story.size(); ++i) std::printf("%4zu  %s\n", i + 1, found.story[i].c_str());
  return 1;
}
