// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <paxos/core/error.hpp>

#include "timeline.hpp"
#include "utc.hpp"

namespace twitter {

/// Objects print their fields in the order in which they were added: the same bytes at every site.
using Json = nlohmann::ordered_json;

/// One message of a client, terminator included. 5,000 bytes of text are 30,000 when each is written as \u00XX.
inline constexpr std::size_t message_bytes_max = std::size_t{64} << 10;
/// A request is one object of plain fields; more depth has no meaning in it.
inline constexpr std::size_t json_depth_max = 4;

enum class Head : std::uint8_t { tweet, follow, unfollow, block, unblock, view, blocklist, log, servers };

inline constexpr std::string_view head_names[] = {"tweet", "follow",    "unfollow", "block",  "unblock",
                                                  "view",  "blocklist", "log",      "servers"};

[[nodiscard]] constexpr std::string_view to_string(Head head) { return head_names[static_cast<std::size_t>(head)]; }
[[nodiscard]] constexpr std::string_view to_string(Verb verb) { return head_names[static_cast<std::size_t>(verb)]; }

/// The heads that change the timeline, in the order of Verb.
[[nodiscard]] constexpr bool is_write(Head head) { return head <= Head::unblock; }

/// A well-formed request. What it means is not checked yet.
struct Request {
  Head head = Head::view;
  std::string user;                    ///< empty: the name of the site
  std::string body;                    ///< empty for the heads that take none
  std::optional<paxos::RequestId> id;  ///< makes a retry idempotent
  PageLimit limit;                     ///< view and log
  std::optional<Moment> view_from;     ///< the `next` of an earlier page
  std::uint64_t log_from = 0;          ///< the `next` of an earlier page
  bool self_only = false;              ///< servers: the site that is asked, and no other
  bool is_retry = false;               ///< an earlier attempt under this id may still be under way
};

/// What a client hears: one line of JSON.
struct Reply {
  int stat = 200;
  Json body;
  Json next = nullptr;  ///< where the next page begins, null when there is none

  [[nodiscard]] std::string line() const {
    Json object{{"stat", stat}, {"body", body}};
    if (!next.is_null()) object["next"] = next;
    return object.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }
};

/// 400 and 404: nothing was done. `why` is for a person.
[[nodiscard]] inline Reply refused(int stat, std::string_view why) { return Reply{stat, {{"why", why}}, nullptr}; }

/// 503: no quorum, or no time. `outcome` is "not applied" or "unknown", and speaks of this request alone: an earlier
/// one with the same id may have been applied.
[[nodiscard]] inline Reply unavailable(const std::error_code& error) {
  const bool unknown = error != paxos::Outcome::not_applied;
  return Reply{503, {{"outcome", unknown ? "unknown" : "not applied"}, {"why", error.message()}}, nullptr};
}

/// Cuts a stream of bytes into messages, each ended by '\n' or '\0'. Keeps at most one message that is too long for
/// the bound and what came with it; the caller feeds only when next() has nothing.
class MessageSplitter {
 public:
  explicit MessageSplitter(std::size_t bytes_max = message_bytes_max) : bytes_max_(bytes_max) {}

  void feed(std::string_view bytes) {
    buffer_.erase(0, std::exchange(begin_, 0));
    buffer_ += bytes;
  }
  /// The next message without its terminator and the '\r' before that; blank ones are passed over. Valid until feed().
  [[nodiscard]] std::optional<std::string_view> next() {
    while (true) {
      const std::string_view left = std::string_view{buffer_}.substr(begin_);
      const std::size_t end = left.find_first_of(terminators, searched_);
      if (end == std::string_view::npos) {
        searched_ = left.size();
        return std::nullopt;
      }
      if (end >= bytes_max_) return std::nullopt;
      begin_ += end + 1;
      searched_ = 0;
      if (!is_blank(left.substr(0, end))) return left.substr(0, end);
    }
  }
  /// The message at the front exceeds the bound: nothing after it can be trusted to be a message.
  [[nodiscard]] bool is_too_long() const {
    return std::min(std::string_view{buffer_}.substr(begin_).find_first_of(terminators), buffer_.size() - begin_) >=
           bytes_max_;
  }
  /// Part of a message is waiting for its end.
  [[nodiscard]] bool has_rest() const { return !is_blank(std::string_view{buffer_}.substr(begin_)); }

 private:
  static constexpr std::string_view terminators{"\n\0", 2};
  static bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

  std::size_t bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;     ///< what stands before it was handed out
  std::size_t searched_ = 0;  ///< no terminator in this many bytes after begin_
};

namespace detail {

/// Brackets and braces only, strings passed over: the parser's own stack is not to be grown by a client.
[[nodiscard]] inline bool is_deeper_than(std::string_view json, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_max) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

template <class Number>
[[nodiscard]] std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A request that is refused before it is one.
struct Bad {
  int stat = 400;
  std::string why;
};

[[nodiscard]] inline std::string text_field(const Json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) throw Bad{400, fmt::format("\"{}\" must be a string", field)};
  return found->template get<std::string>();
}

[[nodiscard]] inline Head head_of(const Json& object) {
  if (!object.contains("head")) throw Bad{400, "\"head\" is missing: it says what to do"};
  const std::string name = text_field(object, "head");
  for (std::size_t i = 0; i < std::size(head_names); ++i) {
    if (head_names[i] == name) return static_cast<Head>(i);
  }
  throw Bad{404, fmt::format("unknown head; known are {}", fmt::join(head_names, ", "))};
}

[[nodiscard]] inline std::optional<paxos::RequestId> id_of(const Json& object) {
  const std::string id = text_field(object, "id");
  if (id.empty() && !object.contains("id")) return std::nullopt;
  const std::size_t colon = id.rfind(':');
  const bool has_parts = colon != std::string::npos;
  const std::string_view session = has_parts ? std::string_view{id}.substr(0, colon) : std::string_view{};
  const auto sequence = has_parts ? number<std::uint64_t>(std::string_view{id}.substr(colon + 1)) : std::nullopt;
  if (!is_name(session) || !sequence || *sequence == 0 || *sequence > static_cast<std::uint64_t>(INT64_MAX)) {
    throw Bad{400,
              "\"id\" must be \"SESSION:SEQUENCE\": a name of 1 to 64 bytes without spaces, and an integer from 1 "
              "on that rises with every new request of the session"};
  }
  return paxos::RequestId{paxos::SessionId::named(session), *sequence};
}

[[nodiscard]] inline bool is_retry(const Json& object) {
  const auto found = object.find("retry");
  if (found == object.end()) return false;
  if (!found->is_boolean()) throw Bad{400, "\"retry\" must be true or false"};
  if (*found && !object.contains("id")) throw Bad{400, "\"retry\" needs the \"id\" of the earlier attempt"};
  return found->template get<bool>();
}

inline void read_page_fields(const Json& object, Request& request) {
  if (const auto limit = object.find("limit"); limit != object.end()) {
    if (!limit->is_number_unsigned() || *limit == 0) throw Bad{400, "\"limit\" must be an integer from 1 on"};
    request.limit.items = limit->template get<std::size_t>();
  }
  const std::string from = text_field(object, "from");
  if (from.empty()) return;
  if (request.head == Head::log) {
    const auto first = number<std::uint64_t>(from);
    if (!first) throw Bad{400, "\"from\" must be the \"next\" of an earlier page of the log"};
    request.log_from = *first;
    return;
  }
  const std::size_t colon = from.find(':');
  const std::size_t second = from.find(':', colon == std::string::npos ? colon : colon + 1);
  if (second == std::string::npos) throw Bad{400, "\"from\" must be the \"next\" of an earlier page of the view"};
  const std::string_view text{from};
  const auto utc = number<Utc>(text.substr(0, colon));
  const auto slot = number<std::uint64_t>(text.substr(colon + 1, second - colon - 1));
  const auto index = number<std::uint32_t>(text.substr(second + 1));
  if (!utc || !slot || !index) throw Bad{400, "\"from\" must be the \"next\" of an earlier page of the view"};
  request.view_from = Moment{*utc, {paxos::Slot{*slot}, *index}};
}

inline void check_fields(const Json& object) {
  constexpr std::string_view known[] = {"head", "body", "user", "id", "retry", "limit", "from"};
  for (const auto& [field, value] : object.items()) {
    bool is_known = false;
    for (const std::string_view name : known) is_known = is_known || name == field;
    if (!is_known) throw Bad{400, fmt::format("unknown field; known are {}", fmt::join(known, ", "))};
  }
}

[[nodiscard]] inline Request request_of(const Json& object) {
  Request request;
  request.head = head_of(object);
  check_fields(object);
  request.user = text_field(object, "user");
  request.id = id_of(object);
  request.is_retry = is_retry(object);
  if (object.contains("user") && !is_name(request.user)) {
    throw Bad{400,
              "\"user\" must be 1 to 64 bytes of UTF-8 without spaces, control or invisible characters; leave it out "
              "to speak as the site"};
  }
  if (is_write(request.head)) request.body = text_field(object, "body");
  request.self_only = request.head == Head::servers && object.value("body", Json{}) == "self";
  if (request.head == Head::tweet) {
    if (request.body.size() > text_bytes_max) {
      throw Bad{400, fmt::format("the text has {} bytes; {} are the most", request.body.size(), text_bytes_max)};
    }
    if (!is_tweet(request.body)) throw Bad{400, "\"body\" must be the tweet's text, 1 to 5000 bytes of UTF-8"};
  } else if (is_write(request.head) && !is_name(request.body)) {
    throw Bad{400, "\"body\" must name the other user"};
  }
  if (request.head == Head::view || request.head == Head::log) read_page_fields(object, request);
  return request;
}

}  // namespace detail

/// Reads one message, from bytes that nobody vouches for: the request, or the 400 or 404 that it gets.
[[nodiscard]] inline std::variant<Request, Reply> parse_request(std::string_view message) {
  if (detail::is_deeper_than(message, json_depth_max)) return refused(400, "the JSON is nested too deeply");
  try {
    const Json object = Json::parse(message);
    if (!object.is_object()) return refused(400, "a request is one JSON object, such as {\"head\":\"view\"}");
    return detail::request_of(object);
  } catch (const detail::Bad& bad) {
    return refused(bad.stat, bad.why);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at …": the part in brackets is for programmers.
    const std::string_view text{error.what()};
    const std::size_t bracket = text.find("] ");
    return refused(400, fmt::format("not JSON: {}", bracket == text.npos ? text : text.substr(bracket + 2)));
  }
}

[[nodiscard]] inline std::string_view why(Refusal refusal) {
  switch (refusal) {
    case Refusal::none: return "";
    case Refusal::malformed: return "a name, a text or a time stamp breaks the rules";
    case Refusal::self: return "this needs another user than oneself";
    case Refusal::unknown_user: return "unknown user: neither a site nor anyone who has written";
    case Refusal::already_following: return "already followed: everyone follows everyone until they unfollow";
    case Refusal::not_following: return "not followed, so there is nothing to unfollow";
    case Refusal::already_blocked: return "already blocked";
    case Refusal::not_blocked: return "not blocked, so there is nothing to unblock";
    case Refusal::out_of_order:
      return "the id's sequence is below one that its session has used since; if it was used before, it may have been "
             "applied then";
  }
  return "refused";
}

[[nodiscard]] inline Reply reply_of(const Applied& applied) {
  if (applied.refusal != Refusal::none) return refused(400, why(applied.refusal));
  return Reply{
      200,
      {{"slot", applied.position.slot.value()}, {"index", applied.position.index}, {"utc", utc_text(applied.utc)}},
      nullptr};
}

[[nodiscard]] inline Reply reply_of(const Page<Tweet, Moment>& page) {
  Reply reply{200, Json::array(), nullptr};
  for (const Tweet& tweet : page.items) {
    reply.body.push_back({{"author", tweet.author},
                          {"text", tweet.text},
                          {"utc", utc_text(tweet.moment.utc)},
                          {"slot", tweet.moment.position.slot.value()},
                          {"index", tweet.moment.position.index}});
  }
  if (page.next) {
    reply.next = fmt::format("{}:{}:{}", page.next->utc, page.next->position.slot.value(), page.next->position.index);
  }
  return reply;
}

[[nodiscard]] inline Reply reply_of(const Page<Entry, std::uint64_t>& page) {
  Reply reply{200, Json::array(), nullptr};
  for (const Entry& entry : page.items) {
    Json line{{"slot", entry.position.slot.value()},   {"index", entry.position.index},
              {"utc", utc_text(entry.command.utc)},    {"user", entry.command.user},
              {"head", to_string(entry.command.verb)}, {"body", entry.command.body}};
    if (entry.refusal != Refusal::none) line["refused"] = why(entry.refusal);
    reply.body.push_back(std::move(line));
  }
  if (page.next) reply.next = fmt::format("{}", *page.next);
  return reply;
}

}  // namespace twitter
