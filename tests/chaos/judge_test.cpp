// Copyright (c) the paxos authors. MIT licence.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "judge.hpp"

using namespace chaos;
using Catch::Matchers::ContainsSubstring;

namespace {

paxos::Time at(int tick) { return paxos::Time{} + std::chrono::milliseconds{tick}; }

/// A run without a fault: every operation takes 1 ms, one after the other, clients 0 and 1 in turn.
struct Run {
  std::vector<Line> log;
  std::vector<Event> events;
  int now = 0;
  std::size_t client = 0;

  Event& event(Kind kind) {
    client = 1 - client;
    Event event;
    event.kind = kind;
    event.fate = Fate::done;
    event.client = client;
    event.invoked = at(++now);
    event.returned = at(++now);
    event.attempts = 1;
    events.push_back(event);
    return events.back();
  }
  void append(const Event& event) {
    const std::string body = event.kind == Kind::tweet ? event.text : users[event.target];
    log.push_back(Line{{log.size() + 2, 0},
                       fmt::format("2026-03-01T09:05:07.{:06}Z", log.size()),
                       users[event.user],
                       kind_names[static_cast<std::size_t>(event.kind)],
                       body,
                       false});
  }
  Event& tweet() {
    Event& event = this->event(Kind::tweet);
    event.text = fmt::format("c{} {} ", client, now);
    append(event);
    event.place = log.back().place;
    return event;
  }
  Event& relation(Kind kind, std::size_t user, std::size_t target) {
    Event& event = this->event(kind);
    event.user = user;
    event.target = target;
    append(event);
    event.place = log.back().place;
    return event;
  }
  Event& blocklist(std::size_t user, std::uint64_t blocked) {
    Event& event = this->event(Kind::blocklist);
    event.user = user;
    event.blocked = blocked;
    return event;
  }
  Event& read_log(std::uint64_t from) {
    Event& event = this->event(Kind::log);
    event.from = from;
    event.lines.assign(log.begin() + static_cast<std::ptrdiff_t>(from), log.end());
    return event;
  }
  Event& view(std::size_t items = 3) {
    Event& event = this->event(Kind::view);
    for (std::size_t i = log.size(); i-- > 0;) {
      if (log[i].head != "tweet") continue;
      event.has_more = event.lines.size() == items;
      if (event.has_more) break;
      event.lines.push_back(log[i]);
    }
    return event;
  }
  [[nodiscard]] std::string wrong() const { return Judge{log, events}.judge().text(); }
};

/// Some of everything.
Run honest() {
  Run run;
  for (int i = 0; i < 5; ++i) {
    run.tweet();
    run.relation(Kind::block, 1, 2);
    run.blocklist(1, 1U << 2);
    run.read_log(run.log.size() / 2);
    run.tweet();
    run.view();
    run.relation(Kind::unblock, 1, 2);
    run.relation(Kind::unfollow, 3, 4);
    run.relation(Kind::follow, 3, 4);
    run.blocklist(1, 0);
  }
  return run;
}

}  // namespace

TEST_CASE("An honest run has nothing wrong", "[judge]") {
  Run run = honest();
  CHECK(run.wrong() == "");
  const Findings findings = Judge{run.log, run.events}.judge();
  CHECK(findings.placed == 40);
  CHECK(findings.searched == 30);

  SECTION("a write without an answer may be there or not") {
    run.tweet().fate = Fate::unknown;
    run.event(Kind::tweet).text = "c0 999 ";
    run.events.back().fate = Fate::unknown;
    run.relation(Kind::block, 2, 3).fate = Fate::unknown;
    run.blocklist(2, 1U << 3);
    CHECK(run.wrong() == "");
  }
  SECTION("what was not applied, or refused, is not there") {
    run.event(Kind::tweet).text = "c0 999 ";
    run.events.back().fate = Fate::not_applied;
    run.event(Kind::unblock).fate = Fate::refused;
    run.events.back().target = 1;
    CHECK(run.wrong() == "");
  }
  SECTION("a command that was refused in the log explains a refusal") {
    run.relation(Kind::unblock, 2, 3).fate = Fate::refused;
    run.log.back().is_refused = true;
    CHECK(run.wrong() == "");
  }
}

TEST_CASE("Planted in the log", "[judge][planted]") {
  Run run = honest();
  SECTION("an acknowledged tweet is gone") {
    run.tweet();
    run.log.pop_back();
    CHECK_THAT(run.wrong(), ContainsSubstring("acknowledged and not in the log"));
  }
  SECTION("it stands elsewhere") {
    run.tweet();
    run.log.back().place.slot += 5;
    CHECK_THAT(run.wrong(), ContainsSubstring("acknowledged and not in the log"));
  }
  SECTION("another stands in its place") {
    run.tweet();
    run.log.back().body = "c7 1 ";
    CHECK_THAT(run.wrong(), ContainsSubstring("another command stands in its place"));
  }
  SECTION("a tweet ran twice") {
    run.log.push_back(run.log.front());
    run.log.back().place.slot = 1000;
    CHECK_THAT(run.wrong(), ContainsSubstring("twice in the log"));
  }
  SECTION("a block ran twice") {
    run.relation(Kind::block, 2, 3);
    run.log.push_back(run.log.back());
    run.log.back().place.slot = 1000;
    CHECK_THAT(run.wrong(), ContainsSubstring("ran twice"));
  }
  SECTION("a tweet that was said not to be applied") {
    run.tweet().fate = Fate::not_applied;
    CHECK_THAT(run.wrong(), ContainsSubstring("should not"));
  }
  SECTION("a block that was said not to be applied") {
    run.relation(Kind::block, 2, 3).fate = Fate::not_applied;
    CHECK_THAT(run.wrong(), ContainsSubstring("nobody can have asked for it"));
  }
  SECTION("two writes against the clock") {
    const std::size_t earlier = run.events.size();
    run.tweet();
    run.tweet();
    std::swap(run.log[run.log.size() - 1].body, run.log[run.log.size() - 2].body);
    std::swap(run.events[earlier].place, run.events[earlier + 1].place);
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
  SECTION("a write took effect though its session had gone on") {
    Event lost = run.tweet();
    run.events.pop_back();
    const Line line = run.log.back();
    run.log.pop_back();
    lost.fate = Fate::unknown;
    run.events.push_back(lost);
    for (int i = 0; i < 4; ++i) run.tweet();
    // Behind the later ones of both clients.
    run.log.push_back(line);
    run.log.back().place.slot = 1000;
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
}

TEST_CASE("Planted in what clients read", "[judge][planted]") {
  Run run = honest();
  SECTION("a log that lacks what was acknowledged before") {
    run.tweet();
    run.read_log(3).lines.pop_back();
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
  SECTION("a log that ends before what another had read") {
    run.read_log(run.log.size()).from += 0;
    Event& stale = run.read_log(run.log.size() - 1);
    stale.lines.clear();
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
  SECTION("a log with other entries") {
    run.read_log(3).lines[2].body = "else";
    CHECK_THAT(run.wrong(), ContainsSubstring("where in the end stands"));
  }
  SECTION("a log that shows what comes later") {
    Event& event = run.read_log(3);
    const std::size_t which = run.events.size() - 1;
    run.tweet();
    run.events[which].lines.push_back(run.log.back());
    static_cast<void>(event);
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
  SECTION("a view without the newest") {
    run.tweet();
    Event& event = run.view();
    event.lines.erase(event.lines.begin());
    CHECK_THAT(run.wrong(), ContainsSubstring("against real time"));
  }
  SECTION("a view with a gap") {
    Event& event = run.view();
    event.lines.erase(event.lines.begin() + 1);
    CHECK_THAT(run.wrong(), ContainsSubstring("lacks"));
  }
  SECTION("a view with a tweet of nobody's") {
    run.view().lines[1].body = "else";
    CHECK_THAT(run.wrong(), ContainsSubstring("does not have"));
  }
  SECTION("a view in the wrong order") {
    Event& event = run.view();
    std::swap(event.lines[0], event.lines[1]);
    CHECK_THAT(run.wrong(), ContainsSubstring("out of order"));
  }
  SECTION("a view that ends too soon") {
    run.view().has_more = false;
    CHECK_THAT(run.wrong(), ContainsSubstring("lacks"));
  }
  SECTION("a stale block list") {
    run.relation(Kind::block, 2, 3);
    run.blocklist(2, 0);
    CHECK_THAT(run.wrong(), ContainsSubstring("not linearizable: the block relation of carol"));
  }
  SECTION("a block that was refused without a reason") {
    run.event(Kind::block).fate = Fate::refused;
    run.events.back().target = 1;
    CHECK_THAT(run.wrong(), ContainsSubstring("not linearizable: the block relation of alice"));
  }
  SECTION("a follow that both of two were granted") {
    run.relation(Kind::unfollow, 2, 3);
    run.relation(Kind::unfollow, 2, 3);
    CHECK_THAT(run.wrong(), ContainsSubstring("not linearizable: the follow relation of carol"));
  }
}
