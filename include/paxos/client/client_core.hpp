// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/time.hpp>
#include <paxos/detail/platform.hpp>
#include <paxos/detail/unique_function.hpp>
#include <paxos/transport/address.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/connection.hpp>
#include <paxos/transport/dialler.hpp>
#include <paxos/transport/hello.hpp>

namespace paxos {

/// How a client finds its cluster.
struct ClientConfig {
  std::vector<std::string> addresses;  ///< "host:port" of nodes, as in Member::address; the first that answers is used
  std::string cluster = "paxos";       ///< as in Config::cluster
  Duration request_timeout = std::chrono::seconds{10};    ///< how long a command is tried, at one node after another
  Duration connect_timeout = std::chrono::seconds{2};     ///< for a node to accept the connection and answer the hello
  std::size_t pending_bytes_max = std::size_t{64} << 20;  ///< commands that wait for their answers
  /// Commands that wait for their answers, counted from the oldest of them; at most Config::session_window.
  std::size_t pending_max = 4096;
  std::size_t command_bytes_max = std::size_t{1} << 20;  ///< one encoded command; at most Config::command_bytes_max

  /// Throws ConfigError, naming the field, the rule and a cure.
  void validate() const {
    if (addresses.empty()) throw ConfigError("ClientConfig: addresses must name at least one node, as \"host:port\"");
    for (const std::string& address : addresses) (void)parse_address(address, "addresses");
    if (request_timeout <= Duration::zero() || connect_timeout <= Duration::zero())
      throw ConfigError("ClientConfig: request_timeout and connect_timeout must be positive; try 10 s and 2 s");
    if (pending_max == 0) throw ConfigError("ClientConfig: pending_max must be at least 1; try 4096");
  }
};

namespace detail {

/// What a Client is behind its handle: one session, one connection at a time, and the commands without an answer.
///
/// When a connection breaks, or its node cannot help, all that waits is sent again to the next node, under the same
/// ids. Everything but push() and stop() happens on the executor.
template <class Executor>
class ClientCore final : public ConnectionOwner<Executor>, public std::enable_shared_from_this<ClientCore<Executor>> {
 public:
  using Connection = detail::Connection<Executor>;
  using Socket = typename Connection::Socket;
  using OnAnswer = UniqueFunction<void(std::error_code, const Bytes&)>;

  ClientCore(Executor executor, ClientConfig config)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        dialler_(std::make_shared<Dialler<Executor>>(executor_)),
        retry_(executor_),
        watch_(executor_) {
    config_.validate();
    for (const std::string& address : config_.addresses) addresses_.push_back(parse_address(address, "addresses"));
    session_ = SessionId{entropy(), entropy()};
  }

  void start() {
    post_task(executor_, [self = this->shared_from_this()] {
      self->connect();
      self->watch();
    });
  }

  /// Callable from any thread. Many pushes cost one wake-up.
  void push(Bytes payload, OnAnswer on_answer) {
    bool is_first = false;
    if (is_abandoned_) return;
    {
      const std::lock_guard lock{inbox_mutex_};
      is_first = inbox_.empty();
      inbox_.push_back(Request{std::move(payload), std::move(on_answer)});
    }
    if (is_first) post_task(executor_, [self = this->shared_from_this()] { self->drain(); });
  }

  void stop() {
    post_task(executor_, [self = this->shared_from_this()] {
      if (std::exchange(self->is_stopped_, true)) return;
      self->disconnect();
      self->retry_.cancel();
      self->watch_.cancel();
      self->drain();
      while (!self->pending_.empty()) self->finish(self->pending_.begin(), Errc::interrupted, {});
    });
  }

  /// From now on requests are forgotten instead of refused: their handlers go uncalled. For the destructor, which must
  /// end even if every refusal is answered with another request.
  void abandon() { is_abandoned_ = true; }

  [[nodiscard]] const Executor& executor() const { return executor_; }

  void on_frame(Connection& connection, const Frame& frame) override {
    if (&connection != connection_.get()) return;
    if (frame.kind == FrameKind::hello_reply && !is_ready_) return on_hello_reply(frame);
    Message message;
    if (frame.kind != FrameKind::message || !decode_message(frame.payload, message)) return next_node();
    if (const auto* where = get_if<ReadIndexReply>(&message)) {
      on_position(where->index);
    } else if (const auto* reply = get_if<ForwardReply>(&message)) {
      on_reply(*reply);
    }
  }

  void on_lost(Connection& connection, std::string_view) override {
    if (&connection == connection_.get()) next_node();
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Request {
    Bytes payload;
    OnAnswer on_answer;
  };
  struct Pending {
    Command command;
    Time deadline;
    bool is_issued = false;  ///< issued_after is set, and never changes again
    std::uint32_t times_sent = 0;
    OnAnswer on_answer;
  };
  using Entry = typename std::map<std::uint64_t, Pending>::iterator;

  void drain() {
    std::vector<Request> requests;
    {
      const std::lock_guard lock{inbox_mutex_};
      requests.swap(inbox_);
    }
    for (Request& request : requests) {
      if (const auto refused = refusal_of(request)) {
        answer(request.on_answer, make_error_code(*refused), Bytes{});
      } else {
        take_on(request);
      }
    }
    flush();
  }

  [[nodiscard]] std::optional<Errc> refusal_of(const Request& request) const {
    if (is_stopped_) return Errc::stopped;
    if (request.payload.size() > config_.command_bytes_max) return Errc::too_large;
    if (span() >= config_.pending_max || bytes_ + request.payload.size() > config_.pending_bytes_max)
      return Errc::overloaded;
    return std::nullopt;
  }

  /// What a handler throws is lost: nobody is there to catch it, and the other commands must not suffer for it.
  static void answer(OnAnswer& on_answer, std::error_code error, const Bytes& result) {
    try {
      on_answer(error, result);
    } catch (...) {
      return;
    }
  }

  /// Sequences from the oldest that waits on. The nodes remember that many answers of a session, not more.
  [[nodiscard]] std::uint64_t span() const {
    return pending_.empty() ? 0 : last_sequence_ - pending_.begin()->first + 1;
  }

  void take_on(Request& request) {
    bytes_ += request.payload.size();
    const std::uint64_t sequence = ++last_sequence_;
    Pending pending{Command{RequestId{session_, sequence}, 0, Slot{}, std::move(request.payload)},
                    Clock::now() + config_.request_timeout, false, 0, std::move(request.on_answer)};
    const auto entry = pending_.emplace(sequence, std::move(pending)).first;
    if (is_ready_) send(entry->second);
  }

  void send(Pending& pending) {
    if (!std::exchange(pending.is_issued, true)) pending.command.issued_after = applied_;
    pending.command.settled_below = pending_.begin()->first;
    ++pending.times_sent;
    (void)connection_->queue().push(Forward{pending.command}, cache_);
  }

  void flush() {
    if (connection_) connection_->flush();
  }

  void connect() {
    if (is_stopped_) return;
    connecting_until_ = Clock::now() + config_.connect_timeout;
    dialler_->dial(addresses_[turn_ % addresses_.size()],
                   [self = this->shared_from_this()](const std::error_code& error, Socket socket) {
                     if (error) return self->next_node();
                     self->greet(std::move(socket));
                   });
  }

  void greet(Socket socket) {
    connection_ = std::make_shared<Connection>(std::move(socket), this->weak_from_this(),
                                               FrameReader{hello_bytes_max + frame_header_bytes},
                                               WriteQueue{0, frame_bytes_max, 2 * config_.pending_bytes_max});
    Buffer hello;
    append_hello_frame(hello, Hello{{}, config_.cluster, 0, NodeId{}, NodeId{}, {}, Role::client});
    connection_->queue().push_frame(hello);
    connection_->flush();
    connection_->start();
  }

  void on_hello_reply(const Frame& frame) {
    HelloReply reply;
    if (!decode_hello(frame.payload, reply) || !reply.accepted || !is_spoken(reply.version)) return next_node();
    connection_->queue().carry(frame.fingerprint);
    connection_->reader().expect(frame.fingerprint, frame_bytes_max, read_bytes);
    ask_position();
  }

  /// Once it is connected, and while it is idle: a stamp that is too old looks like a session that was evicted.
  void ask_position() {
    (void)connection_->queue().push(ReadIndex{1}, cache_);
    flush();
  }

  /// The node said how far it has applied: what is issued from now on is newer than that.
  void on_position(Slot applied) {
    applied_ = std::max(applied_, applied);
    if (std::exchange(is_ready_, true)) return;
    for (auto& [sequence, pending] : pending_) send(pending);
    flush();
  }

  void on_reply(const ForwardReply& reply) {
    applied_ = std::max(applied_, reply.applied);
    const auto entry = pending_.find(reply.id.sequence);
    if (reply.id.session != session_ || entry == pending_.end()) return;
    const auto error = static_cast<Errc>(reply.error);
    if (reply.error == 0) return finish(entry, std::nullopt, reply.result);
    // This node is of no use now; the command may do better elsewhere, under the same id.
    const bool is_lost = error == Errc::stopped || error == Errc::interrupted || error == Errc::storage_failed ||
                         error == Errc::storage_full || error == Errc::no_leader || error == Errc::timed_out;
    if (is_lost) return next_node();
    // "Not applied" speaks of the copy that this node was sent; one that went to another node may yet run.
    const bool is_certain = entry->second.times_sent == 1 || make_error_code(error) == Outcome::unknown;
    finish(entry, is_certain ? error : Errc::interrupted, {});
  }

  void finish(Entry entry, std::optional<Errc> error, const Bytes& result) {
    bytes_ -= entry->second.command.payload.size();
    OnAnswer on_answer = std::move(entry->second.on_answer);
    pending_.erase(entry);
    answer(on_answer, error ? make_error_code(*error) : std::error_code{}, result);
  }

  void disconnect() {
    is_ready_ = false;
    dialler_->cancel();
    if (connection_) connection_->close();
    connection_.reset();
  }

  void next_node() {
    if (is_stopped_) return;
    disconnect();
    ++turn_;
    retry_.set(std::chrono::milliseconds{turn_ % addresses_.size() == 0 ? 100 : 1},
               [self = this->shared_from_this()] { self->connect(); });
  }

  /// Gives up what is out of time, and a node that does not answer.
  void watch() {
    watch_.set(std::chrono::milliseconds{100}, [self = this->shared_from_this()] {
      if (self->is_stopped_) return;
      const Time now = Clock::now();
      for (auto entry = self->pending_.begin(); entry != self->pending_.end();) {
        const auto current = entry++;
        if (now >= current->second.deadline)
          self->finish(current, current->second.times_sent > 0 ? Errc::timed_out : Errc::no_leader, {});
      }
      if (!self->is_ready_ && now >= self->connecting_until_) self->next_node();
      if (self->is_ready_ && self->pending_.empty()) self->ask_position();
      self->watch();
    });
  }

  static constexpr std::size_t frame_bytes_max = std::size_t{20} << 20;
  static constexpr std::size_t read_bytes = std::size_t{64} << 10;

  Executor executor_;
  ClientConfig config_;
  std::vector<Address> addresses_;
  std::shared_ptr<Dialler<Executor>> dialler_;
  Alarm<Executor> retry_;
  Alarm<Executor> watch_;
  std::shared_ptr<Connection> connection_;
  AcceptFrameCache cache_;

  SessionId session_;
  std::uint64_t last_sequence_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  std::size_t bytes_ = 0;
  Slot applied_;  ///< the newest that any node said it had applied
  std::size_t turn_ = 0;
  Time connecting_until_;
  bool is_ready_ = false;
  bool is_stopped_ = false;
  std::atomic<bool> is_abandoned_ = false;

  std::mutex inbox_mutex_;
  std::vector<Request> inbox_;
};

}  // namespace detail

}  // namespace paxos
