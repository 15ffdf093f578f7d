// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/sim/cluster.hpp>

namespace paxos::test {

using namespace std::chrono_literals;

/// The timeline of the named scenarios: every command that ran, in order.
struct Timeline {
  using Command = std::string;
  std::vector<std::string> entries;
  std::uint64_t apply(Command entry) {
    entries.push_back(std::move(entry));
    return entries.size();
  }
  [[nodiscard]] std::size_t count(const std::string& entry) const {
    return static_cast<std::size_t>(std::ranges::count(entries, entry));
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(entries);
  }
};

/// A simulated cluster with what the scenarios ask of it.
struct SimRig {
  using Cluster = sim::Cluster<Timeline>;
  explicit SimRig(std::size_t nodes, std::uint64_t seed = 1, const std::function<void(Config&)>& adjust = {})
      : cluster(nodes, seed, sim::Conditions{}, adjust) {}

  /// Waits for a leader that has opened its reign.
  NodeId elect(Duration limit = 5s) {
    REQUIRE(cluster.run_until([&] { return is_led(); }, limit));
    return *cluster.leader();
  }
  bool is_led() {
    const auto leader = cluster.leader();
    return leader && cluster.replica(*leader).state().applied() > Slot{};
  }
  [[nodiscard]] Ballot ballot_of(NodeId id) { return cluster.replica(id).status().ballot; }
  [[nodiscard]] const Timeline& timeline(NodeId id) { return cluster.replica(id).state().machine(); }
  /// Any node but those.
  NodeId other_than(const std::set<NodeId>& those) {
    for (const NodeId id : cluster.ids())
      if (!those.contains(id)) return id;
    FAIL("no other node");
    return {};
  }

  /// What became of a command; empty as long as nobody said.
  struct Told {
    std::optional<Answer> answer;
    [[nodiscard]] bool is_success() const { return answer && !answer->error; }
    [[nodiscard]] std::uint64_t place() const {
      std::uint64_t place = 0;
      REQUIRE(is_success());
      REQUIRE(decode(answer->result.span(), place));
      return place;
    }
  };
  Told& submit(NodeId at, const std::string& entry) {
    Told& told = told_.emplace_back();
    cluster.submit(at, entry, [&told](const Answer& answer) { told.answer = answer; });
    return told;
  }
  /// Submits, and waits until it is acknowledged.
  void write(NodeId at, const std::string& entry, Duration limit = 5s) {
    Told& told = submit(at, entry);
    INFO("writing " << entry << " at node " << at.value());
    REQUIRE(cluster.run_until([&] { return told.answer.has_value(); }, limit));
    REQUIRE(told.is_success());
  }
  void require_agreement(Duration limit = 10s) {
    const auto agree = [&] {
      return std::ranges::all_of(cluster.ids(), [&](NodeId id) {
        return cluster.replica(id).state().applied() == cluster.replica(NodeId{1}).state().applied();
      });
    };
    REQUIRE(cluster.run_until(agree, limit));
    for (const NodeId id : cluster.ids()) CHECK(timeline(id).entries == timeline(NodeId{1}).entries);
  }
  void cut_both(NodeId a, NodeId b) {
    cluster.cut(a, b);
    cluster.cut(b, a);
  }

  Cluster cluster;

 private:
  std::deque<Told> told_;
};

}  // namespace paxos::test
