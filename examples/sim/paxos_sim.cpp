// Copyright (c) the paxos authors. MIT licence.
//
// Puts a ledger through simulated faults, or repeats one run of it message by message.
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <paxos/sim/check.hpp>

#include "ledger.hpp"
#include "totals.hpp"

namespace {

using namespace paxos;

/// "3,17" → {3, 17}; "none" → {}.
std::vector<std::size_t> numbers_in(const std::string& text) {
  std::vector<std::size_t> numbers;
  std::istringstream in{text == "none" ? "" : text};
  for (std::string number; std::getline(in, number, ',');) numbers.push_back(std::stoul(number));
  return numbers;
}

/// Seeds without end, until the time is over; goes on where the file says.
void soak(sim::Options options, const std::string& file, double seconds) {
  sim::Totals totals{file};
  const auto start = std::chrono::steady_clock::now();
  options.seeds = 100;
  do {
    options.first_seed = totals.next_seed;
    totals.add(sim::check<sim::Ledger>(options, sim::a_new_entry, sim::no_entry_twice));
    totals.save();
    std::cout << totals.line() << std::endl;
  } while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Simulates clusters of the library under faults, and checks every promise after every step."};
  sim::Options options{.nodes = 3, .seeds = 1};
  std::string only;
  std::vector<std::string> without;
  std::string soak_file;
  double seconds = 60;
  bool keeps_schedule = false;
  app.add_option("--seed", options.first_seed, "the first seed")->capture_default_str();
  app.add_option("--seeds", options.seeds, "how many, from there on")->capture_default_str();
  app.add_option("--nodes", options.nodes, "1 to 9; 0: each seed draws 1 to 5")
      ->check(CLI::Range(0, 9))
      ->capture_default_str();
  app.add_option("--only", only, "of the seed's schedule only these faults, as 3,17 or none");
  app.add_option("--without", without, "kinds of fault to leave out")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(sim::fault_names), std::end(sim::fault_names))));
  app.add_option("--trace", options.trace_lines, "with a failure, print so many of the last lines")
      ->capture_default_str();
  app.add_option("--soak", soak_file, "go on with new seeds, 100 at a time, and keep the totals in this file");
  app.add_option("--seconds", seconds, "how long --soak goes on")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--no-shrink", keeps_schedule, "do not look for the smallest schedule that fails");
  CLI11_PARSE(app, argc, argv);
  options.shrinks = !keeps_schedule;
  options.program = "paxos-sim";
  for (const std::string& name : without) options.program += " --without " + name;
  try {
    if (!only.empty()) options.only_faults = numbers_in(only);
    for (std::size_t kind = 0; kind < sim::fault_kinds; ++kind)
      for (const std::string& name : without)
        if (name == sim::fault_names[kind]) options.faults = options.faults.without(static_cast<sim::FaultKind>(kind));
    if (!soak_file.empty()) return soak(options, soak_file, seconds), 0;
    const auto start = std::chrono::steady_clock::now();
    const sim::Report report = sim::check<sim::Ledger>(options, sim::a_new_entry, sim::no_entry_twice);
    std::cout << sim::summary_of(report, std::chrono::steady_clock::now() - start);
  } catch (const sim::CheckFailed& failure) {
    std::cout << failure.what();
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "paxos-sim: " << error.what() << '\n';
    return 2;
  }
}
