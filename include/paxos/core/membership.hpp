// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/node_id.hpp>

namespace paxos {

/// The most nodes that a configuration may have.
inline constexpr std::size_t members_max = 9;

/// One node of the cluster.
struct Member {
  NodeId id;            ///< from 1 on; never given to another machine or data directory
  std::string address;  ///< "host:port" that peers and remote clients dial
  int priority = 0;     ///< a leader hands over to a caught-up member of higher priority; ties go to the higher id

  Member() = default;
  /// `host_port` is "host:port"; so that a list of members reads as {{1, "a:7001"}, {2, "b:7001"}}.
  Member(std::uint64_t node, std::string host_port, int leader_priority = 0)
      : id(node), address(std::move(host_port)), priority(leader_priority) {}

  friend bool operator==(const Member&, const Member&) = default;
};

namespace detail {

/// The members' ids, in order. So few are sorted as fast by hand, and <algorithm> costs every file that includes this.
[[nodiscard]] std::vector<NodeId> ordered_ids(const std::same_as<std::vector<Member>> auto& members) {
  std::vector<NodeId> ids;
  for (const Member& member : members) {
    ids.push_back(member.id);
    for (std::size_t i = ids.size() - 1; i > 0 && ids[i] < ids[i - 1]; --i) std::swap(ids[i], ids[i - 1]);
  }
  return ids;
}

}  // namespace detail

/// Who answered: a set of members, so that a repeated answer counts once.
class Votes {
 public:
  /// False when the member was in already.
  bool insert(std::size_t member_index) {
    const auto bit = static_cast<std::uint16_t>(1U << member_index);
    if (bits_ & bit) return false;
    bits_ = static_cast<std::uint16_t>(bits_ | bit);
    return true;
  }
  /// Whether this member answered.
  [[nodiscard]] bool has(std::size_t member_index) const { return ((bits_ >> member_index) & 1U) != 0; }
  /// How many members answered.
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(std::popcount(bits_)); }

  friend bool operator==(const Votes&, const Votes&) = default;

 private:
  std::uint16_t bits_ = 0;
};

/// The members that rule a slot, and which sets of them are a quorum: any majority, for phase 1 and phase 2 alike.
/// Of n members that is n/2 + 1, so that two quorums intersect for even n too: 3 of 4, 4 of 6.
class Membership {
 public:
  /// In the order of ids: index i is the same member on every node. Must be 1 to `members_max`, each once.
  template <std::same_as<std::vector<Member>> Members = std::vector<Member>>
  explicit Membership(const Members& members) : ids_(detail::ordered_ids(members)) {
    ensure(!ids_.empty() && ids_.size() <= members_max, "Membership: a configuration has 1 to 9 members");
    for (std::size_t i = 1; i < ids_.size(); ++i) ensure(ids_[i - 1] != ids_[i], "Membership: two members have one id");
    ensure(2 * quorum_size() > ids_.size(), "Membership: two quorums need not intersect");
  }

  [[nodiscard]] const std::vector<NodeId>& ids() const { return ids_; }  ///< ascending
  [[nodiscard]] std::size_t size() const { return ids_.size(); }         ///< 1 to 9
  /// More than half: any two quorums share a member.
  [[nodiscard]] std::size_t quorum_size() const { return ids_.size() / 2 + 1; }
  /// Whether they are enough to decide.
  [[nodiscard]] bool is_quorum(const Votes& votes) const { return votes.count() >= quorum_size(); }
  /// nullopt: no member.
  [[nodiscard]] std::optional<std::size_t> index_of(NodeId id) const {
    for (std::size_t i = 0; i < ids_.size(); ++i)
      if (ids_[i] == id) return i;
    return std::nullopt;
  }
  [[nodiscard]] bool contains(NodeId id) const { return index_of(id).has_value(); }  ///< whether it is a member
  /// `wanted`, if it is among these members; else the one after it.
  [[nodiscard]] NodeId at_or_after(const Votes& members, NodeId wanted) const {
    const auto member = index_of(wanted);
    return member && members.has(*member) ? wanted : next_of(members, wanted);
  }
  /// Of these members the one after `last` by id, and after the greatest the least. NodeId{}: there are none.
  [[nodiscard]] NodeId next_of(const Votes& members, NodeId last) const {
    NodeId first;
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (!members.has(i)) continue;
      if (ids_[i] > last) return ids_[i];
      if (first == NodeId{}) first = ids_[i];
    }
    return first;
  }

 private:
  std::vector<NodeId> ids_;  ///< in order
};

}  // namespace paxos
