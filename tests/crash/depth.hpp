// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace paxos::test {

/// What is sampled is sampled so many times as densely: PAXOS_CRASH_DEPTH, 1 by default, more for a long run.
inline std::uint64_t depth() {
  const char* asked = std::getenv("PAXOS_CRASH_DEPTH");
  return asked != nullptr ? std::max<std::uint64_t>(1, std::strtoull(asked, nullptr, 10)) : 1;
}

/// Takes one of so many.
inline std::uint64_t one_of(std::uint64_t count) { return std::max<std::uint64_t>(1, count / depth()); }

}  // namespace paxos::test
