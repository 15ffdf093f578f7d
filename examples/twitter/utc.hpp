// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

#include <fmt/format.h>

#include "timeline.hpp"

namespace twitter {

/// The wall clock, kept inside the years that a stamp may have.
[[nodiscard]] inline Utc utc_now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::clamp<Utc>(std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count(), 0, utc_max);
}

/// ISO 8601: "2026-03-01T09:05:07.000042Z".
[[nodiscard]] inline std::string utc_text(Utc utc) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds{std::clamp<Utc>(utc, 0, utc_max)}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", int{date.year()}, unsigned{date.month()},
                     unsigned{date.day()}, clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace twitter
