// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <paxos/transport/address.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/connection.hpp>
#include <paxos/transport/dialler.hpp>
#include <paxos/transport/tcp_shared.hpp>

namespace paxos::detail {

/// The way to one peer: dials it, says hello, carries what this node sends, and dials again when that breaks.
/// What the peer sends arrives elsewhere (Incoming).
template <class Executor>
class Outgoing final : public ConnectionOwner<Executor>, public std::enable_shared_from_this<Outgoing<Executor>> {
 public:
  using Connection = detail::Connection<Executor>;
  using Shared = TcpShared<Executor>;
  using Socket = typename Connection::Socket;

  Outgoing(std::shared_ptr<Shared> shared, NodeId peer, Address address)
      : shared_(std::move(shared)),
        peer_(peer),
        address_(std::move(address)),
        dialler_(std::make_shared<Dialler<Executor>>(shared_->serial)),
        alarm_(shared_->serial),
        waiting_(empty_queue()),
        backoff_(shared_->options.backoff_min),
        refused_backoff_(shared_->options.backoff_max / 2) {}

  void start() {
    down_since_ = std::chrono::steady_clock::now();
    dial();
  }

  void send(const Message& message) {
    if (!is_up() && std::chrono::steady_clock::now() - down_since_ > shared_->options.patience)
      return waiting_.clear_pending();
    WriteQueue& queue = is_up() ? connection_->queue() : waiting_;
    const auto outcome = queue.push(message, shared_->accept_cache);
    if (outcome != WriteQueue::Pushed::queued) report_drop(outcome);
  }

  void flush() {
    if (is_up()) connection_->flush();
  }

  /// The peer was heard, so a pause between two dials has lost its reason.
  void wake() {
    if (phase_ != Phase::pausing || was_refused_) return;
    backoff_ = shared_->options.backoff_min;
    dial();
  }

  void stop() {
    phase_ = Phase::stopped;
    abandon();
  }

  [[nodiscard]] NodeId peer() const { return peer_; }
  [[nodiscard]] bool is_up() const { return phase_ == Phase::up; }
  /// Waiting for this peer and being written.
  [[nodiscard]] std::size_t queued_bytes() const { return is_up() ? connection_->queue().bytes() : waiting_.bytes(); }

  void on_frame(Connection& connection, const Frame& frame) override {
    if (&connection != connection_.get()) return;
    if (phase_ != Phase::greeting || frame.kind != FrameKind::hello_reply)
      return fail("it sent what does not belong on this connection");
    HelloReply reply;
    if (!decode_hello(frame.payload, reply)) return fail("its answer to our hello is malformed");
    if (!reply.accepted) return on_refusal(reply, frame.fingerprint);
    if (const Refusal ours = shared_->greeter.refusal_of(peer_, reply); !ours.is_welcome())
      return refuse("this node refuses " + name() + ": " + ours.text);
    go_up();
  }

  void on_lost(Connection& connection, std::string_view why) override {
    if (&connection == connection_.get()) fail(why);
  }

 private:
  enum class Phase { idle, dialling, greeting, up, pausing, stopped };

  [[nodiscard]] WriteQueue empty_queue() const {
    return WriteQueue{shared_->fingerprint, shared_->config.frame_bytes_max(), shared_->config.peer_queue_bytes_max};
  }
  [[nodiscard]] std::string name() const { return "node " + to_string(peer_) + " at " + to_string(address_); }

  void dial() {
    phase_ = Phase::dialling;
    alarm_.set(shared_->options.connect_timeout,
               [self = this->shared_from_this()] { self->fail("no answer in time"); });
    dialler_->dial(address_, [self = this->shared_from_this()](const std::error_code& error, Socket socket) {
      if (error) return self->fail(error.message());
      self->greet(std::move(socket));
    });
  }

  void greet(Socket socket) {
    // Dialling a free port of this very host, TCP can connect a socket to itself and so keep the port from the peer.
    std::error_code ignored;
    if (socket.local_endpoint(ignored) == socket.remote_endpoint(ignored)) return fail("nobody listens there");
    phase_ = Phase::greeting;
    alarm_.set(shared_->options.hello_timeout,
               [self = this->shared_from_this()] { self->fail("it did not answer our hello in time"); });
    connection_ = std::make_shared<Connection>(std::move(socket), this->weak_from_this(), FrameReader{hello_bytes_max},
                                               empty_queue());
    Buffer hello;
    append_hello_frame(hello, shared_->greeter.hello_to(peer_));
    connection_->queue().push_frame(hello);
    connection_->flush();
    connection_->start();
  }

  void go_up() {
    phase_ = Phase::up;
    alarm_.cancel();
    up_since_ = std::chrono::steady_clock::now();
    if (up_since_ - down_since_ > shared_->options.patience) waiting_.clear_pending();
    was_refused_ = false;
    is_down_told_ = false;
    refused_backoff_ = shared_->options.backoff_max / 2;
    connection_->queue().append(std::move(waiting_));
    connection_->flush();
    shared_->tell(shared_->events.on_peer_up, peer_);
  }

  void fail(std::string_view why) {
    if (phase_ == Phase::stopped) return;
    const std::string text{why};
    const Time now = std::chrono::steady_clock::now();
    // What broke after a good while is dialled again at once; what breaks again and again must not spin.
    const bool at_once = is_up() && now - up_since_ >= shared_->options.backoff_max;
    if (at_once) backoff_ = shared_->options.backoff_min;
    was_refused_ = false;
    go_down(now, at_once ? Duration::zero() : shared_->jittered(backoff_));
    if (!at_once) backoff_ = std::min(2 * backoff_, shared_->options.backoff_max);
    tell_down(text);
  }

  void refuse(const std::string& text) {
    was_refused_ = true;
    go_down(std::chrono::steady_clock::now(), shared_->jittered(refused_backoff_));
    refused_backoff_ = std::min(2 * refused_backoff_, shared_->options.refused_backoff_max);
    tell_down(text);
    shared_->refused(text);
  }

  void go_down(Time now, Duration pause) {
    if (is_up()) down_since_ = now;
    abandon();
    phase_ = Phase::pausing;
    alarm_.set(pause, [self = this->shared_from_this()] { self->dial(); });
  }

  /// That its disk is outdated ends this node, so it is believed of no stranger: of a member of this very cluster only,
  /// on a directory that this node itself would welcome.
  void on_refusal(const HelloReply& reply, std::uint64_t fingerprint) {
    const bool is_end = reply.code == RefusalCode::outdated && fingerprint == shared_->fingerprint &&
                        shared_->greeter.refusal_of(peer_, reply).is_welcome();
    const std::string text = name() + " refuses this node: " + printable(reply.reason, refusal_bytes_max);
    refuse(text);
    if (is_end) shared_->tell(shared_->events.on_outdated, peer_, text);
  }

  /// Once an outage, however often it is dialled in vain.
  void tell_down(const std::string& why) {
    if (std::exchange(is_down_told_, true)) return;
    shared_->tell(shared_->events.on_peer_down, peer_, why);
  }

  /// At most one report is under way, so a full queue does not turn into another one.
  void report_drop(WriteQueue::Pushed outcome) {
    if (dropped_++ > 0) return;
    shared_->post([self = this->shared_from_this(), outcome] {
      const std::string bound = outcome == WriteQueue::Pushed::full
                                    ? "its queue is full (Config::peer_queue_bytes_max)"
                                    : "larger than any message may be (Config::frame_bytes_max())";
      const std::size_t dropped = std::exchange(self->dropped_, 0);
      self->shared_->tell(self->shared_->events.on_dropped, self->peer_,
                          "dropped " + std::to_string(dropped) + " messages to it: " + bound);
    });
  }

  void abandon() {
    alarm_.cancel();
    dialler_->cancel();
    if (connection_) connection_->close();
    connection_.reset();
  }

  std::shared_ptr<Shared> shared_;
  NodeId peer_;
  Address address_;
  std::shared_ptr<Dialler<Executor>> dialler_;
  Alarm<Executor> alarm_;
  std::shared_ptr<Connection> connection_;
  WriteQueue waiting_;  ///< while the peer is not up
  Phase phase_ = Phase::idle;
  Duration backoff_;
  Duration refused_backoff_;
  Time down_since_{};
  Time up_since_{};
  bool was_refused_ = false;
  bool is_down_told_ = false;
  std::size_t dropped_ = 0;  ///< since the last report
};

}  // namespace paxos::detail
