// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <cereal/types/map.hpp>
#include <cereal/types/set.hpp>
#include <paxos/cereal.hpp>
#include <paxos/core/command.hpp>
#include <paxos/policy/state_machine.hpp>

#include "text.hpp"

namespace twitter {

/// Microseconds since 1970-01-01T00:00:00Z.
using Utc = std::int64_t;

/// The last microsecond of the year 9999: later stamps have no place in the calendar that people read.
inline constexpr Utc utc_max = 253'402'300'799'999'999;

enum class Verb : std::uint8_t { tweet, follow, unfollow, block, unblock };

/// Why a command changes nothing.
enum class Refusal : std::uint8_t {
  none,
  malformed,  ///< a name, text or stamp that no site lets through
  self,
  unknown_user,
  already_following,
  not_following,
  already_blocked,
  not_blocked,
  out_of_order,  ///< its session has sent a higher sequence before
};

/// What a site proposes for a user. Everything that depends on the site (its clock, its list of sites) travels in here,
/// so that all replicas see the same.
struct Command {
  Verb verb = Verb::tweet;
  std::string user;
  std::string body;           ///< a tweet's text, or whom to follow, unfollow, block, unblock
  Utc utc = 0;                ///< by the clock of the site that took the command
  bool body_is_site = false;  ///< `body` names a site, and such users are known before they write
  paxos::RequestId id;        ///< sequence 0: the client gave none

  friend bool operator==(const Command&, const Command&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(verb, user, body, utc, body_is_site, id);
  }
};

/// What became of a command: the same answer for a repeated id as for the first.
struct Applied {
  paxos::Position position;
  Utc utc = 0;
  Refusal refusal = Refusal::none;

  friend bool operator==(const Applied&, const Applied&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(position, utc, refusal);
  }
};

/// One line of the log.
struct Entry {
  paxos::Position position;
  Command command;
  Refusal refusal = Refusal::none;

  friend bool operator==(const Entry&, const Entry&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(position, command, refusal);
  }
};

/// Where a tweet stands in the view: numbers, compared as numbers. Text of either would put slot 10 before slot 9.
struct Moment {
  Utc utc = 0;
  paxos::Position position;

  friend auto operator<=>(const Moment&, const Moment&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(utc, position);
  }
};

struct Tweet {
  Moment moment;
  std::string author;
  std::string text;

  friend bool operator==(const Tweet&, const Tweet&) = default;
};

/// A bounded part of a list; `next` says where the following part begins, nullopt at the end.
template <class Item, class Cursor>
struct Page {
  std::vector<Item> items;
  std::optional<Cursor> next;
};

/// What one page may hold. A page always has at least one item if there is one.
struct PageLimit {
  std::size_t items = static_cast<std::size_t>(-1);
  std::size_t text_bytes = std::size_t{4} << 20;  ///< names, texts, and 160 bytes an item for what goes around them
};

/// The replicated timeline: who tweeted what, who follows and blocks whom, and the log of all that was applied.
/// Knows nothing of sites, sockets, clocks or JSON.
///
/// Everyone follows everyone until they unfollow. A block hides the blocker's tweets, old and new, from the blocked.
class Timeline {
 public:
  using Command = twitter::Command;

  Applied apply(const Command& command, paxos::Position position) {
    if (const auto answer = answered(command.id)) return *answer;
    const Applied applied{position, command.utc, refusal_of(command)};
    if (applied.refusal == Refusal::malformed) return applied;
    if (applied.refusal == Refusal::none) carry_out(command, position);
    if (command.id.sequence > 0) sessions_[command.id.session] = {command.id.sequence, log_.size()};
    log_.push_back(Entry{position, command, applied.refusal});
    return applied;
  }

  /// What apply() would say to the command now. A site asks before it proposes, so that a refused command takes no
  /// slot; apply() asks again, since another site may have been faster.
  [[nodiscard]] Refusal refusal_of(const Command& command) const {
    if (!is_well_formed(command)) return Refusal::malformed;
    if (command.verb == Verb::tweet) return Refusal::none;
    if (command.user == command.body) return Refusal::self;
    if (!command.body_is_site && !users_.contains(command.body)) return Refusal::unknown_user;
    const bool unfollowed = has(unfollowed_, command.user, command.body);
    const bool blocked = has(blocked_, command.user, command.body);
    switch (command.verb) {
      case Verb::follow: return unfollowed ? Refusal::none : Refusal::already_following;
      case Verb::unfollow: return unfollowed ? Refusal::not_following : Refusal::none;
      case Verb::block: return blocked ? Refusal::already_blocked : Refusal::none;
      case Verb::unblock: return blocked ? Refusal::none : Refusal::not_blocked;
      case Verb::tweet: break;
    }
    return Refusal::none;
  }

  /// The answer that a repeated command gets; nullopt for one that is new.
  [[nodiscard]] std::optional<Applied> answered(const paxos::RequestId& id) const {
    if (id.sequence == 0) return std::nullopt;
    const auto last = sessions_.find(id.session);
    if (last == sessions_.end() || id.sequence > last->second.sequence) return std::nullopt;
    if (id.sequence < last->second.sequence || last->second.entry >= log_.size()) {
      return Applied{{}, 0, Refusal::out_of_order};
    }
    const Entry& entry = log_[static_cast<std::size_t>(last->second.entry)];
    return Applied{entry.position, entry.command.utc, entry.refusal};
  }

  /// What `user` sees, newest first by UTC, then by slot and place; only what is older than `before` if that is given.
  [[nodiscard]] Page<Tweet, Moment> view(const std::string& user, const std::optional<Moment>& before = {},
                                         const PageLimit& limit = {}) const {
    const std::set<std::string> hidden = hidden_from(user);
    Page<Tweet, Moment> page;
    std::size_t bytes = 0;
    auto at = before ? tweets_.lower_bound(*before) : tweets_.end();
    while (at != tweets_.begin()) {
      --at;
      if (at->second >= log_.size()) continue;
      const Command& tweet = log_[static_cast<std::size_t>(at->second)].command;
      if (hidden.contains(tweet.user)) continue;
      bytes += cost(tweet);
      if (!page.items.empty() && (page.items.size() >= limit.items || bytes > limit.text_bytes)) {
        page.next = page.items.back().moment;
        break;
      }
      page.items.push_back(Tweet{at->first, tweet.user, tweet.body});
    }
    return page;
  }

  /// What was applied, in the order of slots; from the entry with number `first`, counted from 0.
  [[nodiscard]] Page<Entry, std::uint64_t> log(std::uint64_t first = 0, const PageLimit& limit = {}) const {
    Page<Entry, std::uint64_t> page;
    std::size_t bytes = 0;
    for (std::uint64_t i = first; i < log_.size(); ++i) {
      const Entry& entry = log_[static_cast<std::size_t>(i)];
      bytes += cost(entry.command);
      if (!page.items.empty() && (page.items.size() >= limit.items || bytes > limit.text_bytes)) {
        page.next = i;
        break;
      }
      page.items.push_back(entry);
    }
    return page;
  }

  /// Whom `user` has blocked, in the order of bytes.
  [[nodiscard]] std::vector<std::string> blocklist(const std::string& user) const {
    const auto found = blocked_.find(user);
    if (found == blocked_.end()) return {};
    return {found->second.begin(), found->second.end()};
  }

  friend bool operator==(const Timeline&, const Timeline&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(log_, tweets_, users_, unfollowed_, blocked_, sessions_);
  }

 private:
  /// The newest command of a session, and the entry of the log that tells what became of it.
  struct LastOfSession {
    std::uint64_t sequence = 0;
    std::uint64_t entry = 0;

    friend bool operator==(const LastOfSession&, const LastOfSession&) = default;
    template <class Archive>
    void serialize(Archive& archive) {
      archive(sequence, entry);
    }
  };
  using Relation = std::map<std::string, std::set<std::string>>;

  static bool is_well_formed(const Command& command) {
    if (command.verb > Verb::unblock || command.utc < 0 || command.utc > utc_max || !is_name(command.user)) {
      return false;
    }
    return command.verb == Verb::tweet ? is_tweet(command.body) : is_name(command.body);
  }
  static bool has(const Relation& relation, const std::string& from, const std::string& to) {
    const auto found = relation.find(from);
    return found != relation.end() && found->second.contains(to);
  }
  static void remove(Relation& relation, const std::string& from, const std::string& to) {
    const auto found = relation.find(from);
    if (found == relation.end()) return;
    found->second.erase(to);
    if (found->second.empty()) relation.erase(found);
  }
  static std::size_t cost(const Command& command) { return 160 + command.user.size() + command.body.size(); }

  void carry_out(const Command& command, const paxos::Position& position) {
    users_.insert(command.user);
    switch (command.verb) {
      case Verb::tweet: tweets_.emplace(Moment{command.utc, position}, log_.size()); break;
      case Verb::follow: remove(unfollowed_, command.user, command.body); break;
      case Verb::unfollow: unfollowed_[command.user].insert(command.body); break;
      case Verb::block: blocked_[command.user].insert(command.body); break;
      case Verb::unblock: remove(blocked_, command.user, command.body); break;
    }
  }

  [[nodiscard]] std::set<std::string> hidden_from(const std::string& user) const {
    std::set<std::string> hidden;
    if (const auto found = unfollowed_.find(user); found != unfollowed_.end()) hidden = found->second;
    for (const auto& [blocker, blocked] : blocked_) {
      if (blocked.contains(user)) hidden.insert(blocker);
    }
    return hidden;
  }

  std::vector<Entry> log_;
  std::map<Moment, std::uint64_t> tweets_;  ///< entry of the log that holds the tweet
  std::set<std::string> users_;             ///< whose commands took effect; only grows
  Relation unfollowed_;                     ///< who unfollowed whom
  Relation blocked_;                        ///< who blocked whom
  std::map<paxos::SessionId, LastOfSession> sessions_;
};

}  // namespace twitter
