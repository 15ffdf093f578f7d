// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/bytes.hpp>

#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::Bytes;

TEST_CASE("Bytes: a copy shares, and is equal by content", "[bytes]") {
  const Bytes one{"payload"};
  const Bytes copy = one;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  CHECK(copy.data() == one.data());
  const Bytes twin{"payload"};
  CHECK(twin.data() != one.data());
  CHECK(twin == one);
  CHECK_FALSE(Bytes{"payloaD"} == one);
  CHECK_FALSE(Bytes{"payloa"} == one);
}

TEST_CASE("Bytes: they hold a copy of what they were made of", "[bytes]") {
  std::string text = "before";
  const Bytes bytes{text};
  text = "after!";
  CHECK(bytes.text() == "before");
  CHECK(bytes.size() == 6);
}

TEST_CASE("Bytes: what was moved out of is empty, and assigning oneself changes nothing", "[bytes]") {
  Bytes one{"one"};
  Bytes two{"two"};
  two = std::move(one);
  CHECK(one.empty());  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
  CHECK(two.text() == "one");
  Bytes& same = two;
  two = same;
  two = std::move(same);
  CHECK(two.text() == "one");
}

TEST_CASE("Bytes: empty is empty, however it came about", "[bytes]") {
  CHECK(Bytes{}.empty());
  CHECK(Bytes{""} == Bytes{});
  CHECK(Bytes{}.span().empty());
  CHECK(Bytes{}.text().empty());
}

}  // namespace
