// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <asio/ip/tcp.hpp>

#include <paxos/transport/incoming.hpp>
#include <paxos/transport/outgoing.hpp>

namespace paxos::detail {

/// The way to each other member.
template <class Executor>
using Ways = std::vector<std::shared_ptr<Outgoing<Executor>>>;

/// nullptr: `peer` is no other member. There are so few that looking through them is the fastest way to find one.
template <class Executor>
[[nodiscard]] Outgoing<Executor>* way_to(const Ways<Executor>& ways, NodeId peer) {
  for (const auto& way : ways)
    if (way->peer() == peer) return way.get();
  return nullptr;
}

/// Accepts connections, bounds how many there are of each sort, and finds a client's connection by its id.
template <class Executor>
class Listener final : public Doorkeeper<Executor>, public std::enable_shared_from_this<Listener<Executor>> {
 public:
  using Incoming = detail::Incoming<Executor>;
  using Shared = TcpShared<Executor>;
  using Socket = typename Incoming::Socket;
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

  Listener(std::shared_ptr<Shared> shared, Acceptor acceptor, Ways<Executor> ways)
      : shared_(std::move(shared)), acceptor_(std::move(acceptor)), alarm_(shared_->serial), ways_(std::move(ways)) {}

  void start() { accept(); }

  void stop() {
    std::error_code ignored;
    acceptor_.close(ignored);
    alarm_.cancel();
    for (const auto& guest : ungreeted_) guest->close();
    for (const auto& guest : peers_) guest->close();
    for (const auto& [id, guest] : clients_) guest->close();
  }

  void send(ClientId client, const Message& message) {
    const auto found = clients_.find(client);
    if (found == clients_.end()) return;
    const std::shared_ptr<Incoming> guest = found->second;
    if (!guest->has_pending()) unflushed_.push_back(guest);
    if (!guest->send(message))
      shared_->post([guest] { guest->expel("its answers wait in vain (TcpOptions::client_queue_bytes_max)"); });
  }
  void flush() {
    for (const auto& guest : unflushed_) guest->flush();
    unflushed_.clear();
  }

  std::string admit(const std::shared_ptr<Incoming>& guest) override {
    if (guest->is_client()) {
      if (clients_.size() >= shared_->options.clients_max)
        return "this node serves " + std::to_string(clients_.size()) + " clients already; try another node";
      guest->name_client(ClientId{++clients_named_});
      clients_.emplace(guest->client(), guest);
    } else {
      // The older one is that of a peer which restarted, or was cut off and has not noticed.
      std::erase_if(peers_, [&](const std::shared_ptr<Incoming>& older) {
        if (older->from() != guest->from()) return false;
        older->close();
        return true;
      });
      peers_.push_back(guest);
      if (auto* const way = way_to<Executor>(ways_, guest->from())) way->wake();
    }
    std::erase(ungreeted_, guest);
    return {};
  }

  void on_gone(Incoming& guest) override {
    const auto is_guest = [&](const std::shared_ptr<Incoming>& one) { return one.get() == &guest; };
    std::erase_if(ungreeted_, is_guest);
    std::erase_if(peers_, is_guest);
    if (clients_.erase(guest.client()) > 0) shared_->tell(shared_->events.on_client_gone, guest.client());
  }

 private:
  void accept() {
    acceptor_.async_accept([self = this->shared_from_this()](const std::error_code& error, Socket socket) {
      self->on_accept(error, std::move(socket));
    });
  }

  void on_accept(const std::error_code& error, Socket socket) {
    if (shared_->is_stopped) return;
    if (error) return pause(error);
    if (ungreeted_.size() >= shared_->options.ungreeted_max) {
      // Who has a hello to say says it at once, so whoever has been silent for longest is not missed.
      const std::shared_ptr<Incoming> oldest = ungreeted_.front();
      oldest->expel("too many connections that say no hello");
      if (shared_->is_stopped) return;
    }
    auto guest = std::make_shared<Incoming>(shared_, this->weak_from_this(), std::move(socket));
    ungreeted_.push_back(guest);
    guest->start();
    accept();
  }

  /// Out of file descriptors, say: that passes, and asking again at once would only spin.
  void pause(const std::error_code& error) {
    shared_->refused("cannot accept connections for now: " + error.message());
    if (shared_->is_stopped) return;
    alarm_.set(std::chrono::milliseconds{100}, [self = this->shared_from_this()] {
      if (!self->shared_->is_stopped) self->accept();
    });
  }

  std::shared_ptr<Shared> shared_;
  Acceptor acceptor_;
  Alarm<Executor> alarm_;
  Ways<Executor> ways_;
  std::vector<std::shared_ptr<Incoming>> ungreeted_;  ///< oldest first
  std::vector<std::shared_ptr<Incoming>> peers_;      ///< greeted; one for each member at most
  std::unordered_map<ClientId, std::shared_ptr<Incoming>> clients_;
  std::vector<std::shared_ptr<Incoming>> unflushed_;
  std::uint64_t clients_named_ = 0;
};

}  // namespace paxos::detail
