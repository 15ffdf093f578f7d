// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <asio.hpp>

#include <paxos/transport/node_transport.hpp>
#include <paxos/transport/tcp_transport.hpp>

namespace paxos::test {

inline const NodeId n1{1}, n2{2}, n3{3};

/// A loopback port that stays reserved: others pass it over, while a socket with SO_REUSEADDR can listen on it.
class ReservedPort {
 public:
  explicit ReservedPort(asio::io_context& io) : socket_(io, asio::ip::tcp::v4()) {
    socket_.set_option(asio::socket_base::reuse_address{true});
    socket_.bind({asio::ip::address_v4::loopback(), 0});
  }
  [[nodiscard]] std::uint16_t port() const { return socket_.local_endpoint().port(); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  asio::ip::tcp::socket socket_;
};

/// Runs handlers until `condition` holds; false when it does not within a generous bound.
inline bool run_until(asio::io_context& io, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds{50});
  }
  return true;
}

/// Runs what is ready now.
inline void settle(asio::io_context& io) {
  io.restart();
  io.poll();
}

/// Everything that a transport told.
struct Heard {
  std::vector<std::pair<NodeId, Message>> messages;
  std::vector<std::pair<ClientId, Message>> client_messages;
  std::vector<ClientId> gone;
  std::vector<NodeId> up;
  std::vector<std::pair<NodeId, std::string>> down;
  std::vector<std::pair<NodeId, std::string>> dropped;
  std::vector<std::string> refused;
  std::vector<std::pair<NodeId, std::string>> outdated;

  [[nodiscard]] TransportEvents events() {
    return {
        .on_message = [this](NodeId from, Message&& m) { messages.emplace_back(from, std::move(m)); },
        .on_client_message = [this](ClientId from, Message&& m) { client_messages.emplace_back(from, std::move(m)); },
        .on_client_gone = [this](ClientId client) { gone.push_back(client); },
        .on_peer_up = [this](NodeId peer) { up.push_back(peer); },
        .on_peer_down = [this](NodeId peer, std::string_view why) { down.emplace_back(peer, why); },
        .on_dropped = [this](NodeId peer, std::string_view why) { dropped.emplace_back(peer, why); },
        .on_refused = [this](std::string_view why) { refused.emplace_back(why); },
        .on_outdated = [this](NodeId peer, std::string_view why) { outdated.emplace_back(peer, why); }};
  }
  /// A refusal that says `text`.
  [[nodiscard]] bool has_refusal(std::string_view text) const {
    return std::ranges::any_of(refused, [&](const std::string& one) { return one.find(text) != std::string::npos; });
  }
};

/// The first life of a node's directory.
inline StoreLife first_life_of(std::uint64_t node) { return {100 + node, 1, {1000 + node}}; }

/// Several transports on one context, each with a reserved port.
class Cluster {
 public:
  explicit Cluster(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      ports_.push_back(std::make_unique<ReservedPort>(io));
      config.members.emplace_back(i + 1, ports_.back()->address());
    }
    heard.resize(size);
    transports.resize(size);
  }
  ~Cluster() {
    transports.clear();
    io.restart();
    io.poll();
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] Config config_of(std::size_t node) const {
    Config mine = config;
    mine.id = NodeId{node};
    return mine;
  }
  TcpTransport& start(std::size_t node, const StoreLife& life) { return start(config_of(node), life); }
  TcpTransport& start(std::size_t node) { return start(node, first_life_of(node)); }
  TcpTransport& start(const Config& own, const StoreLife& life) {
    auto& place = transports[own.id.value() - 1];
    place.reset();  // the port must be free
    place = std::make_unique<TcpTransport>(io.get_executor(), own, life, heard_by(own.id.value()).events(), options);
    place->start();
    return *place;
  }
  void stop(std::size_t node) { transports[node - 1].reset(); }

  [[nodiscard]] TcpTransport& node(std::size_t node) { return *transports[node - 1]; }
  [[nodiscard]] Heard& heard_by(std::size_t node) { return heard[node - 1]; }
  [[nodiscard]] std::uint16_t port(std::size_t node) const { return ports_[node - 1]->port(); }
  void send(std::size_t from, std::size_t to, const Message& message) {
    node(from).send(NodeId{to}, message);
    node(from).end_turn();
  }

  asio::io_context io{1};
  Config config{.id = n1, .members = {}, .data_dir = "unused"};
  TcpOptions options;
  std::vector<Heard> heard;
  std::vector<std::unique_ptr<TcpTransport>> transports;

 private:
  std::vector<std::unique_ptr<ReservedPort>> ports_;
};

/// The other end of a connection, written by hand: says and reads whatever a test wants.
class RawPeer {
 public:
  explicit RawPeer(asio::io_context& io) : io_(io), socket_(io) {}
  RawPeer(asio::io_context& io, std::uint16_t port) : RawPeer(io) { connect(port); }

  void connect(std::uint16_t port) { socket_.connect({asio::ip::address_v4::loopback(), port}); }
  [[nodiscard]] asio::ip::tcp::socket& socket() { return socket_; }

  void write(std::span<const std::byte> bytes) {
    std::error_code closed;
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), closed);
  }
  void hello(const Hello& hello) {
    Buffer frame;
    append_hello_frame(frame, hello);
    write(frame);
  }
  void message(std::uint64_t fingerprint, const Message& message) {
    Buffer frame;
    append_message_frame(frame, fingerprint, message);
    write(frame);
  }

  /// Begins to collect frames; see frames and is_closed.
  void listen() {
    const auto room = reader_.room();
    socket_.async_read_some(asio::buffer(room.data(), room.size()),
                            [this](const std::error_code& error, std::size_t n) {
                              if (error == asio::error::operation_aborted) return;
                              if (error) {
                                is_closed = true;
                                if (on_closed) on_closed();
                                return;
                              }
                              reader_.arrived(n);
                              while (const auto frame = reader_.next()) {
                                frames.emplace_back(frame->kind, Buffer{frame->payload.begin(), frame->payload.end()});
                                if (on_frame) on_frame(frame->kind, frame->payload);
                              }
                              listen();
                            });
  }
  /// Runs the context until the answer to hello() is there.
  [[nodiscard]] HelloReply greeting() {
    HelloReply reply;
    run_until(io_, [&] { return !frames.empty() || is_closed; });
    if (frames.empty() || frames.front().first != FrameKind::hello_reply || !decode(frames.front().second, reply))
      reply.reason = "no answer";
    return reply;
  }
  /// Closes with a reset, which leaves nothing behind in the host's tables.
  void reset() {
    std::error_code ignored;
    socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
    socket_.close(ignored);
  }

  std::vector<std::pair<FrameKind, Buffer>> frames;
  bool is_closed = false;
  std::function<void(FrameKind, std::span<const std::byte>)> on_frame;
  std::function<void()> on_closed;

 private:
  asio::io_context& io_;
  asio::ip::tcp::socket socket_;
  FrameReader reader_{std::size_t{8} << 20};
};

/// All transports reach each other.
inline bool is_connected(Cluster& cluster) {
  return run_until(cluster.io, [&] {
    for (std::size_t a = 1; a <= cluster.transports.size(); ++a)
      for (std::size_t b = 1; b <= cluster.transports.size(); ++b)
        if (a != b && !cluster.node(a).is_up(NodeId{b})) return false;
    return true;
  });
}

/// Sends one message from a node to another until one has arrived: messages may be lost while a link is being made.
inline bool gets_through(Cluster& cluster, std::size_t from, std::size_t to) {
  const std::size_t before = cluster.heard_by(to).messages.size();
  return run_until(cluster.io, [&] {
    cluster.send(from, to, Nack{{99, n1}});
    return cluster.heard_by(to).messages.size() > before;
  });
}

/// Stands in for node 2: accepts node 1's connection and greets it, then does as the test says.
struct FakePeer {
  explicit FakePeer(Cluster& cluster, const StoreLife& life = first_life_of(2))
      : io(cluster.io), greeter(cluster.config_of(2), life), acceptor(io), peer(io) {
    const asio::ip::tcp::endpoint place{asio::ip::address_v4::loopback(), cluster.port(2)};
    acceptor.open(place.protocol());
    acceptor.set_option(asio::socket_base::reuse_address{true});
    acceptor.set_option(asio::socket_base::receive_buffer_size{64 << 10});
    acceptor.bind(place);
    acceptor.listen();
    fingerprint = cluster.config.fingerprint();
  }
  /// Lets node 1 in; does not read on.
  void greet() { answer(reply({})); }
  /// To a peer's hello.
  [[nodiscard]] HelloReply reply(Refusal refusal) const { return greeter.reply(Hello{}, std::move(refusal)); }
  /// Node 1 dials, and hears that.
  void answer(const HelloReply& reply) {
    bool is_accepted = false;
    acceptor.async_accept(peer.socket(), [&](const std::error_code& error) { is_accepted = !error; });
    if (!run_until(io, [&] { return is_accepted; })) throw std::runtime_error("FakePeer: node 1 did not dial node 2");
    Buffer frame;
    append_hello_reply_frame(frame, fingerprint, reply);
    peer.write(frame);
  }

  asio::io_context& io;
  Greeter greeter;
  asio::ip::tcp::acceptor acceptor;
  RawPeer peer;
  std::uint64_t fingerprint = 0;
};

inline Hello client_hello() {
  Hello hello;
  hello.cluster = "paxos";
  hello.role = Role::client;
  return hello;
}

}  // namespace paxos::test
