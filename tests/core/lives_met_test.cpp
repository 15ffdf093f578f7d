// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/lives_met.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace paxos;
using Catch::Matchers::ContainsSubstring;

namespace {

const NodeId n2{2}, n3{3};
const StoreLife first{22, 1, {101}};
const StoreLife second{22, 2, {102, 101}};
const StoreLife copy_of_first{22, 2, {202, 101}};
const StoreLife third{22, 3, {103, 102, 101}};
const StoreLife wiped{23, 1, {301}};

}  // namespace

TEST_CASE("whom nobody met yet is welcome in any life", "[lives_met]") {
  LivesMet lives;
  lives.meet(n3, third.newest());
  for (const StoreLife& life : {first, second, copy_of_first, third, wiped})
    CHECK(lives.refusal_of(n2, life, "memory").is_welcome());
}

TEST_CASE("the life that was met and those that descend from it are welcome, and no other", "[lives_met]") {
  LivesMet lives;
  lives.meet(n2, second.newest());
  CHECK(lives.has_met(n2, second));
  CHECK_FALSE(lives.has_met(n2, copy_of_first));
  CHECK(lives.refusal_of(n2, second, "memory").is_welcome());
  CHECK(lives.refusal_of(n2, third, "memory").is_welcome());
  CHECK(lives.refusal_of(n2, first, "memory").code == RefusalCode::outdated);
  CHECK(lives.refusal_of(n2, copy_of_first, "memory").code == RefusalCode::outdated);
  CHECK(lives.refusal_of(n2, wiped, "memory").code == RefusalCode::other);
}

TEST_CASE("a refusal names the lives, what remembers them, and the cure", "[lives_met]") {
  LivesMet lives;
  lives.meet(n2, third.newest());
  const std::string text = lives.refusal_of(n2, copy_of_first, "'data/peers'").text;
  CHECK_THAT(text, ContainsSubstring("node 2"));
  CHECK_THAT(text, ContainsSubstring("in life 2"));
  CHECK_THAT(text, ContainsSubstring("life 3 of it was met"));
  CHECK_THAT(text, ContainsSubstring("'data/peers'"));
  CHECK_THAT(text, ContainsSubstring("replace node 2 by a new member"));
  CHECK_THAT(lives.refusal_of(n2, wiped, "'data/peers'").text, ContainsSubstring("another data directory claims"));
}

// Else one word of a stranger's would make the peer itself an older copy, for good.
TEST_CASE("a life that no directory can have is refused, whoever was met", "[lives_met]") {
  LivesMet lives;
  const auto check = [&] {
    for (const StoreLife& forged : {StoreLife{22, UINT64_MAX, {}}, StoreLife{22, UINT64_MAX, {102, 101}},
                                    StoreLife{22, 3, {}}, StoreLife{22, 2, {102}}, StoreLife{22, 0, {}}}) {
      const Refusal refusal = lives.refusal_of(n2, forged, "memory");
      CAPTURE(forged.number, forged.nonces.size());
      CHECK(refusal.code == RefusalCode::other);
      CHECK_THAT(refusal.text, ContainsSubstring("a malformed life") && ContainsSubstring("1 to 2^62 - 1"));
    }
  };
  check();
  lives.meet(n2, second.newest());
  check();
}
