// Copyright (c) the paxos authors. MIT licence.
// expect: Slot
#include <paxos/core.hpp>

void use(paxos::Slot);

void must_not_compile() { use(std::uint64_t{5}); }
