// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// A bounded run of slots, (base, base + limit], some of them holding a T. Moves forward only.
template <class T>
class SlotWindow {
 public:
  explicit SlotWindow(std::size_t limit) : limit_(limit) {}  ///< holds at most this many slots
  SlotWindow(const SlotWindow&) = default;                   ///< with entries of its own
  SlotWindow& operator=(const SlotWindow&) = default;
  /// Nothing is left in `other`.
  SlotWindow(SlotWindow&& other) noexcept
      : base_(other.base_), limit_(other.limit_), span_(std::exchange(other.span_, 0)), ring_(std::move(other.ring_)) {}
  SlotWindow& operator=(SlotWindow&& other) noexcept {
    SlotWindow taken{std::move(other)};
    base_ = taken.base_;
    limit_ = taken.limit_;
    span_ = taken.span_;
    ring_.swap(taken.ring_);
    return *this;
  }

  /// The slot before the first one of the window.
  [[nodiscard]] Slot base() const { return base_; }
  [[nodiscard]] std::size_t limit() const { return limit_; }  ///< in slots
  /// Above the base, and not too far above.
  [[nodiscard]] bool admits(Slot slot) const { return slot > base_ && slots_between(base_, slot) <= limit_; }

  /// Null when nothing is there.
  [[nodiscard]] T* find(Slot slot) { return const_cast<T*>(std::as_const(*this).find(slot)); }
  /// Null when nothing is there.
  [[nodiscard]] const T* find(Slot slot) const {
    if (slot <= base_ || slots_between(base_, slot) > span_) return nullptr;
    const auto& entry = ring_[place(slot, ring_)];
    return entry ? &*entry : nullptr;
  }

  /// The window must admit the slot.
  T& put(Slot slot, T value) {
    ensure(admits(slot), [&] {
      return "SlotWindow: slot " + to_string(slot) + " lies outside the window above " + to_string(base_);
    });
    const auto distance = static_cast<std::size_t>(slots_between(base_, slot));
    if (distance > ring_.size()) grow(distance);
    span_ = std::max(span_, distance);
    return ring_[place(slot, ring_)].emplace(std::move(value));
  }

  /// Forgets every slot up to `base`. A lower base than now changes nothing.
  void advance(Slot base) {
    if (base <= base_) return;
    while (base_ < base && span_ > 0) {
      base_ = base_.next();
      ring_[place(base_, ring_)].reset();
      --span_;
    }
    base_ = base;
  }

  /// No entry lies above this slot.
  [[nodiscard]] Slot last() const { return Slot{base_.value() + span_}; }

 private:
  /// Each slot has its place for good, so that the window moves without anything in it being moved.
  [[nodiscard]] static std::size_t place(Slot slot, const std::vector<std::optional<T>>& ring) {
    return static_cast<std::size_t>(slot.value() & (ring.size() - 1));
  }

  void grow(std::size_t slots) {
    std::size_t size = std::max<std::size_t>(ring_.size(), 4);
    while (size < slots) size *= 2;
    std::vector<std::optional<T>> old(size);
    old.swap(ring_);
    for (std::size_t i = 1; i <= span_; ++i) {
      const Slot slot{base_.value() + i};
      ring_[place(slot, ring_)] = std::move(old[place(slot, old)]);
    }
  }

  Slot base_;
  std::size_t limit_;
  std::size_t span_ = 0;                ///< slots above the base, up to the last one that was ever put
  std::vector<std::optional<T>> ring_;  ///< of 2^n places, or none; empty but for those slots
};

}  // namespace paxos
