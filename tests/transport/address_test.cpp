// Copyright (c) the paxos authors. MIT licence.
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <paxos/transport/address.hpp>

using namespace paxos;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

TEST_CASE("addresses of all three sorts are read and written back", "[address]") {
  CHECK(parse_address("127.0.0.1:7001", "a") == Address{"127.0.0.1", 7001});
  CHECK(parse_address("[::1]:7001", "a") == Address{"::1", 7001});
  CHECK(parse_address("node1.example.org:65535", "a") == Address{"node1.example.org", 65535});
  CHECK(parse_address("localhost:0", "a") == Address{"localhost", 0});
  for (const std::string text : {"127.0.0.1:7001", "[fe80::1]:1", "node1:7001"})
    CHECK(to_string(parse_address(text, "a")) == text);
}

TEST_CASE("a malformed address names the field, the rule and a cure", "[address]") {
  const auto check = [](const std::string& text, const std::string& rule) {
    INFO(text);
    CHECK_THROWS_MATCHES(parse_address(text, "address of member 2"), ConfigError,
                         MessageMatches(ContainsSubstring("address of member 2") && ContainsSubstring(rule) &&
                                        ContainsSubstring("write host:port")));
  };
  check("", "has no port");
  check("127.0.0.1", "has no port");
  check(":7001", "has no host");
  check("[]:7001", "brackets around a host that is not IPv6");
  check("[host]:7001", "brackets around a host that is not IPv6");
  check("::1:7001", "IPv6 host in brackets");
  check("[::1:7001", "IPv6 host in brackets");
  check("host:", "port of 0 to 65535");
  check("host:65536", "port of 0 to 65535");
  check("host:-1", "port of 0 to 65535");
  check("host:7001x", "port of 0 to 65535");
  check("two words:7001", "no name server knows");
  check(std::string(300, 'h') + ":7001", "no name server knows");
}
