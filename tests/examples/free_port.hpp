// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <random>
#include <set>

namespace examples {

[[nodiscard]] inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A port that nobody has. Not one that bind() to port 0 would give: those are where the kernel takes the ports of
/// outgoing connections from, so that one may be taken by the time a killed server wants it again.
[[nodiscard]] inline std::uint16_t free_port() {
  static std::mt19937 random{std::random_device{}()};
  static std::set<std::uint16_t> given;
  while (true) {
    const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution<int>{11000, 31999}(random));
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool is_free = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (is_free && given.insert(port).second) return port;
  }
}

}  // namespace examples
