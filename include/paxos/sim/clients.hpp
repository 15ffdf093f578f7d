// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/random.hpp>
#include <paxos/sim/cluster.hpp>

namespace paxos::sim {

/// Clients that write and read while faults go on. What they may rely on is the judge's business.
template <StateMachine Machine>
class Clients {
 public:
  using Commands = std::function<typename Machine::Command(Random&)>;  ///< gives the next command

  /// What they do when they act, in percent.
  struct Habits {
    unsigned writes = 100;  ///< a new command
    unsigned retries = 50;  ///< one that ended as unknown, under its id
    unsigned reads = 30;    ///< a read
  };

  /// How the requests ended.
  struct Counts {
    std::uint64_t acknowledged = 0;  ///< commands answered with success
    std::uint64_t not_applied = 0;   ///< commands of which that was said
    std::uint64_t unknown = 0;       ///< commands of which that was said
    std::uint64_t reads = 0;         ///< reads that were served
  };

  /// Does nothing before it is told to act. The cluster must outlive it.
  Clients(Cluster<Machine>& cluster, Commands commands, std::uint64_t seed)
      : cluster_(cluster), commands_(std::move(commands)), random_(seed) {}
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Acts now and then, the next time after at most `pause`, until stop().
  void act_every(Duration pause, const Habits& habits = {}) {
    pause_ = pause;
    habits_ = habits;
    is_acting_ = true;
    act_later();
  }
  void stop() { is_acting_ = false; }  ///< what is under way goes on

  /// One command, at a node that is up, under that node's own session.
  void write_at(NodeId node) {
    ++open_;
    cluster_.submit(node, commands_(random_), [this](const Answer& answer) { on_end(answer); });
  }
  /// One read, now, whose answer the cluster's judge looks at.
  void read_at(NodeId node) {
    ++open_;
    cluster_.read(node, [this](const Machine* machine) {
      --open_;
      counts_.reads += machine != nullptr ? 1 : 0;
    });
  }

  [[nodiscard]] std::size_t open() const { return open_; }                     ///< requests without an answer yet
  [[nodiscard]] const std::string& last_error() const { return last_error_; }  ///< the text of the newest failure
  [[nodiscard]] const Counts& counts() const { return counts_; }               ///< so far

 private:
  /// A client with a session of its own: repeats its command, anywhere, until it is answered; only then the next one.
  struct Named {
    SessionId session;
    std::uint64_t sequence = 0;
    bool is_waiting = false;
  };

  void act_later() {
    cluster_.schedule(random_.between({}, pause_), [this] {
      if (!is_acting_) return;
      act();
      act_later();
    });
  }

  void act() {
    if (random_.chance(habits_.writes))
      for (std::uint64_t i = random_.below(4); i > 0; --i)
        if (const auto node = some_node()) write_at(*node);
    if (random_.chance(habits_.retries)) act_as_named();
    if (!random_.chance(habits_.reads)) return;
    if (const auto node = some_node()) read_at(*node);
  }

  /// Now and then a command of long ago comes again, as if it had been on its way all the time.
  void act_as_named() {
    const auto node = some_node();
    if (!node) return;
    if (!issued_.empty() && random_.chance(20)) return send(*node, issued_[random_.below(issued_.size())]);
    Named& client = named_[random_.below(named_.size())];
    if (!client.is_waiting) {
      if (client.session == SessionId{} || random_.chance(10)) client = Named{{random_(), 1}, 0, false};
      const RequestId id{client.session, ++client.sequence};
      client.is_waiting = true;
      issued_.push_back({id, id.sequence, cluster_.replica(*node).state().applied(), encoded(commands_(random_))});
    }
    for (std::size_t i = issued_.size(); i > 0; --i)
      if (issued_[i - 1].id == RequestId{client.session, client.sequence}) return send(*node, issued_[i - 1]);
  }

  /// A retry is the very same command, with what it was issued after.
  void send(NodeId node, Command command) {
    ++open_;
    const RequestId id = command.id;
    cluster_.submit_as(node, command, [this, id](const Answer& answer) {
      on_end(answer);
      if (answer.error && *answer.error != Errc::session_expired && *answer.error != Errc::sequence_settled) return;
      for (Named& client : named_) {
        if (id != RequestId{client.session, client.sequence}) continue;
        client.is_waiting = false;
        if (answer.error) client.session = {};
      }
    });
  }

  void on_end(const Answer& answer) {
    --open_;
    if (answer.error) last_error_ = make_error_code(*answer.error).message();
    if (!answer.error) {
      ++counts_.acknowledged;
    } else if (make_error_code(*answer.error) == Outcome::not_applied) {
      ++counts_.not_applied;
    } else {
      ++counts_.unknown;
    }
  }

  std::optional<NodeId> some_node() {
    const auto ids = cluster_.ids();
    const NodeId id = ids[random_.below(ids.size())];
    return cluster_.is_up(id) && !cluster_.is_frozen(id) ? std::optional{id} : std::nullopt;
  }

  Cluster<Machine>& cluster_;
  Commands commands_;
  Random random_;
  Duration pause_{};
  Habits habits_;
  bool is_acting_ = false;
  std::size_t open_ = 0;
  Counts counts_;
  std::string last_error_;
  std::vector<Named> named_ = std::vector<Named>(3);
  std::vector<Command> issued_;
};

}  // namespace paxos::sim
