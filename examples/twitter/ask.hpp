// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>

#include <asio.hpp>

#include "site_config.hpp"

namespace twitter {

/// Connects to a site's client port, sends one line, and gives the line that comes back. `error` says when there was
/// none within `wait`; an answer may have up to 64 KiB.
[[nodiscard]] inline asio::awaitable<std::string> ask(Site site, std::string line, std::chrono::milliseconds wait,
                                                      std::error_code& error) {
  using asio::ip::tcp;
  struct Line {
    explicit Line(const asio::any_io_executor& executor) : resolver(executor), socket(executor), deadline(executor) {}
    tcp::resolver resolver;
    tcp::socket socket;
    asio::steady_timer deadline;
    bool is_late = false;
  };
  const auto held = std::make_shared<Line>(co_await asio::this_coro::executor);
  held->deadline.expires_after(wait);
  held->deadline.async_wait([held](const std::error_code& cancelled) {
    if (cancelled) return;
    held->is_late = true;
    held->resolver.cancel();
    std::error_code ignored;
    held->socket.close(ignored);
  });

  std::string answer;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto found = co_await held->resolver.async_resolve(site.addr, std::to_string(site.client_port), token);
  if (!error && held->is_late) error = asio::error::timed_out;
  if (!error) co_await asio::async_connect(held->socket, found, token);
  if (!error) co_await asio::async_write(held->socket, asio::buffer(line), token);
  if (!error) {
    co_await asio::async_read_until(held->socket, asio::dynamic_buffer(answer, std::size_t{64} << 10), '\n', token);
  }
  if (held->is_late) error = asio::error::timed_out;
  held->deadline.cancel();
  co_return answer;
}

}  // namespace twitter
