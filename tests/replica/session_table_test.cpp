// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica/session_table.hpp>

#include <map>
#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;
using Verdict = SessionTable::Verdict;

Config small(std::size_t sessions, std::size_t window = 4) {
  return config_of(3, n1, [&](Config& config) {
    config.sessions_max = sessions;
    config.session_window = window;
  });
}
RequestId id(std::uint64_t session, std::uint64_t sequence) { return RequestId{SessionId{session, 0}, sequence}; }

/// Judges, and records the answer when the command is to run.
struct Rig {
  explicit Rig(std::size_t sessions, std::size_t window = 4) : table(small(sessions, window)) {}
  Verdict run(const RequestId& request, Slot slot, std::uint64_t settled_below = 0, Slot issued_after = Slot{}) {
    const Verdict verdict = table.judge(request, settled_below, issued_after, slot);
    if (verdict == Verdict::fresh) table.record(request, v("ran"));
    return verdict;
  }
  Bytes saved() const {
    Buffer out;
    Encoder encoder{out};
    table.save(encoder);
    return Bytes{out};
  }
  SessionTable table;
};

TEST_CASE("SessionTable: a command runs once, and its retry gets the first answer", "[sessions]") {
  Rig rig{8};
  CHECK(rig.table.judge(id(1, 1), 0, {}, s(1)) == Verdict::fresh);
  rig.table.record(id(1, 1), v("first"));
  CHECK(rig.table.judge(id(1, 1), 0, {}, s(2)) == Verdict::repeated);
  CHECK(rig.table.answer(id(1, 1)) == v("first"));
}

TEST_CASE("SessionTable: a fresh command that was not recorded stays fresh", "[sessions]") {
  Rig rig{8};
  CHECK(rig.table.judge(id(1, 1), 0, {}, s(1)) == Verdict::fresh);
  CHECK(rig.table.judge(id(1, 1), 0, {}, s(2)) == Verdict::fresh);
}

TEST_CASE("SessionTable: sequences of a session may run in any order within the window", "[sessions]") {
  Rig rig{8};
  CHECK(rig.run(id(1, 3), s(1)) == Verdict::fresh);
  CHECK(rig.run(id(1, 1), s(2)) == Verdict::fresh);
  CHECK(rig.run(id(1, 3), s(3)) == Verdict::repeated);
  CHECK(rig.run(id(1, 2), s(4)) == Verdict::fresh);
  CHECK(rig.run(id(1, 0), s(5)) == Verdict::fresh);
}

TEST_CASE("SessionTable: what the asker declared settled never runs again", "[sessions]") {
  Rig rig{8};
  CHECK(rig.run(id(1, 1), s(1)) == Verdict::fresh);
  CHECK(rig.run(id(1, 3), s(2), 3) == Verdict::fresh);
  CHECK(rig.run(id(1, 1), s(3)) == Verdict::settled);      // ran
  CHECK(rig.run(id(1, 2), s(4)) == Verdict::settled);      // did not; the asker gave it up
  CHECK(rig.run(id(1, 3), s(5), 1) == Verdict::repeated);  // a lower mark takes nothing back
}

TEST_CASE("SessionTable: a command cannot settle itself", "[sessions]") {
  Rig rig{8};
  CHECK(rig.run(id(1, 5), s(1), 99) == Verdict::fresh);
  CHECK(rig.run(id(1, 5), s(2), 99) == Verdict::repeated);
}

TEST_CASE("SessionTable: the window of a session is bounded", "[sessions]") {
  Rig rig{8, 4};
  CHECK(rig.run(id(1, 3), s(1)) == Verdict::fresh);
  CHECK(rig.run(id(1, 4), s(2)) == Verdict::out_of_window);
  CHECK(rig.run(id(1, ~std::uint64_t{0}), s(3)) == Verdict::out_of_window);
  CHECK(rig.run(id(1, 4), s(4), 1) == Verdict::fresh);
  CHECK(rig.run(id(2, ~std::uint64_t{0}), s(5), ~std::uint64_t{0}) == Verdict::fresh);
}

TEST_CASE("SessionTable: when it is full, the session idle for longest goes", "[sessions]") {
  Rig rig{2};
  CHECK(rig.run(id(1, 1), s(1)) == Verdict::fresh);
  CHECK(rig.run(id(2, 1), s(2)) == Verdict::fresh);
  CHECK(rig.run(id(1, 1), s(3)) == Verdict::repeated);  // used again
  CHECK(rig.run(id(3, 1), s(4), 0, s(3)) == Verdict::fresh);
  CHECK(rig.table.size() == 2);
  CHECK(rig.run(id(1, 1), s(5)) == Verdict::repeated);
  CHECK(rig.run(id(3, 1), s(6)) == Verdict::repeated);
}

TEST_CASE("SessionTable: an evicted session's late retry does not run", "[sessions]") {
  Rig rig{1};
  CHECK(rig.run(id(1, 1), s(5), 0, s(4)) == Verdict::fresh);
  CHECK(rig.run(id(2, 1), s(6), 0, s(5)) == Verdict::fresh);  // evicts session 1
  CHECK(rig.run(id(1, 1), s(7), 0, s(4)) == Verdict::expired);
  CHECK(rig.run(id(1, 2), s(8), 0, s(7)) == Verdict::fresh);  // issued later: it cannot have run
}

// A node's own session has several commands in flight, so that a later one may open it again before an earlier one's
// repetition arrives.
TEST_CASE("SessionTable: a session that was evicted and opened again does not run what it ran before", "[sessions]") {
  Rig rig{1};
  CHECK(rig.run(id(1, 1), s(5), 1, s(4)) == Verdict::fresh);
  CHECK(rig.run(id(2, 1), s(6), 1, s(5)) == Verdict::fresh);    // evicts session 1
  CHECK(rig.run(id(1, 2), s(7), 1, s(6)) == Verdict::fresh);    // opens it again, with 1 not settled
  CHECK(rig.run(id(1, 1), s(8), 1, s(4)) == Verdict::expired);  // it ran in slot 5
  CHECK(rig.run(id(1, 2), s(9), 1, s(6)) == Verdict::repeated);
  CHECK(rig.run(id(1, 3), s(10), 1, s(9)) == Verdict::fresh);
}

// Decision 0006: a command that ran in slot r was issued after some slot a < r.
TEST_CASE("SessionTable: with a table of two and random late retries, nothing runs twice", "[sessions]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random{seed};
    Rig rig{2};
    struct Issued {
      RequestId request;
      Slot after;
    };
    std::vector<Issued> issued;
    std::map<RequestId, int> ran;
    std::map<std::uint64_t, std::uint64_t> sequences;
    for (std::uint64_t slot = 1; slot <= 400; ++slot) {
      Issued command;
      if (!issued.empty() && random.chance(50)) {
        command = issued[random.below(issued.size())];  // a retry keeps what it was issued after
      } else {
        const std::uint64_t session = 1 + random.below(5);
        command =
            Issued{id(session, ++sequences[session]), s(slot - 1 - random.below(std::min<std::uint64_t>(slot, 4)))};
        issued.push_back(command);
      }
      const auto sequence = command.request.sequence;
      const std::uint64_t settled = sequence > 3 ? sequence - 3 : 0;  // a few in flight
      if (rig.run(command.request, s(slot), settled, command.after) == Verdict::fresh) ++ran[command.request];
    }
    for (const auto& [request, times] : ran) {
      INFO("seed " << seed << ", session " << request.session.high << ", sequence " << request.sequence);
      CHECK(times == 1);
    }
    CHECK(ran.size() > 50);
  }
}

TEST_CASE("SessionTable: a command far up the window takes no more room than the first", "[sessions]") {
  Rig near{8, 8192}, far{8, 8192};
  CHECK(near.run(id(1, 1), s(1)) == Verdict::fresh);
  CHECK(far.run(id(1, 8191), s(1)) == Verdict::fresh);
  CHECK(far.saved().size() == near.saved().size());
  CHECK(far.run(id(1, 4000), s(2)) == Verdict::fresh);
  CHECK(far.run(id(1, 8191), s(3)) == Verdict::repeated);
  CHECK(far.run(id(1, 4001), s(4), 4001) == Verdict::fresh);
  CHECK(far.run(id(1, 4000), s(5)) == Verdict::settled);
  CHECK(far.run(id(1, 8191), s(6)) == Verdict::repeated);
}

TEST_CASE("SessionTable: the same log gives the same table, whatever came before", "[sessions]") {
  Rig one{2}, two{2};
  for (Rig* rig : {&one, &two})
    for (std::uint64_t slot = 1; slot <= 40; ++slot) (void)rig->run(id(1 + slot % 3, slot), s(slot), slot, s(slot - 1));
  CHECK(one.saved() == two.saved());
  (void)two.run(id(9, 1), s(41), 0, s(40));
  CHECK_FALSE(one.saved() == two.saved());
}

}  // namespace
