// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/store_life.hpp>

#include <cstdint>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/archive.hpp>

using namespace paxos;

namespace {

/// The life of that number, of nonces that count up from `base`.
StoreLife life(std::uint64_t number, std::uint64_t base = 100) {
  StoreLife life{7, 0, {}};
  while (life.number < number) life = life.next(base + life.number + 1);
  return life;
}

}  // namespace

TEST_CASE("a life descends from itself and from all before it, and from none behind it", "[store_life]") {
  for (std::uint64_t met = 1; met <= 5; ++met)
    for (std::uint64_t now = 1; now <= 5; ++now) {
      CAPTURE(met, now);
      CHECK(life(now).descends_from(life(met).newest()) == (now >= met));
    }
  StoreLife other = life(3);
  other.incarnation = 8;
  CHECK_FALSE(other.descends_from(life(2).newest()));
  CHECK_FALSE(other.descends_from(life(3).newest()));
}

// Restored from life 3 while the directory itself went on to life 5: no number of starts makes the copy look newer.
TEST_CASE("a copy that is started again and again descends from no life behind the copying", "[store_life]") {
  const MetLife met = life(5).newest();
  StoreLife copy = life(3);
  for (std::uint64_t start = 1; start < StoreLife::told_max; ++start) {
    copy = copy.next(900 + start);
    CAPTURE(copy.number);
    CHECK_FALSE(copy.descends_from(met));
    CHECK(copy.descends_from(life(3).newest()));
  }
}

TEST_CASE("a life tells so many nonces and no more; of lives before them the number alone speaks", "[store_life]") {
  const StoreLife old = life(1000);
  CHECK(old.nonces.size() == StoreLife::told_max);
  CHECK(old.nonces.front() == 1100);
  const std::uint64_t oldest_told = 1000 - StoreLife::told_max + 1;
  CHECK_FALSE(old.descends_from(life(oldest_told, 500).newest()));
  CHECK(old.descends_from(life(oldest_told - 1, 500).newest()));
}

TEST_CASE("a life is well-formed when it tells as many nonces as there were lives, up to the bound", "[store_life]") {
  for (const std::uint64_t number : {1U, 2U, 63U, 64U, 65U, 1000U}) {
    StoreLife one = life(number);
    CAPTURE(number);
    CHECK(one.is_well_formed());
    one.nonces.pop_back();
    CHECK_FALSE(one.is_well_formed());
    one.nonces.resize(one.nonces.size() + 2);
    CHECK_FALSE(one.is_well_formed());
  }
  CHECK_FALSE(StoreLife{}.is_well_formed());
  CHECK_FALSE(StoreLife{7, 0, {1}}.is_well_formed());
  StoreLife late = life(64);
  late.number = StoreLife::number_max;
  CHECK(late.is_well_formed());
  CHECK_FALSE(late.next(1).is_well_formed());
  late.number = UINT64_MAX;
  CHECK_FALSE(late.is_well_formed());
}

TEST_CASE("a life that tells no nonce, as a stranger may say, has none", "[store_life]") {
  const StoreLife bare{7, 3, {}};
  CHECK(bare.newest() == MetLife{7, 3, 0});
  CHECK_FALSE(bare.descends_from({7, 4, 0}));
}

TEST_CASE("a life reads back as it was written", "[store_life]") {
  StoreLife back;
  REQUIRE(decode(encoded(life(70)).span(), back));
  CHECK(back == life(70));
}
