// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace paxos {

/// Why a proposal or a read failed. Compare with `Outcome` to learn what it means for a retry:
/// `if (ec == paxos::Outcome::not_applied) retry();`
enum class Errc {
  no_leader = 1,     ///< no leader was found in time; the command never left this node
  overloaded,        ///< the queue of waiting commands is full (Config::pending_bytes_max)
  too_large,         ///< the command exceeds Config::command_bytes_max
  stopped,           ///< the node was stopped before the command left it
  storage_full,      ///< the disk has no space, or the process no file descriptor; no new commands until it has
  storage_failed,    ///< a write or a flush failed; the node confirms nothing any more
  undecodable,       ///< the command's bytes do not decode as Machine::Command
  session_expired,   ///< the session was evicted since the command was issued; it may have run before that
  sequence_settled,  ///< a later command of the session said that this sequence was settled; it may have run
  timed_out,         ///< sent, and no answer in time
  interrupted,       ///< sent, and the node stopped before the answer
  would_deadlock,    ///< a blocking call from the node's own thread, or from inside apply()
  in_flight_limit,   ///< the session had too many commands in flight (Config::session_window) for this copy to run;
                     ///< another may
  read_timed_out,    ///< no quorum confirmed the leader in time; a read has no effect, so retry at will
};

/// The two things that a failure can mean. It speaks of one submission: when a retry under the same id was not applied,
/// an earlier attempt whose outcome was unknown may still have been.
enum class Outcome {
  not_applied = 1,  ///< the command did not run and never will: safe to submit anew
  unknown,          ///< it may have run, or may yet: a retry must carry the same session and sequence
};

namespace detail {

class OutcomeCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "paxos outcome"; }
  [[nodiscard]] std::string message(int condition) const override {
    return static_cast<Outcome>(condition) == Outcome::not_applied ? "not applied" : "unknown";
  }
};

}  // namespace detail

/// The category of Outcome.
[[nodiscard]] inline const std::error_category& outcome_category() {
  static const detail::OutcomeCategory category;
  return category;
}
/// So that an error code compares with an Outcome.
[[nodiscard]] inline std::error_condition make_error_condition(Outcome outcome) {
  return {static_cast<int>(outcome), outcome_category()};
}

namespace detail {

class ErrorCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "paxos"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::no_leader: return "not applied: no leader was found in time";
      case Errc::overloaded: return "not applied: too many commands are waiting (Config::pending_bytes_max)";
      case Errc::too_large: return "not applied: the command exceeds Config::command_bytes_max";
      case Errc::stopped: return "not applied: the node is stopped";
      case Errc::storage_full: return "not applied: the disk is full";
      case Errc::storage_failed: return "unknown: the disk failed, this node confirms nothing any more";
      case Errc::undecodable: return "not applied: the bytes are no command of this state machine";
      case Errc::session_expired: return "unknown: the session was evicted meanwhile (Config::sessions_max)";
      case Errc::sequence_settled: return "unknown: a later command of the session declared this sequence settled";
      case Errc::timed_out: return "unknown: no answer in time";
      case Errc::interrupted: return "unknown: the node stopped before the answer";
      case Errc::would_deadlock: return "not applied: a blocking call from the node's own thread would never return";
      case Errc::in_flight_limit:
        return "unknown: too many commands of the session are in flight (Config::session_window)";
      case Errc::read_timed_out: return "not applied: no quorum confirmed the leader in time";
    }
    return "unknown paxos error " + std::to_string(code);
  }
  [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<Errc>(code)) {
      case Errc::storage_failed:
      case Errc::session_expired:
      case Errc::sequence_settled:
      case Errc::in_flight_limit:
      case Errc::timed_out:
      case Errc::interrupted: return make_error_condition(Outcome::unknown);
      default: return make_error_condition(Outcome::not_applied);
    }
  }
};

}  // namespace detail

/// The category of Errc.
[[nodiscard]] inline const std::error_category& error_category() {
  static const detail::ErrorCategory category;
  return category;
}
/// So that an Errc is a std::error_code.
[[nodiscard]] inline std::error_code make_error_code(Errc code) { return {static_cast<int>(code), error_category()}; }

#if defined(__cpp_exceptions)
namespace detail {

/// The text of whatever was thrown; inside a catch clause only.
[[nodiscard]] inline std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace detail
#endif

/// How a write, a flush or a start went: an error code, and a text for a person. Tests as true when all is well.
struct [[nodiscard]] Status {
  std::error_code code;  ///< none: all is well
  std::string text;      ///< what happened, where, and what to do about it

  [[nodiscard]] bool ok() const { return !code; }  ///< no error
  explicit operator bool() const { return ok(); }
};

}  // namespace paxos

template <>
struct std::is_error_code_enum<paxos::Errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<paxos::Outcome> : std::true_type {};
