// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace paxos::detail {

/// A bound on what waits, shared by all threads. Must outlive its shares.
class Budget {
 public:
  /// A part of the bound, given back at the end.
  class Share {
   public:
    Share() = default;
    Share(Budget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) {}
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->used_.fetch_sub(bytes_, std::memory_order_relaxed);
    }

   private:
    Budget* budget_ = nullptr;
    std::size_t bytes_ = 0;
  };

  explicit Budget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// nullopt when it would be too much. One share alone is never too much.
  [[nodiscard]] std::optional<Share> take(std::size_t bytes) {
    const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    Share share{*this, bytes};
    if (before > 0 && before + bytes > bytes_max_) return std::nullopt;
    return share;
  }
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

/// Carries items from any thread to one that takes them out, in order, until it is closed. The taker is woken once
/// for many items.
template <class Item>
class Inbox {
 public:
  enum class Put {
    first,   ///< the taker has to be woken
    queued,  ///< it is awake, or will be
    closed,  ///< the item was not taken
    gone,    ///< nor was it, and nobody needs to be told
  };

  /// Leaves the item alone unless it is taken.
  [[nodiscard]] Put put(Item& item) {
    const std::lock_guard lock{mutex_};
    if (is_gone_) return Put::gone;
    if (is_closed_) return Put::closed;
    items_.push_back(std::move(item));
    return items_.size() == 1 ? Put::first : Put::queued;
  }

  /// Moves everything that is there into `items`, which is empty.
  void take(std::deque<Item>& items) {
    const std::lock_guard lock{mutex_};
    items_.swap(items);
  }

  /// From now on nothing is taken; what is there stays.
  void close() {
    const std::lock_guard lock{mutex_};
    is_closed_ = true;
  }
  /// As close(), and whoever still comes is not answered either.
  void abandon() {
    const std::lock_guard lock{mutex_};
    is_closed_ = is_gone_ = true;
  }

 private:
  std::mutex mutex_;
  std::deque<Item> items_;
  bool is_closed_ = false;
  bool is_gone_ = false;
};

}  // namespace paxos::detail
