// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/transport.hpp>
#include <paxos/replica/replicated_state.hpp>

namespace paxos {

/// Who leads, as far as this node knows: whom commands are handed to.
struct Reign {
  NodeId leader;        ///< NodeId{}: none is known
  Ballot ballot;        ///< of the reign
  bool is_own = false;  ///< this node leads, and has won phase 1

  friend bool operator==(const Reign&, const Reign&) = default;
  template <class Archive>
  void image(Archive& archive) {
    archive(leader, ballot, is_own);
  }
};

/// The commands that this node was asked to get chosen, each until it is applied here or its time is up.
///
/// Hands each to the leader: at once, again when the leader changes, and again now and then in case it was lost, and
/// through other nodes while the way to the leader is down; the sessions make a repetition harmless. Counts on no
/// answer from the leader: a command is done when this node applies it. Knows whether a command ever left this node,
/// and so which failure is true: not applied, or unknown.
template <Transport Net>
class Submitter {
 public:
  /// What a command takes while it waits, about, beside its payload.
  static constexpr std::size_t command_cost = 256;

  /// `session` is this node's own, in this life.
  Submitter(const Config& config, Net& net, const SessionId& session) : config_(config), net_(net), session_(session) {}

  /// Takes on a command under this node's own session, and tells its id. nullopt when it was taken on.
  [[nodiscard]] std::optional<Errc> submit(Bytes payload, Slot applied, Time now, RequestId& id) {
    id = RequestId{session_, next_sequence_};
    const auto first = pending_.lower_bound(RequestId{session_, 0});
    const bool is_only = first == pending_.end() || first->first.session != session_;
    const std::uint64_t lowest = is_only ? id.sequence : first->first.sequence;
    if (id.sequence - lowest >= config_.session_window) return Errc::overloaded;
    const auto refused = submit(Command{id, lowest, applied, std::move(payload)}, now);
    if (!refused) ++next_sequence_;
    return refused;
  }

  /// Takes on a command; one that is here already is only given more time. nullopt when it was taken on.
  [[nodiscard]] std::optional<Errc> submit(Command command, Time now) {
    if (command.payload.size() > config_.command_bytes_max) return Errc::too_large;
    const auto found = pending_.find(command.id);
    if (found != pending_.end()) {
      found->second.deadline = now + config_.request_timeout;
      return std::nullopt;
    }
    if (!pending_.empty() && bytes_ + cost(command) > config_.pending_bytes_max) return Errc::overloaded;
    bytes_ += cost(command);
    const RequestId id = command.id;
    pending_.emplace(id, Pending{std::move(command), now + config_.request_timeout, now});
    // Without a leader nobody takes from it, and what it names may be over.
    if (fresh_.size() >= 2 * pending_.size())
      std::erase_if(fresh_, [&](const RequestId& old) { return !pending_.contains(old); });
    fresh_.push_back(id);
    return std::nullopt;
  }

  /// The command was applied, or was judged in the log: it is over, whoever asked.
  void on_answer(const Answer& answer) {
    const auto found = pending_.find(answer.id);
    if (found == pending_.end()) return;
    if (found->second.sent_to != NodeId{}) way_ = found->second.sent_to;
    finish(found, answer);
  }

  /// The leader (or who was taken for it) did not take the command on.
  void on_refused(const RequestId& id, Time now) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    Time& resend_at = found->second.resend_at;
    resend_at = std::min(resend_at, now + config_.heartbeat_interval);
  }

  /// Hands over what is new, and under a new reign everything again. True if the reign is new.
  /// `propose(command)` is called when this node leads; false: its proposer did not take it.
  template <class Propose>
  bool end_turn(const Reign& reign, const Votes& ways, Time now, Propose&& propose) {
    const bool is_new = reign != reign_;
    reign_ = reign;
    if (is_new) {
      for (auto& [id, pending] : pending_) {
        pending.is_with_proposer = false;
        hand_over(pending, ways, now, propose);
      }
    } else if (reign.leader != NodeId{}) {  // else what is fresh stays so until there is a leader
      for (const RequestId& id : fresh_)
        if (const auto found = pending_.find(id); found != pending_.end()) hand_over(found->second, ways, now, propose);
    }
    if (is_new || reign.leader != NodeId{}) fresh_.clear();
    return is_new;
  }

  /// Repeats what may have been lost, and gives up what is out of time. `ways`: the nodes through which the
  /// leader may be reached, in order.
  template <class Propose>
  void on_tick(Time now, Propose&& propose, const Votes& ways) {
    for (auto entry = pending_.begin(); entry != pending_.end();) {
      const auto current = entry++;
      Pending& pending = current->second;
      if (now >= pending.deadline) {
        finish(current, Answer{current->first, pending.has_left ? Errc::timed_out : Errc::no_leader, {}});
      } else if (now >= pending.resend_at && !pending.is_with_proposer) {
        hand_over(pending, ways, now, propose);
      }
    }
  }

  /// Gives up everything: the node stops.
  void fail_all(Errc if_it_left, Errc if_not) {
    while (!pending_.empty()) {
      const auto first = pending_.begin();
      finish(first, Answer{first->first, first->second.has_left ? if_it_left : if_not, {}});
    }
  }

  /// Commands that are over since the last call.
  [[nodiscard]] std::vector<Answer> take_finished() { return std::exchange(finished_, {}); }

  /// See Replica::image. Its answers must have been taken.
  template <class Archive>
  void image(Archive& archive) {
    archive(next_sequence_, reign_, way_, pending_, fresh_, bytes_);
    if constexpr (Archive::is_loading) finished_.clear();
  }

 private:
  struct Pending {
    Command command;
    Time deadline;
    Time resend_at;
    bool has_left = false;          ///< a leader, this node included, may have proposed it
    bool is_with_proposer = false;  ///< this node's proposer has it, and loses it only with its reign
    NodeId sent_to{};               ///< whom it was handed to last

    template <class Archive>
    void image(Archive& archive) {
      archive(command, has_left, is_with_proposer, sent_to);
    }
  };
  using Entry = typename std::map<RequestId, Pending>::iterator;

  static std::size_t cost(const Command& command) { return command_cost + command.payload.size(); }

  template <class Propose>
  void hand_over(Pending& pending, const Votes& ways, Time now, Propose& propose) {
    pending.resend_at = now + config_.heartbeat_interval;
    if (reign_.is_own) {
      pending.is_with_proposer = propose(pending.command);
      pending.has_left |= pending.is_with_proposer;
    } else if (const NodeId next = pending.sent_to == NodeId{} ? membership_.at_or_after(ways, way_)
                                                               : membership_.next_of(ways, pending.sent_to);
               next != NodeId{}) {
      pending.has_left = true;
      pending.resend_at = now + (next == reign_.leader ? 2 : 1) * config_.election_timeout;
      pending.sent_to = next;
      net_.send(next, Forward{pending.command});
    }
  }

  void finish(Entry entry, Answer answer) {
    bytes_ -= cost(entry->second.command);
    pending_.erase(entry);
    finished_.push_back(std::move(answer));
  }

  const Config& config_;
  const Membership membership_{config_.members};
  Net& net_;
  SessionId session_;
  std::uint64_t next_sequence_ = 1;
  Reign reign_;
  NodeId way_;  ///< through whom a command was handed over last that is applied: the next ones begin there
  std::map<RequestId, Pending> pending_;
  std::vector<RequestId> fresh_;
  std::size_t bytes_ = 0;
  std::vector<Answer> finished_;
};

}  // namespace paxos
