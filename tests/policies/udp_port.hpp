// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <system_error>

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

namespace paxos::test {

/// A port of 127.0.0.1 that nobody has. Not one that the kernel would choose: it may give that to another meanwhile.
[[nodiscard]] inline std::uint16_t free_udp_port() {
  static std::mt19937 random{std::random_device{}()};
  static std::set<std::uint16_t> given;
  asio::io_context io;
  while (true) {
    const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution<int>{11000, 31999}(random));
    asio::ip::udp::socket probe{io, asio::ip::udp::v4()};
    std::error_code taken;
    probe.bind({asio::ip::address_v4::loopback(), port}, taken);
    if (!taken && given.insert(port).second) return port;
  }
}

}  // namespace paxos::test
