// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <paxos/core/min_max.hpp>
#include <vector>

namespace paxos {

/// A life of a data directory as others remember it.
struct MetLife {
  std::uint64_t incarnation = 0;  ///< of the directory
  std::uint64_t number = 0;       ///< the higher, the later
  std::uint64_t nonce = 0;        ///< of that opening: two copies that count up alike differ in it

  friend bool operator==(const MetLife&, const MetLife&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(incarnation, number, nonce);
  }
};

/// Which data directory a node runs on, and which opening of it: so that its peers can tell it from another directory,
/// and from an older copy of the same one.
///
/// A number alone would not do: a copy that was restored and is started again and again counts up as well, and would
/// soon pass for the newest. So a life also tells the nonces of those before it, which a copy cannot know.
struct StoreLife {
  std::uint64_t incarnation = 0;      ///< random, made with the directory
  std::uint64_t number = 0;           ///< one more with each opening
  std::vector<std::uint64_t> nonces;  ///< random, one for each opening, this life's first; at most `told_max`

  static constexpr std::size_t told_max = 64;  ///< more nonces are not told
  /// No life has a higher number: then none could come after it.
  static constexpr std::uint64_t number_max = (std::uint64_t{1} << 62) - 1;

  /// Whether it can be the life of any directory. A stranger may say otherwise: without nonces, or with a number that
  /// nobody comes after, it would pass for the newest life.
  [[nodiscard]] bool is_well_formed() const {
    return number >= 1 && number <= number_max && nonces.size() == std::min<std::uint64_t>(number, told_max);
  }

  /// What others remember of it.
  [[nodiscard]] MetLife newest() const { return {incarnation, number, nonces.empty() ? 0 : nonces.front()}; }

  /// Whether it, a well-formed one, is that life or one that comes after it. Of lives before the oldest nonce the
  /// number alone tells.
  [[nodiscard]] bool descends_from(const MetLife& met) const {
    if (incarnation != met.incarnation || number < met.number) return false;
    const std::uint64_t lives_ago = number - met.number;
    return lives_ago >= nonces.size() || nonces[static_cast<std::size_t>(lives_ago)] == met.nonce;
  }

  /// The life that follows on this one.
  template <class Life = StoreLife>
  [[nodiscard]] Life next(std::uint64_t nonce) const {
    Life life{incarnation, number + 1, {nonce}};
    for (const std::uint64_t older : nonces)
      if (life.nonces.size() < told_max) life.nonces.push_back(older);
    return life;
  }

  friend bool operator==(const StoreLife&, const StoreLife&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(incarnation, number, nonces);
  }
};

}  // namespace paxos
