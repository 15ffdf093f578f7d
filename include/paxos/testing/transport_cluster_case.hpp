// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include <paxos/node.hpp>
#include <paxos/testing/transport_cases.hpp>

namespace paxos::testing {

/// Keeps every command that ran, in order, so that a lost, doubled or reordered one shows.
struct NumberList {
  using Command = std::uint64_t;

  std::vector<std::uint64_t> numbers;

  std::uint64_t apply(Command number) {
    numbers.push_back(number);
    return number;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(numbers);
  }
};

/// Three nodes with logs on disk, over the transport, while nodes stop and links break.
template <TransportHarness H>
struct TransportClusterCase {
  static std::vector<ConformanceCase> all() {
    return {{"three nodes choose commands while nodes stop and links break", &chooses_commands, true}};
  }

  using Member = Node<NumberList, NullObserver, FileStorage, typename H::Transport>;

  struct Cluster {
    Cluster() {
      directory =
          std::filesystem::temp_directory_path() / ("paxos-conformance-" + std::to_string(std::random_device{}()));
      for (std::size_t i = 1; i <= 3; ++i) config.members.emplace_back(i, harness.address());
      if constexpr (TunesConfig<H>) harness.tune(config);
      config.request_timeout = std::chrono::seconds{60};
      nodes.resize(3);
      for (std::size_t i = 0; i < 3; ++i) start(i);
    }
    ~Cluster() {
      nodes.clear();
      std::error_code ignored;
      std::filesystem::remove_all(directory, ignored);
    }
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    void start(std::size_t i) {
      Config own = config;
      own.id = config.members[i].id;
      own.data_dir = (directory / std::to_string(i)).string();
      nodes[i] = std::make_unique<Member>(own, NullObserver{}, harness.options());
    }
    /// Through node i, several at once; all of them ran once it returns.
    void propose_some(std::size_t i) {
      std::vector<std::future<std::uint64_t>> under_way;
      for (int count = 0; count < 10; ++count) under_way.push_back(nodes[i]->async_propose(++last, asio::use_future));
      for (auto& answer : under_way) acknowledged.push_back(answer.get());
    }

    asio::io_context io;
    H harness{io};
    Config config{.id = NodeId{1}, .members = {}, .data_dir = {}};
    std::filesystem::path directory;
    std::vector<std::unique_ptr<Member>> nodes;
    std::vector<std::uint64_t> acknowledged;
    std::uint64_t last = 0;
  };

  static void chooses_commands() {
    Cluster cluster;
    for (std::size_t i = 0; i < 3; ++i) cluster.propose_some(i);
    for (std::size_t round = 0; round < 3; ++round) {
      const std::size_t other = (round + 1) % 3;
      cluster.nodes[round].reset();
      cluster.propose_some(other);
      cluster.start(round);
      if constexpr (CutsLinks<H>) {
        cluster.harness.cut(cluster.config.members[other].id, cluster.config.members[(round + 2) % 3].id);
        cluster.propose_some(other);
        cluster.harness.heal();
      }
      cluster.propose_some(round);
    }
    std::ranges::sort(cluster.acknowledged);
    const auto first = cluster.nodes[0]->read(&NumberList::numbers);
    for (std::size_t i = 1; i < 3; ++i) CHECK(cluster.nodes[i]->read(&NumberList::numbers) == first);
    auto sorted = first;
    std::ranges::sort(sorted);
    CHECK(sorted == cluster.acknowledged);
  }
};

}  // namespace paxos::testing
