// Copyright (c) the paxos authors. MIT licence.
#include <atomic>
#include <future>
#include <string>
#include <system_error>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// A context of the user's, run by some threads.
class Threads {
 public:
  explicit Threads(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { io.run(); });
  }
  ~Threads() {
    work_.reset();
    for (auto& thread : threads_) thread.join();
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  asio::io_context io;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io);
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("three nodes on the user's executor, run by one thread and by several", "[node][threads]") {
  const int count = GENERATE(1, 4);
  Threads threads{count};
  const auto network = std::make_shared<LoopbackNetwork>();
  std::vector<std::unique_ptr<MemoryNode>> nodes;
  for (std::size_t id = 1; id <= 3; ++id)
    nodes.push_back(std::make_unique<MemoryNode>(threads.io.get_executor(), memory_config(id, 3), Witness{}, network));
  std::vector<std::future<Placed>> answers;
  std::atomic<int> outside = 0;
  for (int i = 0; i < 100; ++i)
    for (const auto& node : nodes) {
      std::promise<Placed> answer;
      answers.push_back(answer.get_future());
      node->async_propose("x", [&, answer = std::move(answer)](std::error_code, Placed placed) mutable {
        if (!threads.io.get_executor().running_in_this_thread()) ++outside;
        answer.set_value(std::move(placed));
      });
    }
  for (auto& answer : answers) CHECK(answer.get().count > 0);
  CHECK(outside == 0);
  CHECK(nodes[1]->propose("last").count == 301);
  CHECK(nodes[2]->read([](const Ledger& ledger) { return ledger.entries.size(); }) == 301);

  // Any handler of that context may be what the node waits for.
  std::promise<std::error_code> blocked;
  asio::post(threads.io, [&] {
    std::error_code ec;
    nodes[0]->propose("y", ec);
    blocked.set_value(ec);
  });
  CHECK(blocked.get_future().get() == Errc::would_deadlock);
}

TEST_CASE("three nodes over TCP on one thread of the user's", "[node][threads]") {
  Threads threads{1};
  ClusterOf<FileNode> places{3, false};
  std::vector<std::unique_ptr<FileNode>> nodes;
  for (std::size_t id = 1; id <= 3; ++id)
    nodes.push_back(std::make_unique<FileNode>(threads.io.get_executor(), places.config_of(id), Witness{}));
  for (std::size_t i = 0; i < 3; ++i) CHECK(nodes[i]->propose("x").count == i + 1);
  CHECK(nodes[0]->read([](const Ledger& ledger) { return ledger.entries.size(); }) == 3);
}

TEST_CASE("a node on a thread pool", "[node][threads]") {
  asio::thread_pool pool{2};
  {
    MemoryNode node{pool.get_executor(), memory_config(), Witness{}, std::make_shared<LoopbackNetwork>()};
    CHECK(node.propose("x").count == 1);
    std::promise<std::error_code> blocked;
    node.async_propose("y", [&](std::error_code ec, const Placed&) {
      node.read(entries_of, ec);
      blocked.set_value(ec);
    });
    CHECK(blocked.get_future().get() == Errc::would_deadlock);
  }
  pool.join();
}

TEST_CASE("destruction on the user's executor answers there all that is outstanding", "[node][threads]") {
  std::atomic<int> answered = 0;
  constexpr int rounds = 20, each = 20;
  {
    Threads threads{3};
    for (int round = 0; round < rounds; ++round) {
      MemoryNode node{threads.io.get_executor(), memory_config(), Witness{}, std::make_shared<LoopbackNetwork>()};
      for (int i = 0; i < round; ++i) static_cast<void>(outcome(node, "warm"));
      for (int i = 0; i < each; ++i) {
        node.async_propose("x", [&](std::error_code, const Placed&) { ++answered; });
        node.async_read([](const Ledger&) {}, [&](std::error_code) { ++answered; });
      }
    }
  }
  CHECK(answered == 2 * rounds * each);
}

TEST_CASE("a handler on the user's executor may destroy the node", "[node][threads]") {
  Threads threads{3};
  for (int round = 0; round < 20; ++round) {
    Witness witness;
    const std::weak_ptr<Story> story = witness.story;
    auto node = std::make_unique<MemoryNode>(threads.io.get_executor(), memory_config(), std::move(witness),
                                             std::make_shared<LoopbackNetwork>());
    std::promise<void> done;
    node->async_propose("x", [&](std::error_code, const Placed&) {
      node.reset();
      done.set_value();
    });
    done.get_future().get();
    CHECK(eventually([&] { return story.expired(); }));
  }
}

TEST_CASE("a context may end without running what is left of its nodes", "[node][threads]") {
  for (int round = 0; round < 20; ++round) {
    std::future<Placed> proposed;
    std::future<void> read;
    TempDir dir;
    {
      asio::io_context io{1};
      Config config{.id = NodeId{1}, .members = {{1, "127.0.0.1:0"}}, .data_dir = dir / "1"};
      FileNode node{io.get_executor(), config, Witness{}};
      proposed = node.async_propose("x", asio::use_future);
      read = node.async_read([](const Ledger&) {}, asio::use_future);
      for (int i = 0; i < 2 * round; ++i) io.run_one_for(std::chrono::milliseconds{50});
    }
    // Answered, or let go of: but over.
    CHECK(proposed.wait_for(0s) == std::future_status::ready);
    CHECK(read.wait_for(0s) == std::future_status::ready);
  }
}
