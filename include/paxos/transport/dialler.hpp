// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>

#include <paxos/detail/unique_function.hpp>
#include <paxos/transport/address.hpp>

namespace paxos::detail {

/// Connects to an address: looks its host up, unless that is a number, and tries what it finds one after another. One
/// attempt at a time, without a bound in time. Knows no peer and no handshake. All of it runs on the executor.
template <class Executor>
class Dialler : public std::enable_shared_from_this<Dialler<Executor>> {
 public:
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  using OnDialled = UniqueFunction<void(const std::error_code&, Socket)>;

  explicit Dialler(const Executor& executor) : resolver_(executor), socket_(executor) {}

  /// Calls `on_dialled` later, once, with a connected socket or an error; not after cancel().
  void dial(const Address& address, OnDialled on_dialled) {
    cancel();
    on_dialled_ = std::move(on_dialled);
    places_.clear();
    next_ = 0;
    std::error_code not_numeric;
    const auto numeric = asio::ip::make_address(address.host, not_numeric);
    if (!not_numeric) {
      places_.emplace_back(numeric, address.port);
      return connect();
    }
    resolver_.async_resolve(
        address.host, std::to_string(address.port), asio::ip::resolver_base::numeric_service,
        [self = this->shared_from_this(), attempt = attempt_](const std::error_code& error, const auto& found) {
          if (attempt != self->attempt_) return;
          for (const auto& place : found) self->places_.push_back(place.endpoint());
          if (error || self->places_.empty()) return self->finish(error ? error : asio::error::host_not_found);
          self->connect();
        });
  }

  /// Gives up what is under way.
  void cancel() {
    const OnDialled dropped = std::move(on_dialled_);  // last of all: it may own whoever owns this object
    ++attempt_;
    resolver_.cancel();
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void connect() {
    socket_ = Socket{socket_.get_executor()};  // one that was refused is not used again
    socket_.async_connect(places_[next_],
                          [self = this->shared_from_this(), attempt = attempt_](const std::error_code& error) {
                            if (attempt != self->attempt_) return;
                            if (!error || ++self->next_ == self->places_.size()) return self->finish(error);
                            self->connect();
                          });
  }

  void finish(const std::error_code& error) {
    ++attempt_;
    OnDialled on_dialled = std::move(on_dialled_);
    on_dialled(error, std::move(socket_));
  }

  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver_;
  Socket socket_;
  std::vector<asio::ip::tcp::endpoint> places_;
  std::size_t next_ = 0;       ///< of `places_`: what is tried now
  std::uint64_t attempt_ = 0;  ///< what completes for an older one is ignored
  OnDialled on_dialled_;
};

}  // namespace paxos::detail
