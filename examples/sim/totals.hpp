// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <paxos/sim/check.hpp>

namespace paxos::sim {

/// What a campaign of many seeds has done so far, kept in a file so that it can be interrupted at any time and go on
/// where it was: lines of a name and a number.
class Totals {
 public:
  explicit Totals(std::string file) : file_(std::move(file)) {
    std::ifstream in{file_};
    for (std::string name; in >> name;) {
      std::uint64_t number = 0;
      if (!(in >> number)) throw std::runtime_error("'" + file_ + "': no number behind " + name + "; remove the file");
      if (name == "next_seed") next_seed = number;
      for_each(report, [&](const std::string& known, std::uint64_t& field) {
        if (known == name) field = number;
      });
    }
  }

  void save() {
    const std::string next = file_ + ".tmp";
    {
      std::ofstream out{next};
      out << "next_seed " << next_seed << '\n';
      for_each(report, [&](const std::string& name, std::uint64_t& field) { out << name << ' ' << field << '\n'; });
      if (!out.flush()) throw std::runtime_error("cannot write '" + next + "'");
    }
    std::filesystem::rename(next, file_);
  }

  void add(const Report& more) {
    report += more;
    simulated_seconds_ +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(more.simulated).count());
    next_seed += more.seeds;
  }

  /// One line for a person who looks on.
  [[nodiscard]] std::string line() const {
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    char hours[32];
    std::snprintf(hours, sizeof hours, "%.1f", static_cast<double>(simulated_seconds_) / 3600);
    std::string text = number(report.seeds) + " seeds, " + hours + " simulated hours, " + number(report.acknowledged) +
                       " commands, " + number(report.reads) + " reads, deaths " +
                       number(struck(FaultKind::kill) + struck(FaultKind::crash) + struck(FaultKind::power_cut) +
                              report.faults.hit[static_cast<std::size_t>(FaultKind::crash_on_send)]) +
                       "; faults:";
    for (std::size_t kind = 0; kind < fault_kinds; ++kind)
      text += " " + std::string{fault_names[kind]} + " " + number(report.faults.struck[kind]);
    return text;
  }

  std::uint64_t next_seed = 1;
  Report report;

 private:
  [[nodiscard]] std::uint64_t struck(FaultKind kind) const {
    return report.faults.struck[static_cast<std::size_t>(kind)];
  }

  template <class Each>
  void for_each(Report& all, Each&& each) {
    each("seeds", all.seeds);
    each("steps", all.steps);
    each("simulated_seconds", simulated_seconds_);
    each("acknowledged", all.acknowledged);
    each("not_applied", all.not_applied);
    each("unknown", all.unknown);
    each("reads", all.reads);
    each("slots", all.slots);
    each("elections", all.elections);
    each("nodes_lost", all.nodes_lost);
    for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
      each("struck_" + std::string{fault_names[kind]}, all.faults.struck[kind]);
      each("hit_" + std::string{fault_names[kind]}, all.faults.hit[kind]);
    }
  }

  std::string file_;
  std::uint64_t simulated_seconds_ = 0;
};

}  // namespace paxos::sim
