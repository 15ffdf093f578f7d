// Copyright (c) the paxos authors. MIT licence.
#include <paxos/fmt.hpp>

int main() { return fmt::format("{:>3}", paxos::Slot{7}) == "  7" ? 0 : 1; }
