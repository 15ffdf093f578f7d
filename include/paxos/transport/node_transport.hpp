// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include <asio/any_io_executor.hpp>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/policy/transport.hpp>

namespace paxos {

/// Names one connection of a remote client for the life of a transport. Never used again.
class ClientId {
 public:
  constexpr ClientId() = default;
  constexpr explicit ClientId(std::uint64_t value) : value_(value) {}  ///< a transport counts up from 1

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }  ///< 0: nobody

  friend constexpr auto operator<=>(const ClientId&, const ClientId&) = default;

 private:
  std::uint64_t value_ = 0;
};

/// What a transport tells its node. Every call comes on the transport's executor, never from inside a call of the
/// node's own, never after stop(). A call may call the transport back, stop() included; it must not throw.
/// An empty function is not called.
struct TransportEvents {
  std::function<void(NodeId from, Message&&)> on_message;          ///< from a peer that was greeted
  std::function<void(ClientId, Message&&)> on_client_message;      ///< a Forward or a ReadIndex
  std::function<void(ClientId)> on_client_gone;                    ///< the last word on a client
  std::function<void(NodeId)> on_peer_up;                          ///< from now on messages can reach this peer
  std::function<void(NodeId, std::string_view why)> on_peer_down;  ///< what waited for this peer is lost
  std::function<void(NodeId, std::string_view why)> on_dropped;    ///< messages to or from this peer were dropped
  std::function<void(std::string_view)> on_refused;                ///< a connection was refused, here or there
  /// Whether the peer may talk to this node in that life of its data directory; asked at every greeting. May throw: the
  /// peer is refused with that reason. Without it the transport remembers for its own life.
  std::function<Refusal(NodeId, const StoreLife&)> refusal_of_peer = {};
  /// A member has met a newer life of this node's directory: the node must stop, for good.
  std::function<void(NodeId, std::string_view why)> on_outdated = {};
};

/// The transport that a Node runs on: a Transport with a life, on one serial executor.
///
/// All members are called on that executor, or while it does not run; so are the constructor and the destructor.
///   - The constructor takes what it needs of the network, or throws; nothing is sent or told before start().
///   - send() and send_to_client() only queue; end_turn() lets everything go that was queued.
///   - stop() ends all traffic. It may be called at any moment, from inside an event too, and more than once.
///     The destructor stops as well. Neither waits for anything.
///   - port() is where peers and clients connect; 0 when there is no such thing.
///
/// Whether a type keeps all this paxos/testing/transport_conformance.hpp can tell.
template <class N>
concept NodeTransport =
    Transport<N> &&
    std::constructible_from<N, asio::any_io_executor, const Config&, StoreLife, TransportEvents, typename N::Options> &&
    requires(N& net, const N& read_only, ClientId client, const Message& message) {
      net.start();
      net.send_to_client(client, message);
      net.end_turn();
      net.stop();
      { read_only.port() } -> std::same_as<std::uint16_t>;
    };

}  // namespace paxos

template <>
struct std::hash<paxos::ClientId> {
  std::size_t operator()(const paxos::ClientId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value()); }
};
