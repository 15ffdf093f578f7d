// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/replica/session_table.hpp>

namespace paxos {

/// What became of one command in the log.
struct Answer {
  RequestId id;               ///< whose command it answers
  std::optional<Errc> error;  ///< nullopt: it ran, now or before
  Bytes result;               ///< what apply() returned, encoded
};

/// What all replicas have in common after the same slots: the user's machine, the sessions, and how far they came.
template <StateMachine Machine>
class ReplicatedState {
 public:
  /// Before slot 1: Machine{}, no sessions.
  explicit ReplicatedState(const Config& config) : sessions_(config) {
    // A part of the state that nobody can serialise shows when this compiles, not when the state is first asked for.
    static_cast<void>(&ReplicatedState::digest);
  }

  /// Runs the commands of the next slot, each (session, sequence) at most once, and appends their answers.
  void apply(Slot slot, const Value& value, std::vector<Answer>& answers) {
    ensure(slot == applied_.next(), [&] {
      return "slot " + to_string(slot) + " is applied after slot " + to_string(applied_) +
             ": slots are applied in order, without a gap";
    });
    applied_ = slot;
    if (value.empty()) return;
    // Bytes that are no batch end the slot at the same place on every replica.
    Decoder batch{value.span()};
    const std::uint32_t count = batch.length();
    for (std::uint32_t index = 0; index < count && batch.ok(); ++index) {
      RequestId id;
      std::uint64_t settled_below = 0;
      Slot issued_after;
      batch(id, settled_below, issued_after);
      const auto payload = batch.take(batch.length());
      if (batch.ok()) answers.push_back(run(id, settled_below, issued_after, payload, Position{slot, index}));
    }
  }

  /// Applies every slot up to `through` again, after a restart; nobody waits for the answers. `read(slot)` gives the
  /// slot's value; without one it throws std::runtime_error, or, compiled without exceptions, ends there and says why.
  template <class Read>
  Status replay(Slot through, Read&& read) {
    std::vector<Answer> unwanted;
    while (applied_ < through) {
      const Slot slot = applied_.next();
      const auto value = read(slot);
      if (!value) return unreadable(slot);
      apply(slot, *value, unwanted);
      unwanted.clear();
    }
    return {};
  }

  [[nodiscard]] const Machine& machine() const { return machine_; }         ///< as of applied()
  [[nodiscard]] Slot applied() const { return applied_; }                   ///< the highest slot that was
  [[nodiscard]] const SessionTable& sessions() const { return sessions_; }  ///< as of applied()

  /// Equal on all replicas that applied the same slots (FNV-1a over the encoded state).
  [[nodiscard]] std::uint64_t digest() const {
    Buffer state;
    encode(state, applied_);
    encode(state, machine_);
    Encoder encoder{state};
    sessions_.save(encoder);
    std::uint64_t hash = 14695981039346656037ULL;
    for (const std::byte byte : state) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211ULL;
    return hash;
  }

 private:
  static Status unreadable(Slot slot) {
    const std::string why = "slot " + to_string(slot) + " is known as chosen, but the log cannot give its value: the " +
                            "disk failed, or was damaged since the log was opened; check it, and start the node again";
#if defined(__cpp_exceptions)
    throw std::runtime_error(why);
#else
    return {make_error_code(Errc::storage_failed), why};
#endif
  }

  Answer run(const RequestId& id, std::uint64_t settled_below, Slot issued_after, std::span<const std::byte> payload,
             Position position) {
    switch (sessions_.judge(id, settled_below, issued_after, position.slot)) {
      case SessionTable::Verdict::repeated: return {id, std::nullopt, sessions_.answer(id)};
      case SessionTable::Verdict::settled: return {id, Errc::sequence_settled, {}};
      case SessionTable::Verdict::expired: return {id, Errc::session_expired, {}};
      case SessionTable::Verdict::out_of_window: return {id, Errc::in_flight_limit, {}};
      case SessionTable::Verdict::fresh: break;
    }
    typename Machine::Command command{};
    if (!decode(payload, command)) return {id, Errc::undecodable, {}};
    Bytes result;
    if constexpr (std::is_void_v<detail::RawResultOf<Machine>>) {
      detail::apply_to(machine_, std::move(command), position);
    } else {
      result = encoded(detail::apply_to(machine_, std::move(command), position));
    }
    sessions_.record(id, result);
    return {id, std::nullopt, std::move(result)};
  }

  Machine machine_{};
  SessionTable sessions_;
  Slot applied_;
};

}  // namespace paxos
