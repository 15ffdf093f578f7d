// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <paxos/core/message.hpp>
#include <paxos/sim/cluster.hpp>
#include <paxos/sim/faults.hpp>

namespace paxos::sim {

/// How often each kind of fault struck, and how often it hit something: a message on its way, a node that was up, a
/// call to a disk. In the order of FaultKind.
struct FaultTally {
  std::array<std::uint64_t, fault_kinds> struck{};  ///< by kind: how often it was tried
  std::array<std::uint64_t, fault_kinds> hit{};     ///< by kind: how often it met something that it could break

  FaultTally& operator+=(const FaultTally& other) {
    for (std::size_t i = 0; i < fault_kinds; ++i) {
      struck[i] += other.struck[i];
      hit[i] += other.hit[i];
    }
    return *this;
  }
};

/// Does to a cluster what a schedule says. What it has scheduled there refers to it, even after stop(): it must live as
/// long as the cluster handles events.
template <StateMachine Machine>
class Injector {
 public:
  /// Strikes as the cluster's time goes on, which must outlive it.
  Injector(Cluster<Machine>& cluster, std::vector<Fault> schedule)
      : cluster_(cluster), schedule_(std::move(schedule)), base_(cluster.conditions()) {
    for (const Fault& fault : schedule_)
      cluster_.schedule(fault.at, [this, &fault] {
        if (!is_over_) begin(fault);
      });
    cluster_.on_send = [this](NodeId from, NodeId, const Message& message) { on_send(from, message); };
    const bool is_eager = std::ranges::count(schedule_, FaultKind::election, &Fault::kind) != 0;
    cluster_.on_death = [this, is_eager](NodeId id) {
      cluster_.schedule(cluster_.random().chance(50) ? Duration{} : cluster_.config(id).election_timeout,
                        [this, id, is_eager] {
                          start(id);
                          if (is_eager && cluster_.random().chance(50)) stand(id);
                        });
    };
  }
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  /// Called when a node that stood still goes on: what it believed when it fell asleep may be long over.
  std::function<void(NodeId)> on_wake;

  /// Nothing begins or ends any more: the cluster is about to be healed.
  void stop() {
    is_over_ = true;
    cluster_.on_send = nullptr;
    cluster_.on_death = nullptr;
    tally_messages();
  }
  [[nodiscard]] const FaultTally& tally() const { return tally_; }  ///< so far

 private:
  using Link = std::pair<NodeId, NodeId>;

  void begin(const Fault& fault) {
    ++tally_.struck[index(fault.kind)];
    cluster_.trace().line(cluster_.now(), [&] { return "fault: " + describe(fault); });
    const NodeId node = fault.node;
    const bool was_up = cluster_.is_up(node);
    switch (fault.kind) {
      case FaultKind::loss:
      case FaultKind::duplication:
      case FaultKind::delay:
      case FaultKind::replay:
      case FaultKind::slow_disk:
      case FaultKind::narrow_reign:
        if (fault.kind == FaultKind::slow_disk) hit(fault, is_any_up());
        weather_.push_back(&fault);
        return set_weather(), end_later(fault, [this, &fault] { weather_.remove(&fault), set_weather(); });
      case FaultKind::reset: return cluster_.reset(node, fault.other);
      case FaultKind::cut:
      case FaultKind::isolation:
      case FaultKind::partition:
      case FaultKind::partial_partition: return cut_for(fault, links_of(fault), fault.length);
      case FaultKind::flapping: return flap(fault, fault.length);
      case FaultKind::kill:
      case FaultKind::crash:
        hit(fault, was_up);
        if (was_up) fault.kind == FaultKind::kill ? cluster_.kill(node) : cluster_.crash(node);
        return end_later(fault, [this, node] { start(node); });
      case FaultKind::power_cut: return cut_power(fault);
      case FaultKind::crash_on_send:
        armed_[node] = fault.amount;
        return end_later(fault, [this, node] { armed_.erase(node); });
      case FaultKind::crash_on_write:
        hit(fault, was_up);
        return cluster_.die_after_operation(node, cluster_.disk(node).operations() + fault.amount);
      case FaultKind::election: return hit(fault, was_up), elect(fault, fault.length, 0);
      case FaultKind::busy:
        hit(fault, was_up);
        cluster_.hold_turns(node);
        return end_later(fault, [this, node] { cluster_.end_turns(node); });
      case FaultKind::freeze:
        hit(fault, was_up);
        if (was_up) cluster_.freeze(node);
        return end_later(fault, [this, node] { wake(node); });
      case FaultKind::clock: return hit(fault, was_up), disturb_clock(fault);
      case FaultKind::disk_stall:
        hit(fault, was_up);
        cluster_.stall_disk(node);
        return end_later(fault, [this, node] { cluster_.resume_disk(node); });
      case FaultKind::disk_full:
        cluster_.disk(node).set_space(fault.amount);
        return end_later(fault, [this, node] { cluster_.disk(node).set_space(std::nullopt); });
      case FaultKind::disk_error:
        if (fault.amount % 2 == 0) cluster_.disk(node).fail_read(fault.amount);
        return cluster_.disk(node).fail_call(fault.amount);
      case FaultKind::bit_rot:
      case FaultKind::stale_sector:
      case FaultKind::misdirected_write:
      case FaultKind::wiped_disk: return damage(fault);
      case FaultKind::rolled_back_disk: return roll_back(fault);
    }
  }

  // The network.

  [[nodiscard]] std::vector<Link> links_of(const Fault& fault) const {
    const auto ids = cluster_.ids();
    const std::size_t size = ids.size();
    std::vector<Link> links;
    for (std::size_t a = 0; a < size; ++a) {
      for (std::size_t b = 0; b < size; ++b) {
        if (a == b) continue;
        const bool is_whole = [&] {
          switch (fault.kind) {
            case FaultKind::cut: return ids[a] != fault.node || ids[b] != fault.other;
            case FaultKind::isolation: return ids[a] != fault.node && ids[b] != fault.node;
            case FaultKind::partition: return (fault.amount >> a & 1) == (fault.amount >> b & 1);
            default: break;
          }
          switch (fault.amount % 4) {
            case 0: return ids[a] == fault.node || ids[b] == fault.node;          // a hub: all others lost their quorum
            case 1: return a + 1 == b || b + 1 == a;                              // a chain
            case 2: return (a + 1) % size == b;                                   // a ring, each heard by the next only
            default: return ids[a] == fault.node || ids[b] != cluster_.leader();  // a leader that only one can reach
          }
        }();
        if (!is_whole) links.emplace_back(ids[a], ids[b]);
      }
    }
    return links;
  }

  void cut_for(const Fault& fault, std::vector<Link> links, Duration length) {
    if (links.empty()) return;
    const std::uint64_t before = cluster_.links().tally().cut_off;
    for (const auto& [from, to] : links)
      if (++cuts_[{from, to}] == 1) cluster_.cut(from, to);
    cluster_.schedule(length, [this, &fault, before, links = std::move(links)] {
      if (is_over_) return;
      hit(fault, cluster_.links().tally().cut_off > before);
      for (const auto& [from, to] : links)
        if (--cuts_[{from, to}] == 0) cluster_.mend(from, to);
    });
  }

  void flap(const Fault& fault, Duration left) {
    if (is_over_ || left <= Duration{} || fault.node == fault.other) return;
    const Duration beat = cluster_.config(fault.node).election_timeout * (1 + fault.amount % 8) / 4;
    cut_for(fault, {{fault.node, fault.other}}, beat);
    cluster_.schedule(2 * beat, [this, &fault, left, beat] { flap(fault, left - 2 * beat); });
  }

  void set_weather() {
    Conditions conditions = base_;
    const auto stray = [&](unsigned& percent, unsigned at_least, Duration most) {
      const bool is_calm = conditions.straggler_percent == 0 && conditions.late_votes_percent == 0;
      conditions.straggler_max = is_calm ? most : std::max(conditions.straggler_max, most);
      percent = std::max(percent, at_least);
    };
    for (const Fault* fault : weather_) {
      const auto percent = static_cast<unsigned>(fault->amount);
      const Duration duration = std::chrono::milliseconds{fault->amount};
      if (fault->kind == FaultKind::loss) conditions.loss_percent = std::max(conditions.loss_percent, percent);
      if (fault->kind == FaultKind::duplication)
        conditions.duplicate_percent = std::max(conditions.duplicate_percent, percent);
      if (fault->kind == FaultKind::replay) conditions.replay_percent = std::max(conditions.replay_percent, percent);
      if (fault->kind == FaultKind::slow_disk) conditions.flush_max = std::max(conditions.flush_max, duration);
      if (fault->kind == FaultKind::delay) stray(conditions.straggler_percent, 10, duration);
      if (fault->kind == FaultKind::narrow_reign) stray(conditions.late_votes_percent, 75, 2 * duration);
    }
    cluster_.set_conditions(conditions);
  }

  /// Right behind phase 1: of the others it reaches as many as make a quorum with it but one. Each time others.
  void narrow(NodeId leader, const Ballot& ballot) {
    const auto reign = std::ranges::find(weather_, FaultKind::narrow_reign, &Fault::kind);
    if (reign == weather_.end() || ballot <= narrowed_) return;
    narrowed_ = ballot;
    auto others = cluster_.ids();
    std::erase(others, leader);
    Random random{(*reign)->amount ^ ballot.round << 32};
    const std::size_t quorum = cluster_.ids().size() / 2 + 1;
    for (std::size_t reached = 2; reached < quorum; ++reached)
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(random.below(others.size())));
    std::vector<Link> links;
    for (const NodeId other : others) links.emplace_back(leader, other);
    cut_for(**reign, std::move(links), std::chrono::milliseconds{(*reign)->amount});
  }

  // Nodes.

  void start(NodeId id) {
    if (!is_over_ && !cluster_.is_up(id) && !cluster_.is_lost(id)) cluster_.start(id);
  }
  void wake(NodeId id) {
    if (!cluster_.is_frozen(id)) return;
    cluster_.thaw(id);
    if (on_wake && cluster_.is_up(id)) on_wake(id);
  }

  [[nodiscard]] bool is_any_up() const {
    return std::ranges::any_of(cluster_.ids(), [this](NodeId id) { return cluster_.is_up(id); });
  }
  void stand(NodeId id) {
    if (!is_over_ && cluster_.is_up(id) && !cluster_.is_frozen(id)) cluster_.stand(id);
  }
  void elect(const Fault& fault, Duration left, std::uint64_t turn) {
    const auto ids = cluster_.ids();
    switch (fault.amount % 4) {
      case 0: stand(fault.node); break;
      case 1: stand(ids[(fault.node.value() + turn) % ids.size()]); break;
      case 2: stand(cluster_.leader().value_or(fault.node)); break;  // again, with much of its last reign under way
      default: stand(turn % 2 == 0 ? fault.node : fault.other); break;
    }
    const auto quarters = static_cast<Duration::rep>(1 + fault.amount / 4 % 24);
    const Duration beat = cluster_.config(fault.node).heartbeat_interval * quarters / 4;
    if (left >= beat)
      cluster_.schedule(beat, [this, &fault, left, beat, turn] {
        if (!is_over_) elect(fault, left - beat, turn + 1);
      });
  }

  void cut_power(const Fault& fault) {
    hit(fault, true);
    for (const NodeId id : cluster_.ids()) {
      if (cluster_.is_up(id)) cluster_.crash(id);
      cluster_.schedule(fault.length + std::chrono::milliseconds{fault.amount % 64 * id.value()},
                        [this, id] { start(id); });
    }
  }

  /// What a node said must outlive it: it dies as it says so, its words under way or not.
  void on_send(NodeId from, const Message& message) {
    static constexpr std::string_view kinds[] = {"Promise", "Accepted", "Prepare", "Accept", "Chosen", "PreVoteReply"};
    if (const auto* accept = get_if<Accept>(&message)) narrow(from, accept->ballot);
    const auto found = armed_.find(from);
    if (found == armed_.end() || name_of(message) != kinds[found->second % std::size(kinds)]) return;
    const bool also_this = (found->second >> 8) % 4 == 0;
    armed_.erase(found);
    ++tally_.hit[index(FaultKind::crash_on_send)];
    cluster_.die_now(from, also_this);
  }

  void disturb_clock(const Fault& fault) {
    Clock& clock = cluster_.clock(fault.node);
    if (fault.amount % 4 == 0)
      clock.leap(cluster_.config(fault.node).election_timeout * static_cast<Duration::rep>(fault.amount % 50),
                 cluster_.now());
    clock.set_drift(static_cast<std::int64_t>(fault.amount * 1000) - 200'000, cluster_.now());
  }

  // Disks.

  void damage(const Fault& fault) {
    const NodeId node = fault.node;
    if (cluster_.is_lost(node)) return;
    Random random{fault.amount};
    const Choose choose = [&random](std::uint64_t bound) { return random.below(bound); };
    bool is_done = false;
    if (fault.kind == FaultKind::bit_rot) is_done = cluster_.disk(node).rot(choose);
    if (fault.kind == FaultKind::stale_sector) is_done = cluster_.disk(node).make_stale(choose);
    if (fault.kind == FaultKind::misdirected_write) is_done = cluster_.disk(node).misdirect(choose);
    if (is_done) cluster_.mark_damaged(node);
    hit(fault, is_done);
    if (fault.kind != FaultKind::wiped_disk || !cluster_.is_known_to_all(node)) return;
    hit(fault, true);
    if (cluster_.is_up(node)) cluster_.crash(node);
    cluster_.replace_disk(node);
    end_later(fault, [this, node] {
      if (!cluster_.is_up(node)) cluster_.start(node);
    });
  }

  /// The copy is put back once all have met a life behind it; before that nobody could tell.
  void roll_back(const Fault& fault) {
    const NodeId node = fault.node;
    if (cluster_.is_lost(node)) return;
    const std::uint64_t life = cluster_.store_life(node);
    const Disk::Copy copy = cluster_.disk(node).copy();
    if (cluster_.is_up(node)) cluster_.crash(node);
    start(node);
    stand(node);  // speaks to everybody
    end_later(fault, [this, &fault, life, copy] { put_back(fault, life, copy); });
  }
  void put_back(const Fault& fault, std::uint64_t life, const Disk::Copy& copy) {
    const NodeId node = fault.node;
    if (is_over_ || cluster_.is_lost(node)) return;
    if (!cluster_.is_known_to_all(node, life))
      return cluster_.schedule(cluster_.config(node).election_timeout,
                               [this, &fault, life, copy] { put_back(fault, life, copy); });
    hit(fault, true);
    if (cluster_.is_up(node)) cluster_.crash(node);
    cluster_.replace_disk(node, copy);
    start_again(fault, 1 + fault.amount % 8);
  }
  /// As somebody does who does not read why it ended: before it was told as well, and behind that.
  void start_again(const Fault& fault, std::uint64_t times) {
    if (is_over_ || times == 0) return;
    if (cluster_.is_up(fault.node)) cluster_.kill(fault.node);
    cluster_.start(fault.node);
    const auto eighths = static_cast<Duration::rep>(fault.amount / 8 % 32);
    cluster_.schedule(cluster_.config(fault.node).election_timeout * eighths / 8,
                      [this, &fault, times] { start_again(fault, times - 1); });
  }

  // All of them.

  static std::size_t index(FaultKind kind) { return static_cast<std::size_t>(kind); }
  void hit(const Fault& fault, bool did) { tally_.hit[index(fault.kind)] += did ? 1 : 0; }
  void end_later(const Fault& fault, std::function<void()> end) {
    cluster_.schedule(fault.length, [this, end = std::move(end)] {
      if (!is_over_) end();
    });
  }
  void tally_messages() {
    const Links::Tally& messages = cluster_.links().tally();
    tally_.hit[index(FaultKind::loss)] += messages.lost;
    tally_.hit[index(FaultKind::duplication)] += messages.duplicated;
    tally_.hit[index(FaultKind::delay)] += messages.strayed;
    tally_.hit[index(FaultKind::replay)] += messages.replayed;
    tally_.hit[index(FaultKind::reset)] += messages.reset;
    for (const NodeId id : cluster_.ids()) {
      tally_.hit[index(FaultKind::disk_error)] += cluster_.disk(id).failed_calls();
      tally_.hit[index(FaultKind::disk_full)] += cluster_.disk(id).full_calls();
    }
  }

  Cluster<Machine>& cluster_;
  const std::vector<Fault> schedule_;
  const Conditions base_;
  bool is_over_ = false;
  std::list<const Fault*> weather_;        ///< what is going on of loss, delay and the like
  std::map<Link, int> cuts_;               ///< how many faults cut each link
  std::map<NodeId, std::uint64_t> armed_;  ///< who dies at a message, and which
  Ballot narrowed_;                        ///< the newest one whose beginning narrow_reign met
  FaultTally tally_;
};

}  // namespace paxos::sim
