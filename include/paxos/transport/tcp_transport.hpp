// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>

#include <paxos/transport/address.hpp>
#include <paxos/transport/listener.hpp>
#include <paxos/transport/node_transport.hpp>
#include <paxos/transport/outgoing.hpp>
#include <paxos/transport/tcp_shared.hpp>

namespace paxos {

/// Carries messages over TCP. Every node dials every other: a connection carries what its dialler sends, so links
/// that work one way only are just that. Frames are checked (frame.hpp) and strangers refused (hello.hpp), but
/// nothing is encrypted or authenticated: the ports belong into a network that is trusted.
/// See NodeTransport for who may call what, and when. The context behind the executor must outlive the transport.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as TcpTransport.
template <class Executor = asio::any_io_executor>
class BasicTcpTransport {
 public:
  using Options = TcpOptions;  ///< what a node is told besides its Config

  /// Listens at once. `serial` runs one handler at a time: a strand, or a context with one thread.
  /// `life` is this node's data directory. Throws ConfigError when an address is malformed or an option breaks its
  /// rule, and std::system_error, with the address in its text, when it cannot listen.
  BasicTcpTransport(Executor serial, const Config& config, StoreLife life, TransportEvents events, Options options = {})
      : shared_(std::make_shared<Shared>(std::move(serial), config, std::move(life), std::move(events),
                                         std::move(options))) {
    for (const Member& member : config.members) {
      const Address address = address_of(member);
      if (member.id != config.id)
        ways_.push_back(std::make_shared<detail::Outgoing<Executor>>(shared_, member.id, address));
    }
    auto acceptor = listen();
    port_ = acceptor.local_endpoint().port();
    listener_ = std::make_shared<Listener>(shared_, std::move(acceptor), ways_);
  }
  BasicTcpTransport(const BasicTcpTransport&) = delete;
  BasicTcpTransport& operator=(const BasicTcpTransport&) = delete;
  ~BasicTcpTransport() { stop(); }

  /// Accepts connections and dials every other member; once.
  void start() {
    listener_->start();
    for (const auto& way : ways_) way->start();
  }

  void send(NodeId to, const Message& message) {
    if (shared_->is_stopped) return;
    if (auto* const way = detail::way_to<Executor>(ways_, to)) way->send(message);
  }

  void send_to_client(ClientId client, const Message& message) {
    if (!shared_->is_stopped) listener_->send(client, message);
  }

  /// One gather-write for every peer and client that something waits for and whose last write is done.
  void end_turn() {
    if (shared_->is_stopped) return;
    for (const auto& way : ways_) way->flush();
    listener_->flush();
  }

  void stop() {
    if (std::exchange(shared_->is_stopped, true)) return;
    for (const auto& way : ways_) way->stop();
    listener_->stop();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Whether messages can be sent to this peer.
  [[nodiscard]] bool is_up(NodeId peer) const {
    const auto* const way = detail::way_to<Executor>(ways_, peer);
    return way != nullptr && way->is_up();
  }
  /// What waits for this peer and what is being written to it; at most Config::peer_queue_bytes_max.
  [[nodiscard]] std::size_t queued_bytes(NodeId peer) const {
    const auto* const way = detail::way_to<Executor>(ways_, peer);
    return way == nullptr ? 0 : way->queued_bytes();
  }

 private:
  using Shared = detail::TcpShared<Executor>;
  using Listener = detail::Listener<Executor>;

  [[nodiscard]] Address address_of(const Member& member) const {
    const std::string field = "address of member " + to_string(member.id);
    Address address = parse_address(member.address, field);
    if (address.port == 0 && member.id != shared_->config.id)
      throw ConfigError("Config: " + field + " (\"" + member.address +
                        "\") has port 0, which nobody can dial; name the port that it listens on");
    return address;
  }

  [[nodiscard]] typename Listener::Acceptor listen() const {
    std::string text = shared_->options.listen;
    for (const Member& member : shared_->config.members)
      if (member.id == shared_->config.id && text.empty()) text = member.address;
    const Address address = parse_address(text, "address to listen on");
    std::error_code error;
    asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver{shared_->serial};
    const auto flags = asio::ip::resolver_base::numeric_service | asio::ip::resolver_base::passive;
    const auto places = resolver.resolve(address.host, std::to_string(address.port), flags, error);
    for (const auto& place : places) {
      typename Listener::Acceptor acceptor{shared_->serial};
      acceptor.open(place.endpoint().protocol(), error);
      if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
      if (!error) acceptor.bind(place.endpoint(), error);
      if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
      if (!error) return acceptor;
    }
    throw std::system_error(error, "TcpTransport: node " + to_string(shared_->config.id) + " cannot listen on " +
                                       to_string(address) + ", host " + address.host + ", port " +
                                       std::to_string(address.port) +
                                       "; stop the process that has the port, or name another");
  }

  std::shared_ptr<Shared> shared_;
  detail::Ways<Executor> ways_;
  std::shared_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
};

/// Over any executor of Asio's: the one that Node uses.
using TcpTransport = BasicTcpTransport<>;

}  // namespace paxos
