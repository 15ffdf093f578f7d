// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <paxos/testing/transport_harness.hpp>
#include <paxos/transport/address.hpp>
#include <paxos/transport/tcp_transport.hpp>

#include "transport/rig.hpp"

namespace paxos::test {

/// A client that speaks the library's own protocol.
class TcpClient final : public testing::TestClient {
 public:
  TcpClient(asio::io_context& io, std::uint64_t fingerprint, std::uint16_t port)
      : fingerprint_(fingerprint), raw_(io, port) {
    raw_.on_frame = [this](FrameKind kind, std::span<const std::byte> payload) { hear(kind, payload); };
    raw_.on_closed = [this] { is_refused = true; };
    raw_.listen();
    raw_.hello(client_hello());
  }
  ~TcpClient() override { raw_.reset(); }
  void send(const Message& message) override { raw_.message(fingerprint_, message); }

 private:
  void hear(FrameKind kind, std::span<const std::byte> payload) {
    Message message;
    if (kind == FrameKind::message && decode_message(payload, message)) heard.push_back(std::move(message));
  }
  std::uint64_t fingerprint_;
  RawPeer raw_;
};

/// For TcpTransport and what is made of it.
template <class Net>
struct TcpHarnessOf : testing::TransportDuties {
  using Transport = Net;

  explicit TcpHarnessOf(asio::io_context& context) : io(context) {}

  std::string address() {
    ports.push_back(std::make_unique<ReservedPort>(io));
    return ports.back()->address();
  }
  TcpOptions options() { return {}; }
  void inject(const std::string& address, std::span<const std::byte> bytes) {
    RawPeer stranger{io, parse_address(address, "address").port};
    stranger.write(bytes);
    stranger.reset();
  }
  std::unique_ptr<testing::TestClient> connect_client(const Config& config, std::uint16_t port) {
    return std::make_unique<TcpClient>(io, config.fingerprint(), port);
  }
  void limit_clients(TcpOptions& options, std::size_t most) { options.clients_max = most; }

  asio::io_context& io;
  std::vector<std::unique_ptr<ReservedPort>> ports;
};

}  // namespace paxos::test
