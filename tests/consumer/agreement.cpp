// Copyright (c) the paxos authors. MIT licence.
//
// A program of another project that needs the half without I/O alone: three replicas agree, in memory and on a clock of
// their own.
#include <paxos/core.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <vector>

#ifdef ASIO_VERSION
#error "paxos/core.hpp must not include Asio"
#endif

// The other translation unit's view of what the whole program has once.
const std::error_category& category_of_other_unit();

namespace {

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
  paxos::NodeId from;
  paxos::NodeId to;
  paxos::Message message;
};

struct Net {
  paxos::NodeId from;
  std::deque<Letter>& letters;
  void send(paxos::NodeId to, paxos::Message message) { letters.push_back({from, to, std::move(message)}); }
};

struct Member {
  using Replica = paxos::Replica<Counter, Net, paxos::MemoryStorage>;

  Member(const paxos::Config& config, std::deque<Letter>& letters)
      : net{config.id, letters},
        replica{config, net, disk, observer, Replica::Life{config.id.value(), {1, config.id.value()}}, paxos::Time{}} {}

  Net net;
  paxos::MemoryStorage disk;
  paxos::NullObserver observer;
  Replica replica;
};

}  // namespace

int main() {
  std::deque<Letter> letters;
  std::vector<std::unique_ptr<Member>> members;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    paxos::Config config;
    config.id = paxos::NodeId{id};
    config.members = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};
    members.push_back(std::make_unique<Member>(config, letters));
  }

  paxos::RequestId request;
  const auto refused = members[0]->replica.submit(paxos::encoded(Counter::Command{42}), paxos::Time{}, request);
  for (paxos::Time now{}; now < paxos::Time{std::chrono::seconds{5}}; now += std::chrono::milliseconds{10}) {
    for (const auto& member : members) member->replica.on_tick(now);
    for (; !letters.empty(); letters.pop_front()) {
      const Letter letter = letters.front();
      members[letter.to.value() - 1]->replica.on_message(letter.from, letter.message, now);
    }
    for (const auto& member : members) {
      if (member->replica.wants_flush()) member->replica.on_flushed(member->disk.flush(), now);
      member->replica.end_turn(now);
    }
  }

  bool agreed = !refused && &category_of_other_unit() == &paxos::error_category();
  for (const auto& member : members) {
    const auto value = member->replica.state().machine().value;
    std::printf("replica %s holds %lld\n", to_string(member->net.from).c_str(), static_cast<long long>(value));
    agreed = agreed && value == 42;
  }
  return agreed ? 0 : 1;
}
