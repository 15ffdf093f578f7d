// Copyright (c) the paxos authors. MIT licence.
#pragma once

#if !defined(__cpp_exceptions)
#include <cstdio>
#include <exception>
#endif
#include <stdexcept>
#include <string>

namespace paxos {

/// A rule of the protocol does not hold: a defect here, on a peer, or in a disk that lost what it acknowledged.
/// A replica that throws this must not be called again; `Node` stops itself and reports the text.
class InvariantViolation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail {

/// Throws an Error with this text. Compiled without exceptions it writes the text to stderr and ends the program by
/// std::terminate(), whose handler the program may set: nothing here can go on.
template <class Error>
[[noreturn]] void raise(const std::string& text) {
#if defined(__cpp_exceptions)
  throw Error(text);
#else
  std::fputs((text + "\n").c_str(), stderr);
  std::terminate();
#endif
}

}  // namespace detail

/// Checks an invariant in every build, release included.
/// `meaning` says the values, the rule and the suspicion; pass a callable when building that text costs something.
template <class Meaning>
constexpr void ensure(bool condition, Meaning&& meaning) {
  if (condition) [[likely]]
    return;
  if constexpr (requires { std::string(meaning()); }) {
    detail::raise<InvariantViolation>(meaning());
  } else {
    detail::raise<InvariantViolation>(std::string(meaning));
  }
}

}  // namespace paxos
