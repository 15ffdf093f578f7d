// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace paxos::fuzz {

/// What a fuzzer reports as a finding: says what does not hold, and ends the process there.
inline void check(bool holds, std::string_view what) {
  if (holds) [[likely]]
    return;
  std::fprintf(stderr, "fuzz: does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace paxos::fuzz
