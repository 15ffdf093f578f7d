// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include <asio/io_context.hpp>

#include <paxos/testing/transport_conformance.hpp>

#include "examples/policies/udp_transport.hpp"
#include "policies/udp_port.hpp"

using namespace paxos;

namespace {

// [snippet: udp_harness]
/// No remote clients; and what a peer does not read, the kernel drops unseen.
struct UdpHarness : testing::TransportDuties {
  using Transport = examples::UdpTransport;
  static constexpr bool tells_drops = false;
  static constexpr bool overtakes_bulk = false;

  explicit UdpHarness(asio::io_context& context) : io(context) {}

  std::string address() { return "127.0.0.1:" + std::to_string(test::free_udp_port()); }
  examples::UdpOptions options() { return {.silence_max = std::chrono::milliseconds{500}}; }
  void tune(Config& config) {
    config.batch_bytes_max = config.command_bytes_max = config.promise_bytes_max = config.catch_up_bytes_max = 8192;
  }
  void inject(const std::string& address, std::span<const std::byte> bytes) {
    const Address to = parse_address(address, "address");
    asio::ip::udp::socket stranger{io, asio::ip::udp::v4()};
    stranger.send_to(asio::buffer(bytes.data(), bytes.size()), {asio::ip::make_address(to.host), to.port});
  }

  asio::io_context& io;
};

const testing::TransportConformance<UdpHarness> tests{"UdpTransport"};
// [end of snippet]

}  // namespace
