// Copyright (c) the paxos authors. MIT licence.
#include <sys/resource.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "cluster.hpp"
#include "load.hpp"

using namespace examples;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;
long long ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

/// Slot and place of each tweet in a site's log; fails on a tweet that stands there twice, and on slots out of order.
std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> places(const Cluster& cluster, std::size_t site) {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> found;
  std::pair<std::uint64_t, std::uint64_t> last{0, 0};
  const Json log = cluster.ask(site, {{"head", "log"}});
  REQUIRE(log["stat"] == 200);
  for (const Json& entry : log["body"]) {
    const std::pair<std::uint64_t, std::uint64_t> place{entry["slot"], entry["index"]};
    CHECK(last < place);
    last = place;
    CAPTURE(entry.dump());
    CHECK(found.emplace(entry["body"], place).second);
  }
  return found;
}

void check_acknowledged(const Cluster& cluster, const NumberedTweets& load) {
  for (std::size_t site = 1; site <= cluster.size(); ++site) {
    const auto log = places(cluster, site);
    for (const auto& [text, place] : load.acknowledged()) {
      CAPTURE(site, text);
      REQUIRE(log.contains(text));
      CHECK(log.at(text) == place);
    }
    const Json view = cluster.ask(site, {{"head", "view"}});
    REQUIRE(view["stat"] == 200);
    CHECK(view["body"].size() == log.size());
  }
}

}  // namespace

// Hazard "Lost slot, lost tweet": the proposer whose slot went to another silently drops its command.
TEST_CASE("Lost slot, lost tweet: kill -9 of the leader loses and doubles nothing", "[failover][hazard]") {
  const bool asks_leader = GENERATE(true, false);
  Cluster cluster;
  cluster.start_all();
  const std::size_t leader = cluster.leader();
  const std::size_t site = asks_leader ? leader : leader % 3 + 1;

  NumberedTweets load{cluster, site, "load"};
  std::thread client{[&] { load.run(1000); }};
  const bool is_under_way = eventually(60s, [&] { return load.done >= 300; });
  cluster.kill(leader);
  client.join();
  REQUIRE(is_under_way);
  REQUIRE(load.unexpected == 0);
  REQUIRE(load.acknowledged().size() == 1000);
  fmt::print("kill -9 of the leader, client at {}: gap in service {} ms, {} retries\n",
             asks_leader ? "the leader" : "a follower", load.gap_ms(), load.retries());

  const auto restarted = Clock::now();
  cluster.start(leader);
  std::string line;
  const std::string other = cluster.log_line(leader % 3 + 1);
  REQUIRE(eventually(30s, [&] { return (line = cluster.log_line(leader)) == other; }));
  fmt::print("the killed site's log was the others' {} ms after its start\n", ms_since(restarted));
  CHECK(cluster.log_line((leader + 1) % 3 + 1) == other);
  check_acknowledged(cluster, load);
}

TEST_CASE("All three killed at once and restarted: what got 200 is there once", "[failover]") {
  Cluster cluster;
  cluster.start_all();
  NumberedTweets load{cluster, cluster.leader(), "load"};
  std::thread client{[&] { load.run(1000); }};
  const bool is_under_way = eventually(60s, [&] { return load.done >= 300; });
  for (std::size_t site = 1; site <= 3; ++site) cluster.server(site).signal(SIGKILL);
  for (std::size_t site = 1; site <= 3; ++site) cluster.kill(site);
  const auto restarted = Clock::now();
  cluster.start_all();
  client.join();
  REQUIRE(is_under_way);
  REQUIRE(load.unexpected == 0);
  REQUIRE(load.acknowledged().size() == 1000);
  fmt::print("all three killed and restarted: gap in service {} ms, {} retries, whole run {} ms\n", load.gap_ms(),
             load.retries(), ms_since(restarted));

  const std::string line = cluster.log_line(1);
  for (std::size_t site = 2; site <= 3; ++site) CHECK(cluster.log_line(site) == line);
  check_acknowledged(cluster, load);
}

TEST_CASE("Two of three down: 503 and never 200; one back: service resumes", "[failover]") {
  Cluster cluster{3, {"--request-timeout", "1"}};
  cluster.start_all();
  const std::size_t leader = cluster.leader();
  const std::size_t alone = GENERATE(0U, 1U) == 0U ? leader : leader % 3 + 1;
  const std::size_t second = alone % 3 + 1;
  const std::size_t third = second % 3 + 1;
  REQUIRE(cluster.ask(alone, {{"head", "tweet"}, {"body", "before"}})["stat"] == 200);
  cluster.kill(second);
  cluster.kill(third);

  for (int i = 0; i < 2; ++i) {
    const Json tweet =
        cluster.ask(alone, {{"head", "tweet"}, {"body", "alone"}, {"id", "alone:1"}});  // the same one, twice
    REQUIRE(tweet["stat"] == 503);
    const std::string outcome = tweet["body"]["outcome"];
    CHECK((outcome == "not applied" || outcome == "unknown"));
    const Json view = cluster.ask(alone, {{"head", "view"}});
    CHECK(view["stat"] == 503);
    CHECK(view["body"]["outcome"] == "not applied");
    CHECK(cluster.ask(alone, {{"head", "block"}, {"body", "bob"}, {"user", "zoe"}})["stat"] == 503);
  }

  cluster.start(second);
  CHECK(eventually(30s, [&] {
    return cluster.ask(alone, {{"head", "tweet"}, {"body", "alone"}, {"id", "alone:1"}})["stat"] == 200;
  }));
  cluster.start(third);
  for (std::size_t site = 1; site <= 3; ++site) {
    std::map<std::string, int> texts;
    REQUIRE(eventually(30s, [&] { return cluster.ask(site, {{"head", "view"}})["stat"] == 200; }));
    const Json view = cluster.ask(site, {{"head", "view"}});
    for (const Json& tweet : view["body"]) ++texts[tweet["text"]];
    CHECK(texts == std::map<std::string, int>{{"before", 1}, {"alone", 1}});
  }
}

TEST_CASE("A site whose disk fails stops with status 1, and the others go on", "[failover]") {
  Cluster cluster;
  cluster.start_all();
  const std::size_t site = cluster.leader();
  REQUIRE(cluster.ask(site, {{"head", "tweet"}, {"body", "before"}})["stat"] == 200);
  const rlimit nothing{0, 0};
  REQUIRE(::prlimit(cluster.server(site).pid(), RLIMIT_FSIZE, &nothing, nullptr) == 0);
  // Answered or not, it may not be lost once it got 200.
  const Json during = cluster.ask(site, {{"head", "tweet"}, {"body", "during"}, {"id", "during:1"}});
  CHECK(cluster.server(site).wait(30s) == 1);

  const std::size_t other = site % 3 + 1;
  CHECK(eventually(30s, [&] {
    return cluster.ask(other, {{"head", "tweet"}, {"body", "during"}, {"id", "during:1"}})["stat"] == 200;
  }));
  const Json view = cluster.ask(other, {{"head", "view"}});
  REQUIRE(view["stat"] == 200);
  CHECK(view["body"].size() == 2);
  if (during.is_object() && during["stat"] == 200) CHECK(view["body"][0]["slot"] == during["body"]["slot"]);
}

TEST_CASE("Three clients on three sites, 1,000 tweets each: 3,000 in every log, at the same places", "[failover]") {
  Cluster cluster;
  cluster.start_all();
  static_cast<void>(cluster.leader());
  const auto started = Clock::now();
  NumberedTweets one{cluster, 1, "one"};
  NumberedTweets two{cluster, 2, "two"};
  NumberedTweets three{cluster, 3, "three"};
  {
    std::vector<std::thread> clients;
    for (NumberedTweets* load : {&one, &two, &three}) clients.emplace_back([load] { load->run(1000); });
    for (std::thread& client : clients) client.join();
  }
  fmt::print("3 clients x 1,000 tweets: {} ms\n", ms_since(started));
  for (const NumberedTweets* load : {&one, &two, &three}) {
    REQUIRE(load->unexpected == 0);
    REQUIRE(load->acknowledged().size() == 1000);
    check_acknowledged(cluster, *load);
  }
  const std::string line = cluster.log_line(1);
  CHECK(Json::parse(line)["body"].size() == 3000);
  for (std::size_t site = 2; site <= 3; ++site) CHECK(cluster.log_line(site) == line);
}
