// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/crc32c.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace {

using paxos::crc32c;

std::vector<std::byte> random_bytes(std::size_t size) {
  std::minstd_rand random{7};
  std::vector<std::byte> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random() >> 8);
  return bytes;
}

/// One bit at a time: slow, and obviously the definition.
std::uint32_t by_definition(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

}  // namespace

TEST_CASE("CRC-32C gives the examples of RFC 3720, B.4", "[crc32c]") {
  std::array<std::byte, 32> bytes{};
  CHECK(crc32c(bytes) == 0x8a9136aaU);
  bytes.fill(std::byte{0xff});
  CHECK(crc32c(bytes) == 0x62a8ab43U);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  CHECK(crc32c(bytes) == 0x46dd794eU);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(31 - i);
  CHECK(crc32c(bytes) == 0x113fdb5cU);
  const std::string_view digits = "123456789";
  CHECK(crc32c(std::as_bytes(std::span{digits})) == 0xe3069283U);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("CRC-32C of pieces, chained, is that of the whole", "[crc32c]") {
  const auto bytes = random_bytes(97);
  const std::span<const std::byte> all{bytes};
  for (std::size_t cut = 0; cut <= all.size(); ++cut)
    CHECK(crc32c(all.subspan(cut), crc32c(all.first(cut))) == crc32c(all));
}

TEST_CASE("both ways to compute CRC-32C agree with its definition at every alignment and length", "[crc32c]") {
  const auto bytes = random_bytes(300);
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; size <= 280; size += 1 + size / 40) {
      const auto part = std::span<const std::byte>{bytes}.subspan(from, size);
      const std::uint32_t expected = by_definition(part);
      CHECK(crc32c(part) == expected);
      CHECK(~paxos::detail::crc32c_portable(part, ~0U) == expected);
#if defined(__x86_64__)
      if (paxos::detail::has_sse42()) CHECK(~paxos::detail::crc32c_sse42(part, ~0U) == expected);
#endif
    }
  }
}
