// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <stdexcept>
#include <string>

namespace paxos {

/// A rule of the protocol does not hold: a defect here, on a peer, or in a disk that lost what it acknowledged.
/// A replica that throws this must not be called again; `Node` stops itself and reports the text.
class InvariantViolation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Checks an invariant in every build, release included.
/// `meaning` says the values, the rule and the suspicion; pass a callable when building that text costs something.
template <class Meaning>
constexpr void ensure(bool condition, Meaning&& meaning) {
  if (condition) [[likely]]
    return;
  if constexpr (requires { std::string(meaning()); }) {
    throw InvariantViolation(meaning());
  } else {
    throw InvariantViolation(std::string(meaning));
  }
}

}  // namespace paxos
