// Copyright (c) the paxos authors. MIT licence.
#include <examples/twitter/protocol.hpp>

#include <random>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace twitter;
using namespace std::string_literals;

namespace {

Request request(const std::string& line) {
  const auto parsed = parse_request(line);
  if (const auto* reply = std::get_if<Reply>(&parsed)) FAIL(line << " was refused: " << reply->line());
  return std::get<Request>(parsed);
}
/// The status of a refusal; 200 when the line is a request.
int stat_of(const std::string& line) {
  const auto parsed = parse_request(line);
  const auto* reply = std::get_if<Reply>(&parsed);
  if (reply == nullptr) return 200;
  CHECK(reply->body.at("why").get<std::string>().size() > 5);
  CHECK_NOTHROW(Json::parse(reply->line()));
  return reply->stat;
}
std::vector<std::string> messages(MessageSplitter& splitter) {
  std::vector<std::string> all;
  while (const auto message = splitter.next()) all.emplace_back(*message);
  return all;
}
using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("A message ends with a line feed or a zero byte, wherever the stream is cut", "[protocol]") {
  const std::string stream = "one\ntwo\0three\r\n\n \t\n\0four\n rest"s;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    MessageSplitter splitter;
    splitter.feed(std::string_view{stream}.substr(0, cut));
    Messages all = messages(splitter);
    splitter.feed(std::string_view{stream}.substr(cut));
    for (auto& message : messages(splitter)) all.push_back(message);
    CHECK(all == Messages{"one", "two", "three\r", "four"});
    CHECK(splitter.has_rest());
    CHECK_FALSE(splitter.is_too_long());
  }
}

TEST_CASE("A message beyond the bound is told from one that fits", "[protocol]") {
  MessageSplitter fits{8};
  fits.feed("1234567\n");
  CHECK(messages(fits) == Messages{"1234567"});
  CHECK_FALSE(fits.is_too_long());

  for (const char* bytes : {"12345678\nnext\n", "12345678", "ok\n12345678"}) {
    MessageSplitter splitter{8};
    splitter.feed(bytes);
    static_cast<void>(messages(splitter));
    CHECK(splitter.is_too_long());
  }
}

TEST_CASE("Each head is read with what belongs to it", "[protocol]") {
  const Request tweet = request(R"({"head":"tweet","body":"h\u00e9llo\n","user":"dave","id":"a:b:7"})");
  CHECK(tweet.head == Head::tweet);
  CHECK(tweet.user == "dave");
  CHECK(tweet.body == "h\xc3\xa9llo\n");
  CHECK(tweet.id == paxos::RequestId{paxos::SessionId::named("a:b"), 7});
  CHECK(request(R"({"head":"block","body":"bob"})").body == "bob");
  CHECK(request(R"({"head":"view"})").user.empty());
  CHECK(request(R"({"head":"view","body":{}})").head == Head::view);
  CHECK(request(R"({"head":"blocklist","body":null})").head == Head::blocklist);
  CHECK(request(R"({"head":"tweet","body":"x","id":"a:1","retry":true})").is_retry);
  CHECK_FALSE(request(R"({"head":"tweet","body":"x","id":"a:1","retry":false})").is_retry);
  CHECK(request(R"({"head":"log","limit":3,"from":"12"})").log_from == 12);
  CHECK(request(R"({"head":"log","limit":3})").limit.items == 3);
  CHECK(request(R"({"head":"view","from":"5:6:7"})").view_from == Moment{5, {paxos::Slot{6}, 7}});
  CHECK_FALSE(request(R"({"head":"servers"})").self_only);
  CHECK(request(R"({"head":"servers","body":"self"})").self_only);
}

TEST_CASE("What is malformed is refused with 400, an unknown head with 404", "[protocol]") {
  CHECK(stat_of(R"({"head":"retweet","body":"x"})") == 404);
  CHECK(stat_of(R"({"head":""})") == 404);
  for (const char* line : {
           "hello",
           "{",
           "[]",
           "1",
           "null",
           "\"view\"",
           "{}",
           R"({"head":1})",
           R"({"head":"view"} {})",
           R"({"head":"tweet"})",
           R"({"head":"tweet","body":""})",
           R"({"head":"tweet","body":1})",
           R"({"head":"tweet","body":["x"]})",
           "{\"head\":\"tweet\",\"body\":\"\xff\"}",
           "\xff\xfe",
           R"({"head":"tweet","body":"\ud800"})",
           R"({"head":"block"})",
           R"({"head":"block","body":"two words"})",
           R"({"head":"view","user":"two words"})",
           R"({"head":"view","user":""})",
           R"({"head":"view","user":7})",
           R"({"head":"view","usr":"bob"})",
           R"({"head":"tweet","body":"x","id":"7"})",
           R"({"head":"tweet","body":"x","id":7})",
           R"({"head":"tweet","body":"x","id":":7"})",
           R"({"head":"tweet","body":"x","id":"a:"})",
           R"({"head":"tweet","body":"x","id":"a:0"})",
           R"({"head":"tweet","body":"x","id":"a:-1"})",
           R"({"head":"tweet","body":"x","id":"a:1x"})",
           R"({"head":"tweet","body":"x","id":"a:99999999999999999999"})",
           R"({"head":"tweet","body":"x","retry":true})",
           R"({"head":"tweet","body":"x","id":"a:1","retry":1})",
           R"({"head":"view","limit":0})",
           R"({"head":"view","limit":-1})",
           R"({"head":"view","limit":1e999})",
           R"({"head":"view","from":"1:2"})",
           R"({"head":"log","from":"x"})",
           R"({"head":"view","from":"1:2:3:4"})",
       }) {
    CAPTURE(line);
    CHECK(stat_of(line) == 400);
  }
}

TEST_CASE("A text has up to 5,000 bytes", "[protocol]") {
  const auto tweet_of = [](const std::string& text) { return R"({"head":"tweet","body":")" + text + "\"}"; };
  CHECK(stat_of(tweet_of(std::string(5000, 'a'))) == 200);
  CHECK(stat_of(tweet_of(std::string(5001, 'a'))) == 400);
  std::string escaped;
  for (int i = 0; i < 5000; ++i) escaped += "\\u0001";
  CHECK(request(tweet_of(escaped)).body.size() == 5000);
  CHECK(tweet_of(escaped).size() < message_bytes_max);
}

TEST_CASE("JSON that is nested without end is refused before it is parsed", "[protocol]") {
  CHECK(stat_of(std::string(60000, '[')) == 400);
  CHECK(stat_of(R"({"head":"view","body":)" + std::string(30000, '[') + std::string(30000, ']') + "}") == 400);
  std::string objects;
  for (int i = 0; i < 10000; ++i) objects += "{\"a\":";
  CHECK(stat_of(objects) == 400);
  CHECK(stat_of(R"({"head":"tweet","body":"[[[[[[[[[[ \"{{{{{{{{"})") == 200);
}

TEST_CASE("10,000 random and mutated lines are answered, never thrown", "[protocol]") {
  std::mt19937 random{12345};
  const std::string seed_line = R"({"head":"tweet","body":"h\u00e9llo","user":"dave","id":"phone:7"})";
  int refusals = 0;
  for (int i = 0; i < 10000; ++i) {
    std::string line = i % 2 ? seed_line : std::string(random() % 200, ' ');
    for (char& c : line) {
      if (i % 2 == 0 || random() % 20 == 0) c = static_cast<char>(random() & 0xff);
    }
    refusals += stat_of(line) != 200;
  }
  CHECK(refusals > 9000);
}

TEST_CASE("Replies are one line each, with fields in one order", "[protocol]") {
  CHECK(refused(404, "no").line() == "{\"stat\":404,\"body\":{\"why\":\"no\"}}\n");
  CHECK(reply_of(Applied{{paxos::Slot{12}, 3}, 1'000'000, Refusal::none}).line() ==
        "{\"stat\":200,\"body\":{\"slot\":12,\"index\":3,\"utc\":\"1970-01-01T00:00:01.000000Z\"}}\n");
  CHECK(reply_of(Applied{{}, 0, Refusal::self}).stat == 400);

  const Entry entry{{paxos::Slot{1}, 0}, {Verb::tweet, "alice", "a\nb", 0, false, {}}, Refusal::none};
  CHECK(reply_of(Page<Entry, std::uint64_t>{{entry}, 7}).line() ==
        "{\"stat\":200,\"body\":[{\"slot\":1,\"index\":0,\"utc\":\"1970-01-01T00:00:00.000000Z\",\"user\":\"alice\","
        "\"head\":\"tweet\",\"body\":\"a\\nb\"}],\"next\":\"7\"}\n");
  const Tweet tweet{{42, {paxos::Slot{1}, 2}}, "alice", "x"};
  const Reply page = reply_of(Page<Tweet, Moment>{{tweet}, tweet.moment});
  CHECK(page.next == "42:1:2");
  CHECK(request(R"({"head":"view","from":"42:1:2"})").view_from == tweet.moment);
  CHECK(reply_of(Page<Tweet, Moment>{}).line() == "{\"stat\":200,\"body\":[]}\n");
}

TEST_CASE("503 says which of the two it is", "[protocol]") {
  CHECK(unavailable(paxos::Errc::no_leader).body.at("outcome") == "not applied");
  CHECK(unavailable(paxos::Errc::timed_out).body.at("outcome") == "unknown");
  CHECK(unavailable(std::make_error_code(std::errc::io_error)).body.at("outcome") == "unknown");
}

TEST_CASE("UTC prints as ISO 8601", "[protocol]") {
  CHECK(utc_text(1772355907'000042) == "2026-03-01T09:05:07.000042Z");
  CHECK(utc_text(utc_max) == "9999-12-31T23:59:59.999999Z");
  CHECK(utc_text(-5) == utc_text(0));
}
