// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <paxos/core/error.hpp>
#include <paxos/testing/storage_model.hpp>

namespace paxos::testing {

/// Runs `work` in a copy of this process that dies right after it: no destructor runs, nothing is flushed or closed.
/// Throws DutyBroken when `work` throws there.
template <class Work>
void in_a_process_that_dies(Work&& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  demand(child >= 0, "the test itself cannot go on: fork() fails");
  if (child == 0) {
    try {
      work();
    } catch (...) {
      std::fprintf(stderr, "in the process that was to die: %s\n", paxos::detail::text_of_current_exception().c_str());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  demand(WIFEXITED(status) && WEXITSTATUS(status) == 0, "another process failed at this (its text is on stderr)");
}

}  // namespace paxos::testing
