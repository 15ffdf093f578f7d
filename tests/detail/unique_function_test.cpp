// Copyright (c) the paxos authors. MIT licence.
#include <paxos/detail/unique_function.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::detail::UniqueFunction;

static_assert(!std::copy_constructible<UniqueFunction<void()>>);
static_assert(!std::constructible_from<UniqueFunction<void(int)>, void (*)(std::string)>);

TEST_CASE("UniqueFunction: it owns what cannot be copied, hands on what it is given, and is empty afterwards",
          "[unique_function]") {
  int sum = 0;
  UniqueFunction<void(std::unique_ptr<int>, int)> add{
      [&sum, base = std::make_unique<int>(100)](std::unique_ptr<int> left, int right) { sum = *base + *left + right; }};
  REQUIRE(add);
  UniqueFunction<void(std::unique_ptr<int>, int)> moved{std::move(add)};
  CHECK_FALSE(add);  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
  moved(std::make_unique<int>(20), 3);
  CHECK(sum == 123);
  CHECK_FALSE(moved);
}

TEST_CASE("UniqueFunction: what it owns goes with it, called or not", "[unique_function]") {
  const auto watched = std::make_shared<int>(0);
  {
    UniqueFunction<void()> called{[watched] {}};
    UniqueFunction<void()> dropped{[watched] {}};
    CHECK(watched.use_count() == 3);
    called();
    CHECK(watched.use_count() == 2);
  }
  CHECK(watched.use_count() == 1);
}

TEST_CASE("UniqueFunction: it may give itself a successor while it runs", "[unique_function]") {
  UniqueFunction<void()> next;
  std::string steps;
  next = [&] {
    steps += "first ";
    next = [&] { steps += "second"; };
  };
  next();
  next();
  CHECK(steps == "first second");
}

}  // namespace
