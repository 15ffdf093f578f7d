// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/node_id.hpp>

#include <cstdint>
#include <type_traits>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/slot.hpp>
#include <paxos/core/write_ticket.hpp>

namespace {

using paxos::NodeId;
using paxos::Slot;
using paxos::WriteTicket;

// Three things that are numbers, and none is another: f(slot, node) called as f(node, slot) must not compile.
static_assert(!std::is_convertible_v<std::uint64_t, NodeId>);
static_assert(!std::is_constructible_v<NodeId, Slot>);
static_assert(!std::is_constructible_v<Slot, NodeId>);
static_assert(!std::is_constructible_v<WriteTicket, Slot>);

TEST_CASE("NodeId: 0 names nobody, and ids are ordered by number", "[node_id]") {
  CHECK(NodeId{} == NodeId{0});
  CHECK(NodeId{9} < NodeId{10});
  CHECK(to_string(NodeId{10}) == "10");
}

}  // namespace
