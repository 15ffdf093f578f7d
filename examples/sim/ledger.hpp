// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include <paxos/core/random.hpp>
#include <paxos/sim/check.hpp>

namespace paxos::sim {

/// Keeps every command that ran, so that a lost, doubled or reordered one shows.
struct Ledger {
  using Command = std::uint64_t;
  std::vector<std::uint64_t> entries;
  std::uint64_t apply(Command entry) {
    entries.push_back(entry);
    return entries.size();
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(entries);
  }
};

inline std::uint64_t a_new_entry(Random& random) { return random(); }

/// Entries are random numbers of 64 bits: no two are the same by chance.
inline bool no_entry_twice(const Ledger& ledger) {
  const std::set<std::uint64_t> distinct(ledger.entries.begin(), ledger.entries.end());
  return distinct.size() == ledger.entries.size();
}

/// What a run did, for a person.
inline std::string summary_of(const Report& report, std::chrono::steady_clock::duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const double hours = std::chrono::duration<double>(report.simulated).count() / 3600;
  char text[512];
  std::snprintf(
      text, sizeof text,
      "%llu seeds in %.0f s (%.0f a second), %.1f simulated hours, %llu steps: %llu commands acknowledged, "
      "%llu not applied, %llu unknown, %llu reads, %llu slots, %llu Prepares, %llu nodes lost for good, worst "
      "recovery after healing %.2f s, trace %016llx\n",
      static_cast<unsigned long long>(report.seeds), seconds, static_cast<double>(report.seeds) / seconds, hours,
      static_cast<unsigned long long>(report.steps), static_cast<unsigned long long>(report.acknowledged),
      static_cast<unsigned long long>(report.not_applied), static_cast<unsigned long long>(report.unknown),
      static_cast<unsigned long long>(report.reads), static_cast<unsigned long long>(report.slots),
      static_cast<unsigned long long>(report.elections), static_cast<unsigned long long>(report.nodes_lost),
      std::chrono::duration<double>(report.worst_recovery).count(), static_cast<unsigned long long>(report.trace_hash));
  std::string all = text;
  for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
    std::snprintf(text, sizeof text, "  %-18s struck %8llu, hit %10llu\n", std::string{fault_names[kind]}.c_str(),
                  static_cast<unsigned long long>(report.faults.struck[kind]),
                  static_cast<unsigned long long>(report.faults.hit[kind]));
    all += text;
  }
  return all;
}

}  // namespace paxos::sim
