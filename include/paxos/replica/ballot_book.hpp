// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include <paxos/core/ballot.hpp>
#include <paxos/core/membership.hpp>

namespace paxos {

/// The ballots that this node has heard of: which are anybody's at all, and which one is free to stand at.
class BallotBook {
 public:
  explicit BallotBook(Membership membership) : membership_(std::move(membership)) {}

  void see(const Ballot& ballot) { highest_ = std::max(highest_, ballot); }
  [[nodiscard]] const Ballot& highest() const { return highest_; }

  /// A ballot that could have been used: a member's, or none; and of a round that was reached by counting.
  [[nodiscard]] bool is_sane(const Ballot& ballot) const {
    return ballot.round <= round_max && (ballot == Ballot{} || membership_.contains(ballot.node));
  }
  /// A ballot is used by the node that it names, and by no other.
  [[nodiscard]] bool is_owned(NodeId from, const Ballot& ballot) const {
    return ballot.node == from && is_sane(ballot);
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(highest_);
  }

 private:
  /// A peer that sends a round above this is broken, and must not use up the rounds of all.
  static constexpr std::uint64_t round_max = std::uint64_t{1} << 62;

  Membership membership_;
  Ballot highest_;
};

}  // namespace paxos
