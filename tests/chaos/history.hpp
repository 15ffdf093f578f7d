// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <paxos/core/time.hpp>

#include "tests/examples/cluster.hpp"

namespace chaos {

using examples::Json;

/// The users of the run. All are known from the start, and all write about one another.
inline constexpr const char* users[] = {"alice", "bob", "carol", "dave", "erin", "frank"};
inline constexpr std::size_t user_count = std::size(users);
/// Who only looks: blocks nobody, unfollows nobody, is blocked by nobody. Sees every tweet.
inline constexpr const char* watcher = "watcher";

enum class Kind : std::uint8_t { tweet, block, unblock, follow, unfollow, blocklist, log, view };
inline constexpr const char* kind_names[] = {"tweet",    "block",     "unblock", "follow",
                                             "unfollow", "blocklist", "log",     "view"};
[[nodiscard]] constexpr bool is_relation(Kind kind) { return kind >= Kind::block && kind <= Kind::unfollow; }
[[nodiscard]] constexpr bool is_write(Kind kind) { return kind <= Kind::unfollow; }

/// What the client knows in the end of an operation that it may have tried more than once.
enum class Fate : std::uint8_t {
  done,         ///< 200
  refused,      ///< 400: a relation that was so already
  not_applied,  ///< every attempt was answered so
  unknown,      ///< it may have been applied, or may be yet
};
inline constexpr const char* fate_names[] = {"done", "refused", "not applied", "unknown"};

struct Place {
  std::uint64_t slot = 0;
  std::uint64_t index = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

/// The part of a text that names it; the rest only fills up disks.
inline constexpr std::size_t text_bytes_kept = 24;

/// One line of a log, or one tweet of a view.
struct Line {
  Place place;
  std::string utc;
  std::string user;
  std::string head = "tweet";
  std::string body;
  bool is_refused = false;

  friend bool operator==(const Line&, const Line&) = default;
  [[nodiscard]] auto moment() const { return std::tie(utc, place.slot, place.index); }
};

[[nodiscard]] inline std::string kept(const std::string& text) { return text.substr(0, text_bytes_kept); }
[[nodiscard]] inline Line line_of_log(const Json& json) {
  return Line{{json["slot"], json["index"]}, json["utc"], json["user"], json["head"], kept(json["body"]),
              json.contains("refused")};
}
[[nodiscard]] inline Line line_of_view(const Json& json) {
  return Line{{json["slot"], json["index"]}, json["utc"], json["author"], "tweet", kept(json["text"]), false};
}

/// One operation as its client saw it.
struct Event {
  Kind kind = Kind::tweet;
  Fate fate = Fate::unknown;
  std::size_t client = 0;
  std::size_t user = 0;    ///< who speaks; not for tweets, logs and views
  std::size_t target = 0;  ///< about whom
  std::string text;        ///< how the text of a tweet begins; no other begins so
  paxos::Time invoked{};
  paxos::Time returned = paxos::Time::max();
  std::size_t site = 0;  ///< who answered
  int attempts = 0;

  Place place;                ///< of a write that was done
  std::uint64_t blocked = 0;  ///< blocklist: a bit for each user
  std::uint64_t from = 0;     ///< log: number of the first entry that was asked for
  std::vector<Line> lines;    ///< log and view
  bool has_more = false;      ///< log and view: the page did not reach the end
};

}  // namespace chaos
