// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/config.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace {

using namespace std::chrono_literals;
using paxos::Config;
using paxos::ConfigError;
using paxos::Member;
using paxos::NodeId;

Config good() {
  return Config{.id = NodeId{1}, .members = {{1, "a:7001"}, {2, "b:7001"}, {3, "c:7001"}}, .data_dir = "data"};
}

std::string complaint_about(const Config& config) {
  try {
    config.validate();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no complaint";
}

struct Rule {
  std::string field;                  // named first
  std::string words;                  // of the rule or of its cure
  std::function<void(Config&)> with;  // breaks that rule alone
};

const Rule rules[] = {
    {"members", "1 to 9", [](Config& c) { c.members.clear(); }},
    {"members", "(10) must name 1 to 9",
     [](Config& c) {
       c.members.clear();
       for (std::size_t id = 1; id <= 10; ++id) c.members.emplace_back(id, "h:1");
     }},
    {"members", "id 0 is reserved for \"nobody\"; number the nodes from 1",
     [](Config& c) { c.members[1].id = NodeId{}; }},
    {"members", "id 3 appears twice", [](Config& c) { c.members[1].id = NodeId{3}; }},
    {"id", "(4) must be one of members", [](Config& c) { c.id = NodeId{4}; }},
    {"cluster", "1 to 255 bytes", [](Config& c) { c.cluster.clear(); }},
    {"cluster", "1 to 255 bytes", [](Config& c) { c.cluster.assign(256, 'x'); }},
    {"heartbeat_interval", "must be positive; try 50 ms", [](Config& c) { c.heartbeat_interval = 0ms; }},
    {"election_timeout",
     "(100 ms) must exceed 2 × heartbeat_interval (80 ms), or one lost heartbeat deposes a healthy leader; try 10 × "
     "heartbeat_interval",
     [](Config& c) {
       c.heartbeat_interval = 80ms;
       c.election_timeout = 100ms;
     }},
    {"election_timeout", "must exceed 2 ×", [](Config& c) { c.election_timeout = 100ms; }},  // 2 × 50 ms is not enough
    {"retransmit_interval", "must be positive; try", [](Config& c) { c.retransmit_interval = 0ms; }},
    {"disk_stall_timeout", "must be at least election_timeout (300 ms)",
     [](Config& c) { c.disk_stall_timeout = 299ms; }},
    {"request_timeout", "must be positive; try", [](Config& c) { c.request_timeout = -1ms; }},
    {"window_slots", "1 to 65536; try", [](Config& c) { c.window_slots = 0; }},
    {"window_slots", "1 to 65536; try", [](Config& c) { c.window_slots = 65537; }},
    {"batch_commands_max", "at least 1; try", [](Config& c) { c.batch_commands_max = 0; }},
    {"command_bytes_max", "1 byte to 16 MiB", [](Config& c) { c.command_bytes_max = 0; }},
    {"command_bytes_max", "keep large data elsewhere",
     [](Config& c) { c.command_bytes_max = (std::size_t{16} << 20) + 1; }},
    {"batch_bytes_max", "1 byte to 16 MiB; try", [](Config& c) { c.batch_bytes_max = 0; }},
    {"pending_bytes_max", "at least one command", [](Config& c) { c.pending_bytes_max = c.command_bytes_max - 1; }},
    {"peer_queue_bytes_max", "must hold the largest message",
     [](Config& c) { c.peer_queue_bytes_max = c.frame_bytes_max() - 1; }},
    {"promise_bytes_max", "1 byte to 16 MiB; try", [](Config& c) { c.promise_bytes_max = 0; }},
    {"catch_up_bytes_max", "1 byte to 16 MiB; try", [](Config& c) { c.catch_up_bytes_max = 0; }},
    {"sessions_max", "at least 1; try", [](Config& c) { c.sessions_max = 0; }},
    {"session_window", "at least 1; try", [](Config& c) { c.session_window = 0; }},
};

TEST_CASE("Config: the defaults are good, from 1 node to 9", "[config]") {
  Config config = good();
  CHECK_NOTHROW(config.validate());
  config.members.clear();
  for (std::size_t id = 1; id <= 9; ++id) {
    config.members.emplace_back(id, "host:1");
    CHECK(complaint_about(config) == "no complaint");
  }
}

TEST_CASE("Config: each broken rule is told with its field, the rule and a cure", "[config]") {
  for (const Rule& rule : rules) {
    Config config = good();
    rule.with(config);
    const std::string text = complaint_about(config);
    INFO(text);
    CHECK(text.starts_with("Config: " + rule.field));
    CHECK(text.find(rule.words) != std::string::npos);
  }
}

TEST_CASE("Config: at the edge of each bound it is good", "[config]") {
  Config config = good();
  config.election_timeout = 101ms;
  config.disk_stall_timeout = 101ms;
  config.window_slots = 65536;
  config.command_bytes_max = std::size_t{16} << 20;
  config.batch_bytes_max = std::size_t{16} << 20;
  config.peer_queue_bytes_max = config.frame_bytes_max();
  config.cluster.assign(255, 'x');
  CHECK(complaint_about(config) == "no complaint");
}

// Two nodes that disagree on what must be the same would compute different states from the same log.
TEST_CASE("Config: the fingerprint covers what must be the same, and nothing else", "[config]") {
  const Config reference = good();
  const auto differs = [&](const std::function<void(Config&)>& change) {
    Config config = good();
    change(config);
    return config.fingerprint() != reference.fingerprint();
  };
  CHECK(differs([](Config& c) { c.cluster = "other"; }));
  CHECK(differs([](Config& c) { c.members.emplace_back(4U, "d:7001"); }));
  CHECK(differs([](Config& c) { c.sessions_max = 5; }));
  CHECK(differs([](Config& c) { c.session_window = 5; }));
  CHECK_FALSE(differs([](Config& c) { std::swap(c.members[0], c.members[2]); }));
  CHECK_FALSE(differs([](Config& c) { c.id = NodeId{2}; }));
  CHECK_FALSE(differs([](Config& c) { c.data_dir = "elsewhere"; }));
  CHECK_FALSE(differs([](Config& c) { c.members[0].address = "moved:7001"; }));
  CHECK_FALSE(differs([](Config& c) { c.election_timeout = 1s; }));
}

}  // namespace
