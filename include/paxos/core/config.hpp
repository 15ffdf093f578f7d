// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/common_terms.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/time.hpp>

namespace paxos {

/// A Config that breaks a rule. The text names the field, the rule, the reason and a cure.
class ConfigError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Everything that a node must be told. Three fields have no default: id, members and data_dir.
/// Fields marked (same on all) must be equal on every node of a cluster; nodes that differ refuse each other.
struct Config {
  NodeId id;                      ///< which of `members` this node is
  std::vector<Member> members;    ///< (same on all) 1 to 9 nodes
  std::string data_dir;           ///< the directory of this node's log; created when absent; one process at a time
  std::string cluster = "paxos";  ///< (same on all) keeps two clusters apart that reach each other by mistake

  /// A leader tells every follower that it is there, this often.
  Duration heartbeat_interval = std::chrono::milliseconds{50};
  /// A follower that hears no leader for this long, or up to twice as long by chance, stands for election.
  Duration election_timeout = std::chrono::milliseconds{300};
  /// An Accept that was not answered is sent again after this long.
  Duration retransmit_interval = std::chrono::milliseconds{100};
  /// A leader whose own disk confirms nothing for this long stands down.
  Duration disk_stall_timeout = std::chrono::seconds{2};
  /// How long propose() and read() try before they give up.
  Duration request_timeout = std::chrono::seconds{5};

  std::size_t window_slots = 64;                             ///< slots that a leader keeps in flight
  std::size_t batch_commands_max = 2048;                     ///< commands in one slot
  std::size_t batch_bytes_max = std::size_t{1} << 20;        ///< bytes at which a slot's batch is full
  std::size_t command_bytes_max = std::size_t{1} << 20;      ///< one encoded command
  std::size_t pending_bytes_max = std::size_t{64} << 20;     ///< commands that wait at one node, and unwritten log
  std::size_t peer_queue_bytes_max = std::size_t{64} << 20;  ///< messages that wait for one peer; more are dropped
  std::size_t promise_bytes_max = std::size_t{1} << 20;      ///< accepted values in one Promise
  std::size_t catch_up_bytes_max = std::size_t{256} << 10;   ///< values in one CatchUpReply

  std::size_t sessions_max = 4096;    ///< (same on all) sessions remembered; the one idle for longest is evicted
  std::size_t session_window = 8192;  ///< (same on all) commands of one session in flight

  static constexpr std::size_t window_slots_max = 65536;  ///< the most that `window_slots` may be
  /// An acceptor keeps accepted values of this many slots above what it knows as chosen; it drops Accepts beyond.
  [[nodiscard]] std::size_t acceptor_window_slots() const { return 4 * window_slots; }
  /// What an acceptor remembers takes no more: its window, and as much again after a restart that forgot what was
  /// chosen. A candidate keeps no more of what it is told.
  [[nodiscard]] std::size_t acceptor_bytes_max() const { return 2 * acceptor_window_slots() * frame_bytes_max(); }
  /// No acceptor of any configuration reports values further above what it knows as chosen: of its window, and of as
  /// many slots again whose choice it forgot in a restart.
  static constexpr std::size_t reported_slots_max = 8 * window_slots_max;

  /// All that is (same on all).
  template <class Terms = CommonTerms>
  [[nodiscard]] Terms common() const {
    return Terms{cluster, detail::ordered_ids(members), sessions_max, session_window};
  }
  /// What frames and log segments carry of it.
  template <class Terms = CommonTerms>
  [[nodiscard]] std::uint64_t fingerprint() const {
    return common<Terms>().fingerprint();
  }

  /// Throws ConfigError when there is a problem().
  template <class Error = ConfigError>
  void validate() const {
    if (const auto text = problem()) detail::raise<Error>(*text);
  }

  /// The first field that breaks a rule, why, and a cure; nullopt when all is well. Storage and transport check
  /// `data_dir` and addresses.
  template <class Text = std::string>
  [[nodiscard]] std::optional<Text> problem() const {
    std::optional<Text> first;
    const auto require = [&first](bool holds, const Text& text) {
      if (!holds && !first) first = "Config: " + text;
    };
    const auto ms = [](Duration duration) {
      return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
    };
    require(
        !members.empty() && members.size() <= members_max,
        "members (" + std::to_string(members.size()) + ") must name 1 to 9 nodes; more only make each command slower");
    bool is_member = false;
    NodeId before;
    for (const NodeId member : detail::ordered_ids(members)) {
      require(member != NodeId{}, "members: id 0 is reserved for \"nobody\"; number the nodes from 1");
      require(member != before,
              "members: id " + to_string(member) + " appears twice; each node needs an id of its own");
      is_member = is_member || member == id;
      before = member;
    }
    require(is_member, "id (" + to_string(id) + ") must be one of members; add it there, or correct it");
    require(!cluster.empty() && cluster.size() <= 255, "cluster must be 1 to 255 bytes; any name does");
    require(heartbeat_interval > Duration::zero(), "heartbeat_interval must be positive; try 50 ms");
    require(election_timeout > 2 * heartbeat_interval,
            "election_timeout (" + ms(election_timeout) + ") must exceed 2 × heartbeat_interval (" +
                ms(heartbeat_interval) +
                "), or one lost heartbeat deposes a healthy leader; try 10 × heartbeat_interval");
    require(retransmit_interval > Duration::zero(), "retransmit_interval must be positive; try 100 ms");
    require(disk_stall_timeout >= election_timeout, "disk_stall_timeout (" + ms(disk_stall_timeout) +
                                                        ") must be at least election_timeout (" + ms(election_timeout) +
                                                        "), or a slow flush deposes a healthy leader; try 2 s");
    require(request_timeout > Duration::zero(), "request_timeout must be positive; try 5 s");
    for (const auto& [name, duration] : {std::pair{"heartbeat_interval", heartbeat_interval},
                                         {"election_timeout", election_timeout},
                                         {"retransmit_interval", retransmit_interval},
                                         {"disk_stall_timeout", disk_stall_timeout},
                                         {"request_timeout", request_timeout}})
      require(duration <= std::chrono::hours{24 * 365},
              std::string{name} + " must be at most a year, or clocks overflow");
    require(window_slots >= 1 && window_slots <= window_slots_max, "window_slots must be 1 to 65536; try 64");
    require(batch_commands_max >= 1, "batch_commands_max must be at least 1; try 2048");
    require(command_bytes_max >= 1 && command_bytes_max <= (std::size_t{16} << 20),
            "command_bytes_max must be 1 byte to 16 MiB, or one command stalls all others; keep large data elsewhere");
    require(batch_bytes_max >= 1 && batch_bytes_max <= (std::size_t{16} << 20),
            "batch_bytes_max must be 1 byte to 16 MiB; try 1 MiB");
    require(pending_bytes_max >= command_bytes_max,
            "pending_bytes_max must hold at least one command of command_bytes_max");
    require(peer_queue_bytes_max >= frame_bytes_max(), "peer_queue_bytes_max must hold the largest message (" +
                                                           std::to_string(frame_bytes_max()) + " bytes); try 64 MiB");
    require(promise_bytes_max >= 1 && promise_bytes_max <= (std::size_t{16} << 20),
            "promise_bytes_max must be 1 byte to 16 MiB; try 1 MiB");
    require(catch_up_bytes_max >= 1 && catch_up_bytes_max <= (std::size_t{16} << 20),
            "catch_up_bytes_max must be 1 byte to 16 MiB; try 256 KiB");
    require(sessions_max >= 1, "sessions_max must be at least 1; try 4096");
    require(session_window >= 1, "session_window must be at least 1; try 8192");
    return first;
  }

  /// No message is larger: a full batch and one more command, or a part of a Promise or CatchUpReply and one more
  /// batch.
  [[nodiscard]] std::size_t frame_bytes_max() const {
    const std::size_t largest_value = batch_bytes_max + command_bytes_max + 1024;
    return std::max(promise_bytes_max, catch_up_bytes_max) + largest_value + 4096;
  }
};

}  // namespace paxos
