// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/replicated_state.hpp>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Journal {
  using Command = std::string;
  std::vector<std::string> lines;
  std::vector<Position> positions;
  std::uint64_t apply(Command line, Position position) {
    lines.push_back(std::move(line));
    positions.push_back(position);
    return lines.size();
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(lines, positions);
  }
};

Command write(std::uint64_t sequence, const std::string& line) {
  return Command{RequestId{SessionId{1, 1}, sequence}, 0, Slot{}, encoded(line)};
}

struct Rig {
  std::vector<Answer> apply(std::uint64_t slot, const Value& value) {
    std::vector<Answer> answers;
    state.apply(s(slot), value, answers);
    return answers;
  }
  Config config = config_of(3);
  ReplicatedState<Journal> state{config};
};

TEST_CASE("ReplicatedState: commands run in slot and batch order, and know their place", "[state]") {
  Rig rig;
  const auto answers = rig.apply(1, batch({write(1, "a"), write(2, "b")}));
  (void)rig.apply(2, batch({write(3, "c")}));
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].id.sequence == 2);
  CHECK_FALSE(answers[1].error);
  CHECK(answers[1].result == encoded(std::uint64_t{2}));
  CHECK(rig.state.machine().lines == std::vector<std::string>{"a", "b", "c"});
  CHECK(rig.state.machine().positions == std::vector<Position>{{s(1), 0}, {s(1), 1}, {s(2), 0}});
  CHECK(rig.state.applied() == s(2));
}

TEST_CASE("ReplicatedState: a gap or a repeated slot stops the node", "[state]") {
  Rig rig;
  CHECK_THROWS_AS(rig.apply(2, Value{}), InvariantViolation);
  (void)rig.apply(1, Value{});
  CHECK_THROWS_AS(rig.apply(1, Value{}), InvariantViolation);
}

TEST_CASE("ReplicatedState: the no-op changes nothing but the slot", "[state]") {
  Rig rig;
  CHECK(rig.apply(1, Value{}).empty());
  CHECK(rig.state.machine().lines.empty());
  CHECK(rig.state.applied() == s(1));
}

TEST_CASE("ReplicatedState: a command that stands twice in the log runs once, and both get the first answer",
          "[state]") {
  Rig rig;
  const auto first = rig.apply(1, batch({write(1, "a"), write(1, "a")}));
  const auto second = rig.apply(2, batch({write(1, "a")}));
  CHECK(rig.state.machine().lines.size() == 1);
  REQUIRE(first.size() == 2);
  for (const Answer& answer : {first[0], first[1], second.at(0)}) {
    CHECK_FALSE(answer.error);
    CHECK(answer.result == encoded(std::uint64_t{1}));
  }
}

TEST_CASE("ReplicatedState: bytes that are no command are answered so, each time, and do not run", "[state]") {
  Rig rig;
  const Command broken{RequestId{SessionId{1, 1}, 1}, 0, Slot{}, v("\xff\xff\xff\xff is no string")};
  for (std::uint64_t slot = 1; slot <= 2; ++slot) {
    const auto answers = rig.apply(slot, batch({broken, write(10 + slot, "fine")}));
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].error == Errc::undecodable);
    CHECK_FALSE(answers[1].error);
  }
  CHECK(rig.state.machine().lines.size() == 2);
}

TEST_CASE("ReplicatedState: a value that is no batch ends at the same place everywhere", "[state]") {
  const Value whole = batch({write(1, "a"), write(2, "b")});
  const Value cut{whole.span().first(whole.size() - 1)};
  Rig one, two;
  for (Rig* rig : {&one, &two}) {
    CHECK(rig->apply(1, cut).size() == 1);
    CHECK(rig->apply(2, v("x")).empty());
    CHECK(rig->apply(3, v("\xff\xff\xff\xff")).empty());
    CHECK(rig->state.applied() == s(3));
    CHECK(rig->state.machine().lines == std::vector<std::string>{"a"});
  }
  CHECK(one.state.digest() == two.state.digest());
}

TEST_CASE("ReplicatedState: the digest covers the machine, the slot and the sessions", "[state]") {
  Rig one, two;
  CHECK(one.state.digest() == two.state.digest());
  (void)one.apply(1, batch({write(1, "a")}));
  (void)two.apply(1, batch({write(1, "b")}));
  CHECK(one.state.digest() != two.state.digest());

  Rig three, four;
  (void)three.apply(1, batch({write(1, "a")}));
  (void)four.apply(1, batch({write(2, "a")}));  // the same machine, another session table
  CHECK(three.state.machine().lines == four.state.machine().lines);
  CHECK(three.state.digest() != four.state.digest());

  Rig five;
  (void)five.apply(1, Value{});
  CHECK(five.state.digest() != Rig{}.state.digest());
}

TEST_CASE("ReplicatedState: refusals name what is true of them", "[state]") {
  Rig rig;
  rig.config.sessions_max = 1;
  ReplicatedState<Journal> state{rig.config};
  std::vector<Answer> answers;
  Command settling = write(5, "later");
  settling.settled_below = 5;
  Command other = write(1, "other session");
  other.id.session = SessionId{2, 2};
  other.issued_after = s(2);
  state.apply(s(1), batch({settling}), answers);
  state.apply(s(2), batch({write(4, "too late"), write(5 + rig.config.session_window, "too early")}), answers);
  state.apply(s(3), batch({other}), answers);
  state.apply(s(4), batch({write(6, "of an evicted session")}), answers);
  REQUIRE(answers.size() == 5);
  CHECK(answers[1].error == Errc::sequence_settled);
  CHECK(answers[2].error == Errc::in_flight_limit);
  CHECK(answers[4].error == Errc::session_expired);
  for (const int i : {1, 2, 4}) CHECK(make_error_code(*answers[static_cast<std::size_t>(i)].error) == Outcome::unknown);
  CHECK(state.machine().lines == std::vector<std::string>{"later", "other session"});
}

}  // namespace
