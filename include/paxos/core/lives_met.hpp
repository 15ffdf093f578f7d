// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include <paxos/core/node_id.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>

namespace paxos {

/// The newest life of each peer's data directory that a node has met, and the rule who may still come: that life, or
/// one that descends from it, if it is well-formed. Whoever else comes by the peer's name has forgotten votes of the
/// peer's.
class LivesMet {
 public:
  /// A peer, and the newest life of its directory that was met.
  struct Known {
    NodeId peer;     ///< a member
    MetLife newest;  ///< of its directory

    friend bool operator==(const Known&, const Known&) = default;
    template <class Archive>
    void serialize(Archive& archive) {
      archive(peer, newest);
    }
  };

  /// `memory`: what remembers the peer, for the text.
  [[nodiscard]] Refusal refusal_of(NodeId peer, const std::same_as<StoreLife> auto& life,
                                   const std::string& memory) const {
    if (!life.is_well_formed())
      return {"node " + to_string(peer) + " tells a malformed life of its data directory (number " +
              std::to_string(life.number) + ", " + std::to_string(life.nonces.size()) +
              " nonces): the number must be 1 to 2^62 - 1, with a nonce for each of the last " +
              std::to_string(StoreLife::told_max) + " lives; run one release on all nodes"};
    const MetLife* const known = find(peer);
    if (known == nullptr || life.descends_from(*known)) return {};
    const MetLife& met = *known;
    const std::string name = "node " + to_string(peer);
    if (life.incarnation != met.incarnation)
      return {"another data directory claims to be " + name +
              ": a wiped node must not vote, as it has forgotten what it promised; start " + name +
              " on the data directory that it had, which is remembered in " + memory};
    return {"the data directory of " + name + " is an older copy, in life " + std::to_string(life.number) +
                ", and life " + std::to_string(met.number) + " of it was met (remembered in " + memory +
                "): a restored or cloned node must not vote, as it has forgotten what it promised; stop it, and " +
                "replace " + name +
                " by a new member if no newer directory of it is left; never restore a voter's disk",
            RefusalCode::outdated};
  }

  /// Whether that very life is the newest that was met.
  [[nodiscard]] bool has_met(NodeId peer, const std::same_as<StoreLife> auto& life) const {
    const MetLife* const known = find(peer);
    return known != nullptr && *known == life.newest();
  }
  /// Takes the place of what was met before.
  void meet(NodeId peer, const std::same_as<MetLife> auto& life) {
    auto place = known_.begin();
    while (place != known_.end() && place->peer < peer) ++place;
    if (place == known_.end() || place->peer != peer) place = known_.insert(place, Known{peer, {}});
    place->newest = life;
  }

  /// What a storage writes down, in the order of the peers' ids.
  [[nodiscard]] const std::vector<Known>& known() const { return known_; }

 private:
  [[nodiscard]] const MetLife* find(NodeId peer) const {
    for (const Known& known : known_)
      if (known.peer == peer) return &known.newest;
    return nullptr;
  }

  std::vector<Known> known_;  ///< as few as a cluster has members
};

}  // namespace paxos
