// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/time.hpp>

namespace paxos::sim {

namespace detail {

inline std::string text_of(const Slot& slot) { return slot == Slot::infinity() ? "end" : to_string(slot); }

/// The fields that a reader follows a run by; of values only how many bytes.
inline std::string describe(const Message& message) {
  std::string text{name_of(message)};
  const auto add = [&](const char* name, const std::string& value) { text += std::string{" "} + name + " " + value; };
  message.visit([&](const auto& body) {
    if constexpr (requires { body.ballot; }) add("ballot", to_string(body.ballot));
    if constexpr (requires { body.promised; }) add("promised", to_string(body.promised));
    if constexpr (requires { body.slot; }) add("slot", text_of(body.slot));
    if constexpr (requires { body.first; }) add("slots", text_of(body.first) + "-" + text_of(body.last));
    if constexpr (requires { body.first_slot; }) add("from slot", text_of(body.first_slot));
    if constexpr (requires { body.next_slot; }) add("to before", text_of(body.next_slot));
    if constexpr (requires { body.accepted.size(); }) {
      for (const AcceptedValue& one : body.accepted) add("accepted", text_of(one.slot) + "@" + to_string(one.ballot));
    }
    if constexpr (requires { body.granted; }) add(body.granted ? "granted" : "refused", "");
    if constexpr (requires { body.confirmed; }) add(body.confirmed ? "confirmed" : "refused", "");
    if constexpr (requires { body.index; }) add("index", text_of(body.index));
    if constexpr (requires { body.round; }) add("round", std::to_string(body.round));
    if constexpr (requires { body.through; }) add("through", text_of(body.through));
    if constexpr (requires { body.chosen_through; }) add("chosen through", text_of(body.chosen_through));
    if constexpr (requires { body.values.size(); }) add("values", std::to_string(body.values.size()));
    if constexpr (requires { body.value.size(); }) add("bytes", std::to_string(body.value.size()));
  });
  return text;
}

inline std::string describe(const Record& record) {
  return record.visit([]<class Kind>(const Kind& body) -> std::string {
    if constexpr (std::is_same_v<Kind, PromiseRecord>) return "promise " + to_string(body.ballot);
    if constexpr (std::is_same_v<Kind, AcceptRecord>)
      return "vote " + text_of(body.slot) + "@" + to_string(body.ballot);
    if constexpr (std::is_same_v<Kind, ChosenRecord>) return "chosen through " + text_of(body.through);
    if constexpr (std::is_same_v<Kind, LearnRecord>) return "learnt " + text_of(body.slot);
    return {};
  });
}

}  // namespace detail

/// What happened in a run: always as one number, which two runs of one seed must share; when asked for, as lines that
/// a person can read, the newest ones.
class Trace {
 public:
  explicit Trace(std::size_t lines_max = 0) : lines_max_(lines_max) {}  ///< 0: only the hash is kept

  [[nodiscard]] std::uint64_t hash() const { return hash_; }  ///< of all that happened: equal for equal runs
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }  ///< the newest, oldest first
  [[nodiscard]] bool is_kept() const { return lines_max_ > 0; }  ///< false: a line need not be put together

  void mix(std::uint64_t number) { hash_ = (hash_ ^ number) * 1099511628211ULL; }  ///< into the hash

  /// `text` gives the line; it is called only when lines are kept.
  template <class Text>
  void line(Time now, Text&& text) {
    mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    if (!is_kept()) return;
    char at[32];
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    std::snprintf(at, sizeof at, "%11.6f  ", seconds);
    lines_.push_back(at + std::string{text()});
    if (lines_.size() >= 2 * lines_max_)
      lines_.erase(lines_.begin(), lines_.end() - static_cast<std::ptrdiff_t>(lines_max_));
  }

  /// What became of a message, and which one it was to the last byte.
  void message(Time now, NodeId from, NodeId to, const Message& message, const char* fate) {
    bytes_.clear();
    encode_message(bytes_, message);
    mix((from.value() << 40) ^ (to.value() << 32) ^ crc32c(bytes_));
    line(now,
         [&] { return to_string(from) + " -> " + to_string(to) + "  " + fate + "  " + detail::describe(message); });
  }

 private:
  std::size_t lines_max_;
  std::uint64_t hash_ = 14695981039346656037ULL;
  std::vector<std::string> lines_;
  Buffer bytes_;
};

}  // namespace paxos::sim
