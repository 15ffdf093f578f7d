// Copyright (c) the paxos authors. MIT licence.
#include <paxos/node/awaited.hpp>

#include <optional>
#include <stdexcept>
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

/// Moves once; then it throws.
struct Brittle {
  int moves_left = 0;
  Brittle() = default;
  explicit Brittle(int moves) : moves_left(moves) {}
  Brittle(Brittle&& other) : moves_left(other.moves_left - 1) {
    if (other.moves_left == 0) throw std::runtime_error("brittle");
  }
};

TEST_CASE("Awaited: a value that throws on its way ends the waiting, wherever that is", "[awaited]") {
  for (int moves = 0; moves < 2; ++moves) {
    Awaited<Brittle> outcome;
    {
      auto handler = outcome.handler();
      Brittle value{moves};
      CHECK_THROWS_AS(handler(std::error_code{}, std::move(value)), std::runtime_error);
    }
    std::error_code error;
    (void)outcome.get(error);
    CHECK(error == Errc::interrupted);
  }
}

TEST_CASE("Awaited: a value need not be assignable", "[awaited]") {
  Awaited<std::pair<const int, std::string>> outcome;
  outcome.handler()(std::error_code{}, {1, "one"});
  std::error_code error;
  CHECK(outcome.get(error) == std::pair<const int, std::string>{1, "one"});
  CHECK_FALSE(error);
}

TEST_CASE("Awaited: an operation without a value is awaited as well", "[awaited]") {
  Awaited<int> outcome;
  outcome.handler()(std::error_code{});
  std::error_code error = make_error_code(Errc::stopped);
  CHECK(outcome.get(error) == 0);
  CHECK_FALSE(error);
}

}  // namespace
