// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/time.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/policy/transport.hpp>
#include <paxos/replica/ballot_book.hpp>
#include <paxos/replica/disk_watch.hpp>
#include <paxos/replica/node_status.hpp>
#include <paxos/replica/outbox.hpp>
#include <paxos/replica/reader.hpp>
#include <paxos/replica/reign_watch.hpp>
#include <paxos/replica/replicated_state.hpp>
#include <paxos/replica/submitter.hpp>
#include <paxos/role/acceptor.hpp>
#include <paxos/role/catch_up.hpp>
#include <paxos/role/leader_election.hpp>
#include <paxos/role/learner.hpp>
#include <paxos/role/proposer.hpp>

namespace paxos {

/// One node, without I/O: introduces the five roles to each other and decides nothing itself.
///
/// Whoever runs it hands over messages (on_message), finished flushes (on_flushed) and the time (on_tick), and calls
/// end_turn() after each bunch of those: only then are commands proposed. Messages leave through Net, writes through
/// Store; when wants_flush() says so, Store::flush() is due. Not thread-safe: one caller at a time. After it threw
/// InvariantViolation only stop(), status() and the take_ calls may follow.
template <StateMachine Machine, Transport Net, Storage Store, Observer Obs = NullObserver>
class Replica {
 public:
  /// What no two lives of any node share.
  struct Life {
    std::uint64_t seed = 0;  ///< of timeouts and nonces
    SessionId session;       ///< of the commands that are submitted without an id of their own
  };

  /// Recovers and replays the log. When that cannot be read: std::runtime_error; without exceptions it is stopped.
  Replica(const Config& config, Net& net, Store& store, Obs& observer, const Life& life, Time now)
      : config_(config),
        store_(store),
        observer_(observer),
        outbox_(config_.id, net, config_.pending_bytes_max),
        acceptor_(config_, outbox_, store_),
        proposer_(config_, outbox_),
        learner_(config_, store_),
        election_(config_, outbox_, life.seed),
        catch_up_(config_, outbox_, store_),
        submitter_(config_, outbox_, life.session),
        reader_(config_, outbox_, life.seed),
        state_(config_) {
    config_.validate();
    recover();
    election_.start(now);
  }
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// A message arrived. Malformed and foreign ones are dropped and reported.
  void on_message(NodeId from, const Message& message, Time now) {
    if (!failure_.ok()) return;
    if (!membership_.contains(from)) return observer_.on_dropped(from, "the sender is no member");
    if (!is_well_formed(message)) return observer_.on_dropped(from, "it names a slot that no log reaches");
    deliver(from, message, now);
    settle(now);
  }

  /// A flush ended. After any failure but a full disk nothing is sent, confirmed or accepted any more.
  void on_flushed(const Status& status, Time now) {
    if (!failure_.ok()) return;
    disk_.on_flushed(status);
    if (status.ok()) {
      outbox_.on_durable(store_.durable());
      return settle(now);
    }
    observer_.on_disk_error(status);
    if (disk_.is_full()) return;
    fail(status, Errc::storage_failed);
  }

  /// Time passed. Wants to be called about every heartbeat_interval / 4.
  void on_tick(Time now) {
    if (!failure_.ok()) return;
    follow_advice(election_.on_tick(now, learner_.chosen_through(), !disk_.is_stalled(outbox_.is_waiting(), now)), now);
    watch_reign(now);
    proposer_.on_tick(now);
    submitter_.on_tick(now, to_proposer(), election_.ways());
    reader_.on_tick(now);
    settle(now);
  }

  /// The way to a peer broke: a hint that it may be gone, never needed for anything.
  void on_peer_down(NodeId peer, Time now) { election_.on_unreachable(peer, now); }

  /// Submits an encoded command under the node's own session. Its answer comes out of take_answers() under the id.
  [[nodiscard]] std::optional<Errc> submit(Bytes payload, Time now, RequestId& id) {
    if (const auto refused = unfit()) return refused;
    return submitter_.submit(std::move(payload), state_.applied(), now, id);
  }
  /// Submits a command that names its session and sequence: a client's, or a retry.
  [[nodiscard]] std::optional<Errc> submit(Command command, Time now) {
    if (const auto refused = unfit()) return refused;
    return submitter_.submit(std::move(command), now);
  }

  /// Asks for a linearizable read. `id` comes out of take_reads() when state() may be read for it.
  [[nodiscard]] std::optional<Errc> read(ReadId id, Time now) {
    if (!failure_.ok()) return Errc::stopped;
    if (!reader_.read(id, now)) return Errc::overloaded;
    return std::nullopt;
  }

  /// Stands for election now, without a poll: somebody asks this node to lead. It deposes whoever leads.
  void stand(Time now) {
    if (!failure_.ok()) return;
    follow_advice(Advice::stand, now);
  }

  /// Proposes, announces, asks: what is best done once for many events.
  void end_turn(Time now) {
    if (!failure_.ok()) return;
    hand_over_commands(now);
    proposer_.propose(now, !election_.is_handing_over(now));
    settle(now);
    reader_.end_turn(view(), now, [this] { return election_.request_round(); });
    election_.end_turn(now, proposer_.is_leading() ? proposer_.decided() : Slot{});
    // A node alone has its quorum as soon as the round began; no answer will come to end another turn.
    if (membership_.size() == 1) reader_.end_turn(view(), now, [this] { return election_.request_round(); });
    learner_.log_chosen();
    catch_up_.end_turn(learner_.chosen_through(), election_.leader(), is_congested(), now);
  }

  /// Whether a flush is due: something waits for it, what nobody waits for has become much (a node that catches up
  /// writes and answers nothing), or the disk was full and may have space again.
  [[nodiscard]] bool wants_flush() const {
    return failure_.ok() && (outbox_.is_waiting() || disk_.is_full() || store_.backlog() > config_.catch_up_bytes_max);
  }

  /// The commands submitted here that are over, since the last call.
  [[nodiscard]] std::vector<Answer> take_answers() { return submitter_.take_finished(); }
  /// The reads that are over, since the last call.
  [[nodiscard]] std::vector<ReadyRead> take_reads() { return reader_.take_ready(); }

  /// Fails everything that waits: the node is about to go.
  void stop() {
    if (failure_.ok()) fail(Status{make_error_code(Errc::stopped), "the node was stopped"}, Errc::interrupted);
  }

  /// The machine, its sessions, and how far it is.
  [[nodiscard]] const ReplicatedState<Machine>& state() const { return state_; }
  /// As of now; `id` and `leader` included.
  [[nodiscard]] NodeStatus status() const {
    return NodeStatus{config_.id,
                      election_.standing(),
                      election_.leader(),
                      election_.leader_ballot(),
                      acceptor_.promised(),
                      learner_.chosen_through(),
                      state_.applied(),
                      disk_.is_full(),
                      failure_};
  }

  /// Its image: all that decides what it does next, but for times, random numbers, and what it was constructed with.
  /// sim::Explorer takes replicas apart with it, between turns, and puts them together again. A failed one has none.
  template <class Archive>
  void image(Archive& archive) {
    archive(outbox_, acceptor_, proposer_, learner_, state_, ballots_);
    archive(election_, catch_up_, submitter_, reader_, disk_);
  }

 private:
  using Box = Outbox<Net>;
  using Advice = typename LeaderElection<Box>::Advice;

  void recover() {
    const Recovered recovered = store_.recover();
    acceptor_.restore(recovered);
    learner_.restore(recovered);
    ballots_.see(recovered.promised);
    const Status replayed = state_.replay(recovered.chosen_through, [this](Slot slot) { return store_.read(slot); });
    if (!replayed.ok()) fail(replayed, Errc::storage_failed);
  }

  void fail(const Status& why, Errc what_left) {
    failure_ = why;
    submitter_.fail_all(what_left, Errc::stopped);
    reader_.fail_all();
  }

  void deliver(NodeId from, const Message& message, Time now) {
    message.visit([&](const auto& body) { handle(from, body, now); });
  }

  /// Learns what became chosen and handles what the roles said to their own node, until nothing is left.
  void settle(Time now) {
    for (Message message;; deliver(config_.id, message, now)) {
      for (auto& [slot, value] : proposer_.take_chosen()) learn(slot, std::move(value));
      if (!outbox_.take_to_self(message)) break;
    }
    report_standing();
  }

  // Phase 1.

  void handle(NodeId from, const Prepare& prepare, Time now) {
    if (!is_owned(from, prepare.ballot, now) || is_congested()) return;
    const Ballot before = acceptor_.promised();
    acceptor_.on_prepare(from, prepare);
    if (from == config_.id || prepare.ballot < acceptor_.promised()) return;
    if (acceptor_.promised() > before) {
      observer_.on_promised(acceptor_.promised());
      proposer_.stand_down();
    }
    election_.on_promised(from, prepare.ballot, now);
  }

  void handle(NodeId from, const Promise& promise, Time now) {
    const bool was_leading = proposer_.is_leading();
    if (proposer_.on_promise(from, promise, now)) election_.on_promise_heard(now);
    catch_up_.on_progress(from, promise.chosen_through, now);
    if (proposer_.is_leading() && !was_leading) election_.on_leading(proposer_.ballot(), now);
  }

  // Phase 2.

  void handle(NodeId from, const Accept& accept, Time now) {
    if (!is_owned(from, accept.ballot, now) || is_congested()) return;
    const Ballot before = acceptor_.promised();
    acceptor_.on_accept(from, accept);
    if (acceptor_.promised() > before) observer_.on_promised(acceptor_.promised());
    if (accept.ballot < acceptor_.promised()) return;
    hear_leader(from, accept.ballot, now);
    learn_through(from, accept.ballot, accept.chosen_through, now);
  }

  void handle(NodeId from, const Accepted& accepted, Time) { proposer_.on_accepted(from, accepted); }
  void handle(NodeId from, const Nack& nack, Time now) {
    if (!ballots_.hear(from, nack.promised, now)) return;
    if (proposer_.phase() == Proposer<Box>::Phase::idle || nack.promised <= proposer_.ballot()) return;
    follow_advice(Advice::resign, now);
  }

  void handle(NodeId from, const Chosen& chosen, Time now) {
    if (!is_owned(from, chosen.ballot, now)) return;
    if (chosen.ballot >= acceptor_.promised()) hear_leader(from, chosen.ballot, now);
    learn_through(from, chosen.ballot, chosen.through, now);
  }

  // Leadership.

  void handle(NodeId from, const Heartbeat& heartbeat, Time now) {
    if (!is_owned(from, heartbeat.ballot, now)) return;
    if (heartbeat.ballot < acceptor_.promised()) return acceptor_.refuse(from);
    hear_leader(from, heartbeat.ballot, now);
    election_.on_told(from, heartbeat.is_heard);
    learn_through(from, heartbeat.ballot, heartbeat.chosen_through, now);
    outbox_.send(from, HeartbeatAck{heartbeat.ballot, heartbeat.round, learner_.chosen_through()});
  }

  void handle(NodeId from, const HeartbeatAck& ack, Time now) {
    election_.on_heartbeat_ack(from, ack, now);
    catch_up_.on_progress(from, ack.chosen_through, now);
  }

  void handle(NodeId from, const PreVote& poll, Time now) {
    catch_up_.on_progress(from, poll.chosen_through, now);
    election_.on_pre_vote(from, poll, ballots_.highest(), learner_.chosen_through(), now);
  }

  void handle(NodeId from, const PreVoteReply& reply, Time now) {
    (void)ballots_.hear(from, reply.promised, now);  // believed or not, the rest is a hint, and good for all that
    catch_up_.on_progress(from, reply.chosen_through, now);
    follow_advice(election_.on_pre_vote_reply(from, reply), now);
  }

  void handle(NodeId from, const HandOver& offer, Time now) { follow_advice(election_.on_hand_over(from, offer), now); }

  // Catching up.
  void handle(NodeId from, const CatchUpRequest& request, Time now) {
    learner_.log_chosen();
    catch_up_.on_request(from, request, learner_.chosen_through());
    if (request.first_slot > Slot{}) catch_up_.on_progress(from, request.first_slot.previous(), now);
  }

  void handle(NodeId from, const CatchUpReply& reply, Time now) {
    Slot slot = reply.first_slot;
    for (const Value& value : reply.values) {
      if (slot > reply.chosen_through || slot == Slot::infinity()) break;
      learn(slot, value);
      slot = slot.next();
    }
    catch_up_.on_reply(from, reply, now);
  }

  // Commands and reads.

  void handle(NodeId from, const Forward& forward, Time) {
    if (proposer_.submit(forward.command)) return;
    if (const NodeId leader = election_.leader_in_reach(); !forward.is_relayed && leader != NodeId{} && leader != from)
      return outbox_.send(leader, Forward{forward.command, true});
    const Errc why = proposer_.is_leading() ? Errc::overloaded : Errc::no_leader;
    outbox_.send(from, ForwardReply{forward.command.id, static_cast<std::uint32_t>(why), state_.applied(), {}});
  }

  void handle(NodeId, const ForwardReply& reply, Time now) { submitter_.on_refused(reply.id, now); }
  void handle(NodeId from, const ReadIndex& request, Time) { reader_.on_read_index(from, request); }
  void handle(NodeId, const ReadIndexReply& reply, Time now) { reader_.on_read_index_reply(reply, now); }

  // What the handlers share.

  void follow_advice(Advice advice, Time now) {
    if (advice == Advice::resign) {
      proposer_.stand_down();
      election_.on_stood_down(now);
    } else if (advice == Advice::stand) {
      const Ballot ballot = ballots_.highest().above(config_.id);
      ballots_.see(ballot);
      const WriteTicket claimed = acceptor_.claim(ballot);
      observer_.on_promised(ballot);
      election_.on_standing(ballot, now);
      proposer_.prepare(ballot, learner_.chosen_through().next(), claimed, now);
    }
  }

  void watch_reign(Time now) {
    using Verdict = ReignWatch::Verdict;
    if (!proposer_.is_leading()) return reign_watch_.reset();
    switch (reign_watch_.judge(proposer_.decided(), learner_.chosen_through(), proposer_.has_in_flight(), now)) {
      case Verdict::well: break;
      case Verdict::wedged: follow_advice(Advice::stand, now); break;
      case Verdict::stalled: follow_advice(Advice::resign, now); break;
    }
  }

  void hear_leader(NodeId from, const Ballot& ballot, Time now) {
    if (from == config_.id) return;
    if (proposer_.phase() != Proposer<Box>::Phase::idle && proposer_.ballot() < ballot) proposer_.stand_down();
    election_.on_leader_heard(from, ballot, now);
  }

  /// Invariant 8: `Chosen` gives a value only to who accepted the slot at that very ballot.
  void learn_through(NodeId from, const Ballot& ballot, Slot through, Time now) {
    const Slot last = std::min(through, acceptor_.last_vote());
    for (Slot slot = learner_.chosen_through().next(); slot <= last; slot = slot.next()) {
      const auto* vote = acceptor_.vote(slot);
      if (vote != nullptr && vote->ballot == ballot) learn(slot, Value{vote->value});
    }
    catch_up_.on_progress(from, through, now);
  }

  void learn(Slot slot, Value value) {
    if (!learner_.learn(slot, std::move(value))) return;
    const auto is_held = [this](Slot next, const Value& chosen) {
      const auto* vote = acceptor_.vote(next);
      return vote != nullptr && vote->value == chosen;
    };
    while (learner_.deliver_next(is_held, [this](Slot next, const Value& chosen) { apply(next, chosen); })) {
    }
    acceptor_.forget_through(learner_.chosen_through());
  }

  void apply(Slot slot, const Value& value) {
    observer_.on_chosen(slot, value.size());
    state_.apply(slot, value, answers_);
    for (const Answer& answer : answers_) submitter_.on_answer(answer);
    answers_.clear();
  }

  void hand_over_commands(Time now) {
    const Reign reign{election_.leader(), election_.leader_ballot(), proposer_.is_leading()};
    if (submitter_.end_turn(reign, election_.ways(), now, to_proposer()) && reign.leader != NodeId{})
      observer_.on_leader(reign.leader, reign.ballot);
  }

  [[nodiscard]] std::optional<Errc> unfit() const {
    if (!failure_.ok()) return Errc::stopped;
    return disk_.is_full() ? std::optional{Errc::storage_full} : std::nullopt;
  }

  [[nodiscard]] auto to_proposer() {
    return [this](const Command& command) { return proposer_.submit(command); };
  }

  [[nodiscard]] typename Reader<Box>::View view() const {
    const bool is_leading = proposer_.is_leading();
    // A leader may have fetched slots that it has not counted the votes for: what it knows as chosen, others may have
    // acknowledged.
    const Slot chosen = std::max(proposer_.decided(), learner_.chosen_through());
    return {election_.leader(),
            proposer_.ballot(),
            is_leading,
            is_leading && state_.applied() >= proposer_.opening_slot(),
            chosen,
            election_.confirmed_round(),
            state_.applied(),
            election_.ways()};
  }

  void report_standing() {
    if (election_.standing() == reported_standing_) return;
    reported_standing_ = election_.standing();
    observer_.on_standing(reported_standing_, election_.leader_ballot());
  }

  [[nodiscard]] bool is_owned(NodeId from, const Ballot& ballot, Time now) {
    if (ballots_.hear_from(from, ballot, now)) return true;
    observer_.on_dropped(from, "the ballot is not the sender's, or out of reach");
    return false;
  }

  /// More waits for the disk than Config::pending_bytes_max: what would add to it is dropped, and comes again.
  [[nodiscard]] bool is_congested() const { return store_.backlog() > config_.pending_bytes_max; }

  const Config config_;
  Store& store_;
  Obs& observer_;
  const Membership membership_{config_.members};
  Box outbox_;
  Acceptor<Box, Store> acceptor_;
  Proposer<Box> proposer_;
  Learner<Store> learner_;
  LeaderElection<Box> election_;
  CatchUp<Box, Store> catch_up_;
  Submitter<Box> submitter_;
  Reader<Box> reader_;
  ReplicatedState<Machine> state_;
  BallotBook ballots_{config_};
  DiskWatch disk_{config_.disk_stall_timeout};
  ReignWatch reign_watch_{2 * config_.election_timeout, config_.disk_stall_timeout};
  Standing reported_standing_ = Standing::follower;
  std::vector<Answer> answers_;
  Status failure_;
};

}  // namespace paxos
