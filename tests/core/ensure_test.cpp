// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/ensure.hpp>

#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using paxos::ensure;
using paxos::InvariantViolation;

TEST_CASE("ensure: it throws what the rule means, in every build", "[ensure]") {
  CHECK_NOTHROW(ensure(true, "never seen"));
  CHECK_THROWS_AS(ensure(false, "slot 5 chosen twice"), InvariantViolation);
  CHECK_THROWS_WITH(ensure(false, "slot 5 chosen twice"), "slot 5 chosen twice");
}

TEST_CASE("ensure: a text that costs something is made only when it is needed", "[ensure]") {
  int made = 0;
  const auto meaning = [&made] {
    ++made;
    return std::string{"expensive"};
  };
  ensure(true, meaning);
  CHECK(made == 0);
  CHECK_THROWS_WITH(ensure(false, meaning), "expensive");
}

}  // namespace
