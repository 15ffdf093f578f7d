// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <paxos/core/message.hpp>
#include <paxos/testing/sample_messages.hpp>

namespace paxos::test {

/// One of every kind, in the order of their kinds, no field at its default.
inline std::vector<Message> samples() { return testing::sample_messages(NodeId{2}); }

inline std::string hex(std::span<const std::byte> bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

inline Bytes filled(std::size_t size, char with) { return Bytes{std::string(size, with)}; }

}  // namespace paxos::test
