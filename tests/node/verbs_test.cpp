// Copyright (c) the paxos authors. MIT licence.
#include <future>
#include <set>
#include <string>
#include <system_error>

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Cluster = ClusterOf<FileNode>;

}  // namespace

TEST_CASE("propose and read in their blocking forms, on every node", "[node][threads]") {
  Cluster cluster{3};
  std::uint64_t count = 0;
  for (std::size_t id = 1; id <= 3; ++id) {
    const std::string text = "from " + std::to_string(id);
    const Placed placed = cluster[id].propose(text);
    CHECK(placed.count == ++count);
    CHECK(placed.text == text);
    CHECK(placed.position.slot > Slot{});

    std::error_code ec;
    CHECK(cluster[id].propose("again " + text, ec).count == ++count);
    CHECK_FALSE(ec);
    // An acknowledged command is seen by a read on any node.
    for (std::size_t reader = 1; reader <= 3; ++reader) {
      CHECK(cluster[reader].read([](const Ledger& ledger) { return ledger.entries.size(); }) == count);
      CHECK(cluster[reader].read(entries_of, ec).back() == "again " + text);
      CHECK_FALSE(ec);
    }
  }
  std::set<NodeId> leaders;
  for (std::size_t id = 1; id <= 3; ++id) {
    bool was_called = false;
    cluster[id].read([&](const Ledger&) { was_called = true; });
    CHECK(was_called);
    leaders.insert(cluster[id].status().leader);
  }
  CHECK(leaders.size() == 1);
}

TEST_CASE("propose and read with a callback, a future and a coroutine, on every node", "[node][threads]") {
  Cluster cluster{3};
  for (std::size_t id = 1; id <= 3; ++id) {
    FileNode& node = cluster[id];
    const std::string name = std::to_string(id);

    std::promise<std::pair<std::error_code, Placed>> called;
    node.async_propose("callback " + name,
                       [&](std::error_code ec, Placed placed) { called.set_value({ec, std::move(placed)}); });
    const auto [ec, placed] = called.get_future().get();
    CHECK_FALSE(ec);
    CHECK(placed.text == "callback " + name);

    CHECK(node.async_propose("future " + name, asio::use_future).get().text == "future " + name);
    CHECK(node.async_read([](const Ledger& l) { return l.entries.size(); }, asio::use_future).get() == 3 * id - 1);
    CHECK_NOTHROW(node.async_read([](const Ledger&) {}, asio::use_future).get());

    asio::io_context io;
    auto done = asio::co_spawn(
        io,
        [&]() -> asio::awaitable<std::size_t> {
          const Placed own = co_await node.async_propose("coroutine " + name, asio::use_awaitable);
          CHECK(io.get_executor().running_in_this_thread());
          CHECK(own.count == 3 * id);
          const auto seen = co_await node.async_read(entries_of, asio::use_awaitable);
          CHECK(seen.back() == "coroutine " + name);
          co_await node.async_read([](const Ledger&) {}, asio::use_awaitable);
          co_return seen.size();
        },
        asio::use_future);
    io.run();
    CHECK(done.get() == 3 * id);
  }
}

TEST_CASE("a callback runs on its own executor", "[node][threads]") {
  Cluster cluster{1};
  asio::io_context io;
  bool was_called = false;
  cluster[1].async_propose("x", asio::bind_executor(io.get_executor(), [&](std::error_code ec, const Placed&) {
                             CHECK_FALSE(ec);
                             CHECK(io.get_executor().running_in_this_thread());
                             was_called = true;
                           }));
  io.run();  // the command under way is work for it
  CHECK(was_called);
}

TEST_CASE("what a read function throws reaches the blocking caller, and the node lives on", "[node][threads]") {
  Cluster cluster{1};
  const auto bad = [](const Ledger& ledger) { return ledger.entries.at(7); };
  CHECK_THROWS_AS(cluster[1].read(bad), std::out_of_range);
  std::error_code ec;
  CHECK_THROWS_AS(cluster[1].read([](const Ledger&) { throw std::runtime_error("no"); }, ec), std::runtime_error);
  CHECK(cluster[1].propose("after").count == 1);
  CHECK(cluster[1].status().failure.ok());
}

TEST_CASE("many commands at once from all nodes run once each, in one order", "[node][threads]") {
  Cluster cluster{3};
  std::vector<std::future<Placed>> answers;
  constexpr std::size_t each = 200;
  for (std::size_t i = 0; i < each; ++i)
    for (std::size_t id = 1; id <= 3; ++id)
      answers.push_back(cluster[id].async_propose(std::to_string(id) + "/" + std::to_string(i), asio::use_future));
  std::vector<std::string> expected(3 * each);
  for (auto& answer : answers) {
    const Placed placed = answer.get();
    REQUIRE(placed.count >= 1);
    REQUIRE(placed.count <= expected.size());
    CHECK(expected[placed.count - 1].empty());
    expected[placed.count - 1] = placed.text;
  }
  for (std::size_t id = 1; id <= 3; ++id) CHECK(cluster[id].read(entries_of) == expected);
}

namespace {

/// apply() that returns nothing and takes no position.
struct Sum {
  using Command = int;
  int value = 0;
  void apply(int by) { value += by; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

}  // namespace

TEST_CASE("a machine whose apply returns nothing answers Unit", "[node][threads]") {
  TempDir dir;
  Node<Sum> node{{.id = NodeId{1}, .members = {{1, "127.0.0.1:0"}}, .data_dir = dir / "1"}};
  CHECK(node.propose(3) == Unit{});
  std::error_code ec;
  CHECK(node.propose(4, ec) == Unit{});
  CHECK_FALSE(ec);
  CHECK(node.async_propose(5, asio::use_future).get() == Unit{});
  CHECK(node.read([](const Sum& sum) { return sum.value; }) == 12);
  CHECK(node.port() != 0);
}
