// Copyright (c) the paxos authors. MIT licence.
// expect GNU: Status
// expect Clang: ignoring return value
// options: -Werror=unused-result
#include <paxos/core.hpp>

paxos::Status flush();

// A flush whose answer nobody reads is the mistake that loses acknowledged data.
void must_not_compile() { flush(); }
