// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio.hpp>

#include "protocol.hpp"

namespace twitter {

/// One client's connection: reads a request, has it answered, writes the answer; one at a time, so that neither input
/// nor output grows. A client that takes longer than `patience` to send a whole request, or to take an answer, is
/// dropped. Knows nothing of what requests mean.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Answer = std::function<asio::awaitable<std::string>(std::string)>;

  Session(asio::ip::tcp::socket socket, std::chrono::milliseconds patience, Answer answer)
      : socket_(std::move(socket)),
        deadline_(socket_.get_executor()),
        patience_(patience),
        answer_(std::move(answer)) {}

  /// Serves until the client leaves, misbehaves or falls silent, or until close().
  asio::awaitable<void> run() {
    const auto self = shared_from_this();
    std::error_code error;
    while (!error) {
      std::optional<std::string> message = co_await read_message(error);
      if (!message) break;
      std::string reply = co_await answer_(std::move(*message));
      co_await write(std::move(reply), error);
    }
    close();
  }

  void close() {
    deadline_.cancel();
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  /// Dropping the connection at once would take back an answer that the client has not read yet.
  static constexpr std::size_t drained_bytes_max = std::size_t{1} << 20;

  asio::awaitable<std::optional<std::string>> read_message(std::error_code& error) {
    start_deadline();
    while (true) {
      if (const auto message = splitter_.next()) {
        deadline_.cancel();
        co_return std::string{*message};
      }
      if (splitter_.is_too_long()) {
        co_await refuse(fmt::format("a message has at most {} bytes", message_bytes_max));
        co_return std::nullopt;
      }
      auto token = asio::redirect_error(asio::use_awaitable, error);
      const std::size_t size = co_await socket_.async_read_some(asio::buffer(chunk_), token);
      if (error) break;
      splitter_.feed({chunk_.data(), size});
    }
    if (error == asio::error::eof && splitter_.has_rest()) {
      co_await refuse("the connection ended inside a message: each ends with a line feed or a zero byte");
    }
    co_return std::nullopt;
  }

  asio::awaitable<void> write(std::string text, std::error_code& error) {
    start_deadline();
    co_await asio::async_write(socket_, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
    deadline_.cancel();
  }

  asio::awaitable<void> refuse(std::string why) {
    std::error_code error;
    co_await write(refused(400, why).line(), error);
    if (error) co_return;
    start_deadline();
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    for (std::size_t drained = 0; !error && drained < drained_bytes_max;) {
      auto token = asio::redirect_error(asio::use_awaitable, error);
      drained += co_await socket_.async_read_some(asio::buffer(chunk_), token);
    }
  }

  void start_deadline() {
    deadline_.expires_after(patience_);
    deadline_.async_wait([weak = weak_from_this()](const std::error_code& cancelled) {
      const auto self = weak.lock();
      // A wait that ran out is told late; meanwhile the deadline may have been moved.
      if (!cancelled && self && self->deadline_.expiry() <= std::chrono::steady_clock::now()) self->close();
    });
  }

  asio::ip::tcp::socket socket_;
  asio::steady_timer deadline_;
  std::chrono::milliseconds patience_;
  Answer answer_;
  MessageSplitter splitter_;
  std::array<char, 4096> chunk_{};
};

}  // namespace twitter
