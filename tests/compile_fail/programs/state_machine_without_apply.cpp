// Copyright (c) the paxos authors. MIT licence.
// expect: StateMachine
#include <paxos/core.hpp>

struct MachineWithoutApply {
  using Command = int;
  template <class Archive>
  void serialize(Archive&) {}
};

template <paxos::StateMachine Machine>
void use(Machine&);

void must_not_compile(MachineWithoutApply& machine) { use(machine); }
