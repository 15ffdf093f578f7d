// Copyright (c) the paxos authors. MIT licence.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <paxos/sim/cluster.hpp>

namespace {

using namespace std::chrono_literals;
using paxos::NodeId;

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

/// Clients that write and read while a seed's faults go on, and what they may rely on.
class Workload {
 public:
  explicit Workload(paxos::sim::Cluster<Ledger>& cluster) : cluster_(cluster) {}

  void write_somewhere() {
    const auto up = some_node_up();
    if (!up) return;
    const std::uint64_t entry = ++written_;
    ++open_;
    cluster_.submit(*up, entry, [this, entry](const paxos::Answer& answer) {
      --open_;
      if (answer.error) {
        // "Not applied" must be true: paxos::Outcome::not_applied means that it never appears.
        if (paxos::make_error_code(*answer.error) == paxos::Outcome::not_applied) refused_.insert(entry);
        return;
      }
      std::uint64_t place = 0;
      REQUIRE(paxos::decode(answer.result.span(), place));
      REQUIRE(acknowledged_.emplace(place, entry).second);
    });
  }

  /// A read must show all that was acknowledged before it began, each entry at its place.
  void read_somewhere() {
    const auto up = some_node_up();
    if (!up) return;
    const auto before = acknowledged_;
    cluster_.read(*up, [this, before](const Ledger* ledger) {
      if (ledger == nullptr) return;
      ++reads_;
      for (const auto& [place, entry] : before) {
        REQUIRE(place <= ledger->entries.size());
        REQUIRE(ledger->entries[place - 1] == entry);
      }
    });
  }

  /// Everything acknowledged is there, nothing twice, and nothing that was said not to be.
  void check_final(const Ledger& ledger) const {
    const std::set<std::uint64_t> distinct(ledger.entries.begin(), ledger.entries.end());
    REQUIRE(distinct.size() == ledger.entries.size());
    for (const auto& [place, entry] : acknowledged_) REQUIRE(ledger.entries.at(place - 1) == entry);
    for (const std::uint64_t entry : refused_) REQUIRE(!distinct.contains(entry));
  }

  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }
  [[nodiscard]] std::size_t reads() const { return reads_; }
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  std::optional<NodeId> some_node_up() {
    const auto ids = cluster_.ids();
    const NodeId id = ids[cluster_.random().below(ids.size())];
    return cluster_.is_up(id) ? std::optional{id} : std::nullopt;
  }

  paxos::sim::Cluster<Ledger>& cluster_;
  std::uint64_t written_ = 0;
  std::size_t open_ = 0;
  std::size_t reads_ = 0;
  std::map<std::uint64_t, std::uint64_t> acknowledged_;  // place → entry
  std::set<std::uint64_t> refused_;
};

void crash_or_restart_something(paxos::sim::Cluster<Ledger>& cluster) {
  const auto ids = cluster.ids();
  const NodeId id = ids[cluster.random().below(ids.size())];
  if (cluster.is_up(id)) {
    cluster.crash(id);
  } else {
    cluster.start(id);
  }
}

void cut_or_mend_something(paxos::sim::Cluster<Ledger>& cluster) {
  const auto ids = cluster.ids();
  const NodeId from = ids[cluster.random().below(ids.size())];
  const NodeId to = ids[cluster.random().below(ids.size())];
  if (cluster.random().chance(50)) {
    cluster.cut(from, to);
  } else {
    cluster.mend(from, to);
  }
}

struct Outcome {
  std::size_t acknowledged = 0;
  std::size_t reads = 0;
  std::size_t crashes = 0;
  std::uint64_t lost = 0;
  std::size_t chosen = 0;
};

/// One seed: a size, a mix of faults, half a minute of trouble, healing, and progress.
Outcome run_seed(std::uint64_t seed) {
  paxos::Random mix{seed};
  paxos::sim::Faults faults;
  faults.loss_percent = static_cast<unsigned>(mix.below(4) * 10);
  faults.duplicate_percent = static_cast<unsigned>(mix.below(3) * 20);
  faults.straggler_percent = static_cast<unsigned>(mix.below(3) * 5);
  faults.flush_max = std::chrono::milliseconds{1 + static_cast<int>(mix.below(40))};
  const std::size_t nodes = 1 + mix.below(5);
  const bool has_crashes = mix.chance(75);
  const bool has_cuts = mix.chance(50);

  paxos::sim::Cluster<Ledger> cluster{nodes, seed, faults, [&](paxos::Config& config) {
                                        config.window_slots = 1 + mix.below(1) + seed % 8;
                                        config.promise_bytes_max = 64;
                                        config.catch_up_bytes_max = 256;
                                        config.request_timeout = 3s;
                                      }};
  Workload work{cluster};
  Outcome outcome;
  for (int step = 0; step < 300; ++step) {
    cluster.run_for(cluster.random().between(1ms, 60ms));
    for (std::uint64_t i = cluster.random().below(4); i > 0; --i) work.write_somewhere();
    if (cluster.random().chance(30)) work.read_somewhere();
    if (has_crashes && cluster.random().chance(4)) {
      crash_or_restart_something(cluster);
      ++outcome.crashes;
    }
    if (has_cuts && cluster.random().chance(10)) cut_or_mend_something(cluster);
  }

  cluster.heal();
  REQUIRE(cluster.run_until([&] { return work.open() == 0; }, 20s));
  const std::size_t before = work.acknowledged();
  for (int i = 0; i < 20; ++i) work.write_somewhere();
  REQUIRE(cluster.run_until([&] { return work.open() == 0; }, 20s));
  REQUIRE(work.acknowledged() == before + 20);
  const auto all_agree = [&] {
    const auto last = cluster.replica(NodeId{1}).state().applied();
    return std::ranges::all_of(cluster.ids(), [&](NodeId id) { return cluster.replica(id).state().applied() == last; });
  };
  REQUIRE(cluster.run_until(all_agree, 20s));
  for (const NodeId id : cluster.ids()) work.check_final(cluster.replica(id).state().machine());

  outcome.acknowledged = work.acknowledged();
  outcome.reads = work.reads();
  outcome.lost = cluster.messages_lost();
  outcome.chosen = cluster.ghosts().chosen_slots();
  return outcome;
}

}  // namespace

TEST_CASE("Agreement, durability, exactly-once, linearizable reads and progress hold over 600 seeds of faults",
          "[sim]") {
  Outcome total;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    INFO("seed " << seed);
    const Outcome one = run_seed(seed);
    total.acknowledged += one.acknowledged;
    total.reads += one.reads;
    total.crashes += one.crashes;
    total.lost += one.lost;
    total.chosen += one.chosen;
  }
  WARN("600 seeds: " << total.acknowledged << " commands acknowledged, " << total.reads << " reads, " << total.chosen
                     << " slots chosen, " << total.crashes << " crashes and restarts, " << total.lost
                     << " messages lost");
  CHECK(total.crashes > 1000);
  CHECK(total.lost > 10000);
}

TEST_CASE("The same seed gives the same run", "[sim]") {
  const Outcome first = run_seed(7);
  const Outcome second = run_seed(7);
  CHECK(first.acknowledged == second.acknowledged);
  CHECK(first.lost == second.lost);
  CHECK(first.chosen == second.chosen);
}
