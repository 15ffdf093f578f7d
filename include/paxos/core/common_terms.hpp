// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <paxos/core/fnv1a.hpp>
#include <paxos/core/node_id.hpp>

namespace paxos {

/// What must be the same on all nodes of a cluster, for as long as it has a log: the fields of Config that are marked
/// so. A greeting compares its fingerprint; a data directory keeps it whole, as what a log was written under must not
/// change behind its back.
struct CommonTerms {
  std::string cluster;               ///< Config::cluster
  std::vector<NodeId> members;       ///< their ids, in ascending order
  std::uint64_t sessions_max = 0;    ///< Config::sessions_max
  std::uint64_t session_window = 0;  ///< Config::session_window

  /// "members 1 2 3; sessions_max 4096; session_window 8192; cluster paxos"
  template <class Text = std::string>
  [[nodiscard]] Text text() const {
    Text out = "members";
    for (const NodeId member : members) out += ' ' + to_string(member);
    return out + "; sessions_max " + std::to_string(sessions_max) + "; session_window " +
           std::to_string(session_window) + "; cluster " + cluster;
  }
  /// What frames and log segments carry: FNV-1a, 64 bits, of text().
  template <class Text = std::string>
  [[nodiscard]] std::uint64_t fingerprint() const {
    return detail::fnv1a(text<Text>());
  }

  friend bool operator==(const CommonTerms&, const CommonTerms&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cluster, members, sessions_max, session_window);
  }
};

}  // namespace paxos
