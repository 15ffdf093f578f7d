// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/time.hpp>

namespace paxos::sim {

/// How the network and the disks behave when no single fault strikes. Percentages are of single messages.
struct Conditions {
  unsigned loss_percent = 0;       ///< percent of the messages that never come
  unsigned duplicate_percent = 0;  ///< percent of the messages that come twice
  /// Beside a message an older one of the same link comes once more, of an earlier connection perhaps.
  unsigned replay_percent = 0;
  Duration latency_min = std::chrono::microseconds{50};   ///< of most messages, from
  Duration latency_max = std::chrono::microseconds{500};  ///< to
  /// A few messages take up to this long instead, and so are overtaken by others.
  unsigned straggler_percent = 0;
  Duration straggler_max = std::chrono::seconds{2};  ///< of the few that take long, at most
  /// The same of votes alone, where that is more.
  unsigned late_votes_percent = 0;
  Duration flush_min = std::chrono::microseconds{50};  ///< how long a flush takes, from
  Duration flush_max = std::chrono::milliseconds{3};   ///< to
};

/// The directed links between nodes: decides what becomes of each message. Carries nothing itself.
///
/// Each link draws from a random stream of its own, so that a fault more or less on one link does not change what
/// happens on the others.
class Links {
 public:
  /// A message on its way.
  struct Copy {
    Duration delay;   ///< from now
    Message message;  ///< as it was sent
  };

  /// Messages that something happened to.
  struct Tally {
    std::uint64_t lost = 0;        ///< by chance
    std::uint64_t cut_off = 0;     ///< on links that were cut
    std::uint64_t duplicated = 0;  ///< came twice
    std::uint64_t replayed = 0;    ///< came once more, long after
    std::uint64_t strayed = 0;     ///< took a straggler's time
    std::uint64_t reset = 0;       ///< went with a connection that broke
  };

  /// The same seed and the same messages: the same losses and delays.
  explicit Links(std::uint64_t seed) : seed_(seed) {}

  /// The copies that set out; none when the message is lost.
  [[nodiscard]] std::vector<Copy> carry(NodeId from, NodeId to, const Message& message, const Conditions& conditions) {
    Link& link = at(from, to);
    std::vector<Copy> copies;
    const unsigned count = link.random.chance(conditions.duplicate_percent) ? 2 : 1;
    tally_.duplicated += count - 1;
    for (unsigned i = 0; i < count; ++i) {
      if (link.is_cut) {
        ++tally_.cut_off;
      } else if (link.random.chance(conditions.loss_percent)) {
        ++tally_.lost;
      } else {
        copies.push_back({delay(link, conditions, message), message});
      }
    }
    if (conditions.replay_percent == 0 || link.is_cut) return copies;
    if (!link.old.empty() && link.random.chance(conditions.replay_percent) && ++tally_.replayed > 0)
      copies.push_back({delay(link, conditions, message), link.old[link.random.below(link.old.size())]});
    if (link.old.size() < old_max) {
      link.old.push_back(message);
    } else if (link.random.chance(20)) {  // so that some are very old
      link.old[link.random.below(old_max)] = message;
    }
    return copies;
  }

  void cut(NodeId from, NodeId to) { at(from, to).is_cut = true; }    ///< one direction alone
  void mend(NodeId from, NodeId to) { at(from, to).is_cut = false; }  ///< one direction alone
  /// Each link, both ways.
  void mend_all() {
    for (auto& [ends, link] : links_) link.is_cut = false;
  }

  /// The connection breaks: what is under way on it is lost. Both directions, as with TCP.
  void reset(NodeId a, NodeId b) {
    ++at(a, b).connection;
    ++at(b, a).connection;
  }
  /// Which connection a message sets out on.
  [[nodiscard]] std::uint64_t connection(NodeId from, NodeId to) { return at(from, to).connection; }
  /// Whether a message that set out on that connection gets through now.
  [[nodiscard]] bool arrives(NodeId from, NodeId to, std::uint64_t connection) {
    const Link& link = at(from, to);
    tally_.reset += link.connection == connection ? 0 : 1;
    tally_.cut_off += link.is_cut ? 1 : 0;
    return link.connection == connection && !link.is_cut;
  }
  [[nodiscard]] const Tally& tally() const { return tally_; }  ///< so far

 private:
  static constexpr std::size_t old_max = 64;

  struct Link {
    Random random;
    bool is_cut = false;
    std::uint64_t connection = 0;
    std::vector<Message> old = {};
  };

  Duration delay(Link& link, const Conditions& conditions, const Message& message) {
    const unsigned of_votes = holds_alternative<Accepted>(message) ? conditions.late_votes_percent : 0;
    const bool strays = link.random.chance(std::max(conditions.straggler_percent, of_votes));
    tally_.strayed += strays ? 1 : 0;
    return link.random.between(conditions.latency_min, strays ? conditions.straggler_max : conditions.latency_max);
  }

  Link& at(NodeId from, NodeId to) {
    const auto found = links_.find({from, to});
    if (found != links_.end()) return found->second;
    const std::uint64_t stream = Random{seed_ ^ (from.value() << 32) ^ to.value()}();
    return links_.emplace(std::pair{from, to}, Link{Random{stream}}).first->second;
  }

  std::uint64_t seed_;
  Tally tally_;
  std::map<std::pair<NodeId, NodeId>, Link> links_;
};

}  // namespace paxos::sim
