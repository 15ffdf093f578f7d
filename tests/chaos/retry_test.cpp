// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <cstddef>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "arena.hpp"

using namespace chaos;
using namespace std::chrono_literals;

// Hazard 28, the other way round: a refusal is final too. An attempt that is still under way must not take effect after
// a retry of it was told that nothing was done.
TEST_CASE("A refused retry is final: no earlier attempt takes effect afterwards", "[retry]") {
  Arena arena{1, 1};
  arena.start_all();
  REQUIRE(examples::eventually(30s, [&] { return arena.leader() != 0; }));
  const std::size_t leader = arena.leader();
  const std::size_t follower = leader % Arena::sites + 1;
  const auto tweet = [&](std::size_t site) {
    return arena.ask(site, {{"head", "tweet"}, {"body", "hi"}, {"user", "bob"}});
  };
  REQUIRE(examples::eventually(30s, [&] { return tweet(follower)["stat"] == 200; }));

  const std::size_t link = arena.link(follower, leader);
  const std::size_t detour = arena.link(follower, 6 - leader - follower);  // the third site would pass the command on
  examples::Socket phone{arena.client_port(follower)};
  Json block;
  // The follower looks at first whether there is anything to do, and then hands the command on. When a later read of
  // its is through, the look may be, and the command may still be under way: try until that is so.
  const auto is_held = [&](int attempt) {
    const std::string user = "dave" + std::to_string(attempt);
    block = Json{{"head", "block"}, {"user", user}, {"body", "bob"}, {"id", "phone:" + std::to_string(attempt)}};
    arena.proxy().set(link, {.there = {.delay = 120ms}});
    REQUIRE(phone.send(block.dump() + '\n'));
    REQUIRE(arena.ask(follower, {{"head", "blocklist"}, {"user", user}})["stat"] == 200);
    arena.proxy().set(link, {.there = {.holds = true}});
    arena.proxy().set(detour, {.there = {.holds = true}});
    const auto first = phone.line();
    REQUIRE(first);
    const Json answer = Json::parse(*first);
    if (answer["stat"] == 503 && answer["body"]["outcome"] == "unknown") return true;
    arena.proxy().set(link, {});
    arena.proxy().set(detour, {});
    REQUIRE(examples::eventually(30s, [&] { return tweet(follower)["stat"] == 200; }));
    return false;
  };
  bool is_under_way = false;
  for (int attempt = 1; attempt <= 30 && !is_under_way; ++attempt) is_under_way = is_held(attempt);
  REQUIRE(is_under_way);

  // Another device blocks; the retry finds that done. Then the other one unblocks.
  Json other = block;
  other["id"] = "desk:1";
  REQUIRE(arena.ask(leader, other)["stat"] == 200);
  block["retry"] = true;
  const Json retried = arena.ask(leader, block);
  REQUIRE(retried["stat"] == 400);
  other["head"] = "unblock";
  other["id"] = "desk:2";
  REQUIRE(arena.ask(leader, other)["stat"] == 200);

  // Only now does the first attempt reach the leader, and a tweet behind it.
  arena.proxy().set(link, {});
  arena.proxy().set(detour, {});
  REQUIRE(tweet(follower)["stat"] == 200);
  CHECK(arena.ask(leader, {{"head", "blocklist"}, {"user", block["user"]}})["body"] == Json::array());
  CHECK(arena.ask(follower, block) == retried);
}
