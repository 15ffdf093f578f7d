// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <paxos/core/archive.hpp>

namespace paxos::test {

/// "01 ff 20": what golden tests compare, so that a difference can be read.
[[nodiscard]] inline std::string hex(std::span<const std::byte> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    if (!text.empty()) text += ' ';
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}

template <class T>
[[nodiscard]] std::string hex_of(const T& value) {
  Buffer out;
  encode(out, value);
  return hex(out);
}

}  // namespace paxos::test
