// Copyright (c) the paxos authors. MIT licence.
#include <examples/twitter/timeline.hpp>

#include <limits>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace twitter;
using paxos::Position;
using paxos::RequestId;
using paxos::SessionId;
using paxos::Slot;

namespace {

static_assert(paxos::StateMachine<Timeline>);

Position at(std::uint64_t slot, std::uint32_t index = 0) { return {Slot{slot}, index}; }

Command tweet(const std::string& user, const std::string& text, Utc utc = 0) {
  return {Verb::tweet, user, text, utc, false, {}};
}
Command to_site(Verb verb, const std::string& user, const std::string& other) {
  return {verb, user, other, 0, true, {}};
}
Command to_user(Verb verb, const std::string& user, const std::string& other) {
  return {verb, user, other, 0, false, {}};
}
Command with_id(Command command, const std::string& session, std::uint64_t sequence) {
  command.id = {SessionId::named(session), sequence};
  return command;
}

std::vector<std::string> seen_by(const Timeline& timeline, const std::string& user) {
  std::vector<std::string> texts;
  for (const Tweet& seen : timeline.view(user).items) texts.push_back(seen.text);
  return texts;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Everyone follows everyone until they unfollow", "[timeline]") {
  Timeline timeline;
  timeline.apply(tweet("alice", "old", 1), at(1));
  CHECK(seen_by(timeline, "bob") == Texts{"old"});
  CHECK(seen_by(timeline, "nobody in particular") == Texts{"old"});

  CHECK(timeline.apply(to_user(Verb::unfollow, "bob", "alice"), at(2)).refusal == Refusal::none);
  timeline.apply(tweet("alice", "new", 2), at(3));
  CHECK(seen_by(timeline, "bob").empty());
  CHECK(seen_by(timeline, "carol") == Texts{"new", "old"});

  CHECK(timeline.apply(to_user(Verb::follow, "bob", "alice"), at(4)).refusal == Refusal::none);
  CHECK(seen_by(timeline, "bob") == Texts{"new", "old"});
}

TEST_CASE("A block hides the blocker's tweets, old and new, from the blocked; unblock restores", "[timeline]") {
  Timeline timeline;
  timeline.apply(tweet("alice", "before", 1), at(1));
  timeline.apply(tweet("bob", "from bob", 2), at(2));
  CHECK(timeline.apply(to_user(Verb::block, "alice", "bob"), at(3)).refusal == Refusal::none);
  timeline.apply(tweet("alice", "after", 3), at(4));

  CHECK(seen_by(timeline, "bob") == Texts{"from bob"});
  CHECK(seen_by(timeline, "alice") == Texts{"after", "from bob", "before"});
  CHECK(seen_by(timeline, "carol") == Texts{"after", "from bob", "before"});
  CHECK(timeline.blocklist("alice") == Texts{"bob"});
  CHECK(timeline.blocklist("bob").empty());

  CHECK(timeline.apply(to_user(Verb::unblock, "alice", "bob"), at(5)).refusal == Refusal::none);
  CHECK(seen_by(timeline, "bob") == Texts{"after", "from bob", "before"});
  CHECK(timeline.blocklist("alice").empty());
}

TEST_CASE("Self, unknown and repeated are refused, before a slot is used and after", "[timeline]") {
  Timeline timeline;
  const auto refuses = [&](const Command& command, Refusal refusal) {
    CHECK(timeline.refusal_of(command) == refusal);
    const Timeline before = timeline;
    CHECK(timeline.apply(command, at(9)).refusal == refusal);
    CHECK(seen_by(timeline, "bob") == seen_by(before, "bob"));
    CHECK(timeline.blocklist("alice") == before.blocklist("alice"));
    CHECK(timeline.log().items.back() == Entry{at(9), command, refusal});
    timeline = before;
  };
  refuses(to_site(Verb::block, "alice", "alice"), Refusal::self);
  refuses(to_site(Verb::unfollow, "alice", "alice"), Refusal::self);
  refuses(to_user(Verb::block, "alice", "bob"), Refusal::unknown_user);
  refuses(to_site(Verb::unblock, "alice", "bob"), Refusal::not_blocked);
  refuses(to_site(Verb::follow, "alice", "bob"), Refusal::already_following);

  CHECK(timeline.apply(to_site(Verb::block, "alice", "bob"), at(1)).refusal == Refusal::none);
  CHECK(timeline.apply(to_site(Verb::unfollow, "alice", "bob"), at(2)).refusal == Refusal::none);
  refuses(to_site(Verb::block, "alice", "bob"), Refusal::already_blocked);
  refuses(to_site(Verb::unfollow, "alice", "bob"), Refusal::not_following);
}

TEST_CASE("A user is known from the first command that took effect", "[timeline]") {
  Timeline timeline;
  const Command block_dave = to_user(Verb::block, "alice", "dave");
  timeline.apply(to_user(Verb::block, "dave", "nobody"), at(1));
  CHECK(timeline.refusal_of(block_dave) == Refusal::unknown_user);
  timeline.apply(tweet("dave", "hi"), at(2));
  CHECK(timeline.refusal_of(block_dave) == Refusal::none);
}

// Hazard "Sorted as text": log entries ordered by JSON or weekday text rather than slot and UTC.
TEST_CASE("Sorted as text: the view goes by UTC as a number, the log by slot as a number", "[timeline][hazard]") {
  Timeline timeline;
  // As text "9" stands behind "10", and slot 10 before slot 9.
  timeline.apply(tweet("alice", "utc 9", 9), at(8));
  timeline.apply(tweet("alice", "utc 10, slot 9", 10), at(9));
  timeline.apply(tweet("alice", "utc 10, slot 10", 10), at(10));
  timeline.apply(tweet("alice", "utc 10, slot 10, place 2", 10), at(10, 2));
  timeline.apply(tweet("alice", "utc 10, slot 10, place 10", 10), at(10, 10));
  timeline.apply(tweet("alice", "a slow clock", 1), at(100));

  CHECK(seen_by(timeline, "bob") == Texts{"utc 10, slot 10, place 10", "utc 10, slot 10, place 2", "utc 10, slot 10",
                                          "utc 10, slot 9", "utc 9", "a slow clock"});
  std::vector<Position> slots;
  for (const Entry& entry : timeline.log().items) slots.push_back(entry.position);
  CHECK(slots == std::vector{at(8), at(9), at(10), at(10, 2), at(10, 10), at(100)});
}

TEST_CASE("A repeated id is applied once and gets the first answer", "[timeline]") {
  Timeline timeline;
  const Applied first = timeline.apply(with_id(tweet("alice", "once", 5), "phone", 1), at(3, 1));
  CHECK(first == Applied{at(3, 1), 5, Refusal::none});
  CHECK(timeline.apply(with_id(tweet("alice", "once", 99), "phone", 1), at(7)) == first);
  CHECK(timeline.answered({SessionId::named("phone"), 1}) == first);
  CHECK(timeline.answered({SessionId::named("phone"), 2}) == std::nullopt);
  CHECK(timeline.answered({SessionId::named("tablet"), 1}) == std::nullopt);
  CHECK(seen_by(timeline, "alice") == Texts{"once"});
  CHECK(timeline.log().items.size() == 1);

  SECTION("a refusal is an answer too") {
    const Command block = with_id(to_user(Verb::block, "alice", "ghost"), "phone", 2);
    CHECK(timeline.apply(block, at(4)).refusal == Refusal::unknown_user);
    timeline.apply(tweet("ghost", "now known"), at(5));
    CHECK(timeline.apply(block, at(6)).refusal == Refusal::unknown_user);
    CHECK(timeline.blocklist("alice").empty());
  }
  SECTION("a sequence below the newest is refused") {
    timeline.apply(with_id(tweet("alice", "third"), "phone", 3), at(8));
    CHECK(timeline.apply(with_id(tweet("alice", "second"), "phone", 2), at(9)).refusal == Refusal::out_of_order);
    CHECK(seen_by(timeline, "alice") == Texts{"once", "third"});
  }
}

TEST_CASE("What no site lets through is refused and leaves no trace", "[timeline]") {
  Timeline timeline;
  const std::vector<Command> bad{
      tweet("", "no name"),
      tweet("two words", "space in the name"),
      tweet("line\nbreak", "control in the name"),
      tweet(std::string(65, 'a'), "a long name"),
      tweet("alice", ""),
      tweet("alice", std::string(5001, 'a')),
      tweet("alice", "cut \xe2\x82"),
      tweet("alice", "early", -1),
      tweet("alice", "late", utc_max + 1),
      to_site(Verb::block, "alice", ""),
      to_site(static_cast<Verb>(5), "alice", "bob"),
  };
  for (const Command& command : bad) CHECK(timeline.apply(command, at(1)).refusal == Refusal::malformed);
  CHECK(timeline == Timeline{});
  CHECK(timeline.apply(tweet("alice", std::string(5000, 'a')), at(1)).refusal == Refusal::none);
}

TEST_CASE("UTF-8 is what RFC 3629 says", "[timeline][text]") {
  CHECK(is_utf8("plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x90\xa6"));
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x82z"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
  }
  CHECK(is_name("\xc3\xa9ric"));
  CHECK_FALSE(is_name("bob\xe2\x80\x8b"));  // zero width space
  CHECK_FALSE(is_name("\xc2\xa0"));
  CHECK_FALSE(is_name("\x7f"));
}

TEST_CASE("Pages of the view and of the log join to the whole", "[timeline]") {
  Timeline timeline;
  for (std::uint64_t i = 1; i <= 25; ++i) {
    timeline.apply(tweet(i % 2 ? "alice" : "bob", std::to_string(i), static_cast<Utc>(i / 3)), at(i / 4 + 1, i % 4));
  }
  const auto view = timeline.view("carol").items;
  std::vector<Tweet> tweets;
  std::optional<Moment> before;
  do {
    const auto page = timeline.view("carol", before, {.items = 4});
    CHECK(page.items.size() <= 4);
    tweets.insert(tweets.end(), page.items.begin(), page.items.end());
    before = page.next;
  } while (before && tweets.size() < 100);
  CHECK(tweets == view);
  CHECK(view.size() == 25);

  std::vector<Entry> entries;
  std::optional<std::uint64_t> first = 0;
  while (first && entries.size() < 100) {
    const auto page = timeline.log(*first, {.text_bytes = 400});
    CHECK(page.items.size() <= 2);
    entries.insert(entries.end(), page.items.begin(), page.items.end());
    first = page.next;
  }
  CHECK(entries == timeline.log().items);
  CHECK(timeline.log(std::numeric_limits<std::uint64_t>::max()).items.empty());
}

TEST_CASE("The whole state survives its serialisation", "[timeline]") {
  Timeline timeline;
  timeline.apply(with_id(tweet("alice", "hello", 7), "phone", 4), at(1));
  timeline.apply(to_site(Verb::block, "alice", "bob"), at(2));
  timeline.apply(to_site(Verb::unfollow, "bob", "carol"), at(2, 1));
  Timeline copy;
  const paxos::Bytes bytes = paxos::encoded(timeline);
  REQUIRE(paxos::decode(bytes.span(), copy));
  CHECK(copy == timeline);
  CHECK(paxos::encoded(copy) == bytes);
  const RequestId id{SessionId::named("phone"), 4};
  CHECK(copy.answered(id) == timeline.answered(id));

  for (std::size_t length = 0; length < bytes.size(); ++length) {
    Timeline cut;
    CHECK_FALSE(paxos::decode(bytes.span().first(length), cut));
  }
}

TEST_CASE("Entries of a damaged state are passed over", "[timeline]") {
  Timeline timeline;
  timeline.apply(tweet("alice", "hello"), at(1));
  paxos::Buffer bytes;
  paxos::encode(bytes, std::vector<Entry>{});  // the log is lost, the index into it is not
  const paxos::Bytes whole = paxos::encoded(timeline);
  const std::size_t log_bytes = paxos::encoded(timeline.log().items).size();
  bytes.insert(bytes.end(), whole.span().begin() + static_cast<std::ptrdiff_t>(log_bytes), whole.span().end());
  Timeline damaged;
  REQUIRE(paxos::decode(bytes, damaged));
  CHECK(damaged.view("bob").items.empty());
}
