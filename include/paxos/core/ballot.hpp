// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

#include <paxos/core/ensure.hpp>
#include <paxos/core/node_id.hpp>

namespace paxos {

/// A proposal number: a round, made unique by the node that owns it. Used by one node in one life.
/// `Ballot{}` is below every ballot that is ever used.
struct Ballot {
  std::uint64_t round = 0;  ///< decides first; 0: no ballot
  NodeId node;              ///< who alone may use it

  /// The lowest ballot of `owner` above this one.
  [[nodiscard]] Ballot above(NodeId owner) const {
    ensure(round < std::numeric_limits<std::uint64_t>::max(), "Ballot: the 64-bit rounds are used up");
    return Ballot{round + 1, owner};
  }

  friend constexpr auto operator<=>(const Ballot&, const Ballot&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(round, node);
  }
};

/// "round.node", as logs and pictures print it.
[[nodiscard]] inline std::string to_string(const Ballot& ballot) {
  return std::to_string(ballot.round) + "." + to_string(ballot.node);
}

}  // namespace paxos
