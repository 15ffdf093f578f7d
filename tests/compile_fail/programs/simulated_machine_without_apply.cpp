// Copyright (c) the paxos authors. MIT licence.
// expect: StateMachine_has_apply_callable_with_a_Command<
#include <paxos/sim/check.hpp>

struct Machine {
  using Command = int;
  template <class Archive>
  void serialize(Archive&) {}
};

void must_not_compile() {
  paxos::sim::check<Machine>({}, [](paxos::Random&) { return 1; }, [](const Machine&) { return true; });
}
