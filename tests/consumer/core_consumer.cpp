// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core.hpp>

int main() { return paxos::Slot{}.next() == paxos::Slot{1} ? 0 : 1; }
