// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

#include <paxos/core/ensure.hpp>

namespace paxos {

/// A position in the replicated log. The first is 1; `Slot{}` (0) stands before it and means "none yet".
class Slot {
 public:
  constexpr Slot() = default;
  constexpr explicit Slot(std::uint64_t value) : value_(value) {}  ///< 0 is before the first slot

  /// Above every slot that is ever proposed in: the end of "the infinite suffix".
  static constexpr Slot infinity() { return Slot{std::numeric_limits<std::uint64_t>::max()}; }

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }  ///< 0: none yet
  /// An InvariantViolation at the end of all numbers.
  [[nodiscard]] constexpr Slot next() const {
    ensure(value_ < infinity().value_, "Slot: no slot follows the last one; the 64-bit log is used up");
    return Slot{value_ + 1};
  }
  /// An InvariantViolation for slot 0.
  [[nodiscard]] constexpr Slot previous() const {
    ensure(value_ > 0, "Slot: nothing stands before slot 0");
    return Slot{value_ - 1};
  }

  friend constexpr auto operator<=>(const Slot&, const Slot&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }

 private:
  std::uint64_t value_ = 0;
};

/// How many slots lie in (below, above]; 0 when there are none.
[[nodiscard]] constexpr std::uint64_t slots_between(Slot below, Slot above) {
  return above > below ? above.value() - below.value() : 0;
}

/// In decimal.
[[nodiscard]] inline std::string to_string(Slot slot) { return std::to_string(slot.value()); }

}  // namespace paxos
