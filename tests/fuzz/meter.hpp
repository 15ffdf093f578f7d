// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace paxos::fuzz {

/// What the process has allocated and not freed, in bytes as asked for.
class Meter {
 public:
  /// From here on peak() and held() count.
  static void start() {
    live_ = 0;
    peak_ = 0;
  }
  [[nodiscard]] static std::size_t peak() { return static_cast<std::size_t>(peak_.load()); }
  [[nodiscard]] static std::size_t held() {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(live_.load(), 0));
  }

  static void on_allocated(std::size_t bytes) {
    const auto live = live_ += static_cast<std::ptrdiff_t>(bytes);
    if (live > peak_) peak_ = live;
  }
  static void on_freed(std::size_t bytes) { live_ -= static_cast<std::ptrdiff_t>(bytes); }

 private:
  static inline std::atomic<std::ptrdiff_t> live_{0};
  static inline std::atomic<std::ptrdiff_t> peak_{0};
};

}  // namespace paxos::fuzz
