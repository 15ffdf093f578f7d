// Copyright (c) the paxos authors. MIT licence.
#include <memory>
#include <string>

#include <paxos/testing/transport_conformance.hpp>
#include <paxos/transport/loopback_transport.hpp>

using namespace paxos;

namespace {

/// Within one process there is nobody to greet, nothing to encode, and a message arrives when it is sent.
struct LoopbackHarness : testing::TransportDuties {
  using Transport = LoopbackTransport;
  static constexpr bool greets = false;
  static constexpr bool holds_until_end_of_turn = false;
  static constexpr bool bounds_messages = false;
  static constexpr bool overtakes_bulk = false;

  explicit LoopbackHarness(asio::io_context&) {}

  std::string address() { return "unused:1"; }
  std::shared_ptr<LoopbackNetwork> options() { return network; }
  void cut(NodeId from, NodeId to) { network->cut(from, to); }
  void heal() { network->heal(); }

  std::shared_ptr<LoopbackNetwork> network = std::make_shared<LoopbackNetwork>();
};

const testing::TransportConformance<LoopbackHarness> tests{"LoopbackTransport"};

}  // namespace
