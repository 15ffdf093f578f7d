// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/submitter.hpp>

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

const SessionId own{42, 42};

struct Rig {
  explicit Rig(const std::function<void(Config&)>& adjust = {}) : config(config_of(3, n1, adjust)) {}

  bool end_turn() {
    (void)net.take();
    return submitter.end_turn(reign, ways(), now, propose());
  }
  void tick(Duration after) {
    (void)net.take();
    now += after;
    submitter.on_tick(now, propose(), ways());
  }
  std::function<bool(const Command&)> propose() {
    return [this](const Command& command) {
      if (takes) proposed.push_back(command);
      return takes;
    };
  }
  std::vector<Forward> forwarded_to(NodeId node) const {
    std::vector<Forward> found;
    for (const auto& [to, forward] : net.all<Forward>())
      if (to == node) found.push_back(forward);
    return found;
  }
  /// Through `relays`, or else straight to the leader.
  Votes ways() const {
    Votes ways = relays;
    if (relays == Votes{} && reign.leader != NodeId{} && !reign.is_own)
      ways.insert(static_cast<std::size_t>(reign.leader.value() - 1));
    return ways;
  }
  RequestId submit(std::string_view payload = "x") {
    RequestId id;
    REQUIRE_FALSE(submitter.submit(Bytes{payload}, s(3), now, id));
    return id;
  }

  Config config;
  RecordingNet net;
  Time now = t0;
  Reign reign;
  Votes relays;
  bool takes = true;
  std::vector<Command> proposed;
  Submitter<RecordingNet> submitter{config, net, own};
};

const Reign following_2{n2, b2, false};
const Reign following_3{n3, b3, false};
const Reign leading{n1, b1, true};

TEST_CASE("Submitter: a command goes to the leader, once a turn has one", "[submitter]") {
  Rig rig;
  const RequestId id = rig.submit();
  CHECK_FALSE(rig.end_turn());
  CHECK(rig.net.is_silent());
  rig.reign = following_2;
  CHECK(rig.end_turn());
  REQUIRE(rig.forwarded_to(n2).size() == 1);
  const Command command = rig.forwarded_to(n2)[0].command;
  CHECK(command.id == id);
  CHECK(command.issued_after == s(3));
  CHECK_FALSE(rig.end_turn());
  CHECK(rig.net.is_silent());
}

TEST_CASE("Submitter: its own session counts up and declares settled what it awaits no more", "[submitter]") {
  Rig rig;
  rig.reign = leading;
  const RequestId first = rig.submit(), second = rig.submit();
  CHECK(first == RequestId{own, 1});
  CHECK(second == RequestId{own, 2});
  (void)rig.end_turn();
  CHECK(rig.proposed.at(1).settled_below == 1);
  rig.submitter.on_answer(Answer{first, std::nullopt, {}});
  (void)rig.submit();
  (void)rig.end_turn();
  CHECK(rig.proposed.at(2).settled_below == 2);
}

TEST_CASE("Submitter: a new leader gets everything that is pending again", "[submitter]") {
  Rig rig;
  rig.reign = following_2;
  (void)rig.submit();
  (void)rig.submit();
  (void)rig.end_turn();
  rig.reign = following_3;
  CHECK(rig.end_turn());
  CHECK(rig.forwarded_to(n3).size() == 2);
  rig.reign = leading;
  CHECK(rig.end_turn());
  CHECK(rig.proposed.size() == 2);
}

TEST_CASE("Submitter: a forward that brings no answer is repeated; what the own proposer has is not", "[submitter]") {
  Rig rig;
  rig.reign = following_2;
  (void)rig.submit();
  (void)rig.end_turn();
  rig.tick(2 * rig.config.election_timeout - 1ms);
  CHECK(rig.net.is_silent());
  rig.tick(1ms);
  CHECK(rig.forwarded_to(n2).size() == 1);

  rig.reign = leading;
  (void)rig.end_turn();
  CHECK(rig.proposed.size() == 1);
  rig.tick(3 * rig.config.election_timeout);
  CHECK(rig.proposed.size() == 1);
}

TEST_CASE("Submitter: while the leader is out of reach a command goes through the others, one after the other",
          "[submitter]") {
  Rig rig;
  rig.relays.insert(1);
  rig.relays.insert(2);
  SECTION("the leader is not heard") { rig.reign = Reign{}; }
  SECTION("the leader is heard") { rig.reign = Reign{n4, b2, false}; }
  (void)rig.submit();
  (void)rig.end_turn();
  std::vector<NodeId> asked;
  for (int i = 0; i < 40; ++i) {
    for (const NodeId node : {n2, n3, n4})
      if (!rig.forwarded_to(node).empty()) asked.push_back(node);
    rig.tick(rig.config.election_timeout / 4);
  }
  REQUIRE(asked.size() >= 4);
  for (std::size_t i = 0; i < asked.size(); ++i) CHECK(asked[i] == (i % 2 == 0 ? n2 : n3));
}

TEST_CASE("Submitter: the next command begins with the way that the last one came through", "[submitter]") {
  Rig rig;
  rig.relays.insert(1);
  rig.relays.insert(2);
  rig.reign = Reign{n4, b2, false};
  const RequestId first = rig.submit();
  (void)rig.end_turn();
  REQUIRE(rig.forwarded_to(n2).size() == 1);
  rig.tick(rig.config.election_timeout);
  REQUIRE(rig.forwarded_to(n3).size() == 1);
  rig.submitter.on_answer(Answer{first, std::nullopt, {}});
  (void)rig.submit();
  (void)rig.end_turn();
  CHECK(rig.forwarded_to(n3).size() == 1);
  CHECK(rig.forwarded_to(n2).empty());
}

TEST_CASE("Submitter: however often a command is refused, it is tried again soon", "[submitter]") {
  Rig rig;
  rig.reign = following_2;
  const RequestId id = rig.submit();
  (void)rig.end_turn();
  std::size_t tried = 0;
  for (int i = 0; i < 16; ++i) {
    rig.submitter.on_refused(id, rig.now);
    rig.tick(rig.config.heartbeat_interval / 4);
    tried += rig.forwarded_to(n2).size();
  }
  CHECK(tried >= 3);
}

TEST_CASE("Submitter: a command that nobody can bring to a leader has not left", "[submitter]") {
  Rig rig;
  (void)rig.submit();
  for (int i = 0; i < 10; ++i) {
    rig.tick(rig.config.heartbeat_interval);
    CHECK(rig.net.is_silent());
  }
  rig.relays.insert(2);
  rig.tick(rig.config.heartbeat_interval);
  CHECK(rig.forwarded_to(n3).size() == 1);
  rig.tick(rig.config.request_timeout);
  const auto finished = rig.submitter.take_finished();
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].error == Errc::timed_out);
}

TEST_CASE("Submitter: a refused command is tried again soon", "[submitter]") {
  Rig rig;
  rig.reign = following_2;
  const RequestId id = rig.submit();
  (void)rig.end_turn();
  rig.submitter.on_refused(id, rig.now);
  rig.tick(rig.config.heartbeat_interval);
  CHECK(rig.forwarded_to(n2).size() == 1);
}

TEST_CASE("Submitter: an answer ends a command once, whoever asked", "[submitter]") {
  Rig rig;
  const RequestId id = rig.submit();
  rig.submitter.on_answer(Answer{RequestId{own, 99}, std::nullopt, {}});
  CHECK(rig.submitter.take_finished().empty());
  rig.submitter.on_answer(Answer{id, std::nullopt, v("r")});
  rig.submitter.on_answer(Answer{id, std::nullopt, v("again")});
  const auto finished = rig.submitter.take_finished();
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].result == v("r"));
}

TEST_CASE("Submitter: a command that never left was not applied; one that left is unknown", "[submitter]") {
  Rig rig;
  (void)rig.submit();
  rig.tick(rig.config.request_timeout);
  auto finished = rig.submitter.take_finished();
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].error == Errc::no_leader);
  CHECK(make_error_code(*finished[0].error) == Outcome::not_applied);

  for (const Reign& reign : {following_2, leading}) {
    rig.reign = reign;
    (void)rig.submit();
    (void)rig.end_turn();
    rig.tick(rig.config.request_timeout);
    finished = rig.submitter.take_finished();
    REQUIRE(finished.size() == 1);
    CHECK(finished[0].error == Errc::timed_out);
    CHECK(make_error_code(*finished[0].error) == Outcome::unknown);
  }
}

TEST_CASE("Submitter: what the own proposer did not take has not left", "[submitter]") {
  Rig rig;
  rig.reign = leading;
  rig.takes = false;
  (void)rig.submit();
  (void)rig.end_turn();
  rig.tick(rig.config.heartbeat_interval);
  CHECK(rig.proposed.empty());
  rig.tick(rig.config.request_timeout);
  CHECK(rig.submitter.take_finished().at(0).error == Errc::no_leader);
}

TEST_CASE("Submitter: a command that is here already is only given more time", "[submitter]") {
  Rig rig;
  rig.reign = leading;
  const Command once = command(1);
  CHECK_FALSE(rig.submitter.submit(once, rig.now));
  (void)rig.end_turn();
  rig.now += rig.config.request_timeout / 2;
  CHECK_FALSE(rig.submitter.submit(once, rig.now));
  (void)rig.end_turn();
  CHECK(rig.proposed.size() == 1);
  rig.tick(rig.config.request_timeout - 1ms);
  CHECK(rig.submitter.take_finished().empty());
  rig.tick(1ms);
  CHECK(rig.submitter.take_finished().size() == 1);
}

TEST_CASE("Submitter: a command too large, and more than may wait, are refused at once", "[submitter]") {
  Rig rig{[](Config& config) {
    config.command_bytes_max = 10;
    config.pending_bytes_max = 600;
  }};
  RequestId id;
  CHECK(rig.submitter.submit(Bytes{"eleven bytes"}, {}, rig.now, id) == Errc::too_large);
  (void)rig.submit("0123456789");
  const RequestId second = rig.submit("0123456789");
  CHECK(rig.submitter.submit(Bytes{"0123456789"}, {}, rig.now, id) == Errc::overloaded);
  rig.submitter.on_answer(Answer{second, std::nullopt, {}});
  CHECK(rig.submit("0123456789").sequence == 3);  // a refusal uses no sequence up
}

// As clients without number would send them.
TEST_CASE("Submitter: commands that carry nothing are bounded too", "[submitter]") {
  Rig rig;
  std::uint64_t taken = 0;
  while (taken < 1'000'000 && !rig.submitter.submit(Command{RequestId{SessionId{taken, 1}, 1}, 0, {}, {}}, rig.now))
    ++taken;
  CHECK(taken == rig.config.pending_bytes_max / 256);
}

TEST_CASE("Submitter: a command of the largest size always finds a place when none waits", "[submitter]") {
  Rig rig{[](Config& config) { config.pending_bytes_max = config.command_bytes_max = 10; }};
  (void)rig.submit("0123456789");
  RequestId id;
  CHECK(rig.submitter.submit({}, {}, rig.now, id) == Errc::overloaded);
}

// A command that the log would judge out of the window must not get there: another copy of it might run later.
TEST_CASE("Submitter: no more of one session than its window goes out", "[submitter]") {
  Rig rig{[](Config& config) { config.session_window = 3; }};
  for (int i = 0; i < 3; ++i) (void)rig.submit();
  RequestId id;
  const auto refused = rig.submitter.submit(Bytes{"x"}, {}, rig.now, id);
  REQUIRE(refused);
  CHECK(make_error_code(*refused) == Outcome::not_applied);
  rig.submitter.on_answer(Answer{RequestId{own, 1}, std::nullopt, {}});
  CHECK(rig.submit().sequence == 4);
}

TEST_CASE("Submitter: when the node stops, each command is told what is true of it", "[submitter]") {
  Rig rig;
  rig.reign = following_2;
  (void)rig.submit();
  (void)rig.end_turn();
  (void)rig.submit();
  rig.submitter.fail_all(Errc::interrupted, Errc::stopped);
  const auto finished = rig.submitter.take_finished();
  REQUIRE(finished.size() == 2);
  CHECK(finished[0].error == Errc::interrupted);
  CHECK(finished[1].error == Errc::stopped);
  rig.reign = following_3;
  (void)rig.end_turn();
  CHECK(rig.net.is_silent());
}

}  // namespace
