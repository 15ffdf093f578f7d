// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>

#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/policy/transport.hpp>
#include <paxos/role/acceptor.hpp>
#include <paxos/role/proposer.hpp>
#include <paxos/storage/memory_storage.hpp>

namespace paxos::test {

using namespace std::chrono_literals;

inline constexpr NodeId n1{1}, n2{2}, n3{3}, n4{4}, n5{5};
inline constexpr Ballot b1{1, n1}, b2{2, n2}, b3{3, n3};
inline constexpr Time t0 = Time{} + std::chrono::hours{1};

[[nodiscard]] constexpr Slot s(std::uint64_t slot) { return Slot{slot}; }
[[nodiscard]] inline Value v(std::string_view text) { return Value{text}; }

[[nodiscard]] inline Config config_of(std::size_t nodes, NodeId self = n1,
                                      const std::function<void(Config&)>& adjust = {}) {
  Config config;
  config.id = self;
  for (std::uint64_t id = 1; id <= nodes; ++id) config.members.emplace_back(id, "host:1");
  config.data_dir = "unused";
  if (adjust) adjust(config);
  return config;
}

/// What a client would send: session 1, the payload as it is.
[[nodiscard]] inline Command command(std::uint64_t sequence, std::string_view payload = "c") {
  return Command{RequestId{SessionId{1, 1}, sequence}, 0, Slot{}, Bytes{payload}};
}
[[nodiscard]] inline Value batch(const std::vector<Command>& commands) {
  BatchBuilder builder;
  for (const Command& one : commands) builder.add(one);
  return builder.take();
}

struct Sent {
  NodeId to;
  Message message;
  friend bool operator==(const Sent&, const Sent&) = default;
};

/// Keeps what is sent; what waits for a write leaves when the rig says that it is durable.
class RecordingNet {
 public:
  void send(NodeId to, Message message) { sent_.push_back(Sent{to, std::move(message)}); }
  void send_after(WriteTicket ticket, NodeId to, Message message) {
    if (ticket <= durable_) return send(to, std::move(message));
    held_.emplace_back(ticket, Sent{to, std::move(message)});
  }

  void on_durable(WriteTicket durable) {
    durable_ = durable;
    std::erase_if(held_, [&](auto& held) {
      if (held.first > durable_) return false;
      sent_.push_back(std::move(held.second));
      return true;
    });
  }
  /// A power cut: what waited is gone, and no write of the next life is durable yet.
  void crash() {
    held_.clear();
    durable_ = WriteTicket{};
  }

  /// All that was sent since the last take().
  [[nodiscard]] std::vector<Sent> take() { return std::exchange(sent_, {}); }
  /// Of one kind, since the last take(), in order.
  template <class M>
  [[nodiscard]] std::vector<std::pair<NodeId, M>> all() const {
    std::vector<std::pair<NodeId, M>> found;
    for (const Sent& sent : sent_)
      if (const auto* message = get_if<M>(&sent.message)) found.emplace_back(sent.to, *message);
    return found;
  }
  [[nodiscard]] std::vector<Message> to(NodeId node) const {
    std::vector<Message> found;
    for (const Sent& sent : sent_)
      if (sent.to == node) found.push_back(sent.message);
    return found;
  }
  [[nodiscard]] bool is_silent() const { return sent_.empty(); }
  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  WriteTicket durable_;
  std::vector<Sent> sent_;
  std::vector<std::pair<WriteTicket, Sent>> held_;
};

static_assert(DurableTransport<RecordingNet>);

/// One acceptor with its disk and its wires.
class AcceptorRig {
 public:
  explicit AcceptorRig(const std::function<void(Config&)>& adjust = {}, std::size_t nodes = 3)
      : config(config_of(nodes, n1, adjust)) {
    start();
  }

  /// Everything written so far is durable now, and what waited for it leaves.
  void flush() {
    REQUIRE(disk.flush().ok());
    net.on_durable(disk.durable());
  }
  /// A power cut and a new life.
  void restart() {
    disk.crash();
    net.crash();
    (void)net.take();
    start();
  }
  /// Learns slots as chosen: into the log, and out of the acceptor's memory.
  void choose(Slot slot, const Value& value) {
    disk.append(LearnRecord{slot, value});
    acceptor->forget_through(slot);
  }
  [[nodiscard]] const Value* voted(Slot slot) const {
    const auto* vote = acceptor->vote(slot);
    return vote == nullptr ? nullptr : &vote->value;
  }

  Config config;
  MemoryStorage disk;
  RecordingNet net;
  std::optional<Acceptor<RecordingNet, MemoryStorage>> acceptor;

 private:
  void start() {
    acceptor.emplace(config, net, disk);
    acceptor->restore(disk.recover());
  }
};

[[nodiscard]] inline Promise whole_promise(const Ballot& ballot, std::vector<AcceptedValue> accepted = {},
                                           Slot chosen_through = {}, Slot first_slot = Slot{1}) {
  return Promise{ballot, first_slot, Slot::infinity(), chosen_through, std::move(accepted)};
}

/// One proposer with its wires. Its own node is 1.
class ProposerRig {
 public:
  explicit ProposerRig(std::size_t nodes = 3, const std::function<void(Config&)>& adjust = {})
      : config(config_of(nodes, n1, adjust)), proposer(config, net) {}

  /// Wins phase 1 at `ballot` with promises from the first quorum of nodes, then proposes.
  void lead(const Ballot& ballot, const std::vector<AcceptedValue>& reported = {}, Slot chosen_through = {}) {
    proposer.prepare(ballot, Slot{1}, WriteTicket{}, now);
    const std::size_t quorum = config.members.size() / 2 + 1;
    for (std::size_t i = 0; i < quorum; ++i)
      proposer.on_promise(config.members[i].id, whole_promise(ballot, reported, chosen_through), now);
    REQUIRE(proposer.is_leading());
    propose();
  }
  void propose() { proposer.propose(now, true); }
  void accepted(NodeId from, Slot slot) { proposer.on_accepted(from, Accepted{proposer.ballot(), slot, slot}); }
  /// The slots chosen since the last call.
  [[nodiscard]] std::vector<Slot> chosen() {
    std::vector<Slot> slots;
    for (const auto& [slot, value] : proposer.take_chosen()) slots.push_back(slot);
    return slots;
  }
  /// What was proposed to one node since the last take(): slot and value.
  [[nodiscard]] std::vector<std::pair<Slot, Value>> proposals_to(NodeId node) const {
    std::vector<std::pair<Slot, Value>> found;
    for (const auto& [to, accept] : net.all<Accept>())
      if (to == node) found.emplace_back(accept.slot, accept.value);
    return found;
  }

  Config config;
  RecordingNet net;
  Proposer<RecordingNet> proposer;
  Time now = t0;
};

}  // namespace paxos::test

namespace Catch {
template <>
struct StringMaker<paxos::Message> {
  static std::string convert(const paxos::Message& message) { return std::string{paxos::name_of(message)}; }
};
template <>
struct StringMaker<paxos::test::Sent> {
  static std::string convert(const paxos::test::Sent& sent) {
    return std::string{paxos::name_of(sent.message)} + " to " + paxos::to_string(sent.to);
  }
};
template <>
struct StringMaker<paxos::Ballot> {
  static std::string convert(const paxos::Ballot& ballot) { return paxos::to_string(ballot); }
};
template <>
struct StringMaker<paxos::Slot> {
  static std::string convert(const paxos::Slot& slot) { return paxos::to_string(slot); }
};
template <>
struct StringMaker<paxos::Value> {
  static std::string convert(const paxos::Value& value) { return '"' + std::string{value.text()} + '"'; }
};
}  // namespace Catch
