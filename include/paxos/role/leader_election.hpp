// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// Who should propose: a liveness hint and nothing more, safety never depends on it.
///
/// A follower that hears no leader for a randomised timeout polls the others (PreVote), and stands only if a quorum
/// hears it, is heard by it, and hears no leader either. So a node that is cut off from a leader whom others still
/// hear deposes nobody, whatever links are down and in which direction. A leader whom no quorum answers resigns, so
/// that a node which can reach one may follow it. A leader hands over to a caught-up member of higher priority.
///
/// Knows no slots but as a measure of progress, and no ballots but as names of reigns.
template <Transport Net>
class LeaderElection {
 public:
  /// What the replica should do now.
  enum class Advice {
    none,    ///< go on
    stand,   ///< for election
    resign,  ///< as the leader
  };

  /// `seed` draws the timeouts: each node needs another, or they stand together.
  LeaderElection(const Config& config, Net& net, std::uint64_t seed)
      : config_(config),
        membership_(config.members),
        net_(net),
        random_(seed),
        peers_(membership_.size()),
        offers_(membership_.size()) {
    self_ = *membership_.index_of(config.id);
  }

  /// A fresh node asks early, so that a cluster that starts needs no whole timeout; a leader that exists refuses.
  void start(Time now) { deadline_ = now + random_.between(2 * config_.heartbeat_interval, config_.election_timeout); }

  [[nodiscard]] Standing standing() const { return standing_; }  ///< follower, candidate or leader
  /// The leader that this node follows, itself included; NodeId{} when it knows none.
  [[nodiscard]] NodeId leader() const { return leader_; }
  /// Of the reign that this node follows or leads.
  [[nodiscard]] const Ballot& leader_ballot() const { return leader_ballot_; }

  /// A leader of a ballot that the acceptor does not refuse was heard from.
  void on_leader_heard(NodeId from, const Ballot& ballot, Time now) {
    if (ballot < leader_ballot_) return;
    follow(from, ballot, now);
  }
  /// The leader that is followed told whether it hears this node.
  void on_told(NodeId from, bool is_heard) {
    if (from == leader_) is_heard_ = is_heard;
  }

  /// The acceptor promised a ballot of another node, or another part of that promise was asked for: give that node time
  /// to win.
  void on_promised(NodeId candidate, const Ballot& ballot, Time now) {
    if (ballot < leader_ballot_ || (ballot == leader_ballot_ && leader_ != NodeId{})) return;
    follow(NodeId{}, ballot, now);
    candidate_ = candidate;
  }

  /// A part of a promise came: phase 1 may take as many parts as it needs, as long as they come.
  void on_promise_heard(Time now) {
    if (standing_ == Standing::candidate && !is_polling_) deadline_ = now + some_timeout();
  }

  /// The connection to a peer broke. If that was the leader, its process may be gone: two heartbeats that do not come
  /// are then as good as a whole timeout. One that still comes, by whatever way, clears the suspicion.
  void on_unreachable(NodeId peer, Time now) {
    if (standing_ != Standing::follower || peer != leader_ || is_suspected_) return;
    is_suspected_ = true;
    const Duration patience = random_.between(2 * config_.heartbeat_interval, 3 * config_.heartbeat_interval);
    deadline_ = std::min(deadline_, now + patience);
  }

  /// Answers a poll. Promises nothing.
  void on_pre_vote(NodeId from, const PreVote& poll, const Ballot& promised, Slot chosen_through, Time now) {
    net_.send(from, PreVoteReply{poll.nonce, would_support(from, now), promised, chosen_through, leader_in_reach()});
  }

  /// `stand` when a quorum supports this node, and its disk does not stall.
  [[nodiscard]] Advice on_pre_vote_reply(NodeId from, const PreVoteReply& reply) {
    const auto member = membership_.index_of(from);
    if (!member || standing_ != Standing::candidate || !is_polling_ || reply.nonce != nonce_) return Advice::none;
    if (reply.leader != NodeId{} && reply.leader != config_.id) led_.insert(*member);
    if (!reply.granted) return Advice::none;
    supporters_.insert(*member);
    return outcome();
  }

  /// The leader that this node follows and that hears it: another than itself.
  [[nodiscard]] NodeId leader_in_reach() const {
    return is_heard_ && standing_ == Standing::follower ? leader_ : NodeId{};
  }
  /// Through whom a leader may be reached: itself; or, when it does not hear this node, all others; or, when this node
  /// does not hear it, those that told that they reach one.
  [[nodiscard]] Votes ways() const {
    if (leader_ == NodeId{}) return led_;
    Votes ways;
    for (std::size_t i = 0; i < membership_.size(); ++i)
      if (i != self_ && (membership_.ids()[i] == leader_) == is_heard_) ways.insert(i);
    return ways;
  }

  /// The leader that this node follows makes way for it.
  [[nodiscard]] Advice on_hand_over(NodeId from, const HandOver& offer) const {
    return standing_ == Standing::follower && from == leader_ && offer.ballot == leader_ballot_ ? Advice::stand
                                                                                                : Advice::none;
  }

  /// The replica started phase 1: it has one timeout's time.
  void on_standing(const Ballot& ballot, Time now) {
    standing_ = Standing::candidate;
    is_polling_ = false;
    leader_ = NodeId{};
    leader_ballot_ = ballot;
    deadline_ = now + some_timeout();
  }

  /// Phase 1 was won.
  void on_leading(const Ballot& ballot, Time now) {
    standing_ = Standing::leader;
    leader_ = config_.id;
    leader_ballot_ = ballot;
    is_handing_over_ = false;
    hand_over_after_ = now + config_.election_timeout;
    for (Peer& peer : peers_) peer = Peer{now, 0, Slot{}};
    is_round_wanted_ = true;
  }

  /// The replica gave up its ballot: refused, out of time, or no longer fit to lead.
  void on_stood_down(Time now) {
    standing_ = Standing::follower;
    leader_ = NodeId{};
    deadline_ = now + some_timeout();
  }

  /// Counts only for this node's reign: who answers, up to which round, how far behind.
  void on_heartbeat_ack(NodeId from, const HeartbeatAck& ack, Time now) {
    const auto member = membership_.index_of(from);
    if (!member || standing_ != Standing::leader || ack.ballot != leader_ballot_ || ack.round > round_) return;
    Peer& peer = peers_[*member];
    peer.heard_at = now;
    peer.round = std::max(peer.round, ack.round);
    peer.chosen_through = std::max(peer.chosen_through, ack.chosen_through);
  }

  /// `may_lead` is false while this node's disk stalls: it polls all the same, to learn who leads, but does not stand.
  [[nodiscard]] Advice on_tick(Time now, Slot chosen_through, bool may_lead) {
    may_lead_ = may_lead;
    if (standing_ == Standing::leader) {
      if (!may_lead || !has_quorum(now)) return Advice::resign;
      if (now >= next_heartbeat_) is_round_wanted_ = true;
      consider_hand_over(now, chosen_through);
      return Advice::none;
    }
    if (now < deadline_) return Advice::none;
    if (standing_ == Standing::candidate && !is_polling_) return Advice::resign;
    return poll(now, chosen_through);
  }

  /// A round that begins now, or just after: a quorum of answers to it proves that this node led after this call.
  [[nodiscard]] std::uint64_t request_round() {
    is_round_wanted_ = true;
    return round_ + 1;
  }
  /// The newest round that a quorum, this leader included, answered.
  [[nodiscard]] std::uint64_t confirmed_round() const {
    const auto answered = [this](std::size_t i) { return i == self_ ? round_ : peers_[i].round; };
    std::uint64_t confirmed = 0;
    for (std::size_t candidate = 0; candidate < peers_.size(); ++candidate) {
      Votes votes;
      for (std::size_t i = 0; i < peers_.size(); ++i)
        if (answered(i) >= answered(candidate)) votes.insert(i);
      if (membership_.is_quorum(votes)) confirmed = std::max(confirmed, answered(candidate));
    }
    return confirmed;
  }

  /// Sends the heartbeats that are due.
  void end_turn(Time now, Slot chosen_through) {
    if (standing_ != Standing::leader || !is_round_wanted_) return;
    is_round_wanted_ = false;
    next_heartbeat_ = now + config_.heartbeat_interval;
    ++round_;
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (i != self_)
        net_.send(membership_.ids()[i], Heartbeat{leader_ballot_, round_, chosen_through, is_hearing(peers_[i], now)});
  }

  /// While a hand-over is under way the leader starts nothing new.
  [[nodiscard]] bool is_handing_over(Time now) const { return is_handing_over_ && now < hand_over_until_; }
  /// How far a peer said that it has come; only a leader is told.
  [[nodiscard]] Slot progress_of(NodeId peer) const { return peers_[*membership_.index_of(peer)].chosen_through; }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(standing_, leader_, candidate_, leader_ballot_, has_heard_, is_heard_, is_suspected_);
    archive(may_lead_, is_polling_, nonce_, supporters_, led_);
    archive(round_, is_round_wanted_, peers_, is_handing_over_);
  }

 private:
  struct Peer {
    Time heard_at;
    std::uint64_t round = 0;
    Slot chosen_through;

    template <class Archive>
    void image(Archive& archive) {
      archive(round, chosen_through);
    }
  };

  /// When leadership may be offered to a member again.
  struct Offer {
    Duration pause{};
    Time not_before{};
  };

  [[nodiscard]] Duration some_timeout() {
    return random_.between(config_.election_timeout, 2 * config_.election_timeout);
  }

  void follow(NodeId leader, const Ballot& ballot, Time now) {
    if (standing_ != Standing::follower || leader != leader_) {
      following_since_ = now;
      is_heard_ = true;
    }
    // Whoever led this long may be handed to again without a pause.
    if (leader != NodeId{} && now - following_since_ >= 10 * config_.election_timeout)
      offers_[*membership_.index_of(leader)] = Offer{};
    standing_ = Standing::follower;
    leader_ = leader;
    leader_ballot_ = ballot;
    candidate_ = leader;
    led_ = {};
    last_heard_ = now;
    has_heard_ = true;
    is_suspected_ = false;
    deadline_ = now + some_timeout();
  }

  /// No, while there is a leader, or a candidate that was promised; unless it is that very node that asks.
  [[nodiscard]] bool would_support(NodeId from, Time now) const {
    if (standing_ == Standing::leader) return false;
    if (standing_ == Standing::candidate && !is_polling_) return false;
    const Duration patience = is_suspected_ ? 2 * config_.heartbeat_interval : config_.election_timeout;
    return !has_heard_ || now - last_heard_ >= patience || from == candidate_;
  }

  [[nodiscard]] Advice poll(Time now, Slot chosen_through) {
    standing_ = Standing::candidate;
    leader_ = NodeId{};
    is_polling_ = true;
    nonce_ = random_();
    supporters_ = {};
    supporters_.insert(self_);
    led_ = {};
    deadline_ = now + random_.between(2 * config_.heartbeat_interval, config_.election_timeout);
    for (const NodeId node : membership_.ids())
      if (node != config_.id) net_.send(node, PreVote{nonce_, chosen_through});
    return outcome();
  }

  /// Of the poll, so far.
  [[nodiscard]] Advice outcome() const {
    return may_lead_ && membership_.is_quorum(supporters_) ? Advice::stand : Advice::none;
  }

  /// Whether a quorum answered within the last election timeout: without one nothing can be chosen, and a node that
  /// can reach a quorum should take over.
  [[nodiscard]] bool has_quorum(Time now) const {
    Votes heard;
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (i == self_ || is_hearing(peers_[i], now)) heard.insert(i);
    return membership_.is_quorum(heard);
  }

  [[nodiscard]] bool is_hearing(const Peer& peer, Time now) const {
    return now - peer.heard_at < config_.election_timeout;
  }

  /// Offers leadership to the best caught-up member of higher priority: by priority, then by id. One that was offered
  /// it and did not keep it has to wait, each time twice as long: it may be one that only this node can reach.
  void consider_hand_over(Time now, Slot chosen_through) {
    if (now < hand_over_after_) return;
    const Member* best = nullptr;
    int own_priority = 0;
    for (const Member& member : config_.members)
      if (member.id == config_.id) own_priority = member.priority;
    for (const Member& member : config_.members) {
      const std::size_t index = *membership_.index_of(member.id);
      const Peer& peer = peers_[index];
      if (now < offers_[index].not_before || member.priority <= own_priority ||
          now - peer.heard_at > 2 * config_.heartbeat_interval)
        continue;
      if (slots_between(peer.chosen_through, chosen_through) > config_.window_slots) continue;
      if (best == nullptr || std::pair{member.priority, member.id} > std::pair{best->priority, best->id})
        best = &member;
    }
    if (best == nullptr) return;
    is_handing_over_ = true;
    hand_over_until_ = now + config_.election_timeout;
    hand_over_after_ = now + 10 * config_.election_timeout;
    Offer& offer = offers_[*membership_.index_of(best->id)];
    const Duration shortest = 10 * config_.election_timeout;
    offer.pause = std::max(shortest, std::min<Duration>(2 * offer.pause, std::chrono::minutes{10}));
    offer.not_before = now + offer.pause;
    net_.send(best->id, HandOver{leader_ballot_});
  }

  const Config& config_;
  Membership membership_;
  Net& net_;
  Random random_;
  std::size_t self_ = 0;

  Standing standing_ = Standing::follower;
  NodeId leader_;
  NodeId candidate_;      ///< the leader, or who was promised last
  Ballot leader_ballot_;  ///< of the newest leader or candidate heard of
  Time following_since_;
  Time last_heard_;  ///< valid if has_heard_
  bool has_heard_ = false;
  bool is_heard_ = true;       ///< by the leader, as far as it told
  bool is_suspected_ = false;  ///< the connection to the leader broke, and it was not heard since
  Time deadline_;

  // Candidate.
  bool may_lead_ = true;  ///< as the last tick told
  bool is_polling_ = false;
  std::uint64_t nonce_ = 0;
  Votes supporters_;
  Votes led_;  ///< who answered the poll that they follow a leader

  // Leader.
  Time next_heartbeat_;
  std::uint64_t round_ = 0;  ///< rises for the life of the node
  bool is_round_wanted_ = false;
  std::vector<Peer> peers_;
  std::vector<Offer> offers_;  ///< kept from reign to reign
  bool is_handing_over_ = false;
  Time hand_over_until_;
  Time hand_over_after_;
};

}  // namespace paxos
