// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/ip/tcp.hpp>

#include <paxos/transport/address.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/connection.hpp>
#include <paxos/transport/tcp_shared.hpp>

namespace paxos::detail {

template <class Executor>
class Incoming;

/// Keeps the connections that others opened. All calls come from Incoming.
template <class Executor>
class Doorkeeper {
 public:
  virtual ~Doorkeeper() = default;
  /// A hello that is in order. Says why there is no place for it, or nothing, and then keeps the connection.
  virtual std::string admit(const std::shared_ptr<Incoming<Executor>>& guest) = 0;
  /// The connection is closed.
  virtual void on_gone(Incoming<Executor>& guest) = 0;
};

/// A connection that another side opened: judges its hello, then hands over what it sends. A peer only sends; a
/// client is also answered.
template <class Executor>
class Incoming final : public ConnectionOwner<Executor>, public std::enable_shared_from_this<Incoming<Executor>> {
 public:
  using Connection = detail::Connection<Executor>;
  using Doorkeeper = detail::Doorkeeper<Executor>;
  using Shared = TcpShared<Executor>;
  using Socket = typename Connection::Socket;

  Incoming(std::shared_ptr<Shared> shared, std::weak_ptr<Doorkeeper> keeper, Socket socket)
      : shared_(std::move(shared)), keeper_(std::move(keeper)), alarm_(shared_->serial) {
    std::error_code gone;
    const auto endpoint = socket.remote_endpoint(gone);
    origin_ = gone ? "a connection that is gone" : to_string(Address{endpoint.address().to_string(), endpoint.port()});
    // The connection needs an owner, which is not there before this constructor ends: see start().
    unopened_ = std::make_unique<Socket>(std::move(socket));
  }

  void start() {
    connection_ = std::make_shared<Connection>(
        std::move(*unopened_), this->weak_from_this(), FrameReader{hello_bytes_max},
        WriteQueue{shared_->fingerprint, shared_->config.frame_bytes_max(), shared_->options.client_queue_bytes_max});
    unopened_.reset();
    alarm_.set(shared_->options.hello_timeout, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->expel("it said no hello in time");
    });
    connection_->start();
  }

  /// Closes without a word; the keeper is not told.
  void close() {
    alarm_.cancel();
    if (connection_) connection_->close();
  }
  /// Closes; the keeper is told, and why is reported.
  void expel(std::string_view why) {
    if (connection_->is_closed()) return;
    close();
    shared_->refused(title() + ": " + std::string{why});
    leave();
  }

  [[nodiscard]] bool is_client() const { return hello_.role == Role::client; }
  [[nodiscard]] NodeId from() const { return hello_.from; }
  [[nodiscard]] ClientId client() const { return client_; }
  void name_client(ClientId client) { client_ = client; }

  /// To a client; false when it reads too slowly and its queue is full.
  [[nodiscard]] bool send(const Message& message) {
    return connection_->queue().push(message, shared_->accept_cache) == WriteQueue::Pushed::queued;
  }
  [[nodiscard]] bool has_pending() const { return connection_->queue().has_pending(); }
  void flush() { connection_->flush(); }

  void on_frame(Connection&, const Frame& frame) override {
    if (phase_ == Phase::refused) return;
    if (phase_ == Phase::ungreeted) return on_hello(frame);
    if (frame.kind != FrameKind::message) return expel("it sent what does not belong on this connection");
    Message message;
    if (!decode_message(frame.payload, message)) return on_malformed("malformed message");
    if (!is_client()) return shared_->tell(shared_->events.on_message, hello_.from, std::move(message));
    if (!holds_alternative<Forward>(message) && !holds_alternative<ReadIndex>(message))
      return expel("a client may only forward commands and ask how far they are applied");
    shared_->tell(shared_->events.on_client_message, client_, std::move(message));
  }

  void on_lost(Connection& connection, std::string_view why) override {
    alarm_.cancel();
    // A greeted peer or client may go as it likes; what breaks off before that, or breaks the format, is of interest.
    const bool is_broken = connection.reader().error() != FrameError::none;
    if (is_broken) shared_->refused(title() + ": " + std::string{why});
    leave();
  }

 private:
  enum class Phase { ungreeted, greeted, refused };

  [[nodiscard]] std::string title() const {
    if (phase_ == Phase::ungreeted) return "refused " + origin_;
    return "refused " + (is_client() ? "client" : "node " + to_string(hello_.from)) + " at " + origin_;
  }

  void on_hello(const Frame& frame) {
    Hello hello;
    if (frame.kind != FrameKind::hello || !decode_hello(frame.payload, hello))
      return expel("its first frame is no hello");
    Refusal refusal = shared_->greeter.refusal_of(hello);
    hello_ = std::move(hello);
    const auto keeper = keeper_.lock();
    if (!keeper) return close();
    if (refusal.is_welcome()) refusal = Refusal{keeper->admit(this->shared_from_this())};
    if (!refusal.is_welcome()) return refuse(refusal);
    phase_ = Phase::greeted;
    alarm_.cancel();
    const Config& config = shared_->config;
    connection_->reader().expect(shared_->fingerprint,
                                 is_client() ? config.command_bytes_max + 4096 : config.frame_bytes_max(),
                                 is_client() ? client_read_bytes : peer_read_bytes);
    answer({});
    connection_->flush();
  }

  /// The other side gets the reason before the connection ends, which then needs this object no more.
  void refuse(const Refusal& refusal) {
    const std::string text = title() + " (says it is " +
                             (is_client() ? std::string{"a client"} : "node " + to_string(hello_.from)) +
                             "): " + refusal.text;
    phase_ = Phase::refused;
    answer(refusal);
    shared_->refused(text);
    connection_->finish();
    leave();
  }

  void answer(Refusal refusal) {
    Buffer frame;
    append_hello_reply_frame(frame, shared_->fingerprint, shared_->greeter.reply(hello_, std::move(refusal)));
    connection_->queue().push_frame(frame);
  }

  void on_malformed(std::string_view why) {
    if (!is_client()) shared_->tell(shared_->events.on_dropped, hello_.from, why);
    expel(why);
  }

  void leave() {
    if (const auto keeper = keeper_.lock()) keeper->on_gone(*this);
  }

  static constexpr std::size_t peer_read_bytes = std::size_t{256} << 10;
  static constexpr std::size_t client_read_bytes = std::size_t{64} << 10;

  std::shared_ptr<Shared> shared_;
  std::weak_ptr<Doorkeeper> keeper_;
  Alarm<Executor> alarm_;
  std::unique_ptr<Socket> unopened_;
  std::shared_ptr<Connection> connection_;
  std::string origin_;
  Hello hello_;
  ClientId client_;
  Phase phase_ = Phase::ungreeted;
};

}  // namespace paxos::detail
