// Copyright (c) the paxos authors. MIT licence.
#pragma once

// What differs between operating systems, and nothing else does: Linux, macOS, and any other POSIX.

#if defined(_WIN32)
#error "the files of paxos are POSIX; on Windows take <paxos/core.hpp> with a Storage and a Transport of your own"
#endif

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace paxos::detail {

/// As fsync(): 0, or -1 and errno.
inline int sync_file(int descriptor) {
#if defined(F_FULLFSYNC)
  // macOS: its fsync() leaves the bytes in the drive's cache. After any other error nobody knows what the disk holds.
  if (::fcntl(descriptor, F_FULLFSYNC) == 0) return 0;
  if (errno != ENOTSUP) return -1;
#endif
  return ::fsync(descriptor);
}

/// As fdatasync(), which not every system has.
inline int sync_file_data(int descriptor) {
#if defined(__linux__)
  return ::fdatasync(descriptor);
#else
  return sync_file(descriptor);
#endif
}

/// A hint that a sync of this range is near.
inline void start_writeback([[maybe_unused]] int descriptor, [[maybe_unused]] std::uint64_t offset,
                            [[maybe_unused]] std::uint64_t size) {
#if defined(__linux__)
  ::sync_file_range(descriptor, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
#endif
}

/// Gives up a peer that acknowledges nothing, and asks one that is silent. Elsewhere TCP's own long times hold.
inline void bound_silence([[maybe_unused]] int socket, [[maybe_unused]] unsigned unacknowledged_ms_max,
                          [[maybe_unused]] int silence_seconds_before_probe) {
#if defined(__linux__)
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms_max, sizeof unacknowledged_ms_max);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &silence_seconds_before_probe, sizeof silence_seconds_before_probe);
#endif
}

/// 64 bits that nobody can foretell, nor draw again. Throws std::system_error when the system has none.
[[nodiscard]] inline std::uint64_t entropy() {
  std::uint64_t drawn = 0;
  if (::getentropy(&drawn, sizeof drawn) != 0)
    throw std::system_error(errno, std::generic_category(), "no random numbers to be had of the system");
  return drawn;
}

/// The number by which an operator knows this process.
[[nodiscard]] inline std::int64_t process_id() { return ::getpid(); }

}  // namespace paxos::detail
