// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/sim/check.hpp>

#include "examples/sim/ledger.hpp"

namespace {

using namespace paxos;
using paxos::sim::a_new_entry;
using paxos::sim::Ledger;
using paxos::sim::no_entry_twice;

/// Sanitizers are ten times slower, and look for something else.
std::uint64_t seeds_or(std::uint64_t usual) {
  const char* seeds = std::getenv("PAXOS_SEEDS");
  return seeds != nullptr ? std::strtoull(seeds, nullptr, 10) : usual;
}

}  // namespace

TEST_CASE("All promises hold over 5,000 seeds of all faults, on 1 to 5 nodes", "[sim]") {
  const auto start = std::chrono::steady_clock::now();
  const sim::Report report = sim::check<Ledger>({.nodes = 0, .seeds = seeds_or(5000)}, a_new_entry, no_entry_twice);
  WARN(sim::summary_of(report, std::chrono::steady_clock::now() - start));
  for (std::size_t kind = 0; kind < sim::fault_kinds; ++kind) {
    INFO(sim::fault_names[kind]);
    CHECK(report.faults.hit[kind] > 0);
  }
}

TEST_CASE("The same seeds give the same runs", "[sim]") {
  const sim::Options options{.nodes = 0, .seeds = 20};
  const auto first = sim::check<Ledger>(options, a_new_entry, no_entry_twice);
  const auto second = sim::check<Ledger>(options, a_new_entry, no_entry_twice);
  CHECK(first.trace_hash == second.trace_hash);
  CHECK(first.steps == second.steps);
  const auto others = sim::check<Ledger>({.nodes = 0, .seeds = 20, .first_seed = 21}, a_new_entry, no_entry_twice);
  CHECK(first.trace_hash != others.trace_hash);
}
