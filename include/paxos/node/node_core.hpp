// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <asio/any_io_executor.hpp>
#include <asio/post.hpp>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <paxos/core/config.hpp>
#include <paxos/detail/platform.hpp>
#include <paxos/node/executor.hpp>
#include <paxos/node/inbox.hpp>
#include <paxos/node/request.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/replica.hpp>
#include <paxos/storage/group_commit.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/node_transport.hpp>

namespace paxos::detail {

/// A node's transport as its roles see it.
template <NodeTransport Net>
struct Sender {
  Net& net;
  void send(NodeId to, Message message) { net.send(to, std::move(message)); }
};

/// What a Node is behind its handle: one Replica, its storage, its transport and its timer on one serial executor.
///
/// A turn handles what is ready, then sends once to each peer and starts at most one flush, then answers. push(),
/// close(), abandon(), wait_until_stopped() and status() may be called on any thread; everything else happens on the
/// executor. Lives as long as a handler of its own does. An exception, whoever's, ends the node and not the process.
template <StateMachine Machine, Observer Obs, NodeStorage Store, NodeTransport Net>
class NodeCore : public std::enable_shared_from_this<NodeCore<Machine, Obs, Store, Net>> {
  static_assert(
      RemembersPeers<Store> || !(
                                   requires { &Store::refusal_of_peer; } || requires { &Store::mark_outdated; }),
      "RemembersPeers: refusal_of_peer(NodeId, const StoreLife&) must return Refusal, and mark_outdated(NodeId) "
      "must be there too; with one of them missing or of another form neither would be called");

 public:
  using Request = detail::Request<Machine>;

  /// Opens the storage, listens, and replays the log; nothing is sent before start().
  NodeCore(asio::any_io_executor executor, Config config, Obs observer, typename Net::Options net_options)
      : executor_(std::move(executor)),
        config_(validated(std::move(config))),
        observer_(std::move(observer)),
        budget_(config_.pending_bytes_max),
        store_(config_),
        net_(executor_, config_, store_.life(), events(), std::move(net_options)),
        sender_{net_},
        replica_(config_, sender_, store_, observer_, new_life(), Clock::now()),
        alarm_(executor_) {
    status_ = replica_.status();
    flusher_.emplace(store_, [this](Status status) { flushed(std::move(status)); });
  }
  /// A clean restart forgets nothing: what nobody waited for is flushed as well.
  ~NodeCore() {
    flusher_.reset();
    if (!has_failed_) quietly([&] { static_cast<void>(store_.flush()); });
  }

  void start() { post(&NodeCore::open); }

  /// Hands a request over. Many pushes cost one wake-up. Its handler is never called from in here.
  void push(Request request) {
    if (const auto refused = admit(request)) return refuse(std::move(request), *refused);
    switch (inbox_.put(request)) {
      case Inbox<Request>::Put::first: return post(&NodeCore::drain);
      case Inbox<Request>::Put::closed: return refuse(std::move(request), Errc::stopped);
      case Inbox<Request>::Put::queued:
      case Inbox<Request>::Put::gone: return;
    }
  }

  /// Takes no more requests and soon stops. The executor's context is not used by other threads after this.
  void close() {
    inbox_.close();
    {
      const std::lock_guard lock{flushed_mutex_};
      if (std::exchange(is_closed_, true)) return;
    }
    post(&NodeCore::stop);
  }
  /// Drops requests that still come, handlers and all, so that one who asks again whatever the answer is ends at last.
  void abandon() { inbox_.abandon(); }
  void wait_until_stopped() const {
    std::unique_lock lock{status_mutex_};
    while (!is_over_) over_.wait(lock);
  }

  /// Ends the node because of the exception that is being handled.
  void fail_by_exception(const char* where) noexcept {
    quietly([&] { fail(Status{Errc::interrupted, where + text_of_current_exception()}); });
  }

  [[nodiscard]] NodeStatus status() const {
    const std::lock_guard lock{status_mutex_};
    return status_;
  }
  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] std::uint16_t port() const { return net_.port(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// More wait for the next turn, lest heartbeats wait for them.
  static constexpr std::size_t requests_per_turn = 4096;

  static Config validated(Config config) {
    config.validate();
    return config;
  }

  [[nodiscard]] typename Replica<Machine, Sender<Net>, Store, Obs>::Life new_life() const {
    return {entropy(), {entropy(), entropy()}};
  }

  TransportEvents events() {
    TransportEvents events;
    if constexpr (RemembersPeers<Store>)
      events.refusal_of_peer = [this](NodeId peer, const StoreLife& life) {
        return store_.refusal_of_peer(peer, life);
      };
    events.on_outdated = [this](NodeId peer, std::string_view why) { run([&] { stop_outdated(peer, why); }); };
    events.on_message = [this](NodeId from, Message&& message) {
      run([&] { replica_.on_message(from, message, Clock::now()); });
    };
    events.on_client_message = [this](ClientId client, Message&& message) { run([&] { on_client(client, message); }); };
    events.on_peer_up = [this](NodeId peer) { run([&] { observer_.on_peer_up(peer); }); };
    events.on_peer_down = [this](NodeId peer, std::string_view why) {
      run([&] {
        observer_.on_peer_down(peer, why);
        replica_.on_peer_down(peer, Clock::now());
      });
    };
    events.on_dropped = [this](NodeId peer, std::string_view why) { run([&] { observer_.on_dropped(peer, why); }); };
    events.on_refused = [this](std::string_view what) { run([&] { observer_.on_refused(what); }); };
    return events;
  }

  /// Posted every turn: allocates nothing of its own.
  struct Step {
    std::shared_ptr<NodeCore> core;
    void (NodeCore::*step)();
    void operator()() const {
      core->guarded([this] { ((*core).*step)(); });
    }
  };
  /// Does that on the executor later.
  void post(void (NodeCore::*step)()) { asio::post(executor_, Step{this->shared_from_this(), step}); }

  void open() {
    if (is_stopped_) return;
    net_.start();
    tick();
  }

  template <class F>
  void guarded(F&& work) noexcept try {
    work();
  } catch (...) {
    fail_by_exception("");
  }
  /// On the way out, when there is nobody left to tell.
  template <class F>
  static void quietly(F&& work) noexcept try {
    work();
  } catch (...) {
  }

  /// Does one thing of a turn, and sees to it that the turn ends.
  template <class F>
  void run(F&& event) noexcept {
    if (is_stopped_) return;
    guarded([&] {
      event();
      schedule_end_of_turn();
    });
  }

  /// What is ready by now is handled before the turn ends: Asio runs what was posted later, later.
  void schedule_end_of_turn() {
    if (is_stopped_ || std::exchange(is_turn_ending_, true)) return;
    post(&NodeCore::end_turn);
  }

  void end_turn() {
    is_turn_ending_ = false;
    if (is_stopped_) return;
    const auto now = Clock::now();
    replica_.end_turn(now);
    net_.end_turn();
    if (replica_.wants_flush() && now >= flush_not_before_) flusher_->request();
    publish();
    answer();
  }

  void tick() {
    alarm_.set(config_.heartbeat_interval / 4, [self = this->shared_from_this()] {
      if (self->is_stopped_) return;
      self->run([&] { self->replica_.on_tick(Clock::now()); });
      if (!self->is_stopped_) self->guarded([&] { self->tick(); });
    });
  }

  /// From the flusher's thread. The lock keeps the executor's context in use, or not, as close() says.
  void flushed(Status status) noexcept {
    quietly([&] {
      const std::lock_guard lock{flushed_mutex_};
      if (is_closed_) return;
      post_task(executor_, [weak = this->weak_from_this(), status = std::move(status)] {
        const auto self = weak.lock();
        if (self) self->run([&] { self->on_flushed(status); });
      });
    });
  }

  void on_flushed(const Status& status) {
    const bool is_full = status.code == Errc::storage_full;
    // A full disk answers at once. Asking it again at once would only keep it busy; a tick does.
    flush_not_before_ = is_full ? Clock::now() + config_.heartbeat_interval : Time{};
    replica_.on_flushed(status, Clock::now());
    if (!status.ok() && !is_full) fail(status);
  }

  /// This node's disk has forgotten votes that a later life of it cast: another word, or another start, could do harm.
  void stop_outdated(NodeId peer, std::string_view why) {
    Status status{Errc::storage_failed, "the data directory is outdated: " + std::string{why}};
    if constexpr (RemembersPeers<Store>) {
      try {
        store_.mark_outdated(peer);
      } catch (const std::exception& error) {
        status.text += ". That could not be noted, so do not start this node again: " + std::string{error.what()};
      }
    }
    fail(status);
  }

  /// Ends the node because it cannot go on.
  void fail(const Status& why) {
    if (is_stopped_) return;
    has_failed_ = true;
    {
      const std::lock_guard lock{status_mutex_};
      status_.failure = why;
    }
    quietly([&] { observer_.on_stopped(why); });
    stop();
  }

  /// Fails what waits and ends all traffic.
  void stop() noexcept {
    if (std::exchange(is_stopped_, true)) return;
    inbox_.close();
    quietly([&] { alarm_.cancel(); });
    quietly([&] { net_.stop(); });
    quietly([&] { replica_.stop(); });
    quietly([&] { answer(); });
    quietly([&] { drain(); });
    quietly([&] { publish(); });
    const std::lock_guard lock{status_mutex_};
    is_over_ = true;
    over_.notify_all();
  }

  /// What is too much is refused before it costs anything.
  [[nodiscard]] std::optional<Errc> admit(Request& request) {
    std::size_t bytes = request_overhead_bytes;
    if (const auto* proposal = get_if<Proposal>(&request)) {
      if (proposal->payload.size() > config_.command_bytes_max) return Errc::too_large;
      bytes += proposal->payload.size();
    }
    auto share = budget_.take(bytes);
    if (!share) return Errc::overloaded;
    request.visit([&](auto& what) { what.share = *std::move(share); });
    return std::nullopt;
  }

  void refuse(Request request, Errc why) {
    post_task(executor_, [self = this->shared_from_this(), request = std::move(request), why]() mutable {
      self->guarded([&] { request.visit([&](auto& what) { self->refuse_now(what, why); }); });
    });
  }
  void refuse_now(Proposal& proposal, Errc why) { call(proposal.on_answer, make_error_code(why), Bytes{}); }
  void refuse_now(Read<Machine>& read, Errc why) { call(read.on_read, make_error_code(why), nullptr); }

  /// Takes on what was pushed: as much as a turn may, or all of it once the node is stopped.
  void drain() {
    if (taken_.empty()) inbox_.take(taken_);
    std::size_t count = 0;
    for (; !taken_.empty() && (is_stopped_ || count < requests_per_turn); ++count) {
      Request request = std::move(taken_.front());
      taken_.pop_front();
      request.visit([&](auto& what) { take_on(what); });
      if (taken_.empty() && is_stopped_) inbox_.take(taken_);
    }
    if (!taken_.empty()) return post(&NodeCore::drain);
    if (count > 0) schedule_end_of_turn();
  }

  void take_on(Proposal& proposal) {
    if (is_stopped_) return refuse_now(proposal, Errc::stopped);
    RequestId id;
    std::optional<Errc> refused;
    if (proposal.id) {
      id = *proposal.id;
      refused = replica_.submit(Command{id, id.sequence, replica_.state().applied(), std::move(proposal.payload)},
                                Clock::now());
    } else {
      refused = replica_.submit(std::move(proposal.payload), Clock::now(), id);
    }
    if (refused) return refuse_now(proposal, *refused);
    waiting_.emplace(id, Waiter{std::move(proposal.on_answer), std::move(proposal.share), ClientId{}});
  }

  void take_on(Read<Machine>& read) {
    if (is_stopped_) return refuse_now(read, Errc::stopped);
    const ReadId id = ++last_read_;
    if (const auto refused = replica_.read(id, Clock::now())) return refuse_now(read, *refused);
    reading_.emplace(id, std::move(read));
  }

  /// Remote clients submit, and ask how far this node has come (Command::issued_after wants to know).
  void on_client(ClientId client, const Message& message) {
    if (const auto* where = get_if<ReadIndex>(&message)) {
      net_.send_to_client(client, ReadIndexReply{where->nonce, true, replica_.state().applied()});
    } else if (const auto* forward = get_if<Forward>(&message)) {
      forward_for(client, forward->command);
    }
  }

  void forward_for(ClientId client, const Command& command) {
    const auto reply = [this, client, id = command.id](std::error_code error, const Bytes& result) {
      net_.send_to_client(
          client, ForwardReply{id, static_cast<std::uint32_t>(error.value()), replica_.state().applied(), result});
    };
    auto share = budget_.take(request_overhead_bytes + command.payload.size());
    if (!share) return reply(make_error_code(Errc::overloaded), Bytes{});
    if (const auto refused = replica_.submit(command, Clock::now())) return reply(make_error_code(*refused), Bytes{});
    // A client that repeats itself gets more time, and one answer.
    const auto [first, last] = waiting_.equal_range(command.id);
    if (std::any_of(first, last, [&](const auto& entry) { return entry.second.client == client; })) return;
    waiting_.emplace(command.id, Waiter{reply, *std::move(share), client});
  }

  /// Calls whoever waited for what is over. A handler may call the node, or let go of it.
  void answer() {
    bool has_replied = false;
    for (const Answer& over : replica_.take_answers()) {
      const auto error = over.error ? make_error_code(*over.error) : std::error_code{};
      for (auto found = waiting_.find(over.id); found != waiting_.end(); found = waiting_.find(over.id)) {
        auto waiter = std::move(found->second);
        waiting_.erase(found);
        has_replied |= waiter.client != ClientId{};
        call(waiter.on_answer, error, over.result);
      }
    }
    for (const ReadyRead& over : replica_.take_reads()) {
      const auto found = reading_.find(over.id);
      if (found == reading_.end()) continue;
      auto reading = std::move(found->second);
      reading_.erase(found);
      const Errc why = is_stopped_ ? Errc::stopped : Errc::read_timed_out;
      call(reading.on_read, over.is_confirmed ? std::error_code{} : make_error_code(why),
           over.is_confirmed ? &replica_.state().machine() : nullptr);
    }
    if (has_replied && !is_stopped_) net_.end_turn();
  }

  /// A handler that throws ends the node, and says so: it must not be lost, and nobody else is there to catch it.
  template <class Handler, class... Args>
  void call(Handler& handler, const Args&... args) noexcept {
    try {
      handler(args...);
    } catch (...) {
      fail_by_exception("a completion handler or a read function threw: ");
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
  Budget budget_;
  Store store_;
  Net net_;
  Sender<Net> sender_;
  Replica<Machine, Sender<Net>, Store, Obs> replica_;
  Alarm<asio::any_io_executor> alarm_;
  Time flush_not_before_{};
  bool is_turn_ending_ = false;
  bool is_stopped_ = false;
  bool has_failed_ = false;
  std::unordered_multimap<RequestId, Waiter> waiting_;
  std::unordered_map<ReadId, Read<Machine>> reading_;
  ReadId last_read_ = 0;

  Inbox<Request> inbox_;
  std::deque<Request> taken_;  ///< out of the inbox, and not yet taken on

  mutable std::mutex status_mutex_;
  mutable std::condition_variable over_;
  NodeStatus status_;
  bool is_over_ = false;  ///< under status_mutex_: stop() has done all that it does

  std::mutex flushed_mutex_;
  bool is_closed_ = false;                     ///< under flushed_mutex_: the executor's context may be gone
  std::optional<GroupCommit<Store>> flusher_;  ///< last: its thread ends before anything that it touches
};

}  // namespace paxos::detail
