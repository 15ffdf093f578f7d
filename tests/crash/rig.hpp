// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <paxos/sim/cluster.hpp>

namespace paxos::test {

using namespace std::chrono_literals;

/// A log of numbered entries. The padding only makes commands large, and is not kept.
struct Book {
  struct Command {
    std::uint64_t entry = 0;
    std::string padding = {};
    template <class Archive>
    void serialize(Archive& archive) {
      archive(entry, padding);
    }
  };
  std::vector<std::uint64_t> entries;
  std::uint64_t apply(const Command& command) {
    entries.push_back(command.entry);
    return entries.size();
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(entries);
  }
};

/// A cluster whose nodes come back soon after they died, and users who do not give up: each repeats its command, under
/// the same id, at any node that is up, until it is acknowledged.
class World {
 public:
  using Cluster = sim::Cluster<Book>;

  /// Users of another generation are others, and write other entries.
  explicit World(std::size_t nodes, std::uint64_t seed = 1, std::uint64_t generation = 1)
      : cluster(nodes, seed, {}, hasten), generation_(generation), last_entry_(generation * 1'000'000) {
    cluster.on_death = [this](NodeId id) {
      deaths.push_back(id);
      if (on_death) on_death(id);
      cluster.schedule(rest, [this, id] {
        if (!away_.contains(id)) cluster.start(id);
      });
    };
  }

  /// Every node gets an empty disk again, before it sent a word: its very first start can then be broken off.
  void unmake() {
    for (const NodeId id : cluster.ids()) {
      cluster.crash(id);
      cluster.disk(id).wipe();
    }
  }

  // What a scenario is made of. Each waits until what it asked for has come about; throws when that takes too long.

  /// So many commands at once, of so many bytes each.
  void write(std::size_t count, std::size_t bytes = 8) {
    while (users_.size() < count) users_.push_back({{generation_, users_.size() + 1}, {}, 0});
    for (std::size_t i = 0; i < count; ++i) {
      User& user = users_[i];
      const std::uint64_t entry = ++last_entry_;
      const RequestId id{user.session, ++user.sequence};
      user.asks = Command{id, id.sequence, Slot{}, encoded(Book::Command{entry, std::string(bytes, 'x')})};
      ++open_;
      insist(i, entry);
    }
    require([this] { return open_ == 0; }, "commands never ended");
  }

  /// A retry that comes after its answer, at every node: it must not run again.
  void repeat_last_commands() {
    for (const NodeId id : cluster.ids())
      for (const User& user : users_)
        if (cluster.is_up(id)) cluster.submit_as(id, user.asks, [](const Answer&) {});
  }

  /// A read, at every node in turn that will ever be up; the judge says whether it is fresh.
  void read_everywhere() {
    for (const NodeId id : cluster.ids()) {
      if (cluster.is_lost(id)) continue;
      bool is_done = false;
      const std::set<std::uint64_t> due = acknowledged;
      read_until_answered(id, due, is_done);
      require([&] { return is_done; }, "a read was never answered");
    }
  }

  NodeId elect() {
    require(
        [this] {
          const auto leader = cluster.leader();
          return leader && cluster.replica(*leader).state().applied() > Slot{};
        },
        "nobody leads");
    return *cluster.leader();
  }

  void take_away(NodeId id) {
    away_.insert(id);
    if (cluster.is_up(id)) cluster.crash(id);
  }
  void kill_for_a_while(NodeId id) {
    away_.insert(id);
    if (cluster.is_up(id)) cluster.kill(id);
  }
  void bring_back(NodeId id) {
    away_.erase(id);
    cluster.start(id);
  }

  /// Everybody is up and has applied the same, and that is what was acknowledged.
  void finish() {
    for (const NodeId id : std::set<NodeId>{away_}) bring_back(id);
    require([this] { return open_ == 0 && all_agree(); }, "the nodes never came to agree");
    for (const NodeId id : cluster.ids())
      if (!cluster.is_lost(id)) require_book(id);
  }

  void require(const std::function<bool()>& done, const char* otherwise) {
    ensure(cluster.run_until(done, patience), otherwise);
  }

  /// The node's book holds each acknowledged entry once.
  void require_book(NodeId id) {
    const auto& entries = cluster.replica(id).state().machine().entries;
    const std::set<std::uint64_t> distinct(entries.begin(), entries.end());
    ensure(distinct.size() == entries.size(), [&] { return "node " + to_string(id) + " ran a command twice"; });
    ensure(std::ranges::includes(distinct, acknowledged),
           [&] { return "node " + to_string(id) + " lacks a command that was acknowledged"; });
  }

  [[nodiscard]] bool all_agree() {
    std::optional<Slot> applied;
    for (const NodeId id : cluster.ids()) {
      if (cluster.is_lost(id)) continue;
      if (!cluster.is_up(id)) return false;
      const Slot own = cluster.replica(id).state().applied();
      if (applied.value_or(own) != own) return false;
      applied = own;
    }
    return true;
  }

  Cluster cluster;
  std::set<std::uint64_t> acknowledged;
  std::vector<NodeId> deaths;
  std::set<NodeId> shunned;  ///< users do not turn to these
  std::function<void(NodeId)> on_death;

 private:
  struct User {
    SessionId session;
    Command asks;
    std::uint64_t sequence = 0;
  };

  static constexpr Duration rest = 30ms;
  static constexpr Duration patience = 60s;

  /// Quick elections: most of a run should be what the crash points are about.
  static void hasten(Config& config) {
    config.heartbeat_interval = 20ms;
    config.election_timeout = 60ms;
    config.retransmit_interval = 30ms;
    config.catch_up_bytes_max = 4096;
    config.promise_bytes_max = 2048;
    config.window_slots = 8;
    config.request_timeout = 1s;
  }

  [[nodiscard]] std::optional<NodeId> somebody_up(std::size_t first) {
    const auto ids = cluster.ids();
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (const NodeId id = ids[(first + i) % ids.size()]; cluster.is_up(id) && !shunned.contains(id)) return id;
    return std::nullopt;
  }

  void insist(std::size_t user, std::uint64_t entry) {
    const auto at = somebody_up(user + attempts_++);
    const auto again = [this, user, entry] { cluster.schedule(20ms, [this, user, entry] { insist(user, entry); }); };
    if (!at) return again();
    cluster.submit_as(*at, users_[user].asks, [this, entry, again](const Answer& answer) {
      if (answer.error) return again();
      acknowledged.insert(entry);
      --open_;
    });
  }

  void read_until_answered(NodeId id, const std::set<std::uint64_t>& due, bool& is_done) {
    const auto again = [this, id, &due, &is_done] {
      cluster.schedule(20ms, [this, id, &due, &is_done] { read_until_answered(id, due, is_done); });
    };
    if (!cluster.is_up(id)) return again();
    cluster.read(id, [&due, &is_done, again](const Book* book) {
      if (book == nullptr) return again();
      const std::set<std::uint64_t> seen(book->entries.begin(), book->entries.end());
      ensure(std::ranges::includes(seen, due), "a read misses what was acknowledged before it began");
      is_done = true;
    });
  }

  std::uint64_t generation_;
  std::uint64_t last_entry_;
  std::set<NodeId> away_;
  std::vector<User> users_;
  std::size_t open_ = 0;
  std::size_t attempts_ = 0;
};

}  // namespace paxos::test
