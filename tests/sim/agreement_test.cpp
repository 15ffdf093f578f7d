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
      // "Not applied" must be true: paxos::Outcome::not_applied means that it never appears.
      if (!answer.error) return acknowledge(entry, answer);
      last_error_ = paxos::make_error_code(*answer.error).message();
      if (paxos::make_error_code(*answer.error) == paxos::Outcome::not_applied) refused_.insert(entry);
    });
  }

  /// A client with a session of its own: repeats its command, anywhere, until it is answered; only then the next one.
  /// Now and then a command of long ago comes again, as if it had been on its way all the time.
  void act_as_client() {
    const auto up = some_node_up();
    if (!up) return;
    if (!issued_.empty() && cluster_.random().chance(20))
      return send(*up, issued_[cluster_.random().below(issued_.size())]);
    Client& client = clients_[cluster_.random().below(clients_.size())];
    if (!client.is_waiting) {
      if (client.session == paxos::SessionId{} || cluster_.random().chance(10))
        client = Client{{cluster_.random()(), 1}, 0, false};
      const paxos::RequestId id{client.session, ++client.sequence};
      client.is_waiting = true;
      issued_.push_back(
          {++written_, {id, id.sequence, cluster_.replica(*up).state().applied(), paxos::encoded(written_)}});
    }
    for (const Issued& issued : issued_)
      if (issued.command.id == paxos::RequestId{client.session, client.sequence}) return send(*up, Issued{issued});
  }

  void read_somewhere() {
    if (const auto up = some_node_up()) read_at(*up);
  }
  /// A read must show all that was acknowledged before it began, each entry at its place.
  void read_at(NodeId id) {
    const auto before = acknowledged_;
    cluster_.read(id, [this, before](const Ledger* ledger) {
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
  [[nodiscard]] const std::string& last_error() const { return last_error_; }
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  struct Client {
    paxos::SessionId session;
    std::uint64_t sequence = 0;
    bool is_waiting = false;
  };
  struct Issued {
    std::uint64_t entry = 0;
    paxos::Command command;  ///< a retry is this very command, with what it was issued after
  };

  void send(NodeId at, const Issued& issued) {
    ++open_;
    cluster_.submit_as(at, issued.command, [this, issued](const paxos::Answer& answer) {
      --open_;
      if (!answer.error) acknowledge(issued.entry, answer);
      const bool is_over = !answer.error || *answer.error == paxos::Errc::session_expired ||
                           *answer.error == paxos::Errc::sequence_settled;
      for (Client& client : clients_)
        if (is_over && issued.command.id == paxos::RequestId{client.session, client.sequence}) {
          client.is_waiting = false;
          if (answer.error) client.session = {};
        }
    });
  }

  void acknowledge(std::uint64_t entry, const paxos::Answer& answer) {
    std::uint64_t place = 0;
    REQUIRE(paxos::decode(answer.result.span(), place));
    REQUIRE(acknowledged_.emplace(place, entry).first->second == entry);
    REQUIRE(places_.emplace(entry, place).first->second == place);
  }

  std::optional<NodeId> some_node_up() {
    const auto ids = cluster_.ids();
    const NodeId id = ids[cluster_.random().below(ids.size())];
    return cluster_.is_up(id) && !cluster_.is_frozen(id) ? std::optional{id} : std::nullopt;
  }

  paxos::sim::Cluster<Ledger>& cluster_;
  std::uint64_t written_ = 0;
  std::string last_error_;
  std::size_t open_ = 0;
  std::size_t reads_ = 0;
  std::map<std::uint64_t, std::uint64_t> acknowledged_;  ///< place → entry
  std::map<std::uint64_t, std::uint64_t> places_;        ///< entry → place
  std::vector<Client> clients_ = std::vector<Client>(3);
  std::vector<Issued> issued_;
  std::set<std::uint64_t> refused_;
};

using Cluster = paxos::sim::Cluster<Ledger>;

NodeId any_node(Cluster& cluster) { return NodeId{1 + cluster.random().below(cluster.ids().size())}; }

/// What goes wrong under one seed.
struct Trouble {
  explicit Trouble(std::uint64_t seed) {
    paxos::Random mix{seed};
    faults.loss_percent = static_cast<unsigned>(mix.below(4) * 10);
    faults.duplicate_percent = static_cast<unsigned>(mix.below(3) * 20);
    faults.straggler_percent = static_cast<unsigned>(mix.below(3) * 5);
    faults.flush_max = std::chrono::milliseconds{1 + static_cast<int>(mix.below(40))};
    nodes = 1 + mix.below(5);
    window_slots = 1 + mix.below(8);
    has_crashes = mix.chance(75);
    has_cuts = mix.chance(50);
    has_freezes = mix.chance(40);
    has_priorities = mix.chance(30);
    has_tiny_table = mix.chance(30);
    // Timeouts near the latency: a new leader every few steps, and messages that outlive several.
    is_hasty = mix.chance(60);
    if (!is_hasty) return;
    faults.latency_max = std::chrono::milliseconds{1 + static_cast<int>(mix.below(15))};
    faults.flush_max = std::chrono::milliseconds{1 + static_cast<int>(mix.below(20))};
    faults.straggler_max = 400ms;
  }

  void adjust(paxos::Config& config) const {
    config.window_slots = window_slots;
    config.promise_bytes_max = 64;
    config.catch_up_bytes_max = 256;
    config.request_timeout = 3s;
    if (has_tiny_table) config.sessions_max = 2;
    if (has_priorities)
      for (paxos::Member& member : config.members) member.priority = static_cast<int>(member.id.value() % 3);
    if (!is_hasty) return;
    config.heartbeat_interval = 10ms;
    config.election_timeout = 60ms;
    config.retransmit_interval = 20ms;
  }

  /// The trouble of one step.
  void strike(Cluster& cluster, Workload& work) const {
    if (has_crashes && cluster.random().chance(is_hasty ? 12 : 4)) crash_or_restart(cluster);
    if (has_cuts && cluster.random().chance(10)) cut_or_mend(cluster);
    if (has_freezes && cluster.random().chance(15)) freeze_or_thaw(cluster, work);
  }

  /// Time passes; and a node that just said something that it must not forget may crash right there.
  void pass(Cluster& cluster, paxos::Duration time) const {
    std::optional<NodeId> victim;
    cluster.on_send = [&](NodeId from, NodeId, const paxos::Message& message) {
      const bool must_be_remembered = std::holds_alternative<paxos::Promise>(message) ||
                                      std::holds_alternative<paxos::Accepted>(message) ||
                                      std::holds_alternative<paxos::Prepare>(message);
      if (has_crashes && must_be_remembered && cluster.random().chance(is_hasty ? 2 : 1)) victim = from;
    };
    const paxos::Time end = cluster.now() + time;
    while (cluster.run_until([&] { return victim.has_value(); }, end - cluster.now())) {
      if (cluster.is_up(*victim)) cluster.crash(*victim);
      if (cluster.random().chance(70)) cluster.start(*victim);
      victim.reset();
    }
    cluster.on_send = nullptr;
  }

  static void crash_or_restart(Cluster& cluster) {
    const NodeId id = any_node(cluster);
    if (cluster.random().chance(5)) {  // the power fails for all
      for (const NodeId each : cluster.ids())
        if (cluster.is_up(each)) cluster.crash(each);
      for (const NodeId each : cluster.ids()) cluster.start(each);
    } else if (!cluster.is_up(id)) {
      cluster.start(id);
    } else {
      cluster.crash(id);
      if (cluster.random().chance(50)) cluster.start(id);  // back before anybody noticed
    }
  }
  static void cut_or_mend(Cluster& cluster) {
    const NodeId from = any_node(cluster), to = any_node(cluster);
    if (cluster.random().chance(50)) {
      cluster.cut(from, to);
    } else {
      cluster.mend(from, to);
    }
  }
  /// Who wakes is asked at once: whatever it believed when it fell asleep may be long over.
  static void freeze_or_thaw(Cluster& cluster, Workload& work) {
    const auto leader = cluster.leader();
    const NodeId id = leader && cluster.random().chance(50) ? *leader : any_node(cluster);
    for (const NodeId each : cluster.ids()) {
      if (!cluster.is_frozen(each) || !cluster.random().chance(50)) continue;
      cluster.thaw(each);
      work.read_at(each);
      return;
    }
    if (cluster.is_up(id)) cluster.freeze(id);
  }

  paxos::sim::Faults faults;
  std::size_t nodes = 0;
  std::size_t window_slots = 0;
  bool has_crashes = false;
  bool has_cuts = false;
  bool has_freezes = false;
  bool has_priorities = false;
  bool has_tiny_table = false;
  bool is_hasty = false;
};

struct Outcome {
  std::size_t acknowledged = 0;
  std::size_t reads = 0;
  std::uint64_t elections = 0;
  std::uint64_t lost = 0;
  std::size_t chosen = 0;
};

void require_progress(Cluster& cluster, Workload& work) {
  const auto all_agree = [&] {
    const auto last = cluster.replica(NodeId{1}).state().applied();
    return std::ranges::all_of(cluster.ids(), [&](NodeId id) { return cluster.replica(id).state().applied() == last; });
  };
  REQUIRE(cluster.run_until([&] { return work.open() == 0; }, 20s));
  cluster.run_for(3s);  // the last stragglers
  REQUIRE(cluster.run_until(all_agree, 20s));
  // One by one, as a table of two sessions may evict a session that has a command on its way.
  for (int i = 0; i < 5; ++i) {
    const std::size_t before = work.acknowledged();
    work.write_somewhere();
    REQUIRE(cluster.run_until([&] { return work.open() == 0; }, 20s));
    INFO(work.last_error());
    REQUIRE(work.acknowledged() == before + 1);
    REQUIRE(cluster.run_until(all_agree, 20s));
  }
}

/// One seed: a size, a mix of faults, some seconds of trouble, healing, and progress.
Outcome run_seed(std::uint64_t seed) {
  const Trouble trouble{seed};
  Cluster cluster{trouble.nodes, seed, trouble.faults, [&](paxos::Config& config) { trouble.adjust(config); }};
  Workload work{cluster};
  for (int step = 0; step < 300; ++step) {
    trouble.pass(cluster, cluster.random().between(1ms, trouble.is_hasty ? 20ms : 60ms));
    for (std::uint64_t i = cluster.random().below(4); i > 0; --i) work.write_somewhere();
    if (cluster.random().chance(50)) work.act_as_client();
    if (cluster.random().chance(30)) work.read_somewhere();
    trouble.strike(cluster, work);
  }
  cluster.heal();
  require_progress(cluster, work);
  for (const NodeId id : cluster.ids()) work.check_final(cluster.replica(id).state().machine());
  return Outcome{work.acknowledged(), work.reads(), cluster.sent()["Prepare"], cluster.messages_lost(),
                 cluster.ghosts().chosen_slots()};
}

}  // namespace

TEST_CASE("Agreement, durability, exactly-once, linearizable reads and progress hold over 1,000 seeds of faults",
          "[sim]") {
  constexpr std::uint64_t seeds = 1000;
  Outcome total;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    const Outcome one = run_seed(seed);
    total.acknowledged += one.acknowledged;
    total.reads += one.reads;
    total.elections += one.elections;
    total.lost += one.lost;
    total.chosen += one.chosen;
  }
  WARN(seeds << " seeds: " << total.acknowledged << " commands acknowledged, " << total.reads << " reads, "
             << total.chosen << " slots chosen, " << total.elections << " Prepares, " << total.lost
             << " messages lost");
  CHECK(total.elections > 10000);
  CHECK(total.lost > 10000);
}

TEST_CASE("The same seed gives the same run", "[sim]") {
  const Outcome first = run_seed(7);
  const Outcome second = run_seed(7);
  CHECK(first.acknowledged == second.acknowledged);
  CHECK(first.lost == second.lost);
  CHECK(first.chosen == second.chosen);
}
