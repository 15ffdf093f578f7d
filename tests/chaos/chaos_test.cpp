// Copyright (c) the paxos authors. MIT licence.
//
// Real servers, real sockets, real signals. PAXOS_CHAOS_SEED and PAXOS_CHAOS_SECONDS choose another schedule and
// another length; PAXOS_CHAOS_SERVER another build of twitter-server, one with a mistake in it, say.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>

#include "campaign.hpp"

using namespace chaos;
using namespace std::chrono_literals;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

// Hazards 22 to 28, 32 to 34, 38, 46: what users see of real processes.
TEST_CASE("Real processes under faults: what clients see is linearizable", "[chaos]") {
  const std::uint64_t seed = number_from("PAXOS_CHAOS_SEED", 1);
  const std::chrono::seconds duration{number_from("PAXOS_CHAOS_SECONDS", 55)};
  Campaign campaign{seed};
  const std::string wrong = campaign.run(duration);
  INFO("seed " << seed << ": " << wrong);
  REQUIRE(wrong.empty());
  CHECK(campaign.operations() > 1000);
}

TEST_CASE("The same, one seed after another", "[.soak]") {
  std::uint64_t seed = number_from("PAXOS_CHAOS_SEED", 1);
  const auto end = Clock::now() + std::chrono::seconds{number_from("PAXOS_CHAOS_SECONDS", 600)};
  std::size_t operations = 0;
  for (; Clock::now() < end; ++seed) {
    Campaign campaign{seed};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    const std::string wrong = campaign.run(std::min<std::chrono::milliseconds>(60s, left));
    INFO("seed " << seed << ": " << wrong);
    REQUIRE(wrong.empty());
    operations += campaign.operations();
    fmt::print("chaos: {} operations so far; next is seed {}\n", operations, seed + 1);
    std::fflush(stdout);
  }
}
