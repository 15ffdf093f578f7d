// Copyright (c) the paxos authors. MIT licence.
//
// A program of another project: three nodes in one process, over TCP and with their logs on disk, agree on a counter.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <paxos/paxos.hpp>

namespace {

struct Counter {
  using Command = std::int64_t;
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

/// "127.0.0.1:port", on ports that are free a moment later; all differ.
std::vector<std::string> free_addresses(std::size_t count) {
  asio::io_context context;
  std::vector<asio::ip::tcp::acceptor> taken;
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& acceptor = taken.emplace_back(context, asio::ip::tcp::endpoint{asio::ip::address_v4::loopback(), 0});
    addresses.push_back("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  }
  return addresses;
}

/// A new directory, gone with all that is in it at the end.
struct TemporaryDirectory {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() /
      ("paxos-three-nodes-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count()));

  TemporaryDirectory() { std::filesystem::create_directory(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

int main() {
  const TemporaryDirectory directory;
  const auto addresses = free_addresses(3);
  std::vector<paxos::Member> members;
  for (std::uint64_t id = 1; id <= 3; ++id) members.emplace_back(id, addresses[id - 1]);

  std::vector<std::unique_ptr<paxos::Node<Counter>>> nodes;
  for (const paxos::Member& member : members) {
    paxos::Config config;
    config.id = member.id;
    config.members = members;
    config.data_dir = directory.path / to_string(member.id);
    nodes.push_back(std::make_unique<paxos::Node<Counter>>(config));
  }

  nodes[0]->propose(40);
  nodes[1]->propose(2);
  for (auto& node : nodes) {
    const std::int64_t value = node->read(&Counter::value);
    std::printf("node %s reads %lld\n", to_string(node->status().id).c_str(), static_cast<long long>(value));
    if (value != 42) return 1;
  }
  return 0;
}
