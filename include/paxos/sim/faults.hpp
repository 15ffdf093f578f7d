// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <paxos/core/node_id.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/time.hpp>

namespace paxos::sim {

/// What may go wrong. Most last for a while and then end.
enum class FaultKind : std::uint8_t {
  loss,               ///< messages are lost: `amount` percent
  duplication,        ///< messages come twice: `amount` percent
  delay,              ///< a tenth of the messages takes up to `amount` ms, minutes at most, and is overtaken
  replay,             ///< old messages come once more: beside `amount` percent of the new ones
  reset,              ///< the connection of two nodes breaks; what is under way on it is lost
  cut,                ///< nothing gets from `node` to `other`; the way back is whole
  isolation,          ///< nothing gets to or from `node`
  partition,          ///< two groups, by the bits of `amount`
  partial_partition,  ///< a hub, a chain, a one-way ring, or a leader that only `node` hears: who reaches whom differs
  flapping,           ///< the link from `node` to `other` comes and goes
  kill,               ///< the process of `node` ends; its machine's cache stays
  crash,              ///< `node` loses its power: what was not synced is lost, kept or torn, sector by sector
  power_cut,          ///< all nodes lose their power
  crash_on_send,      ///< `node` dies right at its next message of kind `amount`
  crash_on_write,     ///< `node` loses its power right behind the `amount`-th operation of its disk from now
  election,           ///< `node` is asked to lead, now and every so often; by `amount` others in turn with it
  busy,               ///< the turns of `node` do not end: much is handled in one
  freeze,             ///< `node` stands still, as under SIGSTOP, and knows nothing of it
  clock,              ///< the clock of `node` drifts by `amount` permille, and may leap
  slow_disk,          ///< flushes take up to `amount` ms
  disk_stall,         ///< no flush of `node` ends
  disk_full,          ///< the disk of `node` has `amount` bytes left
  disk_error,         ///< the `amount`-th change of the disk of `node` fails; if that is even, the `amount`-th read too
  narrow_reign,       ///< for `amount` ms whoever begins to lead reaches one node too few; most votes come late
  bit_rot,            ///< one bit on the disk of `node` flips
  stale_sector,       ///< a write that the disk of `node` acknowledged long ago is undone
  misdirected_write,  ///< a sector on the disk of `node` stands where another should
  wiped_disk,         ///< `node` comes back with an empty disk
  rolled_back_disk,   ///< a copy of the disk of `node` is put back when it has lived on; it is started again and again
};

/// As `paxos-sim` takes and tells them, in the order of FaultKind.
inline constexpr std::string_view fault_names[] = {"loss",
                                                   "duplication",
                                                   "delay",
                                                   "replay",
                                                   "reset",
                                                   "cut",
                                                   "isolation",
                                                   "partition",
                                                   "partial_partition",
                                                   "flapping",
                                                   "kill",
                                                   "crash",
                                                   "power_cut",
                                                   "crash_on_send",
                                                   "crash_on_write",
                                                   "election",
                                                   "busy",
                                                   "freeze",
                                                   "clock",
                                                   "slow_disk",
                                                   "disk_stall",
                                                   "disk_full",
                                                   "disk_error",
                                                   "narrow_reign",
                                                   "bit_rot",
                                                   "stale_sector",
                                                   "misdirected_write",
                                                   "wiped_disk",
                                                   "rolled_back_disk"};
inline constexpr std::size_t fault_kinds = std::size(fault_names);  ///< how many there are

/// As in fault_names.
[[nodiscard]] constexpr std::string_view to_string(FaultKind kind) {
  return fault_names[static_cast<std::size_t>(kind)];
}

/// Which kinds of fault a run may meet. Each seed draws its own mix of them.
class Faults {
 public:
  [[nodiscard]] static constexpr Faults none() { return Faults{0}; }                       ///< a run without trouble
  [[nodiscard]] static constexpr Faults all() { return Faults{(1U << fault_kinds) - 1}; }  ///< every kind

  /// These, and this one.
  [[nodiscard]] constexpr Faults with(FaultKind kind) const { return Faults{bits_ | bit(kind)}; }
  /// These but this one.
  [[nodiscard]] constexpr Faults without(FaultKind kind) const { return Faults{bits_ & ~bit(kind)}; }
  /// Whether it may strike.
  [[nodiscard]] constexpr bool has(FaultKind kind) const { return (bits_ & bit(kind)) != 0; }

 private:
  constexpr explicit Faults(std::uint32_t bits) : bits_(bits) {}
  static constexpr std::uint32_t bit(FaultKind kind) { return 1U << static_cast<unsigned>(kind); }
  std::uint32_t bits_;
};

/// One fault of a schedule.
struct Fault {
  FaultKind kind = FaultKind::loss;  ///< what goes wrong; the rest means what FaultKind says of it
  Duration at{};                     ///< from the start of the run
  Duration length{};                 ///< until it ends
  NodeId node;                       ///< whom it strikes
  NodeId other;                      ///< where it takes two
  std::uint64_t amount = 0;          ///< what FaultKind says
};

/// One line: when, what, whom, for how long.
[[nodiscard]] inline std::string describe(const Fault& fault) {
  char text[160];
  std::snprintf(text, sizeof text, "%8.3f s  %-18s node %s, other %s, amount %llu, for %.3f s",
                std::chrono::duration<double>(fault.at).count(), std::string{to_string(fault.kind)}.c_str(),
                to_string(fault.node).c_str(), to_string(fault.other).c_str(),
                static_cast<unsigned long long>(fault.amount), std::chrono::duration<double>(fault.length).count());
  return text;
}

/// The faults of one seed, in order of time: each kind is in or not, and then often or seldom, for long or for short.
/// Troubles come together: many begin where and when another one begins or ends. Disks are damaged only of as many
/// nodes as the cluster can lose for good.
class ScheduleDraw {
 public:
  /// `pace`: a time in which a healthy cluster gets something done; faults last some small multiple of it.
  ScheduleDraw(Faults faults, std::size_t nodes, Duration length, Duration pace, std::uint64_t seed)
      : faults_(faults), nodes_(nodes), length_(length), pace_(pace), random_(seed), scene_(seed ^ 0x5ce7e) {}

  /// In order of time; the same for the same seed.
  [[nodiscard]] std::vector<Fault> run() {
    const std::size_t losable = (nodes_ - 1) / 2;
    const NodeId first_losable = any_node();
    // With few kinds at a time the cluster gets far, and with many it hardly gets anywhere.
    constexpr std::array<unsigned, 4> shares{10, 20, 35, 50};
    const unsigned share = shares[static_cast<std::size_t>(random_.below(shares.size()))];
    for (std::size_t i = 0; i < fault_kinds; ++i) {
      const auto kind = static_cast<FaultKind>(i);
      if (kind == FaultKind::narrow_reign) continue;
      const bool is_in = random_.chance(kind == FaultKind::election ? 50 : share);  // a new reign puts most to the test
      const auto most = static_cast<std::uint64_t>(length_ / pace_) / (is_damage(kind) ? 40 : 5);
      const std::uint64_t count = 1 + random_.below(std::max<std::uint64_t>(1, random_.below(most + 1)));
      if (!is_in || (is_damage(kind) && losable == 0)) continue;
      for (std::uint64_t n = 0; n < count; ++n) {
        Fault fault = draw(kind);
        if (!schedule_.empty() && random_.chance(50)) join(fault, schedule_[random_.below(schedule_.size())]);
        // The nodes that may be lost for good stand side by side in the ring of ids.
        if (is_damage(kind)) fault.node = NodeId{1 + (first_losable.value() - 1 + random_.below(losable)) % nodes_};
        schedule_.push_back(fault);
      }
    }
    if (scene_.chance(12)) add_narrow_reigns();
    // Only now, so that what is left of a seed does not depend on what is left out.
    std::erase_if(schedule_, [this](const Fault& fault) { return !faults_.has(fault.kind); });
    std::vector<Fault> in_order;
    for (const Fault& fault : schedule_)
      in_order.insert(std::ranges::upper_bound(in_order, fault.at, {}, &Fault::at), fault);
    return in_order;
  }

 private:
  static bool is_damage(FaultKind kind) { return kind >= FaultKind::bit_rot; }

  NodeId any_node() { return NodeId{1 + random_.below(nodes_)}; }

  Fault draw(FaultKind kind) {
    Fault fault{kind, random_.between({}, length_), {}, any_node(), any_node(), 0};
    fault.length = random_.between({}, pace_ * static_cast<Duration::rep>(random_.chance(20) ? 60 : 12));
    const bool is_short = random_.chance(50);
    if (kind == FaultKind::busy) fault.length /= 4;
    fault.amount = amount_of(kind);
    // Back before anybody noticed, as often as not.
    if (is_short && (kind == FaultKind::crash || kind == FaultKind::kill || kind == FaultKind::power_cut))
      fault.length = {};
    return fault;
  }

  /// The same node leads again and again, chooses little, and is told late what it was granted in earlier reigns. By a
  /// random stream of its own: the seeds that it leaves out know nothing of it.
  void add_narrow_reigns() {
    const Duration length = length_ * 4 / 5;
    const Duration at = scene_.between({}, length_ - length);
    constexpr std::uint64_t leader_again = 2, every_quarter = 4;  // see Injector::elect
    const std::uint64_t quarters = 2 + scene_.below(10);
    const NodeId node{1 + scene_.below(nodes_)};
    schedule_.push_back({FaultKind::election, at, length, node, node, leader_again + every_quarter * quarters});
    schedule_.push_back({FaultKind::narrow_reign, at, length, node, node, 1 + scene_.below(milliseconds(pace_))});
  }

  /// Puts a fault beside another one: what one of them laid open, the other may hit.
  void join(Fault& fault, const Fault& other) {
    if (random_.chance(75)) fault.node = other.node;
    fault.at = other.at;
    if (random_.chance(60)) fault.at += other.length;
    if (random_.chance(60)) fault.at += random_.between({}, pace_ / 2);
    fault.at = std::min(fault.at, length_);
  }

  static std::uint64_t milliseconds(Duration duration) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  }

  std::uint64_t amount_of(FaultKind kind) {
    switch (kind) {
      case FaultKind::loss: return 1 + random_.below(40);
      case FaultKind::duplication:
      case FaultKind::replay: return 1 + random_.below(50);
      case FaultKind::delay:
        if (random_.chance(10)) return 1 + random_.below(180'000);
        return 1 + random_.below((random_.chance(50) ? 2 : 20) * milliseconds(pace_));
      case FaultKind::clock: return random_.below(400);
      case FaultKind::slow_disk: return 1 + random_.below(4 * milliseconds(pace_));
      case FaultKind::disk_full: return random_.below(40'000);
      case FaultKind::disk_error:
      case FaultKind::crash_on_write: return 1 + random_.below(40);
      default: return random_();
    }
  }

  Faults faults_;
  std::size_t nodes_;
  Duration length_;
  Duration pace_;
  Random random_;
  Random scene_;
  std::vector<Fault> schedule_;
};

}  // namespace paxos::sim
