// Copyright (c) the paxos authors. MIT licence.
#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <system_error>

#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// One node that is a cluster by itself.
struct Alone {
  Witness witness;
  std::unique_ptr<MemoryNode> node =
      std::make_unique<MemoryNode>(memory_config(), witness, std::make_shared<LoopbackNetwork>());
};

}  // namespace

TEST_CASE("a blocking call from the node's own thread fails instead of waiting for itself", "[node][threads]") {
  Alone alone;
  MemoryNode& node = *alone.node;
  std::promise<std::vector<std::error_code>> done;
  node.async_propose("x", [&](std::error_code, const Placed&) {
    std::vector<std::error_code> codes(2);
    node.propose("inner", codes[0]);
    node.read(entries_of, codes[1]);
    done.set_value(codes);
  });
  for (const auto& code : done.get_future().get()) {
    CHECK(code == Errc::would_deadlock);
    CHECK(code == Outcome::not_applied);
  }
  std::error_code inner;
  node.read([&](const Ledger&) { node.propose("from a read", inner); });
  CHECK(inner == Errc::would_deadlock);
  CHECK(node.read(entries_of) == std::vector<std::string>{"x"});
}

TEST_CASE("a handler may start the next operation", "[node][threads]") {
  Alone alone;
  std::promise<void> done;
  std::function<void(int)> next = [&](int left) {
    if (left == 0) return done.set_value();
    alone.node->async_propose(std::to_string(left), [&, left](std::error_code ec, const Placed&) {
      CHECK_FALSE(ec);
      next(left - 1);
    });
  };
  next(50);
  done.get_future().get();
  CHECK(alone.node->read([](const Ledger& ledger) { return ledger.entries.size(); }) == 50);
}

TEST_CASE("a handler that throws ends the node, which says so, and not the process", "[node][threads]") {
  const bool is_exception = GENERATE(true, false);
  Alone alone;
  alone.node->async_propose("x", [&](std::error_code, const Placed&) {
    if (is_exception) throw std::runtime_error("it was me");
    throw 7;
  });
  CHECK(eventually([&] { return alone.witness.story->tells("stopped: a completion handler"); }));
  CHECK(eventually([&] { return !alone.node->status().failure.ok(); }));
  std::error_code ec;
  alone.node->propose("y", ec);
  CHECK(ec == Errc::stopped);
  CHECK(alone.node->status().failure.text.find("threw") != std::string::npos);
  CHECK(alone.witness.story->count("stopped:") == 1);
}

TEST_CASE("handlers that throw while the node stops harm nobody", "[node][threads]") {
  Witness witness;
  // No quorum: everything waits until the end.
  auto node = std::make_unique<MemoryNode>(memory_config(1, 3), witness, std::make_shared<LoopbackNetwork>());
  std::atomic<int> called = 0;
  for (int i = 0; i < 10; ++i) {
    node->async_propose("x", [&](std::error_code, const Placed&) {
      ++called;
      throw std::runtime_error("on the way out");
    });
    node->async_read([](const Ledger&) {},
                     [&](std::error_code) {
                       ++called;
                       throw 1;
                     });
  }
  node->stop();
  CHECK(called == 20);
  CHECK_FALSE(witness.story->tells("stopped:"));
}

TEST_CASE("a machine that throws ends the node, and whoever waits is told: unknown", "[node][threads]") {
  Alone alone;
  CHECK(alone.node->propose("x").count == 1);
  std::error_code ec;
  alone.node->propose(std::string{Ledger::poison}, ec);
  CHECK(ec == Errc::interrupted);
  CHECK(ec == Outcome::unknown);
  CHECK(alone.witness.story->tells("stopped: the ledger was poisoned"));
  CHECK(alone.node->status().failure.text == "the ledger was poisoned");
}

TEST_CASE("a handler may destroy the node", "[node][threads]") {
  for (int round = 0; round < 20; ++round) {
    Alone alone;
    const std::weak_ptr<Story> story = alone.witness.story;
    alone.witness.story.reset();  // the observer's copy is now the last
    std::atomic<int> others = 0;
    std::promise<std::error_code> done;
    alone.node->async_propose("x", [&](std::error_code ec, const Placed&) {
      for (int i = 0; i < 10; ++i) {
        alone.node->async_propose("y", [&others](std::error_code, const Placed&) { ++others; });
        alone.node->async_read([](const Ledger&) {}, [&others](std::error_code) { ++others; });
      }
      alone.node.reset();
      done.set_value(ec);
    });
    CHECK_FALSE(done.get_future().get());
    CHECK(eventually([&] { return story.expired(); }));  // all that the node was is gone
    CHECK(others == 20);
  }
}

TEST_CASE("a handler that answers every failure with another try does not keep the node alive", "[node][threads]") {
  for (int round = 0; round < 20; ++round) {
    std::optional<MemoryNode> node;
    node.emplace(memory_config(), Witness{}, std::make_shared<LoopbackNetwork>());
    MemoryNode& asked = *node;
    std::function<void()> again = [&] { asked.async_propose("x", [&](std::error_code, const Placed&) { again(); }); };
    for (int i = 0; i < 5; ++i) again();
    CHECK(eventually([&] { return asked.status().applied > Slot{1}; }));
    node.reset();
  }
}
