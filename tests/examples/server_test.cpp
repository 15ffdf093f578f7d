// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "cluster.hpp"

using namespace examples;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Runs a server that should refuse to start, and gives its exit status and what it said.
std::pair<int, std::string> refusal(const Cluster& cluster, std::vector<std::string> arguments,
                                    std::vector<std::pair<std::string, std::string>> environment = {}) {
  Process::Line line;
  line.arguments = {TWITTER_SERVER};
  line.arguments.insert(line.arguments.end(), arguments.begin(), arguments.end());
  line.environment = std::move(environment);
  line.error_file = line.output_file = cluster.path("refusal.txt");
  std::ofstream{line.error_file, std::ios::trunc};
  Process server{line};
  const auto status = server.wait(20s);
  CHECK(status.has_value());
  return {status.value_or(-2), contents_of(line.error_file)};
}

std::size_t log_size(const Cluster& cluster, std::size_t site) {
  const Json log = cluster.ask(site, {{"head", "log"}});
  REQUIRE(log["stat"] == 200);
  return log["body"].size();
}

}  // namespace

TEST_CASE("Any site serves any request, and sees at once what another acknowledged", "[server]") {
  Cluster cluster;
  cluster.start_all();
  static_cast<void>(cluster.leader());
  REQUIRE(cluster.ask(1, {{"head", "tweet"}, {"body", "from one"}})["stat"] == 200);
  REQUIRE(cluster.ask(2, {{"head", "tweet"}, {"body", "from dave"}, {"user", "dave"}})["stat"] == 200);
  for (std::size_t site = 1; site <= 3; ++site) {
    const Json view = cluster.ask(site, {{"head", "view"}});
    REQUIRE(view["body"].size() == 2);
    CHECK(view["body"][0]["author"] == "dave");
    CHECK(view["body"][1]["author"] == "alice");
  }

  REQUIRE(cluster.ask(3, {{"head", "block"}, {"body", "bob"}, {"user", "alice"}})["stat"] == 200);
  CHECK(cluster.ask(2, {{"head", "view"}})["body"].size() == 1);
  CHECK(cluster.ask(2, {{"head", "view"}, {"user", "carol"}})["body"].size() == 2);
  CHECK(cluster.ask(1, {{"head", "blocklist"}})["body"] == Json{"bob"});
  REQUIRE(cluster.ask(2, {{"head", "unblock"}, {"body", "bob"}, {"user", "alice"}})["stat"] == 200);
  CHECK(cluster.ask(2, {{"head", "view"}})["body"].size() == 2);
}

TEST_CASE("A self, unknown or repeated block is refused and takes no slot", "[server]") {
  Cluster cluster;
  cluster.start_all();
  static_cast<void>(cluster.leader());
  REQUIRE(cluster.ask(1, {{"head", "block"}, {"body", "bob"}})["stat"] == 200);
  const Json before = cluster.ask(1, {{"head", "tweet"}, {"body", "first"}});
  for (const char* whom : {"alice", "nobody", "bob"}) {
    const Json reply = cluster.ask(2, {{"head", "block"}, {"body", whom}, {"user", "alice"}});
    CHECK(reply["stat"] == 400);
    CHECK_FALSE(reply["body"]["why"].get<std::string>().empty());
  }
  CHECK(log_size(cluster, 3) == 2);
  const Json after = cluster.ask(1, {{"head", "tweet"}, {"body", "second"}});
  CHECK(after["body"]["slot"].get<std::uint64_t>() == before["body"]["slot"].get<std::uint64_t>() + 1);
}

TEST_CASE("A retry under the same id gets the first answer, at any site", "[server]") {
  Cluster cluster;
  cluster.start_all();
  static_cast<void>(cluster.leader());
  const Json tweet{{"head", "tweet"}, {"body", "once"}, {"id", "phone:1"}};
  const Json block{{"head", "block"}, {"body", "bob"}, {"user", "alice"}, {"id", "phone:2"}};
  const auto first = cluster.line(1, tweet);
  for (std::size_t site = 1; site <= 3; ++site) CHECK(cluster.line(site, tweet) == first);
  const auto blocked = cluster.line(1, block);
  CHECK(Json::parse(*blocked)["stat"] == 200);
  for (std::size_t site = 1; site <= 3; ++site) CHECK(cluster.line(site, block) == blocked);
  CHECK(cluster.ask(2, tweet)["stat"] == 400);  // settled by phone:2
  CHECK(log_size(cluster, 1) == 2);
}

TEST_CASE("The list of servers names every site, reachable or not", "[server]") {
  Cluster cluster;
  cluster.start_all();
  const std::size_t leader = cluster.leader();
  REQUIRE(cluster.ask(leader, {{"head", "tweet"}, {"body", "x"}})["stat"] == 200);
  const std::size_t down = leader % 3 + 1;
  const std::size_t up = down % 3 + 1;
  cluster.kill(down);
  const Json servers = cluster.ask(up, {{"head", "servers"}});
  REQUIRE(servers["stat"] == 200);
  REQUIRE(servers["body"].size() == 3);
  for (std::size_t site = 1; site <= 3; ++site) {
    const Json& line = servers["body"][site - 1];
    CHECK(line["id"] == site);
    CHECK(line["role"] == (site == down ? "unreachable" : site == leader ? "leader" : "follower"));
    for (const char* field : {"name", "addr", "port", "client_port"}) CHECK(line.contains(field));
    if (site == down) continue;
    for (const char* field : {"ballot", "chosen", "applied"}) CHECK(line.contains(field));
  }
}

TEST_CASE("A zero byte ends a message too, and one connection takes many", "[server]") {
  Cluster cluster{1};
  cluster.start_all();
  static_cast<void>(cluster.leader());
  Socket socket{cluster.client_port(1)};
  using namespace std::string_literals;
  REQUIRE(socket.send(
      "{\"head\":\"tweet\",\"body\":\"a\"}\0{\"head\":\"tweet\",\"body\":\"b\"}\r\n\n{\"head\":\"view\"}\n"s));
  CHECK(Json::parse(socket.line().value())["stat"] == 200);
  CHECK(Json::parse(socket.line().value())["stat"] == 200);
  CHECK(Json::parse(socket.line().value())["body"].size() == 2);
  CHECK(socket.send("{\"head\":"));
  socket.end_of_sending();
  CHECK(Json::parse(socket.line().value())["stat"] == 400);
  CHECK(socket.ends());
}

TEST_CASE("A long text is refused; a message beyond the bound ends the connection", "[server]") {
  Cluster cluster{1};
  cluster.start_all();
  static_cast<void>(cluster.leader());
  Socket socket{cluster.client_port(1)};
  const auto tweet = [](std::size_t bytes) {
    return Json{{"head", "tweet"}, {"body", std::string(bytes, 'a')}}.dump();
  };
  CHECK(Json::parse(socket.ask(tweet(5001)).value())["stat"] == 400);
  CHECK(Json::parse(socket.ask(tweet(5000)).value())["stat"] == 200);
  const Json reply = Json::parse(socket.ask(tweet(1 << 20)).value_or("{}"));
  CHECK(reply["stat"] == 400);
  CHECK(socket.ends());
  CHECK(log_size(cluster, 1) == 1);
}

TEST_CASE("A client that says nothing is dropped, and so is one that never comes to the end", "[server]") {
  Cluster cluster{1, {"--idle-timeout", "0.3"}};
  cluster.start_all();
  Socket silent{cluster.client_port(1)};
  REQUIRE(silent.is_open());
  CHECK(silent.ends());

  Socket slow{cluster.client_port(1)};
  std::size_t sent = 0;
  CHECK(eventually(20s, [&] {
    ++sent;
    return !slow.send("x");
  }));
  CHECK(sent > 1);
  Socket next{cluster.client_port(1)};
  CHECK(next.ask(R"({"head":"servers"})").has_value());
}

TEST_CASE("The number of clients is bounded, and a place that is left is taken again", "[server]") {
  Cluster cluster{1, {"--max-clients", "2"}};
  cluster.start_all();
  const std::string request = R"({"head":"servers"})";
  Socket first{cluster.client_port(1)};
  {
    // The probe that saw the server start may still hold a place.
    REQUIRE(eventually(20s, [&] { return Json::parse(first.ask(request).value_or("{\"stat\":0}"))["stat"] == 200; }));
    std::optional<Socket> second;
    REQUIRE(eventually(20s, [&] {
      second.emplace(cluster.client_port(1));
      return Json::parse(second->ask(request).value_or("{\"stat\":0}"))["stat"] == 200;
    }));
    Socket third{cluster.client_port(1)};
    CHECK(Json::parse(third.line().value())["stat"] == 503);
    CHECK(third.ends());
  }
  CHECK(eventually(20s, [&] {
    Socket again{cluster.client_port(1)};
    return Json::parse(again.ask(request).value_or("{\"stat\":0}"))["stat"] == 200;
  }));
}

TEST_CASE("SIGTERM and SIGINT end a server cleanly, and its timeline is there again", "[server]") {
  Cluster cluster{1};
  for (const int number : {SIGTERM, SIGINT}) {
    cluster.start(1);
    REQUIRE(eventually(20s, [&] { return cluster.ask(1, {{"head", "tweet"}, {"body", "x"}})["stat"] == 200; }));
    Socket idle{cluster.client_port(1)};
    cluster.server(1).signal(number);
    CHECK(cluster.server(1).wait(20s) == 0);
  }
  cluster.start(1);
  REQUIRE(eventually(20s, [&] { return cluster.ask(1, {{"head", "view"}})["stat"] == 200; }));
  CHECK(cluster.ask(1, {{"head", "view"}})["body"].size() == 2);
  CHECK_THAT(cluster.log_of(1), ContainsSubstring("is leader") && ContainsSubstring("SIGINT"));
}

TEST_CASE("A server that cannot start says why, and how to cure it", "[server]") {
  Cluster cluster{2};
  const auto unknown = refusal(cluster, {"--config", cluster.config(), "--site", "7"});
  CHECK(unknown.first == 1);
  CHECK_THAT(unknown.second, ContainsSubstring("1 (alice), 2 (bob)"));
  const auto from_environment = refusal(cluster, {"--config", cluster.config()}, {{"PAXOS_SID", "9"}});
  CHECK(from_environment.first == 1);
  CHECK_THAT(from_environment.second, ContainsSubstring("site 9") && ContainsSubstring("2 (bob)"));
  const auto no_site = refusal(cluster, {"--config", cluster.config()});
  CHECK(no_site.first == 1);
  CHECK_THAT(no_site.second, ContainsSubstring("PAXOS_SID"));
  const auto no_file = refusal(cluster, {"--config", cluster.path("none.json"), "--site", "1"});
  CHECK(no_file.first == 1);
  CHECK_THAT(no_file.second, ContainsSubstring("none.json"));
  std::ofstream{cluster.path("bad.json")} << R"({"sites":[{"id":1}]})";
  const auto bad_file = refusal(cluster, {"--config", cluster.path("bad.json"), "--site", "1"});
  CHECK(bad_file.first == 1);
  CHECK_THAT(bad_file.second, ContainsSubstring("sites[0]") && ContainsSubstring("\"name\""));
  CHECK(refusal(cluster, {"--config", cluster.config(), "--site", "x"}).first == 1);
  CHECK(refusal(cluster, {}).first == 1);
}

TEST_CASE("A port or a directory in use is named", "[server]") {
  Cluster cluster{1};
  cluster.start(1);
  const std::vector<std::string> same{"--config", cluster.config(), "--site", "1", "--data-dir", cluster.path("other")};
  const auto client_port = refusal(cluster, same);
  CHECK(client_port.first == 1);
  CHECK_THAT(client_port.second, ContainsSubstring(std::to_string(cluster.client_port(1))) &&
                                     ContainsSubstring("in use") && ContainsSubstring("\"client_port\""));

  const auto config_with = [&](std::uint16_t port, std::uint16_t client) {
    const std::string file = cluster.path("copy.json");
    std::ofstream{file} << Json{
        {"sites", {{{"id", 1}, {"name", "alice"}, {"addr", "127.0.0.1"}, {"port", port}, {"client_port", client}}}}};
    return file;
  };
  const auto peer_port = refusal(cluster, {"--config", config_with(cluster.peer_port(1), free_port()), "--site", "1",
                                           "--data-dir", cluster.path("other")});
  CHECK(peer_port.first == 1);
  CHECK_THAT(peer_port.second, ContainsSubstring(std::to_string(cluster.peer_port(1))) && ContainsSubstring("in use") &&
                                   ContainsSubstring("\"port\""));

  const auto directory = refusal(
      cluster, {"--config", config_with(free_port(), free_port()), "--site", "1", "--data-dir", cluster.path("data")});
  CHECK(directory.first == 1);
  CHECK_THAT(directory.second, ContainsSubstring(cluster.path("data")));
  CHECK(cluster.server(1).is_running());
}

TEST_CASE("PAXOS_SID stands in for --site", "[server]") {
  Cluster cluster{1};
  Process::Line line;
  line.arguments = {TWITTER_SERVER, "--config", cluster.config(), "--data-dir", cluster.path("data")};
  line.environment = {{"PAXOS_SID", "1"}};
  Process server{line};
  CHECK(eventually(20s, [&] { return Socket{cluster.client_port(1)}.is_open(); }));
}
