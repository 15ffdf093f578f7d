// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/random.hpp>
#include <paxos/replica.hpp>
#include <paxos/sim/ghost_votes.hpp>
#include <paxos/storage/memory_storage.hpp>

namespace paxos::sim {

/// How badly the network and the disks behave. Percentages of single messages.
struct Faults {
  unsigned loss_percent = 0;
  unsigned duplicate_percent = 0;
  Duration latency_min = std::chrono::microseconds{50};
  Duration latency_max = std::chrono::microseconds{500};
  /// A few messages take up to this long instead, and so are overtaken by others.
  unsigned straggler_percent = 0;
  Duration straggler_max = std::chrono::seconds{2};
  Duration flush_min = std::chrono::microseconds{50};
  Duration flush_max = std::chrono::milliseconds{3};
};

/// A whole cluster in one thread, on virtual time: the shipping Replica, a network that loses, repeats, delays and
/// reorders, disks that forget what was not flushed, disks and whole nodes that stand still for a while, and crashes.
/// Same seed, same run.
///
/// After every step it checks: nothing is applied that a quorum did not durably vote for; replicas that applied the
/// same slots have the same state; a command acknowledged is chosen. A breach throws InvariantViolation.
template <StateMachine Machine>
class Cluster {
 public:
  struct Network {
    Cluster* cluster = nullptr;
    NodeId self;
    void send(NodeId to, Message message) { cluster->transmit(self, to, std::move(message)); }
  };
  using ReplicaType = Replica<Machine, Network, MemoryStorage>;
  /// Tells what became of a command or a read.
  using OnAnswer = std::function<void(const Answer&)>;
  using OnRead = std::function<void(const Machine*)>;

  Cluster(std::size_t nodes, std::uint64_t seed, Faults faults = {}, std::function<void(Config&)> adjust = {})
      : faults_(faults), random_(seed), ghosts_(Membership{members(nodes)}) {
    for (const Member& member : members(nodes)) {
      auto node = std::make_unique<SimNode>();
      node->config = Config{.id = member.id, .members = members(nodes), .data_dir = "simulated"};
      if (adjust) adjust(node->config);
      node->network = Network{this, member.id};
      nodes_.emplace(member.id, std::move(node));
      start(member.id);
    }
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const GhostVotes& ghosts() const { return ghosts_; }
  [[nodiscard]] std::vector<NodeId> ids() const {
    std::vector<NodeId> all;
    for (const auto& entry : nodes_) all.push_back(entry.first);
    return all;
  }
  [[nodiscard]] bool is_up(NodeId id) const { return nodes_.at(id)->replica != nullptr; }
  [[nodiscard]] ReplicaType& replica(NodeId id) { return *nodes_.at(id)->replica; }
  [[nodiscard]] MemoryStorage& disk(NodeId id) { return nodes_.at(id)->disk; }
  /// Messages handed to the network so far, by kind.
  [[nodiscard]] std::map<std::string, std::uint64_t>& sent() { return sent_; }
  [[nodiscard]] std::uint64_t messages_lost() const { return lost_; }
  /// Called for every message that a node sends, before the network has its way.
  std::function<void(NodeId from, NodeId to, const Message&)> on_send;

  /// The node that leads at the highest ballot, if any does.
  [[nodiscard]] std::optional<NodeId> leader() const {
    std::optional<NodeId> best;
    Ballot highest;
    for (const auto& [id, node] : nodes_) {
      if (!node->replica) continue;
      const NodeStatus status = node->replica->status();
      if (status.standing != Standing::leader || status.ballot < highest) continue;
      highest = status.ballot;
      best = id;
    }
    return best;
  }

  /// Ends a node at once: memory, messages in its queues and unflushed writes are gone.
  void crash(NodeId id) {
    SimNode& node = *nodes_.at(id);
    node.replica.reset();
    node.disk.crash();
    node.is_flushing = node.is_frozen = node.is_disk_stalled = false;
    node.asleep.clear();
    ++node.life;
    for (auto& [request, on_answer] : std::exchange(node.waiting, {}))
      on_answer(Answer{request, Errc::interrupted, {}});
    for (auto& [read, on_read] : std::exchange(node.reading, {})) on_read(nullptr);
  }

  void start(NodeId id) {
    SimNode& node = *nodes_.at(id);
    const typename ReplicaType::Life life{random_(), SessionId{random_(), random_()}};
    node.replica = std::make_unique<ReplicaType>(node.config, node.network, node.disk, node.observer, life, now_);
    node.checked = Slot{};
    schedule(node.config.heartbeat_interval / 4, [this, id, born = node.life] { tick(id, born); });
  }

  /// Nothing gets from `from` to `to` any more; the other direction is another link.
  void cut(NodeId from, NodeId to) { cut_.insert({from, to}); }
  void mend(NodeId from, NodeId to) { cut_.erase({from, to}); }
  void isolate(NodeId id) {
    for (const NodeId other : ids()) {
      cut(id, other);
      cut(other, id);
    }
  }
  /// The node stands still, as a stopped process or a paused machine does, until thaw(): what arrives waits.
  void freeze(NodeId id) { nodes_.at(id)->is_frozen = true; }
  void thaw(NodeId id) {
    SimNode& node = *nodes_.at(id);
    node.is_frozen = false;
    for (auto& event : std::exchange(node.asleep, {})) schedule(Duration{}, std::move(event));
  }
  [[nodiscard]] bool is_frozen(NodeId id) const { return nodes_.at(id)->is_frozen; }
  /// No flush of the node ends until resume_disk(); the node itself goes on.
  void stall_disk(NodeId id) { nodes_.at(id)->is_disk_stalled = true; }
  void resume_disk(NodeId id) { nodes_.at(id)->is_disk_stalled = false; }

  /// All links whole, the default faults (no loss, no repetition, little delay), and every node up and awake.
  void heal() {
    cut_.clear();
    for (const NodeId id : ids()) {
      thaw(id);
      resume_disk(id);
    }
    faults_ = Faults{};
    for (const NodeId id : ids())
      if (!is_up(id)) start(id);
  }

  /// Submits a command at a node that is up, under its own session or a given id.
  void submit(NodeId at, const typename Machine::Command& command, OnAnswer on_answer,
              std::optional<RequestId> id = std::nullopt) {
    ReplicaType& node = replica(at);
    if (id)
      return submit_as(at, Command{*id, id->sequence, node.state().applied(), encoded(command)}, std::move(on_answer));
    RequestId used;
    const auto refused = node.submit(encoded(command), now_, used);
    await(at, used, refused, std::move(on_answer));
  }
  /// Submits a whole command: a client's, or its retry, which keeps what the first attempt was issued after.
  void submit_as(NodeId at, const Command& command, OnAnswer on_answer) {
    await(at, command.id, replica(at).submit(command, now_), std::move(on_answer));
  }

  /// Reads at a node that is up; nullptr when no leader confirmed it.
  void read(NodeId at, OnRead on_read) {
    SimNode& node = *nodes_.at(at);
    const ReadId id = ++last_read_;
    node.reading.emplace(id, std::move(on_read));
    ensure(!node.replica->read(id, now_), "sim: a read was refused");
    step(at);
  }

  /// Handles events until `done` holds; false when virtual time runs out first.
  bool run_until(const std::function<bool()>& done, Duration limit) {
    const Time end = now_ + limit;
    while (!done()) {
      if (events_.empty() || events_.top().at > end) {
        now_ = end;
        return done();
      }
      advance();
    }
    return true;
  }
  void run_for(Duration time) {
    (void)run_until([] { return false; }, time);
  }

 private:
  struct SimNode {
    Config config;
    Network network;
    MemoryStorage disk;
    NullObserver observer;
    std::unique_ptr<ReplicaType> replica;
    std::uint64_t life = 0;
    bool is_flushing = false;
    bool is_disk_stalled = false;
    bool is_frozen = false;
    std::vector<std::function<void()>> asleep;  ///< what happened to it while it was frozen
    std::size_t judged = 0;                     ///< durable records that the ghosts have seen
    Slot checked;                               ///< applied slots that were checked
    std::multimap<RequestId, OnAnswer> waiting;
    std::map<ReadId, OnRead> reading;
  };
  struct Event {
    Time at;
    std::uint64_t order = 0;
    std::function<void()> run;
    friend bool operator<(const Event& a, const Event& b) {
      return std::pair{a.at, a.order} > std::pair{b.at, b.order};  // the queue gives the greatest first
    }
  };

  static std::vector<Member> members(std::size_t count) {
    std::vector<Member> all;
    for (std::uint64_t id = 1; id <= count; ++id) all.emplace_back(id, "node-" + std::to_string(id) + ":1");
    return all;
  }

  void schedule(Duration after, std::function<void()> run) { events_.push({now_ + after, ++order_, std::move(run)}); }

  void advance() {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.run();
  }

  void transmit(NodeId from, NodeId to, Message message) {
    ++sent_[std::string{name_of(message)}];
    if (on_send) on_send(from, to, message);
    const unsigned copies = random_.chance(faults_.duplicate_percent) ? 2 : 1;
    for (unsigned copy = 0; copy < copies; ++copy) {
      if (cut_.contains({from, to}) || random_.chance(faults_.loss_percent)) {
        ++lost_;
        continue;
      }
      const Duration latest = random_.chance(faults_.straggler_percent) ? faults_.straggler_max : faults_.latency_max;
      schedule(random_.between(faults_.latency_min, latest), [this, from, to, message] { deliver(from, to, message); });
    }
  }

  void deliver(NodeId from, NodeId to, const Message& message) {
    if (!is_up(to) || cut_.contains({from, to})) return;
    if (is_frozen(to)) return sleep(to, [this, from, to, message] { deliver(from, to, message); });
    replica(to).on_message(from, message, now_);
    step(to);
  }

  void sleep(NodeId id, std::function<void()> until_thawed) {
    nodes_.at(id)->asleep.push_back(std::move(until_thawed));
  }

  void await(NodeId at, const RequestId& id, std::optional<Errc> refused, OnAnswer on_answer) {
    if (refused) return on_answer(Answer{id, *refused, {}});
    nodes_.at(at)->waiting.emplace(id, std::move(on_answer));
    step(at);
  }

  void tick(NodeId id, std::uint64_t life) {
    SimNode& node = *nodes_.at(id);
    if (!node.replica || node.life != life) return;
    if (node.is_frozen) return sleep(id, [this, id, life] { tick(id, life); });
    node.replica->on_tick(now_);
    schedule(node.config.heartbeat_interval / 4, [this, id, life] { tick(id, life); });
    step(id);
  }

  /// The end of a node's turn: sends, flushes, answers, and is judged.
  void step(NodeId id) {
    SimNode& node = *nodes_.at(id);
    node.replica->end_turn(now_);
    if (node.replica->wants_flush() && !node.is_flushing) flush(id, node);
    check(id, node);
    for (const Answer& answer : node.replica->take_answers()) {
      ensure(answer.error || ghosts_.is_chosen(answer.id),
             [&] { return "node " + to_string(id) + " acknowledged a command that no quorum holds durably"; });
      for (auto found = node.waiting.find(answer.id); found != node.waiting.end();
           found = node.waiting.find(answer.id)) {
        const OnAnswer on_answer = std::move(found->second);
        node.waiting.erase(found);
        on_answer(answer);
      }
    }
    for (const ReadyRead& read : node.replica->take_reads()) {
      const auto found = node.reading.find(read.id);
      const OnRead on_read = std::move(found->second);
      node.reading.erase(found);
      on_read(read.is_confirmed ? &node.replica->state().machine() : nullptr);
    }
  }

  /// What was appended by now is durable when the flush ends, and nothing before that.
  void flush(NodeId id, SimNode& node) {
    node.is_flushing = true;
    schedule(random_.between(faults_.flush_min, faults_.flush_max),
             [this, id, through = node.disk.appended(), life = node.life] { finish_flush(id, through, life); });
  }

  void finish_flush(NodeId id, WriteTicket through, std::uint64_t life) {
    SimNode& node = *nodes_.at(id);
    if (node.life != life) return;
    if (node.is_frozen) return sleep(id, [this, id, through, life] { finish_flush(id, through, life); });
    if (node.is_disk_stalled)
      return schedule(node.config.heartbeat_interval, [this, id, through, life] { finish_flush(id, through, life); });
    node.is_flushing = false;
    const Status status = node.disk.flush_through(through);
    for (const auto durable = node.disk.durable_records(); node.judged < durable.size(); ++node.judged)
      ghosts_.on_durable(id, durable[node.judged]);
    node.replica->on_flushed(status, now_);
    step(id);
  }

  void check(NodeId id, SimNode& node) {
    const Slot applied = node.replica->state().applied();
    if (node.checked == applied) return;
    for (; node.checked < applied; node.checked = node.checked.next()) {
      const auto value = node.disk.read(node.checked.next());
      ensure(value.has_value(), "sim: an applied slot is not in the log");
      ghosts_.check_learned(id, node.checked.next(), *value);
    }
    const std::uint64_t digest = node.replica->state().digest();
    const auto [truth, is_first] = digests_.try_emplace(applied, digest);
    ensure(is_first || truth->second == digest, [&] {
      return "node " + to_string(id) + " has another state after slot " + to_string(applied) + " than its peers";
    });
  }

  Faults faults_;
  Random random_;
  GhostVotes ghosts_;
  Time now_ = Time{} + std::chrono::hours{1};
  std::uint64_t order_ = 0;
  ReadId last_read_ = 0;
  std::priority_queue<Event> events_;
  std::map<NodeId, std::unique_ptr<SimNode>> nodes_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<Slot, std::uint64_t> digests_;
  std::map<std::string, std::uint64_t> sent_;
  std::uint64_t lost_ = 0;
};

}  // namespace paxos::sim
