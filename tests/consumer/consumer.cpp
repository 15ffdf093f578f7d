// Copyright (c) the paxos authors. MIT licence.
#include <iostream>

#include <paxos/paxos.hpp>
#include <paxos/version.hpp>

int main() {
  const paxos::Ballot ballot = paxos::Ballot{}.above(paxos::NodeId{1});
  std::cout << "paxos " << PAXOS_VERSION_MAJOR << '.' << PAXOS_VERSION_MINOR << ", ballot " << to_string(ballot)
            << '\n';
  return ballot > paxos::Ballot{} ? 0 : 1;
}
