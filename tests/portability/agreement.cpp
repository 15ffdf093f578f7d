// Copyright (c) the paxos authors. MIT licence.
//
// Three replicas agree on a sum, with the core alone: no exceptions, no run-time types, no threads, no clock. Says what
// went wrong, and that with status 1.
#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core.hpp>

namespace {

using namespace paxos;

struct Counter {
  using Command = std::int64_t;
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

struct Letter {
  NodeId from;
  NodeId to;
  Message message;
};

/// One node's way to the others.
struct Wire {
  NodeId own;
  std::deque<Letter>* under_way;
  void send(NodeId to, Message message) { under_way->push_back({own, to, std::move(message)}); }
};

using CounterReplica = Replica<Counter, Wire, MemoryStorage>;

struct Place {
  Wire wire;
  MemoryStorage store;
  NullObserver observer;
  CounterReplica replica;

  Place(const Config& config, std::deque<Letter>& under_way)
      : wire{config.id, &under_way},
        replica{config, wire, store, observer, {config.id.value(), SessionId{1, config.id.value()}}, Time{}} {}
};

int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

class Cluster {
 public:
  explicit Cluster(Config config) {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      config.id = NodeId{id};
      places_.push_back(std::make_unique<Place>(config, under_way_));
    }
  }

  [[nodiscard]] CounterReplica& at(std::size_t index) { return places_[index]->replica; }

  /// Ten milliseconds: ticks, and everything that follows from them.
  void step() {
    now_ += std::chrono::milliseconds{10};
    for (const auto& place : places_) place->replica.on_tick(now_);
    settle();
  }

  [[nodiscard]] Time now() const { return now_; }

 private:
  void settle() {
    do {
      for (std::size_t left = under_way_.size(); left > 0; --left) {
        const Letter letter = std::move(under_way_.front());
        under_way_.pop_front();
        at(static_cast<std::size_t>(letter.to.value() - 1)).on_message(letter.from, letter.message, now_);
      }
      for (const auto& place : places_) {
        place->replica.end_turn(now_);
        if (place->replica.wants_flush()) place->replica.on_flushed(place->store.flush(), now_);
      }
    } while (!under_way_.empty());
  }

  std::deque<Letter> under_way_;
  std::vector<std::unique_ptr<Place>> places_;
  Time now_{};
};

}  // namespace

int main() {
  Config config;
  if (!config.problem()) return fail("an empty Config must have a problem");
  config.id = NodeId{1};
  config.members = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};
  if (const auto problem = config.problem()) return fail(*problem);

  Cluster cluster{config};
  RequestId id;
  for (std::int64_t delta = 1; delta <= 10; ++delta)
    if (cluster.at(static_cast<std::size_t>(delta % 3)).submit(encoded(delta), cluster.now(), id))
      return fail("a command was refused");
  bool agree = false;
  for (int steps = 0; steps < 1000 && !agree; ++steps) {
    cluster.step();
    agree = true;
    for (std::size_t i = 0; i < 3; ++i) agree = agree && cluster.at(i).state().machine().value == 55;
  }
  if (!agree) return fail("the replicas did not agree on 55");

  const std::array damaged{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  std::string text;
  if (decode(std::span<const std::byte>{damaged}, text)) return fail("a length that nothing follows was believed");
  std::puts("agreed");
  return 0;
}
