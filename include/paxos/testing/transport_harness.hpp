// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/transport/node_transport.hpp>

namespace paxos::testing {

/// A remote client of a node, as a harness makes it. It leaves when it is destroyed. It does all of its work on the
/// context that the harness was made with, and never blocks.
class TestClient {
 public:
  TestClient() = default;
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  virtual ~TestClient() = default;

  /// To the node that it is connected to.
  virtual void send(const Message& message) = 0;

  std::vector<Message> heard;  ///< what the node answered, in order
  bool is_refused = false;     ///< the node let it not in, or ended the connection
};

/// What a transport is held to. Derive the harness from it and turn off what yours cannot do: the tests of it are
/// skipped then, and say what they would need.
struct TransportDuties {
  /// It tells the life of its directory, asks refusal_of_peer and refuses strangers. Off: for tests only, as nothing
  /// then keeps a node with a wiped or restored disk out.
  static constexpr bool greets = true;
  /// Nothing leaves before end_turn().
  static constexpr bool holds_until_end_of_turn = true;
  /// A message above Config::frame_bytes_max() is dropped and told.
  static constexpr bool bounds_messages = true;
  /// What it drops for a peer that reads too slowly it tells (on_dropped). Off: the network drops unseen.
  static constexpr bool tells_drops = true;
  /// A stranger's bytes it drops and tells, not necessarily each (on_refused or on_dropped). Off: nobody can see that
  /// they arrived, and the test of them shows little.
  static constexpr bool tells_strangers = true;
  /// Messages wait for a slow peer here, so urgent ones can overtake bulk. Off: nothing waits here, or it is no
  /// network.
  static constexpr bool overtakes_bulk = true;
  /// For how long a test waits for what must happen before it fails.
  static constexpr std::chrono::milliseconds patience{30'000};
};

/// What a user writes to have a transport tested: made anew for each test case, on a context of its own.
///
///   - `Transport`: the NodeTransport.
///   - address(): where one more node of this machine can listen, and can again once it has stopped. Nobody else may
///     get it for as long as the harness lives.
///   - options(): what a transport is made with. Nodes that are to reach each other get what one harness gives.
///   - And the constants of TransportDuties.
///
/// May have as well; without them the tests that need them are skipped:
///   - tune(Config&): what the transport needs in every Config, such as lower bounds.
///   - cut(from, to) and heal(): nothing that `from` sends reaches `to`, until all links are healed. Called on any
///     thread.
///   - inject(address, bytes): a stranger sends these bytes there, on a connection or in a datagram of its own. Blocks
///     for no longer than it takes to hand them over, and ignores a refusal. Where the transport knows its peers by
///     their addresses and drops what others send unread, this shows that and nothing of how it reads what a peer
///     sends: test that from the address of a peer.
///   - connect_client(config, port): a client on its way to that node, as a std::unique_ptr<TestClient>.
///   - limit_clients(options, most): makes it so that the transport serves no more clients at once.
template <class H>
concept TransportHarness =
    NodeTransport<typename H::Transport> && std::constructible_from<H, asio::io_context&> && requires(H harness) {
      { harness.address() } -> std::convertible_to<std::string>;
      { harness.options() } -> std::same_as<typename H::Transport::Options>;
      { H::greets } -> std::convertible_to<bool>;
      { H::holds_until_end_of_turn } -> std::convertible_to<bool>;
      { H::bounds_messages } -> std::convertible_to<bool>;
      { H::tells_drops } -> std::convertible_to<bool>;
      { H::tells_strangers } -> std::convertible_to<bool>;
      { H::overtakes_bulk } -> std::convertible_to<bool>;
      { H::patience } -> std::convertible_to<std::chrono::milliseconds>;
    };

/// The harness has the last word on each Config.
template <class H>
concept TunesConfig = requires(H harness, Config& config) { harness.tune(config); };
/// The harness can keep messages from getting from one node to another.
template <class H>
concept CutsLinks = requires(H harness, NodeId node) {
  harness.cut(node, node);
  harness.heal();
};
/// The harness can send any bytes to where a node listens.
template <class H>
concept InjectsBytes = requires(H harness, const std::string& address, std::span<const std::byte> bytes) {
  harness.inject(address, bytes);
};
/// The harness can be a remote client.
template <class H>
concept MakesClients = requires(H harness, const Config& config, std::uint16_t port) {
  { harness.connect_client(config, port) } -> std::same_as<std::unique_ptr<TestClient>>;
};
/// And its transport bounds how many there may be.
template <class H>
concept LimitsClients = MakesClients<H> && requires(H harness, typename H::Transport::Options& options) {
  harness.limit_clients(options, std::size_t{2});
};

}  // namespace paxos::testing
