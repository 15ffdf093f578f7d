// Copyright (c) the paxos authors. MIT licence.
#include <paxos/node/awaited.hpp>

#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::Errc;
using paxos::detail::Awaited;

TEST_CASE("Awaited: the outcome reaches whoever waits, from another thread", "[awaited]") {
  for (int round = 0; round < 1000; ++round) {
    auto outcome = std::make_optional<Awaited<std::string>>();
    std::thread other{[handler = outcome->handler()]() mutable { handler(make_error_code(Errc::timed_out), "value"); }};
    std::error_code error;
    const std::string value = outcome->get(error);
    outcome.reset();  // the other thread may still be on its way out of the handler, and must touch nothing of it
    other.join();
    REQUIRE(error == Errc::timed_out);
    REQUIRE(value == "value");
  }
}

TEST_CASE("Awaited: a handler that is dropped uncalled ends the waiting", "[awaited]") {
  Awaited<int> outcome;
  {
    auto handler = outcome.handler();
    const auto moved = std::move(handler);
  }
  std::error_code error;
  CHECK(outcome.get(error) == 0);
  CHECK(error == Errc::interrupted);
}

TEST_CASE("Awaited: an operation without a value is awaited as well", "[awaited]") {
  Awaited<int> outcome;
  outcome.handler()(std::error_code{});
  std::error_code error = make_error_code(Errc::stopped);
  CHECK(outcome.get(error) == 0);
  CHECK_FALSE(error);
}

}  // namespace
