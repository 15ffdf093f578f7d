// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include <paxos/core/ballot.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/time.hpp>

namespace paxos {

/// The ballots that this node has heard of: which are anybody's at all, and which one is free to stand at.
class BallotBook {
 public:
  /// Rounds are reached by counting: one that stands further above all known ones was invented, or counted on from an
  /// invention that another node believed.
  static constexpr std::uint64_t reach = std::uint64_t{1} << 20;
  /// How far a teller may count on, in the heartbeat interval in which it used up the reach.
  static constexpr std::uint64_t stride = std::uint64_t{1} << 10;

  /// Knows no ballot of anybody's yet.
  explicit BallotBook(const Config& config) : membership_(config.members), interval_(config.heartbeat_interval) {}

  /// A ballot of this node, or one that its disk remembers.
  void see(const Ballot& ballot) { highest_ = std::max(highest_, ballot); }
  [[nodiscard]] const Ballot& highest() const { return highest_; }  ///< of all that were heard of

  /// A member names a ballot. False when it cannot be in use, being no member's, or is not believed yet: it lies out of
  /// reach, or its teller raised the highest one by as much already within this heartbeat interval. It is raised as far
  /// as may be: an honest peer that is far ahead repeats itself and is believed in the end, and whoever led it there
  /// needed an interval for each reach as well. To use up the rounds of all takes 2^44 intervals of lies.
  [[nodiscard]] bool hear(NodeId from, const Ballot& ballot, Time now) {
    if (ballot == Ballot{}) return true;
    const auto teller = membership_.index_of(from);
    if (!teller || !membership_.contains(ballot.node) || ballot.round == std::numeric_limits<std::uint64_t>::max())
      return false;
    Allowance& allowance = allowances_[*teller];
    if (now >= allowance.until) allowance = {reach + stride, now + interval_};
    const std::uint64_t rise = ballot.round - std::min(ballot.round, highest_.round);
    const std::uint64_t step = std::min(std::min(rise, reach), allowance.left);
    allowance.left -= step;
    see(step == rise ? ballot : Ballot{highest_.round + step, ballot.node});
    return step == rise;
  }
  /// A ballot is used by the node that it names, and by no other.
  [[nodiscard]] bool hear_from(NodeId from, const Ballot& ballot, Time now) {
    return ballot.node == from && hear(from, ballot, now);
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(highest_);
  }

 private:
  /// By how much a teller may raise the highest ballot's round.
  struct Allowance {
    std::uint64_t left = 0;
    Time until{};
  };

  Membership membership_;
  Duration interval_;
  std::array<Allowance, members_max> allowances_;  ///< of the members
  Ballot highest_;
};

}  // namespace paxos
