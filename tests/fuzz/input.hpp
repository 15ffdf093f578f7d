// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <paxos/core/bytes.hpp>

namespace paxos::fuzz {

/// A fuzzer's bytes, taken from the front as what the target asks for. Once they are used up every answer is 0 or
/// empty. Numbers are little-endian, so that seeds can be written by hand.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(std::as_bytes(std::span{data, size})) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  [[nodiscard]] std::uint8_t byte() {
    if (left_.empty()) return 0;
    const auto first = std::to_integer<std::uint8_t>(left_.front());
    left_ = left_.subspan(1);
    return first;
  }
  [[nodiscard]] bool flag() { return (byte() & 1U) != 0; }
  /// `bytes` of them, at most 8.
  [[nodiscard]] std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }
  /// In [0, bound), from no more bytes than that needs; 0 when bound is 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    unsigned bytes = 0;
    for (std::uint64_t rest = bound > 0 ? bound - 1 : 0; rest > 0; rest >>= 8) ++bytes;
    return bound == 0 ? 0 : number(bytes) % bound;
  }
  [[nodiscard]] std::span<const std::byte> take(std::size_t size) {
    const auto taken = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] std::span<const std::byte> rest() { return take(left_.size()); }

 private:
  std::span<const std::byte> left_;
};

[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace paxos::fuzz
