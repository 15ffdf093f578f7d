// Copyright (c) the paxos authors. MIT licence.
//
// Every verb of a node and of a remote client, on three nodes in one process: what docs/quickstart.md shows.
// usage: verbs ADDRESS ADDRESS ADDRESS
#include <cstdint>
#include <functional>
#include <future>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <paxos/paxos.hpp>

#include "key_value.hpp"

namespace {

using Command = KeyValue::Command;

// clang-format off
// [snippet: observer]
struct Log : paxos::NullObserver {                     // hide what is of interest; the rest costs nothing
  void on_leader(paxos::NodeId leader, const paxos::Ballot& ballot) {
    std::clog << "leader " + to_string(leader) + " at ballot " + to_string(ballot) + "\n";
  }
  void on_refused(std::string_view text) { std::clog << "refused: " + std::string{text} + "\n"; }
  void on_stopped(const paxos::Status& why) { std::clog << "stopped: " + why.text + "\n"; }
};
using KeyValueNode = paxos::Node<KeyValue, Log>;
// [end of snippet]

// [snippet: failure]
std::string put(KeyValueNode& node, const Command& command) {
  std::error_code ec;
  const auto before = node.propose(command, ec);       // without ec: throws std::system_error
  if (!ec) return "put; before: " + before.value_or("nothing");
  if (ec == paxos::Outcome::not_applied) return "it did not run, and never will: " + ec.message();
  return "it may have run, or may yet: " + ec.message();                  // paxos::Outcome::unknown
}
// [end of snippet]

std::string put_surely(KeyValueNode& node, const Command& command, std::uint64_t& sequence) {
  // [snippet: retry]
  const paxos::RequestId id{paxos::SessionId::named("importer-7"), ++sequence};
  std::error_code ec;
  auto result = node.propose(id, command, ec);
  for (int i = 0; i < 5 && ec == paxos::Outcome::unknown; ++i) result = node.propose(id, command, ec);
  // [end of snippet]
  return ec ? ec.message() : "before: " + result.value_or("nothing");
}

// [snippet: tokens]
void three_ways(KeyValueNode& node) {
  std::future<std::optional<std::string>> later = node.async_propose({"a", "1"}, asio::use_future);
  node.async_propose({"b", "2"}, [](std::error_code ec, std::optional<std::string> before) {
    if (!ec) std::clog << "before: " + before.value_or("nothing") + "\n"; // on the node's thread: it must not block
  });
  later.get();                                         // throws std::system_error
}
// [end of snippet]

// [snippet: coroutine]
asio::awaitable<void> put_and_get(KeyValueNode& node) {
  const Command command{"c", "3"};
  co_await node.async_propose(command, asio::use_awaitable);              // throws std::system_error
  std::error_code ec;
  const auto found = co_await node.async_read([](const KeyValue& machine) { return machine.get("c"); },
                                              asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) std::cout << found.value_or("nothing") << '\n';
}
// [end of snippet]

// [snippet: client]
void put_from_afar(const std::vector<std::string>& addresses) {
  paxos::Client<KeyValue> client{{.addresses = addresses}};               // of one node or more; it tries the next
  client.propose({"from", "afar"});                    // blocks, throws; with an error_code, or async_, as a Node's
}
// [end of snippet]
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> addresses(argv + 1, argv + argc);
  if (addresses.size() != 3) return std::cerr << "usage: verbs ADDRESS ADDRESS ADDRESS\n", 1;
  std::vector<paxos::Member> members;
  for (std::size_t i = 0; i < 3; ++i) members.emplace_back(i + 1, addresses[i]);
  const auto config_of = [&](std::uint64_t id) {
    return paxos::Config{.id = paxos::NodeId{id}, .members = members, .data_dir = "verbs-" + std::to_string(id)};
  };
  KeyValueNode first{config_of(1)}, second{config_of(2)}, third{config_of(3)};

  std::uint64_t sequence = 0;
  std::cout << put(first, {"colour", "red"}) << '\n';
  std::cout << put_surely(second, {"colour", "blue"}, sequence) << '\n';
  three_ways(third);
  asio::io_context io;
  asio::co_spawn(io, put_and_get(first), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  io.run();
  put_from_afar(addresses);
  std::cout << third.read([](const KeyValue& machine) { return machine.get("from"); }).value_or("nothing") << '\n';
  second.stop();
  std::cout << put(second, {"colour", "green"}) << '\n';
}
