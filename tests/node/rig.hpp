// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <paxos/node.hpp>
#include <paxos/storage/memory_storage.hpp>
#include <paxos/transport/loopback_transport.hpp>

#include "storage/rig.hpp"

namespace paxos::test {

using namespace std::chrono_literals;

/// Waits for `condition`; false when it does not hold within a bound that only a broken program reaches.
template <class Condition>
[[nodiscard]] bool eventually(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// What Ledger answers: where the entry stands.
struct Placed {
  std::uint64_t count = 0;
  Position position;
  std::string text;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(count, position, text);
  }
};

/// Keeps every command that ran, so that a lost, doubled or reordered one shows. Text commands, a struct as the
/// result, and apply() with the position.
struct Ledger {
  using Command = std::string;
  static constexpr std::string_view poison = "poison";

  std::vector<std::string> entries;

  Placed apply(const std::string& text, Position position) {
    if (text == poison) throw std::logic_error("the ledger was poisoned");
    entries.push_back(text);
    return {entries.size(), position, text};
  }
  [[nodiscard]] std::size_t count(std::string_view text) const {
    return static_cast<std::size_t>(std::count(entries.begin(), entries.end(), text));
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(entries);
  }
};

/// What one node's observers told; outlives the node.
class Story {
 public:
  void add(std::string line) {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
  }
  [[nodiscard]] std::size_t count(std::string_view part) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(
        std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return line.find(part) != line.npos; }));
  }
  [[nodiscard]] bool tells(std::string_view part) const { return count(part) > 0; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct Witness : NullObserver {
  std::shared_ptr<Story> story = std::make_shared<Story>();

  void on_standing(Standing standing, const Ballot&) { story->add("standing: " + std::string{to_string(standing)}); }
  void on_leader(NodeId node, const Ballot&) { story->add("leader: " + to_string(node)); }
  void on_peer_up(NodeId node) { story->add("up: " + to_string(node)); }
  void on_refused(std::string_view text) { story->add("refused: " + std::string{text}); }
  void on_disk_error(const Status& status) { story->add("disk: " + status.text); }
  void on_stopped(const Status& status) { story->add("stopped: " + status.text); }
};

/// A MemoryStorage for a Node: with a life, and a lock, because a node flushes on a thread of its own.
class NodeMemory {
 public:
  explicit NodeMemory(const Config&) {}

  [[nodiscard]] StoreLife life() const { return {1, 1, {1}}; }
  Recovered recover() {
    const std::lock_guard lock{mutex_};
    return memory_.recover();
  }
  WriteTicket append(const Record& record) {
    const std::lock_guard lock{mutex_};
    return memory_.append(record);
  }
  Status flush() {
    const std::lock_guard lock{mutex_};
    return memory_.flush();
  }
  [[nodiscard]] WriteTicket durable() const {
    const std::lock_guard lock{mutex_};
    return memory_.durable();
  }
  [[nodiscard]] std::size_t backlog() const {
    const std::lock_guard lock{mutex_};
    return memory_.backlog();
  }
  std::optional<Value> read(Slot slot) {
    const std::lock_guard lock{mutex_};
    return memory_.read(slot);
  }

 private:
  mutable std::mutex mutex_;
  MemoryStorage memory_;
};
static_assert(Storage<NodeMemory>);

/// A FileStorage whose disk fails as the test says; found by its directory, because a Node makes its own storage.
class FaultyStorage : public BasicFileStorage<TestFiles> {
 public:
  explicit FaultyStorage(const Config& config)
      : BasicFileStorage{config, small_segments, TestFiles{control_of(config.data_dir)}} {}

  /// The error of every write and sync from now on; 0: none.
  static void fail(const std::string& data_dir, int error) { disk_of(data_dir).error = error; }
  [[nodiscard]] static std::size_t attempts(const std::string& data_dir) { return disk_of(data_dir).attempts; }

 private:
  struct Disk {
    std::atomic<int> error = 0;
    std::atomic<std::size_t> attempts = 0;  ///< writes that failed
  };

  static Disk& disk_of(const std::string& data_dir) {
    static std::mutex mutex;
    static std::map<std::string, Disk> disks;
    const std::lock_guard lock{mutex};
    return disks[data_dir];
  }
  static std::shared_ptr<TestFiles::Control> control_of(const std::string& data_dir) {
    auto control = std::make_shared<TestFiles::Control>();
    control->fault = [&disk = disk_of(data_dir)](Call call) -> std::error_code {
      const int error = call == Call::read ? 0 : disk.error.load();
      if (error == 0) return {};
      ++disk.attempts;
      return {error, std::generic_category()};
    };
    return control;
  }
};

/// A loopback port that stays reserved: others pass it over, while a node can listen on it again and again.
class NodePort {
 public:
  explicit NodePort(asio::io_context& io) : socket_(io, asio::ip::tcp::v4()) {
    socket_.set_option(asio::socket_base::reuse_address{true});
    socket_.bind({asio::ip::address_v4::loopback(), 0});
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(socket_.local_endpoint().port()); }

 private:
  asio::ip::tcp::socket socket_;
};

/// Some nodes of one cluster, over TCP, each with a directory that outlives it.
template <class NodeType>
class ClusterOf {
 public:
  explicit ClusterOf(std::size_t size, bool starts = true) {
    for (std::size_t i = 1; i <= size; ++i) {
      ports_.push_back(std::make_unique<NodePort>(io_));
      config.members.emplace_back(i, ports_.back()->address());
    }
    config.request_timeout = 60s;
    nodes_.resize(size);
    stories_.resize(size);
    if (starts) start_all();
  }

  [[nodiscard]] Config config_of(std::size_t id) const {
    Config own = config;
    own.id = NodeId{id};
    own.data_dir = directory_of(id);
    return own;
  }
  [[nodiscard]] std::string directory_of(std::size_t id) const { return dir_ / std::to_string(id); }

  NodeType& start(std::size_t id) { return start(config_of(id)); }
  NodeType& start(const Config& own) {
    Witness witness;
    const auto place = own.id.value() - 1;
    stories_[place] = witness.story;
    nodes_[place] = std::make_unique<NodeType>(own, witness);
    return *nodes_[place];
  }
  void start_all() {
    for (std::size_t id = 1; id <= size(); ++id) start(id);
  }
  void stop(std::size_t id) { nodes_[id - 1].reset(); }
  void stop_all() {
    for (auto& node : nodes_) node.reset();
  }

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] bool runs(std::size_t id) const { return nodes_[id - 1] != nullptr; }
  [[nodiscard]] NodeType& operator[](std::size_t id) { return *nodes_[id - 1]; }
  [[nodiscard]] const Story& story(std::size_t id) const { return *stories_[id - 1]; }

  /// Waits for a leader whom all that run follow, and gives its id.
  [[nodiscard]] std::size_t leader() {
    std::size_t found = 0;
    const bool is_settled = eventually([&] {
      NodeId leader;
      for (const auto& node : nodes_) {
        if (!node) continue;
        const NodeId followed = node->status().leader;
        if (followed == NodeId{} || (leader != NodeId{} && followed != leader)) return false;
        leader = followed;
      }
      found = leader.value();
      return found > 0 && nodes_[found - 1] != nullptr;
    });
    if (!is_settled) throw std::runtime_error("no leader");
    return found;
  }
  [[nodiscard]] std::size_t follower() { return leader() % size() + 1; }

  Config config{.id = {}, .members = {}, .data_dir = {}};

 private:
  TempDir dir_;
  asio::io_context io_;
  std::vector<std::unique_ptr<NodePort>> ports_;
  std::vector<std::shared_ptr<Story>> stories_;
  std::vector<std::unique_ptr<NodeType>> nodes_;
};

using FileNode = Node<Ledger, Witness>;
using FaultyNode = Node<Ledger, Witness, FaultyStorage>;
using MemoryNode = Node<Ledger, Witness, NodeMemory, LoopbackTransport>;

/// Proposes `what` and gives the code alone. A future that carries an exception would do, but the thread sanitizer does
/// not see how the standard library counts the exception's owners.
template <class NodeType, class... What>
[[nodiscard]] std::future<std::error_code> outcome(NodeType& node, What... what) {
  std::promise<std::error_code> done;
  auto answer = done.get_future();
  node.async_propose(std::move(what)...,
                     [done = std::move(done)](std::error_code ec, const Placed&) mutable { done.set_value(ec); });
  return answer;
}

/// The configuration of node `id` among `size` that need no network and no disk.
inline Config memory_config(std::size_t id = 1, std::size_t size = 1) {
  Config config{.id = NodeId{id}, .members = {}, .data_dir = "unused"};
  for (std::size_t i = 1; i <= size; ++i) config.members.emplace_back(i, "127.0.0.1:1");
  config.request_timeout = 60s;
  return config;
}

inline std::vector<std::string> entries_of(const Ledger& ledger) { return ledger.entries; }

}  // namespace paxos::test

// Compiled once, in instances.cpp.
extern template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::FileStorage,
                                              paxos::TcpTransport>;
extern template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::test::FaultyStorage,
                                              paxos::TcpTransport>;
extern template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::test::NodeMemory,
                                              paxos::LoopbackTransport>;
