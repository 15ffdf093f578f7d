// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/testing/transport_harness.hpp>

namespace paxos::testing {

/// The first life of the directory of node `node`.
[[nodiscard]] inline StoreLife first_life_of(NodeId node) { return {100 + node.value(), 1, {1000 + node.value()}}; }

/// One transport on a context of its own, all that it told, and the rules that it broke in telling.
template <TransportHarness H>
class TestNode {
 public:
  using Net = typename H::Transport;

  TestNode(Config own, StoreLife own_life) : config(std::move(own)), life(std::move(own_life)) {}
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  void make(typename Net::Options options) {
    is_over_ = is_started_ = false;
    call([&] { net_ = std::make_unique<Net>(io.get_executor(), config, life, events(), std::move(options)); });
  }
  void start() {
    is_started_ = true;
    call([&] { net_->start(); });
  }
  void stop() {
    call([&] { net_->stop(); });
    is_over_ = true;
  }
  void destroy() {
    if (!net_) return;
    call([&] { net_.reset(); });
    is_over_ = true;
  }
  void send(NodeId to, const Message& message) {
    call([&] { net_->send(to, message); });
  }
  void send(ClientId to, const Message& message) {
    call([&] { net_->send_to_client(to, message); });
  }
  void end_turn() {
    call([&] { net_->end_turn(); });
  }
  void send_now(NodeId to, const Message& message) {
    send(to, message);
    end_turn();
  }

  [[nodiscard]] bool is_made() const { return net_ != nullptr; }
  [[nodiscard]] NodeId id() const { return config.id; }
  [[nodiscard]] const Net& net() const { return *net_; }
  [[nodiscard]] bool has_heard(NodeId from, const Message& message) const {
    return std::ranges::any_of(messages, [&](const auto& one) { return one.first == from && one.second == message; });
  }
  [[nodiscard]] std::size_t count_from(NodeId from) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(messages, [&](const auto& one) { return one.first == from; }));
  }
  [[nodiscard]] bool is_up(NodeId peer) const {
    const auto found = is_up_.find(peer);
    return found != is_up_.end() && found->second;
  }
  [[nodiscard]] bool has_told_nothing() const { return events_told == 0; }

  Config config;
  StoreLife life;
  bool is_paused = false;  ///< its handlers do not run: it neither reads nor writes

  std::vector<std::pair<NodeId, Message>> messages;
  std::vector<std::pair<ClientId, Message>> client_messages;
  std::vector<ClientId> gone;
  std::vector<NodeId> ups, downs;
  std::vector<NodeId> dropped;
  std::vector<std::string> refused;
  std::vector<NodeId> outdated;
  std::size_t events_told = 0;
  std::size_t questions = 0;                                     ///< of refusal_of_peer
  std::function<Refusal(NodeId, const StoreLife&)> judge;        ///< set before make(): answers refusal_of_peer
  std::function<void(std::string_view event)> on_any = nullptr;  ///< at the end of each event, by its name
  std::vector<std::string> breaches;                             ///< rules of TransportEvents that were broken

  asio::io_context io{1};

 private:
  template <class F>
  void call(F&& work) {
    const bool was_inside = std::exchange(is_inside_, true);
    work();
    is_inside_ = was_inside;
  }
  /// From inside an event the node may call, and what it calls may still not tell anything.
  void told(std::string_view event) {
    ++events_told;
    if (is_inside_) breach(event, "from inside a call of the node's");
    if (!is_started_) breach(event, "before start()");
    if (is_over_) breach(event, "after stop()");
    if (!io.get_executor().running_in_this_thread()) breach(event, "outside of the executor");
  }
  void breach(std::string_view event, std::string_view rule) {
    breaches.push_back(std::string{event} + " was told " + std::string{rule});
  }
  void ended(std::string_view event) {
    if (on_any) on_any(event);
  }

  TransportEvents events() {
    TransportEvents made;
    made.on_message = [this](NodeId from, Message&& message) {
      told("on_message");
      messages.emplace_back(from, std::move(message));
      ended("on_message");
    };
    made.on_client_message = [this](ClientId from, Message&& message) {
      told("on_client_message");
      if (std::ranges::count(gone, from) > 0) breach("on_client_message", "of a client that is gone");
      client_messages.emplace_back(from, std::move(message));
      ended("on_client_message");
    };
    made.on_client_gone = [this](ClientId client) {
      told("on_client_gone");
      if (std::ranges::count(gone, client) > 0) breach("on_client_gone", "twice of one client");
      gone.push_back(client);
      ended("on_client_gone");
    };
    made.on_peer_up = [this](NodeId peer) {
      told("on_peer_up");
      if (std::exchange(is_up_[peer], true)) breach("on_peer_up", "of a peer that was up already");
      ups.push_back(peer);
      ended("on_peer_up");
    };
    made.on_peer_down = [this](NodeId peer, std::string_view) {
      told("on_peer_down");
      const auto known = is_up_.find(peer);
      if (known != is_up_.end() && !known->second) breach("on_peer_down", "twice in one outage");
      is_up_[peer] = false;
      downs.push_back(peer);
      ended("on_peer_down");
    };
    made.on_dropped = [this](NodeId peer, std::string_view) {
      told("on_dropped");
      dropped.push_back(peer);
      ended("on_dropped");
    };
    made.on_refused = [this](std::string_view text) {
      told("on_refused");
      refused.emplace_back(text);
      ended("on_refused");
    };
    made.on_outdated = [this](NodeId peer, std::string_view) {
      told("on_outdated");
      outdated.push_back(peer);
      ended("on_outdated");
    };
    if (judge)
      made.refusal_of_peer = [this](NodeId peer, const StoreLife& told_life) {
        ++questions;
        return judge(peer, told_life);
      };
    return made;
  }

  std::unique_ptr<Net> net_;  ///< goes before the context
  std::map<NodeId, bool> is_up_;
  bool is_inside_ = false;
  bool is_started_ = false;
  bool is_over_ = false;
};

/// Some nodes of one cluster on this machine, driven by the thread of the test; node i is at(i). However it ends,
/// no node may have broken a rule of TransportEvents.
template <TransportHarness H>
class World {
 public:
  explicit World(std::size_t size) {
    for (std::size_t i = 1; i <= size; ++i) config.members.emplace_back(i, harness.address());
    if constexpr (TunesConfig<H>) harness.tune(config);
    nodes_.resize(size);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    for (std::size_t i = 1; i <= nodes_.size(); ++i)
      if (nodes_[i - 1]) destroy(i);
    if (is_drained_in_the_end) settle();
    for (std::size_t i = 1; i <= nodes_.size(); ++i)
      if (nodes_[i - 1]) check_breaches(i);
  }

  [[nodiscard]] Config config_of(std::size_t node) const {
    Config own = config;
    own.id = NodeId{node};
    return own;
  }
  /// Made and not started. What a node of that id told before is forgotten.
  TestNode<H>& make(const Config& own, const StoreLife& life,
                    std::function<Refusal(NodeId, const StoreLife&)> judge = nullptr) {
    auto& place = nodes_[own.id.value() - 1];
    if (place) {
      destroy(own.id.value());
      settle();
      check_breaches(own.id.value());
    }
    place = std::make_unique<TestNode<H>>(own, life);
    place->judge = std::move(judge);
    place->make(options ? *options : harness.options());
    return *place;
  }
  TestNode<H>& start(const Config& own, const StoreLife& life,
                     std::function<Refusal(NodeId, const StoreLife&)> judge = nullptr) {
    TestNode<H>& node = make(own, life, std::move(judge));
    node.start();
    return node;
  }
  TestNode<H>& start(std::size_t node) {
    auto& life = lives_[node];
    life = life.number == 0 ? first_life_of(NodeId{node}) : life.next(life.number);
    return start(config_of(node), life);
  }
  void start_all() {
    for (std::size_t i = 1; i <= nodes_.size(); ++i) start(i);
  }
  void destroy(std::size_t node) { at(node).destroy(); }
  [[nodiscard]] TestNode<H>& at(std::size_t node) { return *nodes_[node - 1]; }

  /// Runs what is ready, a bounded part of it; waits a moment when nothing is.
  void drive() {
    std::size_t ran = poll(io);
    for (const auto& node : nodes_)
      if (node && !node->is_paused) ran += poll(node->io);
    if (ran > 0) return;
    turn_ = (turn_ + 1) % (nodes_.size() + 1);
    asio::io_context* next = &io;
    if (turn_ > 0 && nodes_[turn_ - 1] && !nodes_[turn_ - 1]->is_paused) next = &nodes_[turn_ - 1]->io;
    next->restart();
    next->run_one_for(std::chrono::microseconds{500});
  }
  /// Runs what is ready now.
  void settle() {
    for (int round = 0; round < 3; ++round) {
      static_cast<void>(poll(io));
      for (const auto& node : nodes_)
        if (node && !node->is_paused) static_cast<void>(poll(node->io));
    }
  }
  /// False when `condition` does not hold within the harness's patience.
  [[nodiscard]] bool run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + H::patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      drive();
    }
    return true;
  }
  /// The same, with `work` done at once and then every now and then: a message may be lost, so a test repeats it.
  [[nodiscard]] bool run_until(const std::function<bool()>& condition, const std::function<void()>& work) {
    auto next = std::chrono::steady_clock::now();
    return run_until([&] {
      if (condition()) return true;
      if (std::chrono::steady_clock::now() < next) return false;
      work();
      next = std::chrono::steady_clock::now() + std::chrono::milliseconds{20};
      return false;
    });
  }
  /// A message of a kind of its own, sent until it has arrived.
  [[nodiscard]] bool reaches(std::size_t from, std::size_t to) {
    const Message message = ReadIndex{++marks_};
    return run_until([&] { return at(to).has_heard(NodeId{from}, message); },
                     [&] { at(from).send_now(NodeId{to}, message); });
  }
  [[nodiscard]] bool all_reach_each_other() {
    for (std::size_t from = 1; from <= nodes_.size(); ++from)
      for (std::size_t to = 1; to <= nodes_.size(); ++to)
        if (from != to && !reaches(from, to)) return false;
    return true;
  }
  /// Whatever else was under way has had its time: these two exchanged messages, several times over.
  [[nodiscard]] bool time_passes(std::size_t a, std::size_t b) {
    for (int round = 0; round < 10; ++round)
      if (!reaches(a, b) || !reaches(b, a)) return false;
    return true;
  }

  asio::io_context io{1};  ///< the harness's
  H harness{io};
  Config config{.id = NodeId{1}, .members = {}, .data_dir = "unused"};
  std::optional<typename H::Transport::Options> options;  ///< when set, in place of the harness's
  bool is_drained_in_the_end = true;                      ///< else contexts go with what they still hold

 private:
  /// As much as a busy node may do at once.
  static std::size_t poll(asio::io_context& context) {
    std::size_t ran = 0;
    context.restart();
    while (ran < 256 && context.poll_one() > 0) ++ran;
    return ran;
  }
  void check_breaches(std::size_t node) {
    CAPTURE(node);
    CHECK(at(node).breaches == std::vector<std::string>{});
  }

  std::vector<std::unique_ptr<TestNode<H>>> nodes_;
  std::map<std::size_t, StoreLife> lives_;
  std::size_t turn_ = 0;
  std::uint64_t marks_ = std::uint64_t{1} << 40;
};

}  // namespace paxos::testing
