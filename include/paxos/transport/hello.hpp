// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/node_id.hpp>
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
enum class Role : std::uint8_t { peer = 1, client = 2 };

/// The first frame of the dialling side.
struct Hello {
  std::uint16_t version = wire_version;
  std::string cluster;            ///< Config::cluster
  std::uint64_t fingerprint = 0;  ///< Config::fingerprint(); a client, who knows no members, says 0
  NodeId from;                    ///< nobody for a client
  NodeId to;                      ///< whom it means to reach; a client may say nobody: any node will do
  std::uint64_t incarnation = 0;  ///< names the data directory of `from`
  Role role = Role::peer;

  friend bool operator==(const Hello&, const Hello&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    auto role_byte = static_cast<std::uint8_t>(role);
    archive(version, cluster, fingerprint, from, to, incarnation, role_byte);
    role = static_cast<Role>(role_byte);
  }
};

/// The answer, and on a refused connection the last frame.
struct HelloReply {
  bool accepted = false;
  std::string reason;  ///< why not; empty when accepted
  NodeId node;         ///< who answers
  std::uint64_t incarnation = 0;

  friend bool operator==(const HelloReply&, const HelloReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(accepted, reason, node, incarnation);
  }
};

inline void append_hello_frame(Buffer& out, const Hello& hello) {
  append_frame(out, FrameKind::hello, hello.fingerprint, [&](Buffer& payload) { encode(payload, hello); });
}
/// `fingerprint` is the answering node's own: from it a client learns what its frames must carry.
inline void append_hello_reply_frame(Buffer& out, std::uint64_t fingerprint, HelloReply reply) {
  if (reply.reason.size() > refusal_bytes_max) reply.reason.resize(refusal_bytes_max);
  append_frame(out, FrameKind::hello_reply, fingerprint, [&](Buffer& payload) { encode(payload, reply); });
}

/// Decides who may talk to this node, and remembers which data directory each peer has. Does no I/O of its own.
class Greeter {
 public:
  /// `admits` is TransportEvents::admits_peer.
  Greeter(const Config& config, std::uint64_t incarnation, std::function<bool(NodeId, std::uint64_t)> admits = {})
      : id_(config.id),
        cluster_(config.cluster),
        fingerprint_(config.fingerprint()),
        incarnation_(incarnation),
        members_(config.members),
        admits_(std::move(admits)) {}

  [[nodiscard]] Hello hello_to(NodeId peer) const {
    return Hello{wire_version, cluster_, fingerprint_, id_, peer, incarnation_, Role::peer};
  }
  [[nodiscard]] HelloReply reply(std::string refusal) const {
    return HelloReply{refusal.empty(), std::move(refusal), id_, incarnation_};
  }

  /// Empty when welcome, else the reason for a refusal, which both sides report.
  [[nodiscard]] std::string refusal_of(const Hello& hello) {
    if (hello.version != wire_version)
      return "wire version " + std::to_string(hello.version) + ", here " + std::to_string(wire_version) +
             "; run one release on all nodes";
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
    return refusal_of_directory(hello.from, hello.incarnation);
  }

  /// The same question about the answer to our own hello to `peer`, when it was accepted.
  [[nodiscard]] std::string refusal_of(NodeId peer, const HelloReply& reply) {
    if (reply.node != peer)
      return "node " + to_string(reply.node) + " answers where node " + to_string(peer) +
             " should; correct the addresses in Config::members";
    return refusal_of_directory(peer, reply.incarnation);
  }

 private:
  [[nodiscard]] std::string refusal_of_target(NodeId to) const {
    if (to == id_) return {};
    return "it wants node " + to_string(to) + ", this is node " + to_string(id_) +
           "; correct the addresses in Config::members";
  }

  /// A node that lost its disk has forgotten its promises: the same id with another directory must not vote.
  [[nodiscard]] std::string refusal_of_directory(NodeId from, std::uint64_t incarnation) try {
    if (from == id_) return "it says that it is node " + to_string(id_) + ", as this node is; each needs its own id";
    const auto known = incarnations_.find(from);
    if (known != incarnations_.end() ? known->second == incarnation : is_admitted(from, incarnation)) return {};
    return "another data directory claims to be node " + to_string(from) +
           ": a wiped or cloned node must not vote, as it has forgotten what it promised; start node " +
           to_string(from) + " on the data directory that it had";
  } catch (const std::exception& error) {
    return "this node cannot remember node " + to_string(from) + "'s data directory: " + error.what();
  }

  [[nodiscard]] bool is_admitted(NodeId from, std::uint64_t incarnation) {
    if (admits_ && !admits_(from, incarnation)) return false;
    incarnations_.emplace(from, incarnation);
    return true;
  }

  NodeId id_;
  std::string cluster_;
  std::uint64_t fingerprint_;
  std::uint64_t incarnation_;
  Membership members_;
  std::function<bool(NodeId, std::uint64_t)> admits_;
  std::map<NodeId, std::uint64_t> incarnations_;  ///< of members only, so at most members_max
};

}  // namespace paxos
