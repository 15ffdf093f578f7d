// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// Names one read of this node, in one life.
using ReadId = std::uint64_t;

/// A read that is over: serve it now, or say why not.
struct ReadyRead {
  ReadId id = 0;              ///< as begin() was told
  bool is_confirmed = false;  ///< false: no quorum confirmed a leader in time

  template <class Archive>
  void image(Archive& archive) {
    archive(id, is_confirmed);
  }
};

/// Linearizable reads without a slot (the Raft dissertation, 6.4, calls it ReadIndex): note how far the leader's log is
/// chosen, have a quorum confirm that it still led after the read began, and serve once that much is applied here.
///
/// Reads that arrive while a round is out share the next one. A node that does not lead asks the leader for the index,
/// for others along with itself, and if no answer comes through one node after the other, in case the way to the leader
/// is down.
template <Transport Net>
class Reader {
 public:
  static constexpr std::size_t reads_max = std::size_t{1} << 20;  ///< reads of this node that wait
  static constexpr std::size_t remote_max = 128;                  ///< questions of each other node

  /// What the rest of the replica knows at the end of a turn.
  struct View {
    NodeId leader;            ///< NodeId{}: none is known
    Ballot ballot;            ///< of the reign
    bool is_leading = false;  ///< this node has won phase 1
    bool is_open = false;     ///< leading, and the slot that opened the reign is applied
    Slot chosen_through;  ///< leading: every slot up to here is chosen, and no later one was acknowledged before now
    std::uint64_t confirmed_round = 0;  ///< leading: the highest round of heartbeats that a quorum answered
    Slot applied;                       ///< here
    Votes ways;                         ///< through whom a leader may be reached
  };

  /// Nonces count up from `first_nonce`: no two lives share one.
  Reader(const Config& config, Net& net, std::uint64_t first_nonce) : config_(config), net_(net), nonce_(first_nonce) {}

  /// False when too many reads wait already.
  [[nodiscard]] bool read(ReadId id, Time now) {
    if (waiting_ >= reads_max) return false;
    ++waiting_;
    open_.push_back(Request{id, now + config_.request_timeout});
    return true;
  }

  /// A question of another node; beyond `remote_max` that wait, its questions are dropped, and come again.
  void on_read_index(NodeId from, const ReadIndex& request) {
    std::size_t waiting = 0;
    for (const Remote& remote : open_remote_) waiting += remote.from == from ? 1 : 0;
    if (waiting < remote_max) open_remote_.push_back(Remote{from, request.nonce, request.is_relayed});
  }

  /// An answer; one to no question of ours is ignored.
  void on_read_index_reply(const ReadIndexReply& reply, Time now) {
    if (!asked_ || !asked_->nonce || *asked_->nonce != reply.nonce) return;
    if (reply.confirmed) {
      way_ = asked_->asked_of;
      release(reply.index);
    } else {  // not at once: a network that repeats messages would multiply questions and refusals
      asked_->retry_at = std::min(asked_->retry_at, now + config_.heartbeat_interval);
    }
  }

  /// Moves every read as far as it can go. `request_round()` starts a heartbeat round and gives its number.
  template <class RequestRound>
  void end_turn(const View& view, Time now, RequestRound&& request_round) {
    if (asked_ && is_stale(*asked_, view)) reopen();
    if (view.is_leading) {
      if (asked_ && view.confirmed_round >= asked_->round) release(asked_->index);
      // The index is noted before the round starts, and both after the reads arrived.
      if (!asked_ && view.is_open && !(open_.empty() && open_remote_.empty()))
        asked_ =
            Group{std::exchange(open_, {}), std::exchange(open_remote_, {}), std::nullopt, view.ballot, request_round(),
                  view.chosen_through};
    } else {
      refuse(open_remote_, [&](const Remote& remote) {
        return remote.is_relayed || view.leader == NodeId{} || view.leader == remote.from;
      });
      if (!asked_ && !(open_.empty() && open_remote_.empty()))
        asked_ = Group{std::exchange(open_, {}), std::exchange(open_remote_, {}), ++nonce_, {}, 0, Slot{}};
      if (asked_ && (asked_->leader != view.leader || now >= asked_->retry_at)) ask(view, now);
    }
    while (!confirmed_.empty() && confirmed_.begin()->first <= view.applied) {
      for (const Request& request : confirmed_.begin()->second) finish(request, true);
      confirmed_.erase(confirmed_.begin());
    }
  }

  /// Gives up what is out of time.
  void on_tick(Time now) {
    const auto expire = [&](std::vector<Request>& requests) {
      std::erase_if(requests, [&](const Request& request) {
        if (now < request.deadline) return false;
        finish(request, false);
        return true;
      });
      return requests.empty();
    };
    expire(open_);
    if (asked_ && expire(asked_->requests) && asked_->remote.empty()) asked_.reset();
    for (auto group = confirmed_.begin(); group != confirmed_.end();) {
      const auto current = group++;
      if (expire(current->second)) confirmed_.erase(current);
    }
  }

  /// Gives up everything: the node stops.
  void fail_all() { on_tick(Time::max()); }

  [[nodiscard]] std::vector<ReadyRead> take_ready() { return std::exchange(ready_, {}); }  ///< each once, in no order

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(nonce_, open_, open_remote_, asked_, way_, confirmed_, waiting_, ready_);
  }

 private:
  struct Request {
    ReadId id = 0;
    Time deadline;

    template <class Archive>
    void image(Archive& archive) {
      archive(id);
    }
  };
  struct Remote {
    NodeId from;
    std::uint64_t nonce = 0;
    bool is_relayed = false;

    template <class Archive>
    void image(Archive& archive) {
      archive(from, nonce, is_relayed);
    }
  };
  /// Reads that wait for one confirmation: a round of our own, or a leader's answer to our nonce. The question is
  /// repeated under the same nonce: any answer, however late, and whoever leads by then, comes from after the reads.
  /// That is why no read joins.
  struct Group {
    std::vector<Request> requests;
    std::vector<Remote> remote;
    std::optional<std::uint64_t> nonce;
    Ballot ballot;  ///< the reign in which `round` and `index` were taken
    std::uint64_t round = 0;
    Slot index;
    NodeId leader{};    ///< whom this node followed when it asked last
    NodeId asked_of{};  ///< whom it asked then
    Time retry_at{};

    template <class Archive>
    void image(Archive& archive) {
      archive(requests, remote, nonce, ballot, round, index, leader, asked_of);
    }
  };

  /// An index is worth what the reign was in which it was noted: a later reign of this very node confirms nothing about
  /// it, as another may have led, and acknowledged more, in between.
  static bool is_stale(const Group& group, const View& view) {
    const bool is_own_round = !group.nonce.has_value();
    return is_own_round != view.is_leading || (is_own_round && group.ballot != view.ballot);
  }

  void ask(const View& view, Time now) {
    Group& group = *asked_;
    group.leader = view.leader;
    group.asked_of = group.asked_of == NodeId{} ? membership_.at_or_after(view.ways, way_)
                                                : membership_.next_of(view.ways, group.asked_of);
    group.retry_at = now + (group.asked_of == NodeId{} ? config_.heartbeat_interval : config_.election_timeout);
    // Others have ways of their own, and a question is passed on once.
    if (group.asked_of != view.leader || group.asked_of == NodeId{})
      refuse(group.remote, [](const Remote&) { return true; });
    if (group.requests.empty() && group.remote.empty()) return asked_.reset();
    if (group.asked_of != NodeId{}) net_.send(group.asked_of, ReadIndex{*group.nonce, !group.remote.empty()});
  }

  template <class Which>
  void refuse(std::vector<Remote>& remotes, Which&& which) {
    std::erase_if(remotes, [&](const Remote& remote) {
      if (!which(remote)) return false;
      net_.send(remote.from, ReadIndexReply{remote.nonce, false, Slot{}});
      return true;
    });
  }

  void release(Slot index) {
    for (const Remote& remote : asked_->remote) net_.send(remote.from, ReadIndexReply{remote.nonce, true, index});
    std::vector<Request>& confirmed = confirmed_[index];
    confirmed.insert(confirmed.end(), asked_->requests.begin(), asked_->requests.end());
    asked_.reset();
  }

  void finish(const Request& request, bool is_confirmed) {
    --waiting_;
    ready_.push_back(ReadyRead{request.id, is_confirmed});
  }

  /// The confirmation did not come, or cannot come any more: the reads ask again, the remote ones elsewhere.
  void reopen() {
    open_.insert(open_.begin(), asked_->requests.begin(), asked_->requests.end());
    refuse(asked_->remote, [](const Remote&) { return true; });
    asked_.reset();
  }

  const Config& config_;
  const Membership membership_{config_.members};
  Net& net_;
  std::uint64_t nonce_;
  std::vector<Request> open_;
  std::vector<Remote> open_remote_;
  std::optional<Group> asked_;
  NodeId way_;  ///< who was asked last before an answer came: the next question begins there
  std::map<Slot, std::vector<Request>> confirmed_;  ///< by what must be applied first: no group waits for another
  std::size_t waiting_ = 0;                         ///< reads in all of these
  std::vector<ReadyRead> ready_;
};

}  // namespace paxos
