// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/replica.hpp>
#include <paxos/sim/footprint.hpp>
#include <paxos/storage/memory_storage.hpp>

#include "check.hpp"
#include "meter.hpp"

namespace paxos::fuzz {

/// Adds up what it is told.
struct Sum {
  using Command = std::uint64_t;
  std::uint64_t total = 0;
  std::uint64_t apply(Command command) { return total = 31 * total + command; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(total);
  }
};

/// One replica whose peers are the input. After every event it checks what holds whatever they say:
///
///   - what leaves claims nothing that the disk does not hold (invariant 7): promises, votes, refusals, Prepares;
///   - one ballot and slot is given one value by this node (1); its promise never goes down (2), restarts included;
///   - each submitted command and each read is over at most once, and after stop() exactly once;
///   - what the replica holds in memory stays within what Config allows (sim::MemoryBounds; and what is allocated).
///
/// A peer that lies about what is chosen may make the replica throw, as "two values chosen" can be seen by nobody
/// else; then stop(), status() and the take_ calls must do their work all the same. It may throw nothing else.
class ReplicaRig {
  struct Net {
    ReplicaRig* rig = nullptr;
    void send(NodeId to, Message message) { rig->on_sent(to, std::move(message)); }
  };
  using ReplicaType = Replica<Sum, Net, MemoryStorage>;

 public:
  /// What the replica asked last, for peers that answer.
  struct Seen {
    Prepare prepare;
    std::uint64_t round = 0;
    std::uint64_t poll = 0;
    std::uint64_t read = 0;
    Slot asked;
  };

  explicit ReplicaRig(std::uint8_t form) {
    config_ = Config{.id = NodeId{1}, .members = {{1, "a:1"}, {2, "b:1"}, {3, "c:1", form % 2}}, .data_dir = "none"};
    if ((form & 6U) == 6) config_.members.resize(1);
    config_.window_slots = 4;
    config_.batch_commands_max = 4;
    config_.batch_bytes_max = 1024;
    config_.command_bytes_max = 512;
    config_.pending_bytes_max = 4096;
    config_.promise_bytes_max = config_.catch_up_bytes_max = 512;
    config_.sessions_max = 4;
    config_.session_window = 16;
    Meter::start();
    start();
  }
  ReplicaRig(const ReplicaRig&) = delete;
  ReplicaRig& operator=(const ReplicaRig&) = delete;

  [[nodiscard]] bool is_running() const { return !has_thrown_ && status().failure.ok(); }
  [[nodiscard]] NodeStatus status() const { return replica_->status(); }
  [[nodiscard]] const Seen& seen() const { return seen_; }
  [[nodiscard]] RequestId some_outstanding(std::size_t which) const {
    if (outstanding_.empty()) return {};
    return *std::next(outstanding_.begin(), static_cast<std::ptrdiff_t>(which % outstanding_.size()));
  }

  void deliver(NodeId from, const Message& message) {
    ++unconfirmed_;
    run([&] { replica_->on_message(from, message, now_); });
  }
  void tick(Duration step) {
    now_ += step;
    run([&] { replica_->on_tick(now_); });
  }
  void end_turn() {
    if (is_running()) run([&] { replica_->end_turn(now_); });
  }
  void flush() { flush_through(disk_.appended()); }
  /// A flush that ends before what was appended meanwhile.
  void flush_part(std::size_t share) {
    const std::uint64_t done = disk_.durable().value();
    const std::uint64_t waiting = disk_.appended().value() - done;
    flush_through(WriteTicket{done + (waiting == 0 ? 0 : share % (waiting + 1))});
  }
  void fail_flush(Errc why) {
    disk_.fail_next_flush(Status{make_error_code(why), "the input said so"});
    flush();
  }
  void submit_own(Bytes payload) {
    RequestId id;
    bool is_taken = false;
    run([&] { is_taken = !replica_->submit(std::move(payload), now_, id).has_value(); });
    if (is_taken) check(outstanding_.insert(id).second, "an own command has an id of its own");
  }
  void submit(const Command& command) {
    bool is_taken = false;
    run([&] { is_taken = !replica_->submit(command, now_).has_value(); });
    if (is_taken) outstanding_.insert(command.id);
  }
  void read() {
    const ReadId id = ++last_read_;
    bool is_taken = false;
    run([&] { is_taken = !replica_->read(id, now_).has_value(); });
    if (is_taken) reading_.insert(id);
  }
  void peer_down(NodeId peer) {
    run([&] { replica_->on_peer_down(peer, now_); });
  }
  /// A power cut after some of what waits reached the disk.
  void crash(std::size_t share) {
    if (disk_.durable() < disk_.appended()) {
      const std::uint64_t waiting = disk_.appended().value() - disk_.durable().value();
      (void)disk_.flush_through(WriteTicket{disk_.durable().value() + share % (waiting + 1)});
    }
    see_durable();
    replica_.reset();
    disk_.crash();
    outstanding_.clear();
    reading_.clear();
    start();
    check(status().promised == durable_promise_, "a restart remembers the durable promise, and no other");
  }
  /// The node ends: everything that waits is answered.
  void finish() {
    replica_->stop();
    take();
    check(outstanding_.empty() && reading_.empty(), "after stop() every command and read has had its answer");
    check(!status().failure.ok(), "a node that was stopped says so");
    replica_->stop();
    replica_->on_message(NodeId{2}, Heartbeat{}, now_);
    replica_->on_tick(now_);
    replica_->end_turn(now_);
    check(replica_->take_answers().empty() && replica_->take_reads().empty(), "and no second one");
  }

 private:
  void start() {
    const ReplicaType::Life life{++lives_, SessionId{1000, lives_}};
    net_.rig = this;
    replica_ = std::make_unique<ReplicaType>(config_, net_, disk_, observer_, life, now_);
    promised_ = status().promised;
    applied_ = status().applied;
  }

  void flush_through(WriteTicket last) {
    const Status status = disk_.flush_through(last);
    see_durable();
    const bool is_all = disk_.durable() == disk_.appended();
    run([&] { replica_->on_flushed(status, now_); });
    if (is_all) unconfirmed_ = 0;
  }

  template <class Event>
  void run(Event&& event) {
    if (!is_running()) return;
    try {
      event();
    } catch (const InvariantViolation& violation) {
      check(std::string_view{violation.what()}.find("is chosen with two values") != std::string_view::npos,
            violation.what());
      has_thrown_ = true;
    }
    const NodeStatus now = status();
    check(now.promised >= promised_, "a promise never goes down");
    check(now.applied >= applied_ && now.applied <= now.chosen_through, "applied follows chosen, and both only grow");
    promised_ = now.promised;
    applied_ = now.applied;
    take();
    check_bounds();
    check(Meter::held() <= held_max(), "memory stays bounded: " + std::to_string(Meter::held()));
  }

  void check_bounds() {
    sim::MemoryBounds bounds{config_};
    try {
      if (is_running()) replica_->image(bounds);
    } catch (const InvariantViolation& violation) {
      check(false, violation.what());
    }
  }

  void take() {
    for (const Answer& answer : replica_->take_answers())
      check(outstanding_.erase(answer.id) == 1, "a command is answered once, and only if it was submitted");
    for (const ReadyRead& ready : replica_->take_reads())
      check(reading_.erase(ready.id) == 1, "a read is answered once, and only if it was asked for");
  }

  /// Takes notice of what became durable.
  void see_durable() {
    for (const auto durable = disk_.durable_records(); seen_records_ < durable.size(); ++seen_records_) {
      const Record& record = durable[seen_records_];
      if (const auto* promise = get_if<PromiseRecord>(&record)) {
        durable_promise_ = std::max(durable_promise_, promise->ballot);
      } else if (const auto* accept = get_if<AcceptRecord>(&record)) {
        durable_promise_ = std::max(durable_promise_, accept->ballot);
        durable_votes_.insert({accept->slot, accept->ballot});
      }
    }
  }

  void on_sent(NodeId to, Message message) {
    check(to == NodeId{2} || to == NodeId{3} || to == NodeId{9}, "a message goes to another node");
    message.visit([&](const auto& body) { judge(body); });
  }
  template <class Body>
  void judge(const Body&) {}
  void judge(const Prepare& prepare) {
    check(prepare.ballot.node == config_.id, "a node stands at its own ballot");
    check(durable_promise_ >= prepare.ballot, "a Prepare leaves once its ballot is claimed durably");
    seen_.prepare = prepare;
  }
  void judge(const Promise& promise) {
    check(durable_promise_ >= promise.ballot, "a Promise leaves once it is durable");
    for (const AcceptedValue& accepted : promise.accepted)
      check(durable_votes_.contains({accepted.slot, accepted.ballot}), "a Promise reports durable votes");
  }
  void judge(const Accept& accept) {
    check(accept.ballot.node == config_.id, "a node proposes at its own ballot");
    const auto [proposal, is_first] = proposals_.try_emplace({accept.ballot, accept.slot}, accept.value);
    check(is_first || proposal->second == accept.value, "one ballot and slot have one value");
  }
  void judge(const Accepted& accepted) {
    check(durable_promise_ >= accepted.ballot, "an Accepted leaves once its promise is durable");
    for (Slot slot = accepted.first; slot <= accepted.last; slot = slot.next())
      check(durable_votes_.contains({slot, accepted.ballot}) || slot <= status().chosen_through,
            "an Accepted leaves once its vote is durable");
  }
  void judge(const Nack& nack) { check(durable_promise_ >= nack.promised, "a Nack cites a durable promise"); }
  void judge(const Heartbeat& heartbeat) { seen_.round = heartbeat.round; }
  void judge(const PreVote& poll) { seen_.poll = poll.nonce; }
  void judge(const ReadIndex& request) { seen_.read = request.nonce; }
  void judge(const CatchUpRequest& request) { seen_.asked = request.first_slot; }

  /// The log is the disk's; an answer waits for it to each message (up to Outbox::waiting_max); reads are as many as
  /// were asked for (a vector keeps what it once needed); proposals_ holds what was proposed. The rest, commands
  /// included, are the queues and tables of the small configuration.
  [[nodiscard]] std::size_t held_max() const {
    return (std::size_t{128} << 10) + config_.acceptor_bytes_max() + 512 * disk_.records().size() + 128 * last_read_ +
           1024 * proposals_.size() + 2048 * unconfirmed_;
  }

  Config config_;
  Net net_;
  MemoryStorage disk_;
  NullObserver observer_;
  std::unique_ptr<ReplicaType> replica_;
  Time now_ = Time{} + std::chrono::hours{1};
  std::uint64_t lives_ = 0;
  bool has_thrown_ = false;

  Seen seen_;
  Ballot promised_;
  Slot applied_;
  ReadId last_read_ = 0;
  std::set<RequestId> outstanding_;
  std::size_t unconfirmed_ = 0;  ///< messages since the disk held everything
  std::set<ReadId> reading_;
  std::size_t seen_records_ = 0;
  Ballot durable_promise_;
  std::set<std::pair<Slot, Ballot>> durable_votes_;
  std::map<std::pair<Ballot, Slot>, Value> proposals_;
};

}  // namespace paxos::fuzz
