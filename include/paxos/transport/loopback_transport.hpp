// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/post.hpp>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/transport/node_transport.hpp>

namespace paxos {

template <class Executor>
class BasicLoopbackTransport;

/// The network of one process: joins the LoopbackTransports that are made with it. Any thread may call it.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as LoopbackNetwork.
template <class Executor = asio::any_io_executor>
class BasicLoopbackNetwork {
 public:
  /// From now on nothing that `from` sends reaches `to`, what is under way included. The other direction is untouched.
  void cut(NodeId from, NodeId to) {
    const std::scoped_lock lock{mutex_};
    cuts_.emplace(from, to);
  }
  /// Messages get from `from` to `to` again.
  void heal(NodeId from, NodeId to) {
    const std::scoped_lock lock{mutex_};
    cuts_.erase({from, to});
  }
  /// All cuts at once.
  void heal() {
    const std::scoped_lock lock{mutex_};
    cuts_.clear();
  }
  /// Whether messages from `from` to `to` are lost.
  [[nodiscard]] bool is_cut(NodeId from, NodeId to) const {
    const std::scoped_lock lock{mutex_};
    return cuts_.contains({from, to});
  }

 private:
  friend class BasicLoopbackTransport<Executor>;

  struct Letter {
    NodeId from;
    Message message;
    std::size_t weight;
  };

  /// One node's place in the network. Its events run on its executor only; letters come from any thread.
  struct Post {
    Executor serial;
    NodeId id;
    std::uint64_t fingerprint = 0;
    std::size_t bytes_max = 0;
    TransportEvents events;
    bool is_stopped = false;      ///< on the executor only
    bool is_drop_posted = false;  ///< on the executor only

    std::mutex mutex;
    std::vector<Letter> letters;
    std::map<NodeId, std::size_t> waiting_bytes;  ///< by sender: a slow receiver costs each sender its own share
    bool is_delivery_posted = false;
  };

  /// Null when `to` is not there, belongs to another cluster, or cannot be reached from `from`.
  [[nodiscard]] std::shared_ptr<Post> find(const Post& from, NodeId to) const {
    const std::scoped_lock lock{mutex_};
    const auto found = posts_.find(to);
    if (found == posts_.end() || found->second->fingerprint != from.fingerprint || cuts_.contains({from.id, to}))
      return nullptr;
    return found->second;
  }
  /// All that are there already and of the same cluster.
  [[nodiscard]] std::vector<std::shared_ptr<Post>> join(const std::shared_ptr<Post>& post) {
    const std::scoped_lock lock{mutex_};
    ensure(posts_.emplace(post->id, post).second,
           [&] { return "LoopbackNetwork: node " + to_string(post->id) + " is there already; stop that one first"; });
    return others(*post);
  }
  [[nodiscard]] std::vector<std::shared_ptr<Post>> leave(const std::shared_ptr<Post>& post) {
    const std::scoped_lock lock{mutex_};
    const auto found = posts_.find(post->id);
    if (found == posts_.end() || found->second != post) return {};
    posts_.erase(found);
    return others(*post);
  }
  [[nodiscard]] std::vector<std::shared_ptr<Post>> others(const Post& post) const {
    std::vector<std::shared_ptr<Post>> found;
    for (const auto& [id, other] : posts_)
      if (id != post.id && other->fingerprint == post.fingerprint) found.push_back(other);
    return found;
  }

  mutable std::mutex mutex_;
  std::map<NodeId, std::shared_ptr<Post>> posts_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
};

/// A transport within one process, for tests and examples: messages are moved to the receiver's executor, never
/// encoded. No remote clients, no port. What waits for a receiver is bounded like a peer's queue
/// (Config::peer_queue_bytes_max). See NodeTransport for who may call what, and when.
template <class Executor = asio::any_io_executor>
class BasicLoopbackTransport {
 public:
  using Network = BasicLoopbackNetwork<Executor>;  ///< what the transports of one cluster share
  using Options = std::shared_ptr<Network>;        ///< the network that it is on

  /// Bounds are those of `config`; the life is not used, as it greets nobody.
  BasicLoopbackTransport(Executor serial, const Config& config, const StoreLife& /*unused*/, TransportEvents events,
                         Options network)
      : network_(std::move(network)), post_(std::make_shared<Post>()) {
    ensure(network_ != nullptr, "LoopbackTransport: it needs a LoopbackNetwork; pass one to all nodes");
    post_->serial = std::move(serial);
    post_->id = config.id;
    post_->fingerprint = config.fingerprint();
    post_->bytes_max = config.peer_queue_bytes_max;
    post_->events = std::move(events);
  }
  BasicLoopbackTransport(const BasicLoopbackTransport&) = delete;
  BasicLoopbackTransport& operator=(const BasicLoopbackTransport&) = delete;
  ~BasicLoopbackTransport() { stop(); }

  /// Joins the network. InvariantViolation when this id is in it.
  void start() {
    for (const auto& other : network_->join(post_)) {
      tell_up(other, post_->id);
      tell_up(post_, other->id);
    }
  }

  void send(NodeId to, Message message) {
    if (post_->is_stopped) return;
    const auto receiver = network_->find(*post_, to);
    if (!receiver) return;
    const std::size_t weight = weight_of(message);
    bool was_posted = true;
    {
      const std::scoped_lock lock{receiver->mutex};
      std::size_t& waiting = receiver->waiting_bytes[post_->id];
      if (waiting + weight > receiver->bytes_max) return report_drop(to);
      waiting += weight;
      receiver->letters.push_back({post_->id, std::move(message), weight});
      was_posted = std::exchange(receiver->is_delivery_posted, true);
    }
    if (!was_posted) asio::post(receiver->serial, [receiver, network = network_] { deliver(*receiver, *network); });
  }

  /// There are no clients here.
  void send_to_client(ClientId, const Message&) {}
  /// send() has sent already.
  void end_turn() {}

  void stop() {
    if (std::exchange(post_->is_stopped, true)) return;
    for (const auto& other : network_->leave(post_))
      asio::post(other->serial, [other, gone = post_->id] {
        if (!other->is_stopped && other->events.on_peer_down) other->events.on_peer_down(gone, "stopped");
      });
  }

  [[nodiscard]] std::uint16_t port() const { return 0; }

 private:
  using Post = typename Network::Post;

  static void tell_up(const std::shared_ptr<Post>& post, NodeId peer) {
    asio::post(post->serial, [post, peer] {
      if (!post->is_stopped && post->events.on_peer_up) post->events.on_peer_up(peer);
    });
  }

  /// All that waits, in the order in which it was sent. Runs on the receiver's executor.
  static void deliver(Post& post, const Network& network) {
    std::vector<typename Network::Letter> letters;
    {
      const std::scoped_lock lock{post.mutex};
      letters.swap(post.letters);
      post.waiting_bytes.clear();
      post.is_delivery_posted = false;
    }
    for (auto& letter : letters) {
      if (post.is_stopped) return;
      if (!network.is_cut(letter.from, post.id) && post.events.on_message)
        post.events.on_message(letter.from, std::move(letter.message));
    }
  }

  /// At most one report is under way.
  void report_drop(NodeId to) {
    if (std::exchange(post_->is_drop_posted, true)) return;
    asio::post(post_->serial, [post = post_, to] {
      post->is_drop_posted = false;
      if (!post->is_stopped && post->events.on_dropped)
        post->events.on_dropped(to, "dropped messages to it: its queue is full (Config::peer_queue_bytes_max)");
    });
  }

  /// About what the message holds in memory.
  [[nodiscard]] static std::size_t weight_of(const Message& message) {
    std::size_t weight = sizeof(Message);
    if (const auto* promise = get_if<Promise>(&message))
      for (const auto& one : promise->accepted) weight += sizeof one + one.value.size();
    if (const auto* accept = get_if<Accept>(&message)) weight += accept->value.size();
    if (const auto* reply = get_if<CatchUpReply>(&message))
      for (const auto& value : reply->values) weight += sizeof value + value.size();
    if (const auto* forward = get_if<Forward>(&message)) weight += forward->command.payload.size();
    if (const auto* reply = get_if<ForwardReply>(&message)) weight += reply->result.size();
    return weight;
  }

  Options network_;
  std::shared_ptr<Post> post_;
};

using LoopbackTransport = BasicLoopbackTransport<>;  ///< over any executor of Asio's
using LoopbackNetwork = BasicLoopbackNetwork<>;      ///< what it is made with

}  // namespace paxos
