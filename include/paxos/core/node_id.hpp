// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace paxos {

/// Names one node of a cluster, for good: an id is never given to another machine or another data directory.
/// `NodeId{}` (0) names nobody.
class NodeId {
 public:
  constexpr NodeId() = default;
  constexpr explicit NodeId(std::uint64_t value) : value_(value) {}  ///< 0 names nobody

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }  ///< 0: nobody

  friend constexpr auto operator<=>(const NodeId&, const NodeId&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }

 private:
  std::uint64_t value_ = 0;
};

/// In decimal.
[[nodiscard]] inline std::string to_string(NodeId node) { return std::to_string(node.value()); }

}  // namespace paxos
