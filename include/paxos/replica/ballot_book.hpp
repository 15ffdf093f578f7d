// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <paxos/core/ballot.hpp>
#include <paxos/core/membership.hpp>

namespace paxos {

/// The ballots that this node has heard of: which are anybody's at all, and which one is free to stand at.
class BallotBook {
 public:
  /// Rounds are reached by counting: one that stands further above all known ones was invented, or counted on from an
  /// invention that another node believed.
  static constexpr std::uint64_t reach = std::uint64_t{1} << 20;

  explicit BallotBook(Membership membership) : membership_(std::move(membership)) {}

  /// A ballot of this node, or one that its disk remembers.
  void see(const Ballot& ballot) { highest_ = std::max(highest_, ballot); }
  [[nodiscard]] const Ballot& highest() const { return highest_; }

  /// Somebody names a ballot. False when it cannot be in use: it is no member's, or out of reach. The latter moves the
  /// reach: an honest peer that is far ahead repeats itself and is believed then, and it takes 2^44 lies to use up the
  /// rounds of all.
  [[nodiscard]] bool hear(const Ballot& ballot) {
    if (ballot == Ballot{}) return true;
    if (!membership_.contains(ballot.node) || ballot.round == std::numeric_limits<std::uint64_t>::max()) return false;
    const bool is_in_reach = ballot.round <= highest_.round || ballot.round - highest_.round <= reach;
    see(is_in_reach ? ballot : Ballot{highest_.round + reach, ballot.node});
    return is_in_reach;
  }
  /// A ballot is used by the node that it names, and by no other.
  [[nodiscard]] bool hear_from(NodeId from, const Ballot& ballot) { return ballot.node == from && hear(ballot); }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(highest_);
  }

 private:
  Membership membership_;
  Ballot highest_;
};

}  // namespace paxos
