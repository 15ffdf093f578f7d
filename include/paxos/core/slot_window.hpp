// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include <paxos/core/ensure.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// A bounded run of slots, (base, base + limit], some of them holding a T. Moves forward only.
template <class T>
class SlotWindow {
 public:
  explicit SlotWindow(std::size_t limit) : limit_(limit) {}  ///< holds at most this many slots

  /// The slot before the first one of the window.
  [[nodiscard]] Slot base() const { return base_; }
  [[nodiscard]] std::size_t limit() const { return limit_; }  ///< in slots
  /// Above the base, and not too far above.
  [[nodiscard]] bool admits(Slot slot) const { return slot > base_ && slots_between(base_, slot) <= limit_; }

  /// Null when nothing is there.
  [[nodiscard]] T* find(Slot slot) { return const_cast<T*>(std::as_const(*this).find(slot)); }
  /// Null when nothing is there.
  [[nodiscard]] const T* find(Slot slot) const {
    if (slot <= base_ || slots_between(base_, slot) > entries_.size()) return nullptr;
    const auto& entry = entries_[index(slot)];
    return entry ? &*entry : nullptr;
  }

  /// The window must admit the slot.
  T& put(Slot slot, T value) {
    ensure(admits(slot), "SlotWindow: slot " + to_string(slot) + " lies outside the window above " + to_string(base_));
    if (index(slot) >= entries_.size()) entries_.resize(index(slot) + 1);
    return entries_[index(slot)].emplace(std::move(value));
  }

  /// Forgets every slot up to `base`. A lower base than now changes nothing.
  void advance(Slot base) {
    if (base <= base_) return;
    const auto gone = slots_between(base_, base);
    if (gone >= entries_.size()) {
      entries_.clear();
    } else {
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
    }
    base_ = base;
  }

  /// No entry lies above this slot.
  [[nodiscard]] Slot last() const { return Slot{base_.value() + entries_.size()}; }

 private:
  [[nodiscard]] std::size_t index(Slot slot) const { return static_cast<std::size_t>(slots_between(base_, slot)) - 1; }

  Slot base_;
  std::size_t limit_;
  std::deque<std::optional<T>> entries_;
};

}  // namespace paxos
