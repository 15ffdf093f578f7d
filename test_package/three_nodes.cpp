// Copyright (c) the paxos authors. MIT licence.
//
// A program of another project: three nodes in one process, over TCP and with their logs on disk, agree on a counter.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>
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

/// "127.0.0.1:port", on ports that nobody has; all differ. Not ones that bind() to port 0 gives: those are where the
/// kernel takes the ports of outgoing connections from, so that one may be taken before the node listens there.
std::vector<std::string> free_addresses(std::size_t count) {
  std::mt19937 random{std::random_device{}()};
  asio::io_context context;
  std::vector<asio::ip::tcp::acceptor> taken;
  std::vector<std::string> addresses;
  while (addresses.size() < count) {
    const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution<int>{11000, 31999}(random));
    asio::ip::tcp::acceptor probe{context, asio::ip::tcp::v4()};
    std::error_code in_use;
    probe.bind({asio::ip::address_v4::loopback(), port}, in_use);
    if (in_use) continue;
    taken.push_back(std::move(probe));
    addresses.push_back("127.0.0.1:" + std::to_string(port));
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
