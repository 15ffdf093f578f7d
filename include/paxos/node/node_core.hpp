// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/node/unique_function.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/replica.hpp>
#include <paxos/storage/group_commit.hpp>
#include <paxos/transport/node_transport.hpp>

namespace paxos::detail {

/// What a Node is behind its handle: one Replica, its storage, its transport and its timer on one serial executor.
///
/// A turn handles what is ready, then sends once to each peer and starts at most one flush, then answers. Everything
/// but push() and status() happens on the executor. Lives as long as a handler of its own does.
template <StateMachine Machine, Observer Obs, class Store, NodeTransport Net>
class NodeCore : public std::enable_shared_from_this<NodeCore<Machine, Obs, Store, Net>> {
 public:
  using OnAnswer = UniqueFunction<void(std::error_code, const Bytes&)>;
  using OnRead = UniqueFunction<void(std::error_code, const Machine*)>;

  /// A request from outside the executor.
  struct Proposal {
    std::optional<RequestId> id;  ///< nullopt: under the node's own session
    Bytes payload;
    OnAnswer on_answer;
  };
  struct Read {
    OnRead on_read;
  };
  using Request = std::variant<Proposal, Read>;

  /// Opens the storage, listens, and replays the log; nothing is sent before start().
  NodeCore(asio::any_io_executor executor, Config config, Obs observer)
      : executor_(std::move(executor)),
        config_(validated(std::move(config))),
        observer_(std::move(observer)),
        store_(config_),
        net_(executor_, config_, store_.incarnation(), events(), typename Net::Options{}),
        outgoing_{net_},
        replica_(config_, outgoing_, store_, observer_, new_life(), std::chrono::steady_clock::now()),
        timer_(executor_),
        flusher_(store_, [this](Status status) { on_flushed(std::move(status)); }) {
    status_ = replica_.status();
  }

  void start() {
    asio::post(executor_, [self = this->shared_from_this()] {
      if (self->is_stopped_) return;
      self->net_.start();
      self->tick();
    });
  }

  /// Hands a request over; callable from any thread. Many pushes cost one wake-up.
  void push(Request request) {
    bool is_first = false;
    {
      const std::lock_guard lock{inbox_mutex_};
      is_first = inbox_.empty();
      inbox_.push_back(std::move(request));
    }
    if (is_first) asio::post(executor_, [self = this->shared_from_this()] { self->drain(); });
  }

  /// Fails what waits and ends all traffic, on the executor. What was appended is flushed.
  void stop() {
    if (std::exchange(is_stopped_, true)) return;
    timer_.cancel();
    net_.stop();
    replica_.stop();
    answer();
    drain();
    publish();
  }

  [[nodiscard]] NodeStatus status() const {
    const std::lock_guard lock{status_mutex_};
    return status_;
  }
  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] std::uint16_t port() const { return net_.port(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// The transport as the roles see it.
  struct Outgoing {
    Net& net;
    void send(NodeId to, Message message) { net.send(to, std::move(message)); }
  };

  static Config validated(Config config) {
    config.validate();
    return config;
  }

  [[nodiscard]] typename Replica<Machine, Outgoing, Store, Obs>::Life new_life() const {
    std::random_device entropy;
    const auto draw = [&] { return (std::uint64_t{entropy()} << 32) | entropy(); };
    return {draw(), SessionId{draw(), draw()}};
  }

  TransportEvents events() {
    TransportEvents events;
    events.on_message = [this](NodeId from, Message&& message) {
      run([&] { replica_.on_message(from, message, Clock::now()); });
    };
    events.on_client_message = [this](ClientId client, Message&& message) { on_client(client, message); };
    events.on_peer_up = [this](NodeId peer) { observer_.on_peer_up(peer); };
    events.on_peer_down = [this](NodeId peer, std::string_view why) { observer_.on_peer_down(peer, why); };
    events.on_dropped = [this](NodeId peer, std::string_view why) { observer_.on_dropped(peer, why); };
    events.on_refused = [this](std::string_view what) { observer_.on_refused(what); };
    return events;
  }

  /// Does one thing of a turn, and sees to it that the turn ends. A broken invariant ends the node, not the process.
  template <class F>
  void run(F&& event) {
    if (is_stopped_) return;
    try {
      event();
    } catch (const std::exception& error) {
      return fail(error.what());
    }
    schedule_end_of_turn();
  }

  /// What is ready by now is handled before the turn ends: Asio runs what was posted later, later.
  void schedule_end_of_turn() {
    if (std::exchange(is_turn_ending_, true)) return;
    asio::post(executor_, [self = this->shared_from_this()] { self->end_turn(); });
  }

  void end_turn() {
    is_turn_ending_ = false;
    if (is_stopped_) return;
    try {
      replica_.end_turn(Clock::now());
    } catch (const std::exception& error) {
      return fail(error.what());
    }
    net_.end_turn();
    if (replica_.wants_flush()) flusher_.request();
    publish();
    answer();
  }

  void fail(const std::string& why) {
    {
      const std::lock_guard lock{status_mutex_};
      status_.failure = Status{make_error_code(Errc::interrupted), why};
    }
    observer_.on_stopped(status().failure);
    stop();
  }

  void tick() {
    timer_.expires_after(config_.heartbeat_interval / 4);
    timer_.async_wait([self = this->shared_from_this()](std::error_code error) {
      if (error || self->is_stopped_) return;
      self->run([&] { self->replica_.on_tick(Clock::now()); });
      self->tick();
    });
  }

  /// From the flusher's thread.
  void on_flushed(Status status) {
    asio::post(executor_, [weak = this->weak_from_this(), status = std::move(status)] {
      const auto self = weak.lock();
      if (!self || self->is_stopped_) return;
      self->run([&] { self->replica_.on_flushed(status, Clock::now()); });
      if (!status.ok() && status.code != Errc::storage_full) self->fail(status.text);
    });
  }

  void drain() {
    std::vector<Request> requests;
    {
      const std::lock_guard lock{inbox_mutex_};
      requests.swap(inbox_);
    }
    for (Request& request : requests) std::visit([&](auto& what) { take_on(what); }, request);
    if (!requests.empty() && !is_stopped_) schedule_end_of_turn();
  }

  void take_on(Proposal& proposal) {
    const auto now = Clock::now();
    RequestId id;
    std::optional<Errc> refused;
    if (is_stopped_) {
      refused = Errc::stopped;
    } else if (proposal.id) {
      id = *proposal.id;
      refused = replica_.submit(Command{id, id.sequence, replica_.state().applied(), std::move(proposal.payload)}, now);
    } else {
      refused = replica_.submit(std::move(proposal.payload), now, id);
    }
    if (refused) return proposal.on_answer(make_error_code(*refused), Bytes{});
    waiting_.emplace(id, std::move(proposal.on_answer));
  }

  void take_on(Read& read) {
    const ReadId id = ++last_read_;
    const auto refused = is_stopped_ ? std::optional{Errc::stopped} : replica_.read(id, Clock::now());
    if (refused) return read.on_read(make_error_code(*refused), nullptr);
    reading_.emplace(id, std::move(read.on_read));
  }

  /// Remote clients submit, and ask how far this node has come (Command::issued_after wants to know).
  void on_client(ClientId client, const Message& message) {
    if (is_stopped_) return;
    if (const auto* where = std::get_if<ReadIndex>(&message)) {
      net_.send_to_client(client, ReadIndexReply{where->nonce, true, replica_.state().applied()});
    } else if (const auto* forward = std::get_if<Forward>(&message)) {
      const RequestId id = forward->command.id;
      const auto reply = [this, client, id](std::error_code error, const Bytes& result) {
        net_.send_to_client(
            client, ForwardReply{id, static_cast<std::uint32_t>(error.value()), replica_.state().applied(), result});
      };
      if (const auto refused = replica_.submit(forward->command, Clock::now())) {
        reply(make_error_code(*refused), Bytes{});
      } else {
        waiting_.emplace(id, reply);
      }
    }
    schedule_end_of_turn();
  }

  /// Calls whoever waited for what is over. A handler may call the node, or let go of it.
  void answer() {
    bool has_replied = false;
    for (const Answer& over : replica_.take_answers()) {
      const auto error = over.error ? make_error_code(*over.error) : std::error_code{};
      for (auto found = waiting_.find(over.id); found != waiting_.end(); found = waiting_.find(over.id)) {
        auto on_answer = std::move(found->second);
        waiting_.erase(found);
        call(on_answer, error, over.result);
        has_replied = true;
      }
    }
    for (const ReadyRead& over : replica_.take_reads()) {
      const auto found = reading_.find(over.id);
      if (found == reading_.end()) continue;
      auto on_read = std::move(found->second);
      reading_.erase(found);
      const Errc why = is_stopped_ ? Errc::stopped : Errc::read_timed_out;
      call(on_read, over.is_confirmed ? std::error_code{} : make_error_code(why),
           over.is_confirmed ? &replica_.state().machine() : nullptr);
    }
    if (has_replied && !is_stopped_) net_.end_turn();
  }

  /// A handler that throws ends the node, and says so: it must not be lost, and nobody else is there to catch it.
  template <class Handler, class... Args>
  void call(Handler& handler, const Args&... args) {
    try {
      handler(args...);
    } catch (const std::exception& error) {
      if (!is_stopped_) fail(std::string{"a completion handler or a read function threw: "} + error.what());
    }
  }

  void publish() {
    NodeStatus now = replica_.status();
    const std::lock_guard lock{status_mutex_};
    if (!status_.failure.ok()) now.failure = std::move(status_.failure);
    status_ = std::move(now);
  }

  asio::any_io_executor executor_;
  const Config config_;
  Obs observer_;
  Store store_;
  Net net_;
  Outgoing outgoing_;
  Replica<Machine, Outgoing, Store, Obs> replica_;
  asio::steady_timer timer_;
  bool is_turn_ending_ = false;
  bool is_stopped_ = false;
  std::unordered_multimap<RequestId, OnAnswer> waiting_;
  std::unordered_map<ReadId, OnRead> reading_;
  ReadId last_read_ = 0;

  std::mutex inbox_mutex_;
  std::vector<Request> inbox_;
  mutable std::mutex status_mutex_;
  NodeStatus status_;

  GroupCommit<Store> flusher_;  ///< last: its thread ends before anything that it touches
};

}  // namespace paxos::detail
