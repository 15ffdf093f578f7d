// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/random.hpp>
#include <paxos/replica.hpp>
#include <paxos/sim/clock.hpp>
#include <paxos/sim/disk.hpp>
#include <paxos/sim/event_queue.hpp>
#include <paxos/sim/judge.hpp>
#include <paxos/sim/logged_storage.hpp>
#include <paxos/sim/network.hpp>
#include <paxos/sim/sim_node.hpp>
#include <paxos/sim/trace.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::sim {

/// A whole cluster in one thread, on virtual time: the shipping Replica on the shipping write-ahead log, and around
/// them a simulated network, simulated disks, clocks that disagree, and crashes. Same seed, same run.
///
/// After every step the judge looks on (judge.hpp), and what a node holds back for its disk must keep its bound. A
/// breach throws InvariantViolation.
template <StateMachine Machine>
class Cluster {
 public:
  /// A replica's way to the others.
  struct Network {
    Cluster* cluster = nullptr;                                                                 ///< that it is part of
    NodeId self;                                                                                ///< whose it is
    void send(NodeId to, Message message) { cluster->transmit(self, to, std::move(message)); }  ///< as the links allow
  };
  using ReplicaType = Replica<Machine, Network, LoggedStorage>;  ///< the shipping one
  /// Tells what became of a command or a read.
  using OnAnswer = std::function<void(const Answer&)>;
  using OnRead = std::function<void(const Machine*)>;  ///< nullptr: no leader confirmed it

  /// `nodes`, all started; all that is random comes from the seed.
  explicit Cluster(std::size_t nodes, std::uint64_t seed, Conditions conditions = {},
                   const std::function<void(Config&)>& adjust = {}, std::size_t trace_lines = 0)
      : conditions_(conditions), random_(seed), links_(seed), trace_(trace_lines) {
    for (const Member& member : members(nodes)) {
      Config config{.id = member.id, .members = members(nodes), .data_dir = std::string{DiskFiles::directory}};
      if (adjust) adjust(config);
      if (nodes_.empty()) judge_ = std::make_unique<Judge<Machine>>(Membership{config.members}, config);
      auto node = std::make_unique<SimNode>(std::move(config), Random{seed ^ (member.id.value() << 48)}());
      node->network = Network{this, member.id};
      nodes_.emplace(member.id, std::move(node));
    }
    for (const NodeId id : ids()) start(id);
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // What there is to see.
  [[nodiscard]] Time now() const { return events_.now(); }   ///< the true time; each node has a clock of its own
  [[nodiscard]] Random& random() { return random_; }         ///< whoever draws from it changes the run
  [[nodiscard]] Judge<Machine>& judge() { return *judge_; }  ///< who is asked after every step
  [[nodiscard]] const GhostVotes& ghosts() const { return judge_->ghosts(); }  ///< who voted for what, durably
  [[nodiscard]] Trace& trace() { return trace_; }                              ///< of all that was sent
  /// All, whether they run or not.
  [[nodiscard]] std::vector<NodeId> ids() const {
    std::vector<NodeId> all;
    for (const auto& entry : nodes_) all.push_back(entry.first);
    return all;
  }
  [[nodiscard]] bool is_up(NodeId id) const { return nodes_.at(id)->replica != nullptr; }  ///< its process runs
  [[nodiscard]] bool is_frozen(NodeId id) const { return nodes_.at(id)->is_frozen; }       ///< as under SIGSTOP
  [[nodiscard]] ReplicaType& replica(NodeId id) { return *nodes_.at(id)->replica; }        ///< only while is_up()
  [[nodiscard]] Disk& disk(NodeId id) { return nodes_.at(id)->disk; }                      ///< outlives its processes
  [[nodiscard]] const Config& config(NodeId id) const { return nodes_.at(id)->config; }    ///< of each life
  /// What the node's disk confirmed, in all lives.
  [[nodiscard]] const std::vector<Record>& durable_records(NodeId id) const { return nodes_.at(id)->durable; }
  /// Messages handed to the network so far, by kind.
  [[nodiscard]] std::map<std::string, std::uint64_t>& sent() { return sent_; }
  [[nodiscard]] std::uint64_t messages_lost() const { return lost_; }        ///< on cut links or to who was down
  [[nodiscard]] std::uint64_t steps() const { return events_.scheduled(); }  ///< events so far
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

  // Nodes.

  /// Ends a node at once: memory, messages in its queues and what did not reach its disk are gone. `last_operation`:
  /// the operation of its disk after which the power failed; by default any that is not over.
  void crash(NodeId id, std::optional<std::uint64_t> last_operation = std::nullopt) {
    SimNode& node = *nodes_.at(id);
    trace_.line(now(), [&] { return to_string(id) + " loses its power"; });
    node.bury();
    node.disk.crash(fate ? fate : node.chance(), last_operation);
    node.mourn();
  }
  /// Ends the process only, as kill -9 does: what it wrote stays in the machine's cache.
  void kill(NodeId id) {
    SimNode& node = *nodes_.at(id);
    trace_.line(now(), [&] { return to_string(id) + " is killed"; });
    node.bury();
    node.disk.kill(node.chance());
    node.mourn();
  }

  /// Starts a node that is down. A disk that cannot be read is an error of the library's unless somebody damaged it;
  /// then the node stays down.
  void start(NodeId id) {
    SimNode& node = *nodes_.at(id);
    if (node.replica) return;
    trace_.line(now(), [&] { return to_string(id) + " starts"; });
    try {
      node.open(storage_options, now());
    } catch (const std::runtime_error& error) {
      return on_refusal(id, node, error.what());
    }
    if (node.has_reached_its_end()) return die(id, node.dies_after);
    node.disk.settle();
    if (!node.is_lost) judge_->ghosts().on_recovered(id, node.store->recovered());
    node.checked = Slot{};
    tick_later(id, node);
  }
  /// The node refused to start, or its disk was replaced: it will not come back as the voter that it was.
  [[nodiscard]] bool is_lost(NodeId id) const { return nodes_.at(id)->is_lost; }
  /// From now on the node's disk may be unreadable, and the node may refuse to start.
  void mark_damaged(NodeId id) { nodes_.at(id)->is_damaged = true; }
  [[nodiscard]] bool is_damaged(NodeId id) const { return nodes_.at(id)->is_damaged; }  ///< it may not start
  /// The number of the last life that the node's disk was opened for.
  [[nodiscard]] std::uint64_t store_life(NodeId id) const { return nodes_.at(id)->store_life->number; }
  /// Whether every other node has met a life of its disk after that one, and so would know an older or another disk.
  [[nodiscard]] bool is_known_to_all(NodeId id, std::uint64_t after_life = 0) const {
    return std::ranges::all_of(
        nodes_, [&](const auto& entry) { return entry.first == id || entry.second->has_met_after(id, after_life); });
  }
  /// An empty disk, or one with an older copy, stands in the place of the one that the node had; the node is down.
  void replace_disk(NodeId id, const Disk::Copy& copy = {}) {
    nodes_.at(id)->replace_disk(copy);
    judge_->ghosts().expel(id);
  }
  [[nodiscard]] bool is_outdated(NodeId id) const { return nodes_.at(id)->is_outdated; }  ///< an older copy

  /// The node stands still, as a stopped process or a paused machine does, until thaw(): what arrives waits.
  void freeze(NodeId id) {
    trace_.line(now(), [&] { return to_string(id) + " stands still"; });
    nodes_.at(id)->is_frozen = true;
  }
  /// The end of freeze(): it goes on as if no time had passed.
  void thaw(NodeId id) {
    SimNode& node = *nodes_.at(id);
    if (node.is_frozen) trace_.line(now(), [&] { return to_string(id) + " goes on"; });
    node.is_frozen = false;
    for (auto& event : std::exchange(node.asleep, {})) schedule(Duration{}, std::move(event));
  }
  [[nodiscard]] Clock& clock(NodeId id) { return nodes_.at(id)->clock; }  ///< what that node takes for the time
  /// No flush of the node ends until resume_disk(); the node itself goes on.
  void stall_disk(NodeId id) { nodes_.at(id)->is_disk_stalled = true; }
  void resume_disk(NodeId id) { nodes_.at(id)->is_disk_stalled = false; }  ///< the end of a stall
  /// The node handles all that comes in one turn, which lasts until end_turns().
  void hold_turns(NodeId id) { nodes_.at(id)->is_busy = true; }
  void end_turns(NodeId id) { nodes_.at(id)->is_busy = false; }  ///< the end of busy turns
  /// Somebody asks a node that is up to lead.
  void stand(NodeId id) {
    replica(id).stand(own_time(id));
    step(id);
  }

  /// The node dies in this very step: what it sends from now on, and what it hands to its disk, reaches nobody.
  /// For calls from on_send. `also_this`: the message at hand is lost too.
  void die_now(NodeId id, bool also_this) {
    nodes_.at(id)->is_doomed = true;
    loses_this_ |= also_this;
  }
  /// The node dies right after that operation of its disk (see Disk::operations()), or at once if that is past.
  void die_after_operation(NodeId id, std::uint64_t operation) { nodes_.at(id)->dies_after = operation; }
  /// Called when a node died by one of these two.
  std::function<void(NodeId)> on_death;
  /// Decides what a power cut spares of what was not synced; chance does while this is empty.
  Choose fate;

  // The network.
  void set_conditions(const Conditions& conditions) { conditions_ = conditions; }  ///< from now on
  [[nodiscard]] const Conditions& conditions() const { return conditions_; }       ///< of the moment
  [[nodiscard]] Links& links() { return links_; }                                  ///< link by link
  /// Nothing gets from `from` to `to` any more; the other direction is another link.
  void cut(NodeId from, NodeId to) { links_.cut(from, to); }
  void mend(NodeId from, NodeId to) { links_.mend(from, to); }  ///< this direction alone
  /// Cuts each of its links, both ways.
  void isolate(NodeId id) {
    for (const NodeId other : ids()) {
      cut(id, other);
      cut(other, id);
    }
  }
  /// The connection between two nodes breaks and is made again; both are told.
  void reset(NodeId a, NodeId b) {
    links_.reset(a, b);
    for (const auto& [one, other] : {std::pair{a, b}, {b, a}})
      if (is_up(one) && !is_frozen(one)) replica(one).on_peer_down(other, own_time(one));
  }

  /// All links whole, the default conditions (no loss, no repetition, little delay), every node awake, and up if it
  /// can.
  void heal() {
    trace_.line(now(), [] { return "all is healed"; });
    links_.mend_all();
    conditions_ = Conditions{};
    for (const NodeId id : ids()) {
      thaw(id);
      resume_disk(id);
      end_turns(id);
      nodes_.at(id)->disk.heal();
      nodes_.at(id)->dies_after.reset();
      if (!is_up(id) && !is_lost(id)) start(id);
    }
  }

  // Users.
  /// Submits a command at a node that is up, under its own session or a given id.
  void submit(NodeId at, const typename Machine::Command& command, OnAnswer on_answer,
              std::optional<RequestId> id = std::nullopt) {
    ReplicaType& node = replica(at);
    if (id)
      return submit_as(at, Command{*id, id->sequence, node.state().applied(), encoded(command)}, std::move(on_answer));
    RequestId used;
    const auto refused = node.submit(encoded(command), own_time(at), used);
    judge_->on_submitted(used);
    await(at, used, refused, std::move(on_answer));
  }
  /// Submits a whole command: a client's, or its retry, which keeps what the first attempt was issued after.
  void submit_as(NodeId at, const Command& command, OnAnswer on_answer) {
    judge_->on_submitted(command.id);
    await(at, command.id, replica(at).submit(command, own_time(at)), std::move(on_answer));
  }

  /// Reads at a node that is up; nullptr when no leader confirmed it.
  void read(NodeId at, OnRead on_read) {
    SimNode& node = *nodes_.at(at);
    const ReadId id = ++last_read_;
    if (node.replica->read(id, own_time(at))) return on_read(nullptr);
    node.reading.emplace(id, typename SimNode::Reading{std::move(on_read), judge_->read_begins()});
    step(at);
  }

  // Time.
  /// Runs `what` after so much time.
  void schedule(Duration after, std::function<void()> what) { events_.schedule(after, std::move(what)); }
  /// Handles events until `done` holds; false when virtual time runs out first.
  bool run_until(const std::function<bool()>& done, Duration limit) { return events_.run_until(done, limit); }
  /// Runs what happens in this much of virtual time.
  void run_for(Duration time) {
    (void)run_until([] { return false; }, time);
  }

  /// Small segments, so that a run crosses several.
  static constexpr FileStorageOptions storage_options{.segment_bytes = std::size_t{16} << 10};

 private:
  using SimNode = detail::SimNode<Machine, Network>;
  using Greeting = std::shared_ptr<const StoreLife>;  ///< what a node says of itself before anything else

  static std::vector<Member> members(std::size_t count) {
    std::vector<Member> all;
    for (std::uint64_t id = 1; id <= count; ++id) all.emplace_back(id, "node-" + std::to_string(id) + ":1");
    return all;
  }

  [[nodiscard]] Time own_time(NodeId id) const { return nodes_.at(id)->clock.read(now()); }

  // Messages.

  void transmit(NodeId from, NodeId to, const Message& message) {
    if (nodes_.at(from)->is_doomed) return;
    ++sent_[std::string{name_of(message)}];
    loses_this_ = false;
    judge_->ghosts().check_said(from, message);
    if (on_send) on_send(from, to, message);
    const Greeting greeting = nodes_.at(from)->store_life;
    auto copies = loses_this_ ? std::vector<Links::Copy>{} : links_.carry(from, to, message, conditions_);
    trace_.message(now(), from, to, message, copies.empty() ? "lost" : "sent");
    if (copies.empty()) ++lost_;
    for (auto& copy : copies)
      schedule(copy.delay,
               [this, from, to, greeting, connection = links_.connection(from, to), message = std::move(copy.message)] {
                 if (links_.arrives(from, to, connection)) deliver(from, to, greeting, message);
               });
  }

  void deliver(NodeId from, NodeId to, const Greeting& greeting, const Message& message) {
    if (!is_up(to)) return;
    SimNode& node = *nodes_.at(to);
    if (node.is_frozen)
      return sleep(node, [this, from, to, greeting, message] { deliver(from, to, greeting, message); });
    const Refusal refusal = node.refusal_of(from, *greeting);
    if (refusal.code == RefusalCode::outdated)
      schedule(conditions_.latency_min, [this, from, to, greeting, connection = links_.connection(to, from)] {
        if (links_.arrives(to, from, connection)) hear_outdated(to, from, greeting);
      });
    if (!refusal.is_welcome()) return;
    trace_.message(now(), from, to, message, "arrives");
    node.replica->on_message(from, message, own_time(to));
    step(to);
  }

  /// The answer to its greeting: if it lives that life still, it ends, and somebody starts it again.
  void hear_outdated(NodeId peer, NodeId id, const Greeting& greeting) {
    SimNode& node = *nodes_.at(id);
    if (!node.replica || node.store_life != greeting) return;
    if (node.is_frozen) return sleep(node, [this, peer, id, greeting] { hear_outdated(peer, id, greeting); });
    trace_.line(now(), [&] { return to_string(id) + " hears from " + to_string(peer) + " that its disk is outdated"; });
    node.mark_outdated(peer);
    restart_later(id);
  }

  static void sleep(SimNode& node, std::function<void()> until_thawed) {
    node.asleep.push_back(std::move(until_thawed));
  }

  void await(NodeId at, const RequestId& id, std::optional<Errc> refused, OnAnswer on_answer) {
    if (refused) {
      const Answer answer{id, *refused, {}};
      judge_->on_answer(at, answer);
      return on_answer(answer);
    }
    nodes_.at(at)->waiting.emplace(id, std::move(on_answer));
    step(at);
  }

  // Turns of a node.

  void tick_later(NodeId id, SimNode& node) {
    schedule(node.clock.real(node.config.heartbeat_interval / 4), [this, id, born = node.life] { tick(id, born); });
  }

  void tick(NodeId id, std::uint64_t life) {
    SimNode& node = *nodes_.at(id);
    if (!node.replica || node.life != life) return;
    if (node.is_frozen) return sleep(node, [this, id, life] { tick(id, life); });
    node.replica->on_tick(own_time(id));
    tick_later(id, node);
    step(id);
  }

  /// The end of a node's turn: sends, flushes, answers, and is judged.
  void step(NodeId id) {
    SimNode& node = *nodes_.at(id);
    const std::uint64_t life = node.life;
    if (!node.is_busy) node.replica->end_turn(own_time(id));
    if (!node.is_doomed && node.replica->wants_flush() && !node.store->is_flushing()) begin_flush(id, node);
    if (node.life != life) return;
    if (!node.is_busy) {
      node.check(*judge_);
      if (!node.is_doomed) node.give_answers(*judge_);
      if (node.life != life || !node.replica) return;
    }
    if (node.is_doomed) return die(id, std::nullopt);
    const Status& failure = node.replica->status().failure;
    if (failure.ok()) return;
    ensure(node.has_met_an_error() || node.is_damaged,
           [&] { return "node " + to_string(id) + " stopped itself without a reason: " + failure.text; });
    // It is an ended process, and somebody starts it again.
    restart_later(id);
  }

  void die(NodeId id, std::optional<std::uint64_t> last_operation) {
    nodes_.at(id)->dies_after.reset();
    crash(id, last_operation);
    if (on_death) on_death(id);
  }
  void restart_later(NodeId id) {
    kill(id);
    schedule(std::chrono::seconds{1}, [this, id] { start(id); });
  }
  void on_refusal(NodeId id, SimNode& node, const std::string& why) {
    trace_.line(now(), [&] { return to_string(id) + " refuses to start: " + why; });
    node.replica.reset();
    node.store.reset();
    if (node.has_reached_its_end()) return die(id, node.dies_after);
    const bool is_transient = node.has_met_an_error() || node.disk.full_calls() > node.full_calls_before;
    node.disk.kill(node.chance());
    if (node.is_damaged && !is_transient) {
      node.is_lost = true;
      return;
    }
    ensure(is_transient, [&] { return "node " + to_string(id) + " refuses a disk that nobody damaged: " + why; });
    schedule(std::chrono::seconds{1}, [this, id] { start(id); });
  }

  // Disks.

  void begin_flush(NodeId id, SimNode& node) {
    node.store->begin_flush();
    if (node.has_reached_its_end()) return die(id, node.dies_after);
    schedule(node.random.between(conditions_.flush_min, conditions_.flush_max),
             [this, id, life = node.life] { finish_flush(id, life); });
  }

  void finish_flush(NodeId id, std::uint64_t life) {
    SimNode& node = *nodes_.at(id);
    if (node.life != life) return;
    if (node.is_frozen) return sleep(node, [this, id, life] { finish_flush(id, life); });
    if (node.is_disk_stalled)
      return schedule(node.config.heartbeat_interval, [this, id, life] { finish_flush(id, life); });
    const Status status = node.store->end_flush();
    if (node.has_reached_its_end()) return die(id, node.dies_after);
    for (Record& record : node.store->take_durable()) {
      trace_.line(now(), [&] { return to_string(id) + " has durably  " + detail::describe(record); });
      judge_->ghosts().on_durable(id, record);
      node.durable.push_back(std::move(record));
    }
    node.replica->on_flushed(status, own_time(id));
    step(id);
  }

  Conditions conditions_;
  Random random_;
  Links links_;
  Trace trace_;
  std::unique_ptr<Judge<Machine>> judge_;
  ReadId last_read_ = 0;
  bool loses_this_ = false;
  EventQueue events_;
  std::map<NodeId, std::unique_ptr<SimNode>> nodes_;
  std::map<std::string, std::uint64_t> sent_;
  std::uint64_t lost_ = 0;
};

}  // namespace paxos::sim
