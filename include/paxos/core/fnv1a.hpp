// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <string_view>

namespace paxos::detail {

/// FNV-1a, 64 bits: tells texts apart that differ by accident, not those that an adversary chose.
[[nodiscard]] constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace paxos::detail
