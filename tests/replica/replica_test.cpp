// Copyright (c) the paxos authors. MIT licence.
#include <paxos/replica.hpp>

#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "role/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Sum {
  using Command = std::int64_t;
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

struct Seen : NullObserver {
  std::vector<std::string> dropped;
  std::vector<Status> disk_errors;
  void on_dropped(NodeId, std::string_view why) { dropped.emplace_back(why); }
  void on_disk_error(const Status& status) { disk_errors.push_back(status); }
};

/// Node 1 of three; the test plays the other two, the disk and the clock.
struct Rig {
  explicit Rig(std::size_t nodes = 3, const std::function<void(Config&)>& adjust = {})
      : config(config_of(nodes, n1, adjust)) {
    start();
  }

  void start() {
    replica.emplace(config, net, disk, seen,
                    Replica<Sum, RecordingNet, MemoryStorage, Seen>::Life{7, SessionId{9, ++life}}, now);
  }
  void restart() {
    replica.reset();
    disk.crash();
    (void)net.take();
    start();
  }
  void receive(NodeId from, const Message& message) {
    replica->on_message(from, message, now);
    replica->end_turn(now);
  }
  Status flush() {
    const Status status = disk.flush();
    replica->on_flushed(status, now);
    replica->end_turn(now);
    return status;
  }
  void tick(Duration after = 12ms) {
    now += after;
    replica->on_tick(now);
    replica->end_turn(now);
  }
  /// Until the node polls the others; its nonce.
  std::uint64_t wait_for_poll() {
    for (int i = 0; i < 200; ++i) {
      (void)net.take();
      tick();
      if (!net.all<PreVote>().empty()) return net.all<PreVote>()[0].second.nonce;
    }
    FAIL("no poll");
    return 0;
  }
  /// Stands with the support of node 2, and is promised by it; slot 1 is under way.
  void lead() {
    receive(n2, PreVoteReply{wait_for_poll(), true, {}, {}});
    REQUIRE(flush().ok());
    REQUIRE_FALSE(net.all<Prepare>().empty());
    ballot = net.all<Prepare>()[0].second.ballot;
    receive(n2, whole_promise(ballot));
    REQUIRE(replica->status().standing == Standing::leader);
  }
  /// Leads, and has chosen and applied its opening slot.
  void lead_openly() {
    lead();
    REQUIRE(flush().ok());
    receive(n2, Accepted{ballot, s(1), s(1)});
    REQUIRE(replica->state().applied() == s(1));
  }
  std::optional<Errc> add(std::int64_t delta) {
    const auto refused = replica->submit(encoded(delta), now, last_id);
    replica->end_turn(now);
    return refused;
  }

  Config config;
  RecordingNet net;
  MemoryStorage disk;
  Seen seen;
  Time now = t0;
  std::uint64_t life = 0;
  Ballot ballot;
  RequestId last_id;
  std::optional<Replica<Sum, RecordingNet, MemoryStorage, Seen>> replica;
};

TEST_CASE("Replica: a message from a stranger is dropped and reported", "[replica]") {
  Rig rig;
  rig.receive(NodeId{9}, Prepare{Ballot{1, NodeId{9}}, s(1)});
  rig.receive(NodeId{}, Heartbeat{b1, 1, {}});
  CHECK(rig.seen.dropped.size() == 2);
  CHECK(rig.disk.records().empty());
  CHECK(rig.replica->status().promised == Ballot{});
}

TEST_CASE("Replica: a ballot is used by the node that it names, and by no other", "[replica]") {
  Rig rig;
  for (const Message& message :
       {Message{Prepare{b3, s(1)}}, Message{Accept{b3, s(1), s(1), v("x")}}, Message{Chosen{b3, s(1)}},
        Message{Heartbeat{b3, 1, {}}}, Message{Prepare{Ballot{}, s(1)}}})
    rig.receive(n2, message);
  CHECK(rig.seen.dropped.size() == 5);
  CHECK(rig.disk.records().empty());
  CHECK(rig.replica->status().leader == NodeId{});
}

TEST_CASE("Replica: an insane round is nobody's, and does not use up the rounds of all", "[replica]") {
  Rig rig;
  const Ballot insane{~std::uint64_t{0}, n2};
  rig.receive(n2, Prepare{insane, s(1)});
  rig.receive(n2, Nack{insane});
  rig.receive(n2, Heartbeat{insane, 1, {}});
  rig.receive(n2, PreVoteReply{1, true, insane, {}});
  rig.lead();
  CHECK(rig.ballot.round == 1);
}

TEST_CASE("Replica: hostile slots stop nothing", "[replica]") {
  Rig rig;
  const Slot end = Slot::infinity();
  const Value x = v("x");
  CHECK_NOTHROW(rig.receive(n2, CatchUpReply{end, end, {x, x}}));
  CHECK_NOTHROW(rig.receive(n2, CatchUpReply{s(0), end, {x, x}}));
  CHECK_NOTHROW(rig.receive(n2, CatchUpRequest{end}));
  CHECK_NOTHROW(rig.receive(n2, CatchUpRequest{s(0)}));
  CHECK_NOTHROW(rig.receive(n2, Accept{b2, end, end, x}));
  CHECK_NOTHROW(rig.receive(n2, Accept{b2, s(0), s(0), x}));
  CHECK_NOTHROW(rig.receive(n2, Prepare{b2, end}));
  CHECK_NOTHROW(rig.receive(n2, Prepare{b2, s(0)}));
  CHECK_NOTHROW(rig.receive(n2, Chosen{b2, end}));
  CHECK_NOTHROW(rig.receive(n2, Heartbeat{b2, ~std::uint64_t{0}, end}));
  CHECK_NOTHROW(rig.receive(n2, PreVote{1, end}));
  CHECK_NOTHROW(rig.receive(n2, HeartbeatAck{b1, ~std::uint64_t{0}, end}));
  CHECK_NOTHROW(rig.receive(n2, ForwardReply{RequestId{}, 99, end, x}));
  CHECK(rig.replica->status().failure.ok());
}

TEST_CASE("Replica: no Prepare leaves before this node's own promise of the ballot is durable", "[replica]") {
  Rig rig;
  rig.receive(n2, PreVoteReply{rig.wait_for_poll(), true, {}, {}});
  CHECK(rig.net.all<Prepare>().empty());
  CHECK(rig.replica->wants_flush());
  rig.restart();  // nobody can have heard of the ballot
  CHECK(rig.replica->status().promised == Ballot{});
  rig.lead();
  CHECK(rig.ballot == Ballot{1, n1});
}

TEST_CASE("Replica: a ballot whose Prepare left is never used again, restarts included", "[replica]") {
  Rig rig;
  rig.lead();
  const Ballot first = rig.ballot;
  rig.restart();
  CHECK(rig.replica->status().promised == first);
  rig.lead();
  CHECK(rig.ballot > first);
}

TEST_CASE("Replica: a leader confirms nothing on its own vote before that vote is durable", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  rig.receive(n2, Accepted{rig.ballot, s(2), s(2)});
  CHECK(rig.replica->take_answers().empty());
  REQUIRE(rig.flush().ok());
  const auto answers = rig.replica->take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == rig.last_id);
  CHECK(answers[0].result == encoded(std::int64_t{5}));
}

TEST_CASE("Replica: two followers make a quorum without the leader's disk", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  rig.receive(n2, Accepted{rig.ballot, s(2), s(2)});
  rig.receive(n3, Accepted{rig.ballot, s(2), s(2)});
  CHECK(rig.replica->take_answers().size() == 1);
}

// Invariant 8.
TEST_CASE("Replica: Chosen gives a value only to who accepted the slot at that very ballot; others fetch it",
          "[replica]") {
  Rig rig;
  rig.receive(n2, Accept{b2, s(1), {}, v("old")});
  rig.receive(n3, Chosen{b3, s(1)});
  CHECK(rig.replica->state().applied() == s(0));
  CHECK(rig.net.all<CatchUpRequest>().size() == 1);
  rig.receive(n3, CatchUpReply{s(1), s(1), {v("new")}});
  CHECK(rig.replica->state().applied() == s(1));
  CHECK(rig.disk.read(s(1)) == v("new"));
}

TEST_CASE("Replica: after a failed flush nothing is sent, confirmed or taken on any more", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  rig.receive(n2, Accepted{rig.ballot, s(2), s(2)});
  (void)rig.replica->read(1, rig.now);
  rig.disk.fail_next_flush(Status{std::make_error_code(std::errc::io_error), "EIO"});
  (void)rig.net.take();
  CHECK_FALSE(rig.flush().ok());
  CHECK(rig.seen.disk_errors.size() == 1);
  const auto answers = rig.replica->take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].error == Errc::storage_failed);
  CHECK(make_error_code(*answers[0].error) == Outcome::unknown);
  const auto reads = rig.replica->take_reads();
  REQUIRE(reads.size() == 1);
  CHECK_FALSE(reads[0].is_confirmed);

  CHECK_FALSE(rig.replica->status().failure.ok());
  CHECK_FALSE(rig.replica->wants_flush());
  CHECK(rig.add(1) == Errc::stopped);
  CHECK(rig.replica->read(2, rig.now) == Errc::stopped);
  rig.receive(n3, Accepted{rig.ballot, s(2), s(2)});
  rig.receive(n2, Prepare{Ballot{99, n2}, s(1)});
  rig.receive(n2, Heartbeat{Ballot{99, n2}, 1, {}});
  rig.replica->on_flushed(Status{}, rig.now);
  for (int i = 0; i < 100; ++i) rig.tick();
  CHECK(rig.net.is_silent());
  CHECK(rig.replica->take_answers().empty());
}

TEST_CASE("Replica: a full disk refuses new work, keeps what it has, and recovers", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  rig.receive(n2, Accepted{rig.ballot, s(2), s(2)});
  rig.disk.fail_next_flush(Status{make_error_code(Errc::storage_full), "ENOSPC"});
  CHECK_FALSE(rig.flush().ok());
  CHECK(rig.replica->status().is_storage_full);
  CHECK(rig.replica->status().failure.ok());
  CHECK(rig.replica->take_answers().empty());  // not durable, not lost
  CHECK(rig.add(1) == Errc::storage_full);
  CHECK_FALSE(rig.replica->read(1, rig.now));

  REQUIRE(rig.replica->wants_flush());
  REQUIRE(rig.flush().ok());
  CHECK_FALSE(rig.replica->status().is_storage_full);
  CHECK(rig.replica->take_answers().size() == 1);
  CHECK_FALSE(rig.add(1));
}

TEST_CASE("Replica: a leader whose disk stalls stands down, and does not stand again before it is well", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  const auto answer_heartbeats = [&] {
    for (const auto& [to, heartbeat] : rig.net.all<Heartbeat>())
      rig.receive(to, HeartbeatAck{heartbeat.ballot, heartbeat.round, {}});
    (void)rig.net.take();
  };
  const Time stalled_at = rig.now;
  while (rig.now - stalled_at < rig.config.disk_stall_timeout - 50ms) {
    rig.tick();
    answer_heartbeats();
    REQUIRE(rig.replica->status().standing == Standing::leader);
  }
  while (rig.now - stalled_at < rig.config.disk_stall_timeout + 50ms) {
    rig.tick();
    answer_heartbeats();
  }
  CHECK(rig.replica->status().standing == Standing::follower);
  for (int i = 0; i < 5; ++i) rig.receive(n2, PreVoteReply{rig.wait_for_poll(), true, {}, {}});
  CHECK(rig.replica->status().promised == rig.ballot);
  REQUIRE(rig.flush().ok());
  rig.receive(n2, PreVoteReply{rig.wait_for_poll(), true, {}, {}});
  CHECK(rig.replica->status().promised > rig.ballot);
}

TEST_CASE("Replica: a Nack from above makes it stand down and try above", "[replica]") {
  Rig rig;
  rig.lead();
  rig.receive(n3, Nack{Ballot{0, n3}});
  CHECK(rig.replica->status().standing == Standing::leader);
  rig.receive(n3, Nack{Ballot{6, n3}});
  CHECK(rig.replica->status().standing == Standing::follower);
  (void)rig.net.take();
  rig.lead();
  CHECK(rig.ballot == Ballot{7, n1});
}

TEST_CASE("Replica: a deposed leader's read and commands go to the new leader", "[replica]") {
  Rig rig;
  rig.lead_openly();
  CHECK_FALSE(rig.add(5));
  (void)rig.replica->read(1, rig.now);
  (void)rig.net.take();
  const Ballot higher{9, n2};
  rig.receive(n2, Prepare{higher, s(1)});
  rig.receive(n2, Heartbeat{higher, 1, {}});
  CHECK(rig.replica->status().leader == n2);
  CHECK(rig.net.all<Forward>().size() == 1);
  CHECK(rig.net.all<ReadIndex>().size() == 1);
  CHECK(rig.replica->take_reads().empty());
}

TEST_CASE("Replica: a leader that hears another one above it proposes nothing more, though nobody asked it to promise",
          "[replica]") {
  Rig rig;
  rig.lead_openly();
  rig.receive(n2, Heartbeat{Ballot{9, n2}, 1, {}});
  (void)rig.net.take();
  CHECK_FALSE(rig.add(5));
  CHECK(rig.net.all<Accept>().empty());
  CHECK(rig.net.all<Forward>().size() == 1);
}

TEST_CASE("Replica: a heartbeat below the promise is refused, so that it confirms no read", "[replica]") {
  Rig rig;
  rig.receive(n3, Prepare{b3, s(1)});
  REQUIRE(rig.flush().ok());
  (void)rig.net.take();
  rig.receive(n2, Heartbeat{b2, 1, {}});
  CHECK(rig.net.to(n2) == std::vector<Message>{Nack{b3}});
}

TEST_CASE("Replica: who restarts applies its log again and goes on", "[replica]") {
  Rig rig;
  rig.lead_openly();
  for (std::int64_t delta = 1; delta <= 3; ++delta) {
    CHECK_FALSE(rig.add(delta));
    REQUIRE(rig.flush().ok());
    rig.receive(
        n2, Accepted{rig.ballot, s(static_cast<std::uint64_t>(delta) + 1), s(static_cast<std::uint64_t>(delta) + 1)});
  }
  CHECK(rig.replica->state().machine().value == 6);
  const auto digest = rig.replica->state().digest();
  REQUIRE(rig.flush().ok());
  rig.restart();
  CHECK(rig.replica->state().machine().value == 6);
  CHECK(rig.replica->state().digest() == digest);
}

TEST_CASE("Replica: while the disk is far behind, what would add to it is dropped", "[replica]") {
  Rig rig{3, [](Config& config) {
            config.command_bytes_max = 64;
            config.pending_bytes_max = 64;
          }};
  std::uint64_t slot = 0;
  while (slot < 50) rig.receive(n2, Accept{b2, s(++slot), {}, v("0123456789")});
  CHECK(rig.disk.records().size() < 10);
  rig.receive(n3, Prepare{b3, s(1)});
  CHECK(rig.replica->status().promised == b2);
  REQUIRE(rig.flush().ok());
  rig.receive(n3, Prepare{b3, s(1)});
  CHECK(rig.replica->status().promised == b3);
}

TEST_CASE("Replica: stop() tells everybody who waits", "[replica]") {
  Rig rig;
  CHECK_FALSE(rig.add(1));
  (void)rig.replica->read(1, rig.now);
  rig.replica->stop();
  CHECK(rig.replica->take_answers().at(0).error == Errc::stopped);
  CHECK_FALSE(rig.replica->take_reads().at(0).is_confirmed);
  CHECK(rig.add(1) == Errc::stopped);
}

}  // namespace
