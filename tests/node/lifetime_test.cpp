// Copyright (c) the paxos authors. MIT licence.
#include <atomic>
#include <future>
#include <string>
#include <system_error>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Network = std::shared_ptr<LoopbackNetwork>;

std::unique_ptr<MemoryNode> alone() {
  return std::make_unique<MemoryNode>(memory_config(), Witness{}, std::make_shared<LoopbackNetwork>());
}

/// Every answer is one of these.
bool is_fair(const std::error_code& ec) {
  return !ec || ec == Errc::interrupted || ec == Errc::stopped || ec == Errc::overloaded;
}

}  // namespace

TEST_CASE("a node may go right after it came", "[node][threads]") {
  for (int round = 0; round < 50; ++round) {
    const auto node = alone();
    static_cast<void>(node->status());
  }
  TempDir dir;
  for (int round = 0; round < 5; ++round)
    const FileNode node{{.id = NodeId{1}, .members = {{1, "127.0.0.1:0"}}, .data_dir = dir / "1"}};
}

TEST_CASE("destruction answers all that is outstanding", "[node][threads]") {
  for (int round = 0; round < 30; ++round) {
    auto node = alone();
    // From the first moment on, up to the midst of its work.
    for (int i = 0; i < round; ++i) static_cast<void>(outcome(*node, "warm"));
    std::atomic<int> answered = 0, unfair = 0;
    constexpr int each = 50;
    for (int i = 0; i < each; ++i) {
      node->async_propose("x", [&](std::error_code ec, const Placed&) {
        ++answered;
        if (!is_fair(ec)) ++unfair;
      });
      node->async_read([](const Ledger& ledger) { return ledger.entries.size(); },
                       [&](std::error_code ec, std::size_t) {
                         ++answered;
                         if (!is_fair(ec)) ++unfair;
                       });
    }
    if (round % 2 == 0) {
      node.reset();
    } else {
      std::thread{[gone = std::move(node)]() mutable { gone.reset(); }}.join();
    }
    CHECK(answered == 2 * each);
    CHECK(unfair == 0);
  }
}

TEST_CASE("stop may come from several threads while others ask", "[node][threads]") {
  for (int round = 0; round < 20; ++round) {
    const auto node = alone();
    std::vector<std::thread> threads;
    std::atomic<int> unfair = 0, asked = 0;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (std::error_code ec; !ec; ++asked) {
          node->propose("x", ec);
          if (!is_fair(ec)) ++unfair;
        }
      });
      threads.emplace_back([&] {
        for (std::error_code ec; !ec; ++asked) {
          node->read(entries_of, ec);
          if (!is_fair(ec)) ++unfair;
        }
      });
    }
    CHECK(eventually([&] { return asked > 4 * round || unfair > 0; }));
    for (int i = 0; i < 2; ++i)
      threads.emplace_back([&] {
        node->stop();
        if (node->status().failure.ok()) ++unfair;
      });
    for (auto& thread : threads) thread.join();
    CHECK(unfair == 0);
  }
}

TEST_CASE("a stopped node answers: stopped", "[node][threads]") {
  const auto node = alone();
  CHECK(node->propose("x").count == 1);
  node->stop();
  node->stop();
  CHECK(node->status().applied > Slot{});
  CHECK_FALSE(node->status().failure.ok());
  std::error_code ec;
  node->propose("y", ec);
  CHECK(ec == Errc::stopped);
  CHECK(ec == Outcome::not_applied);
  ec.clear();
  node->read(entries_of, ec);
  CHECK(ec == Errc::stopped);
  CHECK_THROWS_AS(node->propose("y"), std::system_error);
  CHECK(outcome(*node, "y").get() == Errc::stopped);
}

TEST_CASE("nodes of a cluster come and go while others ask them", "[node][threads]") {
  const auto network = std::make_shared<LoopbackNetwork>();
  std::vector<std::shared_ptr<MemoryNode>> nodes;
  for (std::size_t id = 1; id <= 3; ++id)
    nodes.push_back(std::make_shared<MemoryNode>(memory_config(id, 3), Witness{}, network));
  std::atomic<int> answered = 0, unfair = 0;
  std::vector<std::thread> threads;
  for (const auto& node : nodes)
    threads.emplace_back([&, node] {
      for (std::error_code ec; !ec; ++answered) {
        node->propose("x", ec);
        if (!is_fair(ec)) ++unfair;
      }
    });
  CHECK(eventually([&] { return answered > 100; }));
  for (const auto& node : nodes) node->stop();
  for (auto& thread : threads) thread.join();
  CHECK(unfair == 0);
}
