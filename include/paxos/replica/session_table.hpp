// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// What makes a retry harmless: for each session the answers that its asker may still be waiting for.
///
/// Part of the replicated state, driven by the log alone, so that all replicas agree on every verdict. Bounded: when
/// it is full the session idle for longest (in slots, not seconds) is evicted. A command that was issued before the
/// last use of any session evicted before its own was opened, or opened again, may have run already, and is refused:
/// that is what Command::issued_after is for.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as SessionTable.
template <class Result = Bytes>
class BasicSessionTable {
 public:
  /// What to do with a command.
  enum class Verdict {
    fresh,          ///< run it, then record() the answer
    repeated,       ///< it ran; answer() has what it returned
    settled,        ///< a later command said that its answer is not awaited any more
    expired,        ///< its session may have been evicted since it was issued
    out_of_window,  ///< too far above the lowest unsettled sequence
  };

  /// Bounds as in Config: the same on all nodes, or verdicts differ.
  explicit BasicSessionTable(const Config& config)
      : sessions_max_(config.sessions_max), window_(config.session_window) {}

  /// Judges a command in slot `slot`, opening its session if need be.
  [[nodiscard]] Verdict judge(const RequestId& id, std::uint64_t settled_below, Slot issued_after, Slot slot) {
    auto found = sessions_.find(id.session);
    if (found == sessions_.end()) {
      if (issued_after < evicted_through_) return Verdict::expired;
      if (sessions_.size() >= sessions_max_) evict();
      const Session fresh{std::min(settled_below, id.sequence), {}, {}, 0, evicted_through_};
      found = sessions_.emplace(id.session, fresh).first;
    }
    Session& session = found->second;
    session.last_slot = slot;
    session.last_use = ++uses_;
    settle(session, std::min(settled_below, id.sequence));
    if (id.sequence < session.lowest) return Verdict::settled;
    if (id.sequence - session.lowest >= window_) return Verdict::out_of_window;
    const auto ran = from(session.answers, id.sequence);
    if (ran != session.answers.end() && ran->sequence == id.sequence) return Verdict::repeated;
    // The session may have been here before, have run this very command, and have been evicted.
    return issued_after < session.forgotten_through ? Verdict::expired : Verdict::fresh;
  }

  /// The answer to a repeated command.
  [[nodiscard]] const Result& answer(const RequestId& id) const {
    const Session& session = sessions_.at(id.session);
    return from(session.answers, id.sequence)->answer;
  }

  /// Keeps the answer to a fresh command.
  void record(const RequestId& id, Result answer) {
    Session& session = sessions_.at(id.session);
    session.answers.insert(from(session.answers, id.sequence), Ran{id.sequence, std::move(answer)});
  }

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }  ///< sessions, at most Config::sessions_max

  /// In an order that is the same on every node.
  template <class Archive>
  void save(Archive& archive) const {
    archive(static_cast<std::uint64_t>(sessions_.size()), uses_, evicted_through_);
    for (const auto& [id, session] : sessions_) {
      archive(id, session.lowest, session.last_slot, session.last_use, session.forgotten_through,
              static_cast<std::uint64_t>(session.answers.size()));
      for (const Ran& ran : session.answers) archive(ran.sequence, ran.answer);
    }
  }

 private:
  struct Ran {
    std::uint64_t sequence = 0;
    Result answer;
  };
  struct Session {
    std::uint64_t lowest = 0;  ///< every sequence below is settled
    std::deque<Ran> answers;  ///< in the order of sequences, and only of what ran: one far up takes no more than others
    Slot last_slot;
    std::uint64_t last_use = 0;
    Slot forgotten_through;  ///< evicted_through_ when it was opened: nothing is known of what it did up to there
  };

  /// The first answer of `sequence` or above.
  static typename std::deque<Ran>::const_iterator from(const std::deque<Ran>& answers, std::uint64_t sequence) {
    auto first = answers.begin();
    for (std::size_t left = answers.size(); left > 0;) {
      const std::size_t half = left / 2;
      const auto middle = first + static_cast<std::ptrdiff_t>(half);
      if (middle->sequence < sequence) first = middle + 1;
      left = middle->sequence < sequence ? left - half - 1 : half;
    }
    return first;
  }

  static void settle(Session& session, std::uint64_t below) {
    if (below <= session.lowest) return;
    session.answers.erase(session.answers.begin(), from(session.answers, below));
    session.lowest = below;
  }

  void evict() {
    auto oldest = sessions_.begin();
    for (auto entry = sessions_.begin(); entry != sessions_.end(); ++entry)
      if (entry->second.last_use < oldest->second.last_use) oldest = entry;
    evicted_through_ = std::max(evicted_through_, oldest->second.last_slot);
    sessions_.erase(oldest);
  }

  std::size_t sessions_max_;
  std::uint64_t window_;
  std::map<SessionId, Session> sessions_;
  std::uint64_t uses_ = 0;
  Slot evicted_through_;  ///< no evicted session was used after this slot
};

/// That of a ReplicatedState: answers are bytes.
using SessionTable = BasicSessionTable<>;

}  // namespace paxos
