// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/outbox.hpp>

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Wire {
  std::vector<Sent> sent;
  void send(NodeId to, Message message) { sent.push_back(Sent{to, std::move(message)}); }
};

struct Rig {
  Wire wire;
  Outbox<Wire> outbox{n1, wire, 1000};
};

constexpr WriteTicket ticket(std::uint64_t value) { return WriteTicket{value}; }

TEST_CASE("Outbox: a message leaves when its ticket is durable, not before", "[outbox]") {
  Rig rig;
  rig.outbox.send_after(ticket(2), n2, Nack{b2});
  CHECK(rig.outbox.is_waiting());
  rig.outbox.on_durable(ticket(1));
  CHECK(rig.wire.sent.empty());
  rig.outbox.on_durable(ticket(2));
  CHECK(rig.wire.sent == std::vector<Sent>{{n2, Nack{b2}}});
  CHECK_FALSE(rig.outbox.is_waiting());
}

TEST_CASE("Outbox: what needs no write, and what is durable already, leaves at once", "[outbox]") {
  Rig rig;
  rig.outbox.on_durable(ticket(5));
  rig.outbox.send_after(ticket(5), n2, Nack{b2});
  rig.outbox.send_after(WriteTicket{}, n3, Nack{b3});
  rig.outbox.send(n2, Nack{b1});
  CHECK(rig.wire.sent == std::vector<Sent>{{n2, Nack{b2}}, {n3, Nack{b3}}, {n2, Nack{b1}}});
}

TEST_CASE("Outbox: a flush that ended late takes nothing back", "[outbox]") {
  Rig rig;
  rig.outbox.on_durable(ticket(5));
  rig.outbox.on_durable(ticket(3));
  rig.outbox.send_after(ticket(5), n2, Nack{b2});
  CHECK(rig.wire.sent.size() == 1);
}

TEST_CASE("Outbox: messages leave in the order in which they were sent", "[outbox]") {
  Rig rig;
  rig.outbox.send_after(ticket(1), n2, Nack{b1});
  rig.outbox.send_after(ticket(3), n2, Nack{b3});
  rig.outbox.send_after(ticket(2), n3, Nack{b2});
  rig.outbox.on_durable(ticket(2));
  CHECK(rig.wire.sent == std::vector<Sent>{{n2, Nack{b1}}, {n3, Nack{b2}}});
  rig.outbox.on_durable(ticket(3));
  CHECK(rig.wire.sent.back() == Sent{n2, Nack{b3}});
}

TEST_CASE("Outbox: acknowledgements of neighbouring slots leave as one; others do not mix", "[outbox]") {
  Rig rig;
  for (std::uint64_t slot = 4; slot <= 7; ++slot) rig.outbox.send_after(ticket(1), n2, Accepted{b2, s(slot), s(slot)});
  rig.outbox.send_after(ticket(1), n3, Accepted{b2, s(8), s(8)});  // another leader's
  rig.outbox.send_after(ticket(1), n2, Accepted{b3, s(8), s(8)});  // another ballot
  rig.outbox.send_after(ticket(1), n2, Accepted{b2, s(9), s(9)});  // not the neighbour
  rig.outbox.send_after(ticket(2), n2, Accepted{b2, s(8), s(8)});  // not durable
  rig.outbox.on_durable(ticket(1));
  CHECK(rig.wire.sent == std::vector<Sent>{{n2, Accepted{b2, s(4), s(7)}},
                                           {n3, Accepted{b2, s(8), s(8)}},
                                           {n2, Accepted{b3, s(8), s(8)}},
                                           {n2, Accepted{b2, s(9), s(9)}}});
}

TEST_CASE("Outbox: what a node says to itself comes back to it, durable or not like the rest", "[outbox]") {
  Rig rig;
  Message message;
  CHECK_FALSE(rig.outbox.take_to_self(message));
  rig.outbox.send(n1, Nack{b1});
  rig.outbox.send_after(ticket(1), n1, Accepted{b1, s(1), s(1)});
  REQUIRE(rig.outbox.take_to_self(message));
  CHECK(message == Message{Nack{b1}});
  CHECK_FALSE(rig.outbox.take_to_self(message));
  rig.outbox.on_durable(ticket(1));
  REQUIRE(rig.outbox.take_to_self(message));
  CHECK(message == Message{Accepted{b1, s(1), s(1)}});
  CHECK(rig.wire.sent.empty());
}

TEST_CASE("Outbox: while the disk hangs, what waits is bounded", "[outbox]") {
  Rig rig;
  const auto beyond = Outbox<Wire>::waiting_max + 10;
  for (std::size_t i = 0; i < beyond; ++i) rig.outbox.send_after(ticket(1), n2, Nack{b2});
  rig.outbox.on_durable(ticket(1));
  CHECK(rig.wire.sent.size() == Outbox<Wire>::waiting_max);
}

TEST_CASE("Outbox: while the disk hangs, the values that wait are bounded in bytes", "[outbox]") {
  Rig rig;
  const Message promise = whole_promise(b2, {{s(1), b1, Value{std::string(400, 'x')}}});
  for (int i = 0; i < 9; ++i) rig.outbox.send_after(ticket(1), n2, promise);
  rig.outbox.send_after(ticket(1), n2, Nack{b2});
  rig.outbox.on_durable(ticket(1));
  CHECK(rig.wire.sent.size() == 3);
  // There is room again, and a message larger than all of it finds its place when none waits.
  rig.outbox.send_after(ticket(2), n2, whole_promise(b2, {{s(1), b1, Value{std::string(5000, 'x')}}}));
  rig.outbox.on_durable(ticket(2));
  CHECK(rig.wire.sent.size() == 4);
}

}  // namespace
