// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <paxos/core/config.hpp>

namespace paxos {

/// Where a node listens: a host name, an IPv4 address or an IPv6 address (kept without its brackets), and a port.
struct Address {
  std::string host;        ///< a name or an address; without the brackets of IPv6
  std::uint16_t port = 0;  ///< 0: any free one, where it is listened on

  friend bool operator==(const Address&, const Address&) = default;
};

/// "host:port", an IPv6 host in brackets: what parse_address() reads.
[[nodiscard]] inline std::string to_string(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

/// Throws ConfigError, naming `field`, the rule and a cure. Port 0 is an address too; who dials it must refuse it.
[[nodiscard]] inline Address parse_address(std::string_view text, std::string_view field) {
  const auto refuse = [&](std::string_view rule) -> ConfigError {
    return ConfigError("Config: " + std::string{field} + " (\"" + std::string{text} + "\") " + std::string{rule} +
                       "; write host:port, such as 127.0.0.1:7001, [::1]:7001 or node1.example.org:7001");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) throw refuse("has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) throw refuse("has brackets around a host that is not IPv6");
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    throw refuse("must have an IPv6 host in brackets, or its port cannot be told from its host");
  }
  if (host.empty()) throw refuse("has no host");
  if (host.size() > 255 || host.find_first_of(" \t\r\n/") != std::string_view::npos)
    throw refuse("has a host that no name server knows");
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size())
    throw refuse("must have a port of 0 to 65535");
  return Address{std::string{host}, port};
}

}  // namespace paxos
