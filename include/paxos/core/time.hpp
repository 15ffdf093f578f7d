// Copyright (c) the paxos authors. MIT licence.
#pragma once

// Clocks and durations without the calendar, the time zones and the streams, which are nine tenths of <chrono>.
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++ 12 and newer
#else
#include <chrono>
#endif

namespace paxos {

/// A reading of a monotonic clock that the caller owns. The I/O-free half never reads a clock: it is told the time.
using Time = std::chrono::steady_clock::time_point;
/// Of the steady clock: time of day plays no part.
using Duration = std::chrono::steady_clock::duration;

}  // namespace paxos
