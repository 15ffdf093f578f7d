// Copyright (c) the paxos authors. MIT licence.
// Floods that the bounds of a replica must hold against; sim/footprint.hpp looks on.
#include <paxos/sim/footprint.hpp>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"
#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

/// Three nodes with little room.
SimRig small_rig() {
  return SimRig{3, 1, [](Config& config) {
                  config.window_slots = 4;
                  config.command_bytes_max = config.batch_bytes_max = 1024;
                  config.promise_bytes_max = config.catch_up_bytes_max = 1024;
                  config.pending_bytes_max = 8192;
                }};
}

TEST_CASE("Footprint: it counts entries and bytes, whatever holds them", "[sim][footprint]") {
  sim::Footprint held;
  BatchBuilder batch;
  batch.add(command(1, "12345"));
  held(std::uint64_t{7}, v("123"), std::vector<Value>{v("4"), v("56")}, std::optional<Value>{v("7890")},
       Message{whole_promise(b1, {{s(1), b1, v("1234567")}})}, std::map<Slot, Value>{{s(1), v("12")}}, batch);
  CHECK(held.entries == 4);
  CHECK(held.bytes == 3 + 3 + 4 + 7 + 2 + batch.bytes());

  SlotWindow<Value> window{8};
  window.put(s(5), v("12345"));
  sim::Footprint sparse;
  sparse(window);
  CHECK(sparse.entries == 5);
  CHECK(sparse.bytes == 5);
}

TEST_CASE("Bounded memory: commands from clients without number, while nobody leads", "[sim][footprint]") {
  SimRig rig = small_rig();
  rig.cluster.isolate(n1);
  rig.cluster.run_for(1s);
  int refused = 0;
  for (std::uint64_t client = 1; client <= 500; ++client)
    rig.cluster.submit(
        n1, "x", [&](const Answer& answer) { refused += answer.error == Errc::overloaded ? 1 : 0; },
        RequestId{SessionId{client, 1}, 1});
  CHECK(refused > 400);
  CHECK_NOTHROW(rig.cluster.run_for(1s));
}

TEST_CASE("Bounded memory: commands that come and time out, while nobody leads", "[sim][footprint]") {
  SimRig rig = small_rig();
  rig.cluster.isolate(n1);
  rig.cluster.run_for(1s);
  int over = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 30; ++i) rig.cluster.submit(n1, "x", [&](const Answer&) { ++over; });
    CHECK_NOTHROW(rig.cluster.run_for(6s));
  }
  CHECK(over == 20 * 30);
}

TEST_CASE("Bounded memory: a candidate that asks again and again, while the disk hangs", "[sim][footprint]") {
  SimRig rig = small_rig();
  const NodeId leader = rig.elect();
  const NodeId node = rig.other_than({leader});
  rig.cluster.isolate(node);
  rig.cluster.stall_disk(node);
  auto& replica = rig.cluster.replica(node);
  const Ballot ballot{replica.status().promised.round + 1, leader};
  const Slot chosen = replica.status().chosen_through;
  Slot slot = chosen;
  const auto receive = [&](const Message& message) {
    replica.on_message(leader, message, rig.cluster.clock(node).read(rig.cluster.now()));
  };
  for (int i = 0; i < 4; ++i) {
    slot = slot.next();
    receive(Accept{ballot, slot, chosen, v(std::string(1000, 'x'))});
  }
  for (int i = 0; i < 200; ++i) receive(Prepare{ballot, slot});
  CHECK_NOTHROW(rig.cluster.run_for(1s));
}

TEST_CASE("Bounded memory: commands that others hand to a leader which gets nowhere", "[sim][footprint]") {
  SimRig rig = small_rig();
  const NodeId leader = rig.elect();
  rig.cluster.isolate(leader);
  for (std::uint64_t client = 1; client <= 2000; ++client)
    rig.cluster.replica(leader).on_message(rig.other_than({leader}),
                                           Forward{{{{client, 1}, 1}, 0, {}, Bytes{std::string(500, 'x')}}},
                                           rig.cluster.clock(leader).read(rig.cluster.now()));
  CHECK_NOTHROW(rig.cluster.run_for(1s));
}

TEST_CASE("Bounded memory: a promise that does not end", "[sim][footprint]") {
  SimRig rig = small_rig();
  const NodeId node = rig.other_than({rig.elect()});
  const NodeId liar = rig.other_than({node});
  rig.cluster.isolate(node);
  std::optional<Prepare> asked;
  rig.cluster.on_send = [&](NodeId from, NodeId to, const Message& message) {
    if (const auto* prepare = get_if<Prepare>(&message); prepare != nullptr && from == node && to == liar)
      asked = *prepare;
  };
  rig.cluster.stand(node);
  REQUIRE(rig.cluster.run_until([&] { return asked.has_value(); }, 1s));
  for (int part = 0; part < 2000; ++part) {
    const Prepare prepare = *asked;
    const Slot next = Slot{prepare.first_slot.value() + 1};
    rig.cluster.replica(node).on_message(
        liar,
        Promise{prepare.ballot, prepare.first_slot, next, {}, {{prepare.first_slot, b1, v(std::string(1000, 'x'))}}},
        rig.cluster.clock(node).read(rig.cluster.now()));
  }
  CHECK(asked->first_slot > Slot{100});
  CHECK_NOTHROW(rig.cluster.run_for(100ms));
}

TEST_CASE("Bounded memory: Accepts without end, while the disk hangs", "[sim][footprint]") {
  SimRig rig = small_rig();
  const NodeId leader = rig.elect();
  const NodeId node = rig.other_than({leader});
  rig.cluster.isolate(node);
  rig.cluster.stall_disk(node);
  auto& replica = rig.cluster.replica(node);
  const NodeStatus before = replica.status();
  for (std::size_t i = 0; i < 140'000; ++i)
    replica.on_message(leader, Accept{{before.promised.round + 1, leader}, before.chosen_through.next(), {}, v("x")},
                       rig.cluster.clock(node).read(rig.cluster.now()));
  CHECK_NOTHROW(rig.cluster.run_for(1s));
}

}  // namespace
