// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/lives_met.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/transport/frame.hpp>

namespace paxos {

namespace detail {

/// Text of a stranger, fit for a line of a log: printable ASCII, at most 255 bytes of it.
[[nodiscard]] inline std::string printable(std::string text, std::size_t bytes_max = 255) {
  if (text.size() > bytes_max) text.resize(bytes_max);
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace detail

/// The largest payload that is read from somebody who has not been greeted.
inline constexpr std::size_t hello_bytes_max = 2048;
/// What a refusal may say; more is cut off.
inline constexpr std::size_t refusal_bytes_max = 1024;

/// Who dials. The value is the byte on the wire.
enum class Role : std::uint8_t {
  peer = 1,    ///< a node of the cluster
  client = 2,  ///< a remote client
};

/// The wire versions that a program speaks: all from `oldest` to `newest`.
struct WireVersions {
  std::uint16_t oldest = wire_version_oldest;  ///< and each up to
  std::uint16_t newest = wire_version;         ///< this one

  friend bool operator==(const WireVersions&, const WireVersions&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(oldest, newest);
  }
};

// A hello and its answer are read by every release: their fields stay as they are, and a later release may append more,
// which an older one does not look at (decode_hello).

/// The first frame of the dialling side.
struct Hello {
  WireVersions versions;          ///< of the sender
  std::string cluster;            ///< Config::cluster
  std::uint64_t fingerprint = 0;  ///< Config::fingerprint(); a client, who knows no members, says 0
  NodeId from;                    ///< nobody for a client
  NodeId to;                      ///< whom it means to reach; a client may say nobody: any node will do
  StoreLife life;                 ///< of the data directory of `from`
  Role role = Role::peer;         ///< a node, or a remote client

  friend bool operator==(const Hello&, const Hello&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    auto role_byte = static_cast<std::uint8_t>(role);
    archive(versions, cluster, fingerprint, from, to, life, role_byte);
    role = static_cast<Role>(role_byte);
  }
};

/// The answer, and on a refused connection the last frame.
struct HelloReply {
  bool accepted = false;  ///< the sender takes messages from now on
  std::string reason;     ///< why not; empty when accepted
  NodeId node;            ///< who answers
  StoreLife life;         ///< of the data directory of `node`; told to a peer that is welcome or outdated, else empty
  RefusalCode code = RefusalCode::none;  ///< what the refused one does about it
  std::uint16_t version = wire_version;  ///< what messages on this connection are written in, both ways

  friend bool operator==(const HelloReply&, const HelloReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    auto code_byte = static_cast<std::uint8_t>(code);
    archive(accepted, reason, node, life, code_byte, version);
    code = static_cast<RefusalCode>(code_byte);
  }
};

/// A frame of kind `hello`, behind what `out` holds; it carries no fingerprint, which a stranger could use.
template <std::same_as<Hello> Handshake = Hello>
void append_hello_frame(Buffer& out, const Handshake& hello) {
  append_frame(out, FrameKind::hello, hello.fingerprint, [&](Buffer& payload) { encode(payload, hello); });
}
/// `fingerprint` is the answering node's own: from it a client learns what its frames must carry.
template <std::same_as<HelloReply> Handshake = HelloReply>
void append_hello_reply_frame(Buffer& out, std::uint64_t fingerprint, Handshake reply) {
  if (reply.reason.size() > refusal_bytes_max) reply.reason.resize(refusal_bytes_max);
  append_frame(out, FrameKind::hello_reply, fingerprint, [&](Buffer& payload) { encode(payload, reply); });
}

/// Reads a Hello or a HelloReply, of this release or a later one. False when it is malformed.
template <class Handshake>
[[nodiscard]] bool decode_hello(std::span<const std::byte> payload, Handshake& handshake) {
  Decoder decoder{payload};
  decoder(handshake);
  return decoder.ok();
}

/// Decides who may talk to this node. Does no I/O of its own.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as Greeter.
template <class Judge = std::function<Refusal(NodeId, const StoreLife&)>>
class BasicGreeter {
 public:
  /// `judge` is TransportEvents::refusal_of_peer.
  BasicGreeter(const Config& config, StoreLife life, Judge judge = {})
      : id_(config.id),
        cluster_(config.cluster),
        fingerprint_(config.fingerprint()),
        life_(std::move(life)),
        members_(config.members),
        judge_(std::move(judge)) {}

  /// What to say to a peer that this node dials.
  [[nodiscard]] Hello hello_to(NodeId peer) const {
    return Hello{{}, cluster_, fingerprint_, id_, peer, life_, Role::peer};
  }
  /// Who knows this node's life could pass for the next one, so none but members hear it. An outdated one must: it
  /// believes its end of nobody else than a directory that it knows.
  [[nodiscard]] HelloReply reply(const Hello& hello, Refusal refusal) const {
    const bool is_told = hello.role == Role::peer && (refusal.is_welcome() || refusal.code == RefusalCode::outdated);
    return HelloReply{refusal.is_welcome(),
                      std::move(refusal.text),
                      id_,
                      is_told ? life_ : StoreLife{},
                      refusal.code,
                      std::min(hello.versions.newest, wire_version)};
  }

  /// Both sides report it.
  [[nodiscard]] Refusal refusal_of(const Hello& hello) {
    if (std::string wrong = wrong_with(hello); !wrong.empty()) return {std::move(wrong)};
    return hello.role == Role::client ? Refusal{} : refusal_of_directory(hello.from, hello.life);
  }

  /// The same question about the answer to our own hello to `peer`.
  [[nodiscard]] Refusal refusal_of(NodeId peer, const HelloReply& reply) {
    if (reply.node != peer)
      return {"node " + to_string(reply.node) + " answers where node " + to_string(peer) +
              " should; correct the addresses in Config::members"};
    if (reply.accepted && !is_spoken(reply.version))
      return {"it answers in wire version " + std::to_string(reply.version) + ", this node speaks " + text_of({})};
    return refusal_of_directory(peer, reply.life);
  }

 private:
  [[nodiscard]] std::string wrong_with(const Hello& hello) const {
    if (hello.versions.oldest > wire_version || hello.versions.newest < wire_version_oldest)
      return "it speaks wire " + text_of(hello.versions) + ", this node " + text_of({}) +
             "; the releases are too far apart: upgrade all nodes to a release between them first";
    if (hello.cluster != cluster_)
      return "it belongs to cluster \"" + detail::printable(hello.cluster) + "\", this node to \"" + cluster_ +
             "\"; correct Config::cluster or the address";
    if (hello.role == Role::client) return hello.to == NodeId{} ? std::string{} : refusal_of_target(hello.to);
    if (hello.role != Role::peer) return "it says neither that it is a peer nor that it is a client";
    if (hello.fingerprint != fingerprint_)
      return "its members or session limits differ from this node's; make Config::members, sessions_max and "
             "session_window the same on all nodes";
    if (std::string wrong = refusal_of_target(hello.to); !wrong.empty()) return wrong;
    if (!members_.contains(hello.from)) return "node " + to_string(hello.from) + " is not a member of this cluster";
    if (hello.from == id_)
      return "it says that it is node " + to_string(id_) + ", as this node is; each needs its own id";
    return {};
  }

  [[nodiscard]] static std::string text_of(const WireVersions& versions) {
    if (versions.oldest == versions.newest) return "version " + std::to_string(versions.newest);
    return "versions " + std::to_string(versions.oldest) + " to " + std::to_string(versions.newest);
  }

  [[nodiscard]] std::string refusal_of_target(NodeId to) const {
    if (to == id_) return {};
    return "it wants node " + to_string(to) + ", this is node " + to_string(id_) +
           "; correct the addresses in Config::members";
  }

  [[nodiscard]] Refusal refusal_of_directory(NodeId from, const StoreLife& life) try {
    if (judge_) return judge_(from, life);
    Refusal refusal = met_.refusal_of(from, life, "this node's memory");
    if (refusal.is_welcome()) met_.meet(from, life.newest());
    return refusal;
  } catch (const std::exception& error) {
    return {"this node cannot remember node " + to_string(from) + "'s data directory: " + error.what()};
  }

  NodeId id_;
  std::string cluster_;
  std::uint64_t fingerprint_;
  StoreLife life_;
  Membership members_;
  Judge judge_;
  LivesMet met_;  ///< while there is no judge; members only, so at most members_max
};

/// The one of a transport.
using Greeter = BasicGreeter<>;

}  // namespace paxos
