// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>

#include <paxos/core/time.hpp>

namespace paxos {

/// A small repeatable source of randomness: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", OOPSLA 2014). The same seed gives the same numbers on every machine. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}  ///< the same seed gives the same numbers, on every machine

  std::uint64_t operator()() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// In [0, bound); 0 when bound is 0. The bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : (*this)() % bound; }
  /// In [shortest, longest).
  Duration between(Duration shortest, Duration longest) {
    const auto range = longest > shortest ? static_cast<std::uint64_t>((longest - shortest).count()) : 0;
    return shortest + Duration{static_cast<Duration::rep>(below(range))};
  }
  /// True `percent` times in a hundred.
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

}  // namespace paxos
