// Copyright (c) the paxos authors. MIT licence.
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "policies/counters.hpp"
#include "policies/udp_port.hpp"

TEST_CASE("the counter over UDP loses nothing acknowledged when nodes are killed", "[policies]") {
  std::vector<std::string> addresses;
  for (int i = 0; i < 3; ++i) addresses.push_back("127.0.0.1:" + std::to_string(paxos::test::free_udp_port()));
  examples::kill_counters(COUNTER_UDP, addresses);
}
