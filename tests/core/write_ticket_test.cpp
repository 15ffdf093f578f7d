// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/write_ticket.hpp>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::WriteTicket;

TEST_CASE("WriteTicket: none is below the first, and each is below the next", "[write_ticket]") {
  CHECK(WriteTicket{}.next() == WriteTicket{1});
  CHECK(WriteTicket{} < WriteTicket{1});
  CHECK(WriteTicket{1} < WriteTicket{1}.next());
  CHECK(WriteTicket{7}.value() == 7);
}

}  // namespace
