// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <cstdint>

namespace paxos {

/// Numbers the writes of one storage in one life, in the order in which they were appended.
/// A ticket is durable once its write, and every one before it, would survive a power cut.
/// `WriteTicket{}` needs no write at all: it is durable from the start.
class WriteTicket {
 public:
  constexpr WriteTicket() = default;
  constexpr explicit WriteTicket(std::uint64_t value) : value_(value) {}  ///< 0: nothing was written

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }  ///< counts the appends of one life, from 1
  [[nodiscard]] constexpr WriteTicket next() const { return WriteTicket{value_ + 1}; }  ///< of the append after it

  friend constexpr auto operator<=>(const WriteTicket&, const WriteTicket&) = default;

 private:
  std::uint64_t value_ = 0;
};

}  // namespace paxos
