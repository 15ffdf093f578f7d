// Copyright (c) the paxos authors. MIT licence.
//
// Two honest nodes and a member that says one thing, at the ends of what numbers can say.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/replica.hpp>

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

struct Honest {
  explicit Honest(NodeId self) : config(config_of(3, self)) {}

  Config config;
  RecordingNet net;
  MemoryStorage disk;
  NullObserver observer;
  Replica<Sum, RecordingNet, MemoryStorage> replica{
      config, net, disk, observer, {config.id.value(), {config.id.value(), 1}}, t0};
};

/// Nodes 1 and 2; node 3 says what `lie` gives, once.
class Rig {
 public:
  /// What node 3 answers to a message of node 1; nullopt: nothing yet. Asked with nullptr before there is any.
  using Lie = std::function<std::optional<Message>(const Message*)>;
  explicit Rig(Lie lie) : lie_(std::move(lie)) { tell(nullptr); }

  /// Commands of both nodes are run, and node 1 leads when it is asked to.
  [[nodiscard]] bool works() {
    if (!runs_a_command(one_) || !runs_a_command(two_)) return false;
    one_.replica.stand(now_);
    return wait([&] { return one_.replica.status().standing == Standing::leader; }) && runs_a_command(one_) &&
           runs_a_command(two_);
  }
  [[nodiscard]] bool has_lied() const { return !lie_; }
  /// Node 3 says it to node 1, whose answers are lost.
  void say(const Message& lie) {
    one_.replica.on_message(n3, lie, now_);
    one_.replica.end_turn(now_);
    one_.replica.on_flushed(one_.disk.flush(), now_);
    (void)one_.net.take();
  }
  void pass(Duration time) { now_ += time; }

 private:
  [[nodiscard]] bool runs_a_command(Honest& node) {
    const std::int64_t before = node.replica.state().machine().value;
    RequestId id;
    if (node.replica.submit(encoded(std::int64_t{1}), now_, id)) return false;
    return wait([&] { return node.replica.state().machine().value > before; });
  }
  [[nodiscard]] bool wait(const std::function<bool()>& done) {
    for (int ticks = 0; ticks < 400 && !done(); ++ticks) {
      now_ += 12ms;
      for (Honest* node : {&one_, &two_}) node->replica.on_tick(now_);
      settle();
    }
    return done();
  }
  void settle() {
    for (int turns = 0; turns < 20; ++turns) {
      for (Honest* node : {&one_, &two_}) {
        node->replica.end_turn(now_);
        node->replica.on_flushed(node->disk.flush(), now_);
        for (Sent& sent : node->net.take()) {
          if (sent.to == n3 && node == &one_) tell(&sent.message);
          if (sent.to != n3) (node == &one_ ? two_ : one_).replica.on_message(node->config.id, sent.message, now_);
        }
      }
    }
  }
  void tell(const Message* asked) {
    if (!lie_) return;
    if (const auto said = lie_(asked)) {
      lie_ = nullptr;
      one_.replica.on_message(n3, *said, now_);
    }
  }

  Time now_ = t0;
  Lie lie_;
  Honest one_{n1};
  Honest two_{n2};
};

const std::vector<Slot> ends{Slot{(std::uint64_t{1} << 62) - 1}, Slot{std::uint64_t{1} << 62},
                             Slot{~std::uint64_t{0} - 1}, Slot::infinity()};
const std::vector<std::uint64_t> rounds{BallotBook::reach,      BallotBook::reach + 1, (std::uint64_t{1} << 62) - 1,
                                        std::uint64_t{1} << 62, ~std::uint64_t{0} - 1, ~std::uint64_t{0}};

std::optional<Message> nothing(const Message*) { return std::nullopt; }

/// The two get on, whatever `lie` says to node 1.
void check(const std::string& what, const Rig::Lie& lie) {
  INFO(what);
  Rig rig{lie};
  CHECK(rig.works());
  CHECK(rig.has_lied());
}

TEST_CASE("Replica: nothing that a member says once keeps the others from leading and proposing",
          "[replica][hostile]") {
  for (const Slot slot : ends) {
    for (const std::uint64_t round : rounds) {
      const Ballot ballot{round, n3};
      for (const Message& message :
           {Message{Prepare{ballot, slot}}, Message{Accept{ballot, slot, slot, v("x")}}, Message{Nack{ballot}},
            Message{Nack{{round, n2}}}, Message{Chosen{ballot, slot}}, Message{Heartbeat{ballot, round, slot}},
            Message{HeartbeatAck{ballot, round, slot}}, Message{PreVote{round, slot}}, Message{HandOver{ballot}},
            Message{CatchUpRequest{slot}}, Message{CatchUpReply{slot, slot, {v("x")}}},
            Message{ReadIndexReply{round, true, slot}}})
        check(std::string{name_of(message)} + " " + to_string(slot) + " " + to_string(ballot),
              [&](const Message*) { return message; });
    }
  }
}

// What node 1 believes, node 2 has to hear from it.
TEST_CASE("Replica: nor do many lies at once of a member that then falls silent", "[replica][hostile]") {
  const std::uint64_t far = BallotBook::reach;
  const std::vector<std::function<Message(std::uint64_t)>> lies{
      [&](std::uint64_t i) { return Prepare{{i * far, n3}, Slot{1}}; },
      [&](std::uint64_t i) { return Heartbeat{{i * far, n3}, i, {}}; },
      [&](std::uint64_t i) { return Nack{{i * far, n2}}; },
      [&](std::uint64_t) { return Nack{{std::uint64_t{1} << 62, n2}}; },
      [&](std::uint64_t i) { return PreVoteReply{i, true, {i * far, n1}, {}}; }};
  for (std::size_t kind = 0; kind < lies.size(); ++kind) {
    INFO("lie " << kind);
    Rig rig{nothing};
    REQUIRE(rig.works());
    for (std::uint64_t i = 1; i <= 200; ++i) {
      rig.say(lies[kind](i));
      if (i % 20 == 0) rig.pass(1ms);
    }
    CHECK(rig.works());
  }
}

// Whoever believed a lie may not have promised it.
TEST_CASE("Replica: an answer to a poll counts, though it names a ballot out of reach", "[replica][hostile]") {
  Honest one{n1};
  Time now = t0;
  const auto end_turn = [&] {
    one.replica.end_turn(now);
    one.replica.on_flushed(one.disk.flush(), now);
  };
  while (one.net.all<PreVote>().empty()) {
    now += 12ms;
    one.replica.on_tick(now);
    end_turn();
  }
  const auto nonce = one.net.all<PreVote>().at(0).second.nonce;
  one.replica.on_message(n2, PreVoteReply{nonce, true, {3 * BallotBook::reach, n3}, {}}, now);
  end_turn();
  REQUIRE(one.net.all<Prepare>().size() == 2);
  CHECK(one.net.all<Prepare>()[0].second.ballot == Ballot{BallotBook::reach + 1, n1});
}

TEST_CASE("Replica: nor does any answer to its Prepare or its poll", "[replica][hostile]") {
  for (const Slot slot : ends) {
    check("chosen through " + to_string(slot), [&](const Message* asked) -> std::optional<Message> {
      const auto* prepare = asked == nullptr ? nullptr : get_if<Prepare>(asked);
      if (prepare == nullptr) return std::nullopt;
      return Promise{prepare->ballot, prepare->first_slot, Slot::infinity(), slot, {}};
    });
    check("accepted in " + to_string(slot), [&](const Message* asked) -> std::optional<Message> {
      const auto* prepare = asked == nullptr ? nullptr : get_if<Prepare>(asked);
      if (prepare == nullptr) return std::nullopt;
      return Promise{prepare->ballot, prepare->first_slot, Slot::infinity(), {}, {{slot, {}, v("x")}}};
    });
    check("accepted in " + to_string(slot) + ", the last chosen", [&](const Message* asked) -> std::optional<Message> {
      const auto* prepare = asked == nullptr ? nullptr : get_if<Prepare>(asked);
      if (prepare == nullptr) return std::nullopt;
      return Promise{prepare->ballot, prepare->first_slot, Slot::infinity(), slot.previous(), {{slot, {}, v("x")}}};
    });
    for (const std::uint64_t round : rounds)
      check("promised " + std::to_string(round), [&](const Message* asked) -> std::optional<Message> {
        const auto* poll = asked == nullptr ? nullptr : get_if<PreVote>(asked);
        if (poll == nullptr) return std::nullopt;
        return PreVoteReply{poll->nonce, true, {round, n3}, slot};
      });
  }
}

}  // namespace
