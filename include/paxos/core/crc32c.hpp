// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace paxos {

namespace detail {

using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table k holds the CRC of a byte followed by k zero bytes: what slice-by-8 adds up.
/// The polynomial is Castagnoli's 0x1EDC6F41, bit-reversed.
[[nodiscard]] inline Crc32cTables make_crc32c_tables() {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xffU];
    }
  }
  return tables;
}
/// Made when they are needed first: that takes microseconds, and the compiler would take milliseconds in every file.
[[nodiscard]] inline const Crc32cTables& crc32c_tables() {
  static const Crc32cTables tables = make_crc32c_tables();
  return tables;
}

[[nodiscard]] inline std::uint64_t load_little_endian(const std::byte* from) {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, from, sizeof word);
  } else {
    for (int i = 7; i >= 0; --i) word = (word << 8) | std::to_integer<std::uint64_t>(from[i]);
  }
  return word;
}

/// The raw register goes in and comes out, not inverted.
[[nodiscard]] inline std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc) {
  const Crc32cTables& t = crc32c_tables();
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = load_little_endian(at) ^ crc;
    crc = t[7][word & 0xff] ^ t[6][(word >> 8) & 0xff] ^ t[5][(word >> 16) & 0xff] ^ t[4][(word >> 24) & 0xff] ^
          t[3][(word >> 32) & 0xff] ^ t[2][(word >> 40) & 0xff] ^ t[1][(word >> 48) & 0xff] ^
          t[0][static_cast<std::uint8_t>(word >> 56)];
  }
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ t[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xffU];
  return crc;
}

#if defined(__x86_64__)
/// As crc32c_portable, by the instruction that computes it. Only where the processor has SSE4.2.
[[nodiscard]] __attribute__((target("sse4.2"))) inline std::uint32_t crc32c_sse42(std::span<const std::byte> bytes,
                                                                                  std::uint32_t crc) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = crc;
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++at, --left) crc = __builtin_ia32_crc32qi(crc, std::to_integer<unsigned char>(*at));
  return crc;
}
[[nodiscard]] inline bool has_sse42() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}
#endif

}  // namespace detail

/// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 tests it. Of a run in pieces: pass the result for the pieces before
/// as `seed`.
[[nodiscard]] inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0) {
#if defined(__x86_64__)
  if (detail::has_sse42()) return ~detail::crc32c_sse42(bytes, ~seed);
#endif
  return ~detail::crc32c_portable(bytes, ~seed);
}

}  // namespace paxos
