// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <paxos/sim/linearizability.hpp>

#include "history.hpp"

namespace chaos {

/// Who blocked, and who unfollowed, whom: sets that each write tests and changes at once. The follow and the block
/// relation of each user are judged alone.
struct Relations {
  struct Input {
    std::size_t user = 0;
    Kind kind = Kind::block;
    std::size_t target = 0;
    friend bool operator==(const Input&, const Input&) = default;
  };
  using Output = std::uint64_t;  ///< of a write: 1, or 0 when refused; of blocklist: a bit for each user
  using State = std::uint64_t;   ///< a bit for each user who is blocked, or unfollowed

  [[nodiscard]] std::pair<std::size_t, bool> key(const Input& input) const {
    return {input.user, input.kind == Kind::follow || input.kind == Kind::unfollow};
  }
  [[nodiscard]] std::size_t hash(State state) const { return std::hash<State>{}(state); }
  [[nodiscard]] bool is_read(const Input& input, const Output* output) const {
    return input.kind == Kind::blocklist || (output != nullptr && *output == 0);
  }
  [[nodiscard]] bool step(State& state, const Input& input, const Output* output) const {
    if (input.kind == Kind::blocklist) return output == nullptr || *output == state;
    const State bit = State{1} << input.target;
    const bool sets = input.kind == Kind::block || input.kind == Kind::unfollow;
    const bool changes = ((state & bit) != 0) != sets;
    if (changes) state ^= bit;
    return output == nullptr || *output == (changes ? 1 : 0);
  }
};

struct Findings {
  std::vector<std::string> wrong;  ///< the first of each sort
  std::uint64_t states = 0;        ///< that the search visited
  std::size_t searched = 0;        ///< operations in it
  std::size_t placed = 0;          ///< operations judged by their place in the log

  [[nodiscard]] std::string text() const { return fmt::format("{}", fmt::join(wrong, "\n")); }
};

/// Holds what the clients saw against the log that all sites have in the end.
///
/// The log tells the order of all writes, so that writes, pages of the log and views need no search: each stands at a
/// known place, or between two. Relations are judged once more without the log, from the answers alone.
class Judge {
 public:
  /// `log` and `events` must outlive the judge.
  Judge(const std::vector<Line>& log, const std::vector<Event>& events) : log_(log), events_(events) {}

  [[nodiscard]] Findings judge() {
    note_expiry();
    check_log();
    place_writes();
    check_unclaimed();
    for (const Event& event : events_) {
      if (event.fate != Fate::done) continue;
      if (event.kind == Kind::log) place_log(event);
    }
    place_views();
    if (const auto pair = paxos::sim::misplaced(placed_)) {
      complain("against real time: {}\n  was answered before the invocation of {}", place_text(pair->first),
               place_text(pair->second));
    }
    findings_.placed = placed_.size();
    search_relations();
    return std::move(findings_);
  }

 private:
  static constexpr std::size_t complaints_max = 20;

  template <class... Parts>
  void complain(fmt::format_string<Parts...> format, Parts&&... parts) {
    if (findings_.wrong.size() < complaints_max) {
      findings_.wrong.push_back(fmt::format(format, std::forward<Parts>(parts)...));
    }
  }
  static std::string text_of(const Event& event) {
    const auto ms = [](paxos::Time time) {
      return time == paxos::Time::max()
                 ? std::string{"never"}
                 : fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(time.time_since_epoch()).count());
    };
    std::string what = event.text;
    if (is_relation(event.kind)) what = fmt::format("{} by {}", users[event.target], users[event.user]);
    if (event.kind == Kind::blocklist) what = fmt::format("of {}: {:b}", users[event.user], event.blocked);
    if (event.kind == Kind::log) what = fmt::format("from {}: {} lines", event.from, event.lines.size());
    return fmt::format("{} \"{}\" of client {} ({}, {} attempts, site {}, slot {}.{}, from {} to {} ms)",
                       kind_names[static_cast<std::size_t>(event.kind)], what, event.client,
                       fate_names[static_cast<std::size_t>(event.fate)], event.attempts, event.site, event.place.slot,
                       event.place.index, ms(event.invoked), ms(event.returned));
  }
  static std::string text_of(const Line& line) {
    return fmt::format("{}.{} {} {} \"{}\"{}", line.place.slot, line.place.index, line.user, line.head, line.body,
                       line.is_refused ? " (refused)" : "");
  }
  std::string place_text(std::size_t which) const {
    const auto& placed = placed_[which];
    return fmt::format("{} at {} to {}", text_of(*placed_events_[which]), placed.first_place, placed.last_place);
  }

  /// An unknown write of a session is dead once a later one of that session was done: the log refuses it then.
  void note_expiry() {
    expiry_.assign(events_.size(), paxos::Time::max());
    std::map<std::size_t, paxos::Time> next_done;  // of each client, going back in time
    for (std::size_t i = events_.size(); i-- > 0;) {
      const Event& event = events_[i];
      if (!is_write(event.kind)) continue;
      const auto later = next_done.find(event.client);
      if (later != next_done.end()) expiry_[i] = later->second;
      if (event.fate == Fate::done) next_done[event.client] = event.returned;
    }
  }

  void check_log() {
    for (std::size_t i = 0; i < log_.size(); ++i) {
      if (i > 0 && !(log_[i - 1].place < log_[i].place)) complain("the log is out of order at {}", text_of(log_[i]));
      entry_at_[log_[i].place] = i;
      if (log_[i].head == "tweet" && !entry_of_text_.emplace(log_[i].body, i).second) {
        complain("twice in the log: {}", text_of(log_[i]));
      }
    }
    claimed_.assign(log_.size(), false);
  }

  void place_writes() {
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const Event& event = events_[i];
      if (!is_write(event.kind)) continue;
      if (event.fate == Fate::done) {
        const auto entry = entry_at_.find(event.place);
        if (entry == entry_at_.end()) {
          complain("acknowledged and not in the log: {}", text_of(event));
        } else if (claimed_[entry->second]) {
          complain("two acknowledged writes in one place: {}", text_of(event));
        } else if (!is_of(log_[entry->second], event) || log_[entry->second].is_refused) {
          complain("another command stands in its place: {}\n  {}", text_of(event), text_of(log_[entry->second]));
        } else {
          claim(entry->second, event, event.returned);
        }
      } else if (event.kind == Kind::tweet) {
        const auto entry = entry_of_text_.find(event.text);
        if (entry == entry_of_text_.end()) continue;
        if (event.fate != Fate::unknown) complain("it is in the log, and should not: {}", text_of(event));
        claim(entry->second, event, expiry_[i]);
      }
    }
  }

  static bool is_of(const Line& line, const Event& event) {
    return line.user == users[event.user] && line.head == kind_names[static_cast<std::size_t>(event.kind)] &&
           line.body == (event.kind == Kind::tweet ? event.text : users[event.target]);
  }
  void claim(std::size_t entry, const Event& event, paxos::Time returned) {
    claimed_[entry] = true;
    place(event, returned, 2 * entry + 1, 2 * entry + 1);
  }
  void place(const Event& event, paxos::Time returned, std::uint64_t first, std::uint64_t last) {
    placed_.push_back({event.invoked, returned, first, last});
    placed_events_.push_back(&event);
  }

  /// Entries that no acknowledged write explains must be explained by those without an answer; refused ones also by
  /// those that were told so.
  void check_unclaimed() {
    std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::size_t, std::size_t>> left;
    for (const Event& event : events_) {
      if (!is_relation(event.kind) || (event.fate != Fate::unknown && event.fate != Fate::refused)) continue;
      auto& [unknown, refused] =
          left[{users[event.user], kind_names[static_cast<std::size_t>(event.kind)], users[event.target]}];
      ++(event.fate == Fate::unknown ? unknown : refused);
    }
    for (std::size_t i = 0; i < log_.size(); ++i) {
      if (claimed_[i]) continue;
      auto& [unknown, refused] = left[{log_[i].user, log_[i].head, log_[i].body}];
      std::size_t& from = log_[i].is_refused && refused > 0 ? refused : unknown;
      if (from-- == 0) {
        from = 0;
        complain("nobody can have asked for it, or it ran twice: {}", text_of(log_[i]));
      }
    }
  }

  void place_log(const Event& event) {
    const std::uint64_t end = event.from + event.lines.size();
    for (std::uint64_t i = event.from; i < end; ++i) {
      if (i < log_.size() && log_[i] == event.lines[i - event.from]) continue;
      complain("{}\n  saw {}\n  as entry {}, where in the end stands {}", text_of(event),
               text_of(event.lines[i - event.from]), i, i < log_.size() ? text_of(log_[i]) : "nothing");
      return;
    }
    // An empty page says only that the log was no longer than that.
    const std::uint64_t first = event.lines.empty() ? 0 : event.has_more ? end + 1 : end;
    const std::uint64_t last = event.has_more ? log_.size() : end;
    place(event, event.returned, 2 * first, 2 * last);
  }

  /// A view is the newest tweets by moment of the first n entries: n is above all that it shows, and not above what it
  /// ought to show and does not.
  void place_views() {
    std::vector<std::size_t> by_moment;
    for (std::size_t i = 0; i < log_.size(); ++i) {
      if (log_[i].head == "tweet") by_moment.push_back(i);
    }
    std::ranges::sort(by_moment, [this](std::size_t a, std::size_t b) { return log_[a].moment() < log_[b].moment(); });
    std::vector<std::uint64_t> first_above(by_moment.size() + 1, log_.size());
    std::vector<std::size_t> rank(log_.size());
    for (std::size_t i = by_moment.size(); i-- > 0;) {
      first_above[i] = std::min<std::uint64_t>(first_above[i + 1], by_moment[i]);
      rank[by_moment[i]] = i;
    }
    for (const Event& event : events_) {
      if (event.fate != Fate::done || event.kind != Kind::view) continue;
      std::uint64_t first = 0;
      std::uint64_t last = log_.size();
      std::size_t above = by_moment.size();  // ranks from here on are shown, or in `last` already
      bool is_known = true;
      for (const Line& line : event.lines) {
        const auto entry = entry_at_.find(line.place);
        if (entry == entry_at_.end() || log_[entry->second] != line || rank[entry->second] >= above) {
          complain("{}\n  shows what the log does not have, or out of order: {}", text_of(event), text_of(line));
          is_known = false;
          break;
        }
        const std::size_t own = rank[entry->second];
        first = std::max<std::uint64_t>(first, entry->second + 1);
        if (above == by_moment.size()) last = std::min(last, first_above[own + 1]);
        for (std::size_t i = own + 1; i < above && above < by_moment.size(); ++i) {
          last = std::min<std::uint64_t>(last, by_moment[i]);
        }
        above = own;
      }
      if (!event.has_more) {
        for (std::size_t i = 0; i < above; ++i) last = std::min<std::uint64_t>(last, by_moment[i]);
      }
      if (!is_known) continue;
      if (first > last) {
        complain("{}\n  lacks {}, and shows {}", text_of(event), text_of(log_[last]), text_of(log_[first - 1]));
        continue;
      }
      place(event, event.returned, 2 * first, 2 * last);
    }
  }

  void search_relations() {
    std::vector<paxos::sim::Operation<Relations::Input, Relations::Output>> history;
    std::vector<const Event*> of;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const Event& event = events_[i];
      const bool is_answered = event.fate == Fate::done || event.fate == Fate::refused;
      if (event.kind == Kind::blocklist ? !is_answered : !is_relation(event.kind)) continue;
      if (event.fate == Fate::not_applied) continue;
      history.push_back({{event.user, event.kind, event.kind == Kind::blocklist ? 0 : event.target},
                         {},
                         event.invoked,
                         is_answered ? event.returned : expiry_[i]});
      if (is_answered) {
        history.back().output = event.kind == Kind::blocklist ? event.blocked : event.fate == Fate::done ? 1 : 0;
      }
      of.push_back(&event);
    }
    findings_.searched = history.size();
    const auto verdict = paxos::sim::check(Relations{}, std::span{std::as_const(history)});
    findings_.states = verdict.states;
    if (verdict.ok()) return;
    std::string stuck;
    for (const std::size_t which : verdict.stuck) stuck += "\n  " + text_of(*of[which]);
    complain("{}: the {} relation of {}. After {} operations it was {:b}, and none of these can be next:{}",
             verdict.judgement == paxos::sim::Judgement::violated ? "not linearizable" : "undecided",
             verdict.key->second ? "follow" : "block", users[verdict.key->first], verdict.placed, *verdict.state,
             stuck);
  }

  const std::vector<Line>& log_;
  const std::vector<Event>& events_;
  Findings findings_;
  std::vector<paxos::Time> expiry_;  ///< of events_: no unknown write takes effect later
  std::map<Place, std::size_t> entry_at_;
  std::map<std::string, std::size_t> entry_of_text_;
  std::vector<bool> claimed_;
  std::vector<paxos::sim::PlacedOperation> placed_;
  std::vector<const Event*> placed_events_;
};

}  // namespace chaos
