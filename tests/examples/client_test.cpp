// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
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

struct Ran {
  int status = -2;
  std::string output;
  std::string errors;
};

/// Runs twitter-client against the cluster, with `input` as its standard input.
Ran run(const Cluster& cluster, std::vector<std::string> arguments, const std::string& input = "",
        std::vector<std::pair<std::string, std::string>> environment = {}) {
  Process::Line line;
  line.arguments = {TWITTER_CLIENT, "--config", cluster.config()};
  line.arguments.insert(line.arguments.end(), arguments.begin(), arguments.end());
  line.environment = std::move(environment);
  line.input_file = cluster.path("input.txt");
  line.output_file = cluster.path("output.txt");
  line.error_file = cluster.path("errors.txt");
  std::ofstream{line.input_file, std::ios::trunc} << input;
  std::ofstream{line.output_file, std::ios::trunc};
  std::ofstream{line.error_file, std::ios::trunc};
  Process client{line};
  const auto status = client.wait(60s);
  return {status.value_or(-2), contents_of(line.output_file), contents_of(line.error_file)};
}

void start(Cluster& cluster) {
  cluster.start_all();
  static_cast<void>(cluster.leader());
}

}  // namespace

TEST_CASE("With a command the client runs it and exits 0 or 1", "[client]") {
  Cluster cluster;
  start(cluster);
  const Ran tweet = run(cluster, {"tweet", "hello", "--world"});
  CHECK(tweet.status == 0);
  CHECK_THAT(tweet.output, ContainsSubstring("slot"));
  CHECK(run(cluster, {"--site", "2", "--user", "dave", "tweet", "from dave"}).status == 0);
  const Ran view = run(cluster, {"--site", "3", "view"});
  CHECK(view.status == 0);
  CHECK_THAT(view.output,
             ContainsSubstring("hello --world") && ContainsSubstring("dave") && !ContainsSubstring("\x1b"));

  const Ran refused = run(cluster, {"block", "alice"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.errors, ContainsSubstring("oneself"));
  const Ran wrong = run(cluster, {"retweet", "x"});
  CHECK(wrong.status == 1);
  CHECK_THAT(wrong.errors, ContainsSubstring("retweet") && ContainsSubstring("unblock USER"));
  CHECK(run(cluster, {"--help"}).status == 0);
}

TEST_CASE("Standard input is read command by command, and one failure shows in the status", "[client]") {
  Cluster cluster;
  start(cluster);
  const Ran good =
      run(cluster, {}, "tweet hello\n\nview\nlog\nservers\nblock bob\nblocklist\nunblock bob\nexit\nretweet\n");
  CHECK(good.status == 0);
  CHECK_THAT(good.output, ContainsSubstring("hello") && ContainsSubstring("alice") && ContainsSubstring("127.0.0.1") &&
                              ContainsSubstring("leader") && ContainsSubstring("bob"));
  const Ran bad = run(cluster, {}, "retweet\nview\n");
  CHECK(bad.status == 1);
  CHECK_THAT(bad.output, ContainsSubstring("hello"));
}

TEST_CASE("--json prints each answer as one line of JSON", "[client]") {
  Cluster cluster;
  start(cluster);
  const Ran ran = run(cluster, {"--json"}, "tweet h\u00e9llo\nview\nblock alice\nservers\n");
  CHECK(ran.status == 1);
  std::istringstream lines{ran.output};
  std::vector<Json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(Json::parse(line));
  REQUIRE(answers.size() == 4);
  CHECK(answers[0]["stat"] == 200);
  CHECK(answers[1]["body"][0]["text"] == "h\u00e9llo");
  CHECK(answers[2]["stat"] == 400);
  CHECK(answers[3]["body"].size() == 3);
}

TEST_CASE("The client's site is chosen by --site, then PAXOS_SID; an unknown one is refused", "[client]") {
  Cluster cluster;
  start(cluster);
  CHECK(run(cluster, {"tweet", "x"}, "", {{"PAXOS_SID", "2"}}).status == 0);
  CHECK(run(cluster, {"--site", "3", "tweet", "y"}, "", {{"PAXOS_SID", "2"}}).status == 0);
  const Json view = cluster.ask(1, {{"head", "view"}});
  REQUIRE(view["body"].size() == 2);
  CHECK(view["body"][0]["author"] == "carol");
  CHECK(view["body"][1]["author"] == "bob");
  const Ran unknown = run(cluster, {"--site", "8", "view"});
  CHECK(unknown.status == 1);
  CHECK_THAT(unknown.errors, ContainsSubstring("1 (alice), 2 (bob), 3 (carol)"));
}

TEST_CASE("When its site is down the client goes on with another, still as the same user", "[client]") {
  Cluster cluster;
  start(cluster);
  cluster.kill(1);
  const Ran tweet = run(cluster, {"--site", "1"}, "tweet one\ntweet two\nview\n");
  CHECK(tweet.status == 0);
  CHECK_THAT(tweet.errors, ContainsSubstring("site 1"));
  const Json view = cluster.ask(3, {{"head", "view"}});
  REQUIRE(view["body"].size() == 2);
  CHECK(view["body"][0]["author"] == "alice");
}

TEST_CASE("A site killed under a client in flight: each tweet ends up once", "[client]") {
  Cluster cluster;
  start(cluster);
  const std::size_t site = cluster.leader();
  std::string input;
  for (int i = 1; i <= 400; ++i) input += "tweet number " + std::to_string(i) + "\n";
  Process::Line line;
  line.arguments = {TWITTER_CLIENT, "--config", cluster.config(), "--site", std::to_string(site)};
  line.input_file = cluster.path("input.txt");
  std::ofstream{line.input_file} << input;
  Process client{line};
  const std::size_t other = site % 3 + 1;
  CHECK(eventually(60s, [&] {
    const Json log = cluster.ask(other, {{"head", "log"}});
    return log.is_object() && log["stat"] == 200 && log["body"].size() >= 50;
  }));
  cluster.kill(site);
  CHECK(client.wait(100s) == 0);
  std::map<std::string, int> texts;
  const Json view = cluster.ask(other, {{"head", "view"}});
  REQUIRE(view["stat"] == 200);
  for (const Json& tweet : view["body"]) ++texts[tweet["text"]];
  CHECK(texts.size() == 400);
  for (const auto& [text, times] : texts) {
    CAPTURE(text);
    CHECK(times == 1);
  }
}

TEST_CASE("A site that hangs under a tweet, and wakes later: the tweet ends up once", "[client]") {
  Cluster cluster;
  start(cluster);
  const std::size_t frozen = cluster.leader();
  const std::size_t other = frozen % 3 + 1;
  cluster.server(frozen).signal(SIGSTOP);
  const Ran tweet = run(cluster, {"--site", std::to_string(frozen), "--timeout", "5", "tweet", "once"});
  CHECK(tweet.status == 0);
  const Json servers = cluster.ask(other, {{"head", "servers"}});
  CHECK(servers["body"][frozen - 1]["role"] == "unreachable");

  // The request is still in its socket: it reads it, and proposes it again.
  cluster.server(frozen).signal(SIGCONT);
  REQUIRE(eventually(30s, [&] { return cluster.ask(frozen, {{"head", "tweet"}, {"body", "last"}})["stat"] == 200; }));
  for (std::size_t site = 1; site <= 3; ++site) {
    const Json view = cluster.ask(site, {{"head", "view"}});
    REQUIRE(view["body"].size() == 2);
    CHECK(view["body"][0]["text"] == "last");
    CHECK(view["body"][1]["text"] == "once");
  }
}

TEST_CASE("With no site up the client says that nothing was applied, and gives up in time", "[client]") {
  const Cluster cluster;
  const Ran ran = run(cluster, {"--timeout", "0.3", "tweet", "x"});
  CHECK(ran.status == 1);
  CHECK_THAT(ran.errors, ContainsSubstring("not applied"));
}

TEST_CASE("A long log comes in pages and is joined", "[client]") {
  Cluster cluster{1};
  start(cluster);
  // 1,000 texts of 5,000 bytes are more than one answer may hold.
  Socket socket{cluster.client_port(1)};
  const std::string request = Json{{"head", "tweet"}, {"body", std::string(5000, 'a')}}.dump();
  for (int i = 0; i < 1000; ++i) REQUIRE(Json::parse(socket.ask(request).value())["stat"] == 200);
  CHECK(Json::parse(socket.ask(R"({"head":"log"})").value()).contains("next"));
  for (const char* command : {"log", "view"}) {
    const Ran ran = run(cluster, {"--json", command});
    REQUIRE(ran.status == 0);
    CHECK(Json::parse(ran.output)["body"].size() == 1000);
  }
}
