// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/error.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::Errc;
using paxos::Outcome;
using paxos::Status;
using paxos::detail::text_of_current_exception;

// A code that lacks a row here is found by the switch: -Wswitch (in -Wall) names it, and our builds take no warnings.
Outcome meaning_of(Errc code) {
  switch (code) {
    case Errc::no_leader:
    case Errc::overloaded:
    case Errc::too_large:
    case Errc::stopped:
    case Errc::storage_full:
    case Errc::undecodable:
    case Errc::would_deadlock:
    case Errc::read_timed_out: return Outcome::not_applied;
    case Errc::storage_failed:
    case Errc::session_expired:
    case Errc::sequence_settled:
    case Errc::in_flight_limit:
    case Errc::timed_out:
    case Errc::interrupted: return Outcome::unknown;
  }
  return Outcome::unknown;
}

constexpr int first_code = static_cast<int>(Errc::no_leader);
constexpr int last_code = static_cast<int>(Errc::read_timed_out);

// Hazards 28: "a timeout told as failure → the user submits again → the result must say unknown".
TEST_CASE("Errc: each code means exactly one of the two outcomes, and its text says which", "[error]") {
  std::set<std::string> texts;
  for (int number = first_code; number <= last_code; ++number) {
    const auto code = static_cast<Errc>(number);
    const std::error_code error = code;
    INFO(error.message());
    const Outcome meaning = meaning_of(code);
    const Outcome other = meaning == Outcome::unknown ? Outcome::not_applied : Outcome::unknown;
    CHECK(error == meaning);
    CHECK(error != other);
    CHECK(error.message().starts_with(meaning == Outcome::unknown ? "unknown: " : "not applied: "));
    CHECK(texts.insert(error.message()).second);
  }
}

TEST_CASE("Errc: it compares with itself, and with no other category's code of that number", "[error]") {
  const std::error_code error = Errc::timed_out;
  CHECK(error == Errc::timed_out);
  CHECK(error != Errc::interrupted);
  CHECK(error != std::error_code(static_cast<int>(Errc::timed_out), std::generic_category()));
  CHECK(std::string{error.category().name()} == "paxos");
}

TEST_CASE("Errc: success is neither outcome", "[error]") {
  const std::error_code none;
  CHECK(none != Outcome::not_applied);
  CHECK(none != Outcome::unknown);
}

TEST_CASE("Status: it tests as true when all is well", "[error]") {
  CHECK(Status{}.ok());
  CHECK(static_cast<bool>(Status{}));
  const Status full{Errc::storage_full, "no space in /data"};
  CHECK_FALSE(full.ok());
  CHECK(full.code == Outcome::not_applied);
}

TEST_CASE("whatever is thrown has a text", "[error]") {
  try {
    throw std::runtime_error("words");
  } catch (...) {
    CHECK(text_of_current_exception() == "words");
  }
  try {
    throw 7;
  } catch (...) {
    CHECK(text_of_current_exception() == "an exception that is no std::exception");
  }
}

}  // namespace
