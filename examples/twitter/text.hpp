// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace twitter {

inline constexpr std::size_t text_bytes_max = 5000;
inline constexpr std::size_t name_bytes_max = 64;

/// Calls `visit(char32_t)` for each code point. False at the first byte that is not UTF-8 (RFC 3629: no overlong form,
/// no surrogate, nothing above U+10FFFF), or as soon as `visit` answers false.
template <class Visit>
[[nodiscard]] constexpr bool each_code_point(std::string_view text, Visit&& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(at);
    const std::size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4 || text.size() - at < length) return false;
    char32_t point = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t i = at + 1; i < at + length; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
      point = (point << 6) | (byte(i) & 0x3fU);
    }
    if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000)) return false;
    if ((point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff) return false;
    if (!visit(point)) return false;
    at += length;
  }
  return true;
}

[[nodiscard]] constexpr bool is_utf8(std::string_view text) {
  return each_code_point(text, [](char32_t) { return true; });
}

[[nodiscard]] constexpr bool is_control(char32_t point) { return point < 0x20 || (point >= 0x7f && point < 0xa0); }

/// Spaces of any width, marks that show nothing, and marks that turn the writing direction: two names that differ only
/// by these look the same on a screen.
[[nodiscard]] constexpr bool is_invisible(char32_t point) {
  return point == ' ' || point == 0xa0 || point == 0xad || point == 0x1680 || (point >= 0x2000 && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202f) || (point >= 0x205f && point <= 0x206f) || point == 0x3000 ||
         point == 0xfeff;
}

/// A user's name: 1 to 64 bytes of UTF-8 without control, space or invisible characters. Bytes are compared as they
/// are: "Bob" and "bob" are two users.
[[nodiscard]] constexpr bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_bytes_max &&
         each_code_point(text, [](char32_t point) { return !is_control(point) && !is_invisible(point); });
}

/// A tweet: 1 to 5,000 bytes of UTF-8.
[[nodiscard]] constexpr bool is_tweet(std::string_view text) {
  return !text.empty() && text.size() <= text_bytes_max && is_utf8(text);
}

}  // namespace twitter
