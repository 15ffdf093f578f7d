// Copyright (c) the paxos authors. MIT licence.
#include <examples/twitter/commands.hpp>

#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace twitter;
using namespace std::string_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string request(const std::string& line) {
  const Typed typed = parse_command(line);
  if (const auto* wrong = std::get_if<Wrong>(&typed)) return "wrong: " + wrong->what;
  return std::get<Json>(typed).dump();
}
const Style plain{false};

}  // namespace

TEST_CASE("A typed command becomes the request that it means", "[commands]") {
  CHECK(request("tweet hello,  world ") == R"({"head":"tweet","body":"hello,  world"})");
  CHECK(request("  view\r") == R"({"head":"view"})");
  CHECK(request("block bob") == R"({"head":"block","body":"bob"})");
  CHECK(std::holds_alternative<Help>(parse_command("help")));
  CHECK(std::holds_alternative<Exit>(parse_command("exit")));
  CHECK(std::holds_alternative<Exit>(parse_command("quit")));
}

TEST_CASE("A wrong command is told from a right one, before anything is sent", "[commands]") {
  for (const char* line : {"", "  ", "tweet", "tweet  ", "view now", "block", "block two words", "retweet x", "Tweet x",
                           "tweet \xff", "\xff"}) {
    CAPTURE(line);
    CHECK(request(line).starts_with("wrong: "));
  }
  for (const CommandForm& form : command_forms) CHECK_THAT(usage(), ContainsSubstring(std::string{form.name}));
}

TEST_CASE("Answers are shown for a person", "[commands]") {
  CHECK(rendered("tweet", Json::parse(R"({"stat":200,"body":{"slot":3,"index":1,"utc":"T"}})"), plain) ==
        "tweet T slot 3.1\n");
  CHECK(rendered("view",
                 Json::parse(R"({"stat":200,"body":[{"author":"a","text":"x\ny","utc":"T","slot":3,"index":1}]})"),
                 plain) == "a T slot 3.1\n  x\n  y\n");
  CHECK(rendered("blocklist", Json::parse(R"({"stat":200,"body":["bob"]})"), plain) == "bob\n");
  CHECK(rendered("view", Json::parse(R"({"stat":200,"body":[]})"), plain) == "nothing yet\n");
  CHECK(rendered("block", Json::parse(R"({"stat":400,"body":{"why":"already blocked"}})"), plain) ==
        "already blocked\n");
  CHECK(rendered("tweet", Json::parse(R"({"stat":503,"body":{"outcome":"unknown","why":"no answer in time"}})"),
                 plain) == "unknown: no answer in time\n");
  CHECK_THAT(
      rendered("servers", Json::parse(R"({"stat":200,"body":[{"id":2,"role":"unreachable","why":"refused"}]})"), plain),
      ContainsSubstring("unreachable") && ContainsSubstring("refused"));
}

TEST_CASE("A tweet cannot drive the reader's terminal, nor pass for another tweet", "[commands]") {
  CHECK(shown("\x1b[2Jgone\x07", "") == "\\u{1b}[2Jgone\\u{7}");
  CHECK(shown("a\xc2\x9b"
              "b",
              "") == "a\\u{9b}b");
  CHECK(shown("a\xe2\x80\xae"
              "b",
              "") == "a\\u{202e}b");
  CHECK(shown("h\xc3\xa9llo\t\xf0\x9f\x90\xa6", "") == "h\xc3\xa9llo\t\xf0\x9f\x90\xa6");
  CHECK(shown("one\nbob 2026", "  ") == "one\n  bob 2026");
  CHECK(shown("\xff", "") == "(not UTF-8)");
}

TEST_CASE("Colour is used when it is asked for", "[commands]") {
  const Json refusal = Json::parse(R"({"stat":400,"body":{"why":"no"}})");
  CHECK_THAT(rendered("block", refusal, Style{true}), ContainsSubstring("\x1b["));
  CHECK_THAT(rendered("block", refusal, plain), !ContainsSubstring("\x1b["));
}

TEST_CASE("An answer that is no answer of ours is shown all the same", "[commands]") {
  for (const char* head : {"tweet", "view", "log", "servers", "blocklist"}) {
    for (const char* reply : {"{}", "[]", "1", R"({"stat":200})", R"({"stat":200,"body":[1,null,[]]})",
                              R"({"stat":"200","body":{}})", R"({"stat":503,"body":[]})"}) {
      CAPTURE(head, reply);
      CHECK(rendered(head, Json::parse(reply), plain).ends_with('\n'));
    }
  }
}

TEST_CASE("A control character in a part of an answer that should be plain text is made visible too", "[commands]") {
  const Json reply = Json::parse(
      "{\"stat\":200,\"body\":[{\"author\":{\"x\":\"\xc2\x9b"
      "31m\"}}]}");
  CHECK_THAT(rendered("view", reply, plain), ContainsSubstring("\\u{9b}31m"));
}

TEST_CASE("Completion offers commands first, then the users that a command can name", "[commands]") {
  const std::set<std::string> users{"alice", "bob", "bea"};
  using Words = std::vector<std::string>;
  CHECK(completions("bl", 0, "bl", users) == Words{"block", "blocklist"});
  CHECK(completions("  un", 2, "un", users) == Words{"unfollow", "unblock"});
  CHECK(completions("block b", 6, "b", users) == Words{"bea", "bob"});
  CHECK(completions(" follow ", 8, "", users) == Words{"alice", "bea", "bob"});
  CHECK(completions("tweet b", 6, "b", users).empty());
  CHECK(completions("view b", 5, "b", users).empty());
  CHECK(completions("retweet b", 8, "b", users).empty());
}
