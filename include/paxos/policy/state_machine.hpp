// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// Where in the log a command stands: the same on every replica.
struct Position {
  Slot slot;                ///< from 1 on
  std::uint32_t index = 0;  ///< place in the slot's batch, from 0

  friend constexpr auto operator<=>(const Position&, const Position&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(slot, index);
  }
};

/// The result of an apply() that returns void.
struct Unit {
  friend bool operator==(const Unit&, const Unit&) = default;
  template <class Archive>
  void serialize(Archive&) {}
};

namespace detail {

template <class Machine>
decltype(auto) apply_to(Machine& machine, typename Machine::Command command, Position position) {
  if constexpr (requires { machine.apply(std::move(command), position); }) {
    return machine.apply(std::move(command), position);
  } else {
    return machine.apply(std::move(command));
  }
}

template <class Machine>
using RawResultOf = decltype(apply_to(std::declval<Machine&>(), std::declval<typename Machine::Command>(), Position{}));

}  // namespace detail

/// What apply() returns, Unit for void.
template <class Machine>
using ResultOf = std::conditional_t<std::is_void_v<detail::RawResultOf<Machine>>, Unit,
                                    std::remove_cvref_t<detail::RawResultOf<Machine>>>;

namespace detail {

// The duties of a state machine, by the names that a compiler quotes when one is missing.
template <class M>
inline constexpr bool StateMachine_names_a_type_Command = requires { typename M::Command; };
template <class M>
inline constexpr bool StateMachine_Command_has_a_default_constructor_and_is_copyable =
    std::semiregular<typename M::Command>;
template <class M>
inline constexpr bool StateMachine_has_a_default_constructor = std::default_initializable<M>;
template <class M>
inline constexpr bool StateMachine_has_apply_callable_with_a_Command =
    requires(M& machine, typename M::Command command) { machine.apply(std::move(command)); } ||
    requires(M& machine, typename M::Command command, Position position) {
      machine.apply(std::move(command), position);
    };
template <class M>
inline constexpr bool StateMachine_apply_returns_void_or_what_has_a_default_constructor =
    std::default_initializable<ResultOf<M>> && std::movable<ResultOf<M>>;
template <class M>
inline constexpr bool StateMachine_has_serialize_of_any_Archive = requires(M& machine, Encoder& out, Decoder& in) {
  machine.serialize(out);
  machine.serialize(in);
} || requires(M& machine, const M& unchanged, Encoder& out, Decoder& in) {
  unchanged.save(out);
  machine.load(in);
} || has_functions_of_cereal<M>;

}  // namespace detail

/// What is replicated: a plain struct.
///
/// apply(command), or apply(command, position), runs on every replica in slot order, each command exactly once. It must
/// be deterministic: the result and the new state depend on the old state, the command and the position alone; no
/// clock, no random number, no address, no order of an unordered container, no floating point that differs between
/// machines. It must not throw. serialize() covers the whole state: it feeds snapshots, transfers and digests.
/// Command and the result are whatever the archive (core/archive.hpp) or cereal (<paxos/cereal.hpp>) can serialise.
template <class M>
concept StateMachine =
    detail::StateMachine_names_a_type_Command<M> &&
    detail::StateMachine_Command_has_a_default_constructor_and_is_copyable<M> &&
    detail::StateMachine_has_a_default_constructor<M> && detail::StateMachine_has_apply_callable_with_a_Command<M> &&
    detail::StateMachine_apply_returns_void_or_what_has_a_default_constructor<M> &&
    detail::StateMachine_has_serialize_of_any_Archive<M>;

}  // namespace paxos
