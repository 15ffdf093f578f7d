// Copyright (c) the paxos authors. MIT licence.
#pragma once

// Formatters of {fmt} for the library's values. No other header includes this one: who does not use fmt needs none.

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <paxos/core/ballot.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/replica/node_status.hpp>

namespace paxos::detail {

/// Formats as the number inside, with all that fmt knows of numbers: `{:>6}`, `{:x}`.
template <class T>
struct NumberFormatter : fmt::formatter<std::uint64_t> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<std::uint64_t>::format(value.value(), context);
  }
};

[[nodiscard]] inline std::string fmt_text(const Ballot& ballot) { return to_string(ballot); }
[[nodiscard]] inline std::string_view fmt_text(Standing standing) { return to_string(standing); }
[[nodiscard]] inline std::string fmt_text(const Status& status) {
  if (status.ok()) return "ok";
  if (status.text.empty()) return status.code.message();
  return status.text + " (" + status.code.message() + ")";
}

[[nodiscard]] inline std::string fmt_text(const NodeStatus& status) {
  std::string text = "node " + to_string(status.id) + ": " + std::string{to_string(status.standing)};
  if (status.standing != Standing::leader)
    text += status.leader == NodeId{} ? " without a leader" : " of node " + to_string(status.leader);
  text += " at ballot " + to_string(status.ballot) + ", promised " + to_string(status.promised) + ", chosen through " +
          to_string(status.chosen_through) + ", applied " + to_string(status.applied);
  if (status.is_storage_full) text += ", the disk is full";
  if (!status.failure.ok()) text += ", stopped: " + fmt_text(status.failure);
  return text;
}

/// Formats as the text that fmt_text() makes of it, with width and alignment.
template <class T>
struct TextFormatter : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    const auto text = fmt_text(value);
    return fmt::formatter<fmt::string_view>::format(fmt::string_view{text.data(), text.size()}, context);
  }
};

}  // namespace paxos::detail

/// @cond specialisations, which Doxygen takes for names of fmt
template <>
struct fmt::formatter<paxos::NodeId> : paxos::detail::NumberFormatter<paxos::NodeId> {};
template <>
struct fmt::formatter<paxos::Slot> : paxos::detail::NumberFormatter<paxos::Slot> {};
template <>
struct fmt::formatter<paxos::WriteTicket> : paxos::detail::NumberFormatter<paxos::WriteTicket> {};
/// "round.node".
template <>
struct fmt::formatter<paxos::Ballot> : paxos::detail::TextFormatter<paxos::Ballot> {};
template <>
struct fmt::formatter<paxos::Standing> : paxos::detail::TextFormatter<paxos::Standing> {};
/// The text and the code's message; "ok".
template <>
struct fmt::formatter<paxos::Status> : paxos::detail::TextFormatter<paxos::Status> {};
/// One line.
template <>
struct fmt::formatter<paxos::NodeStatus> : paxos::detail::TextFormatter<paxos::NodeStatus> {};
/// @endcond
