// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>

namespace paxos {

/// A reading of a monotonic clock that the caller owns. The I/O-free half never reads a clock: it is told the time.
using Time = std::chrono::steady_clock::time_point;
/// Of the steady clock: time of day plays no part.
using Duration = std::chrono::steady_clock::duration;

}  // namespace paxos
