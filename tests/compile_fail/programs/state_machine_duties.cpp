// Copyright (c) the paxos authors. MIT licence.
// expect: StateMachine_names_a_type_Command<
// expect: StateMachine_Command_has_a_default_constructor_and_is_copyable<
// expect: StateMachine_has_a_default_constructor<
// expect: StateMachine_has_apply_callable_with_a_Command<
// expect: StateMachine_apply_returns_void_or_what_has_a_default_constructor<
// expect: StateMachine_has_serialize_of_any_Archive<
// expect Clang: 'WithoutCommand' does not satisfy 'StateMachine'
#include <paxos/policy/state_machine.hpp>

// What Replica, Node and sim::check ask of their machine.
template <paxos::StateMachine Machine>
struct Replicates {};

struct WithoutCommand {
  void apply(int) {}
  template <class Archive>
  void serialize(Archive&) {}
};
Replicates<WithoutCommand> names_no_command;

struct NeedsAnArgument {
  explicit NeedsAnArgument(int) {}
  template <class Archive>
  void serialize(Archive&) {}
};
struct CommandWithoutDefault : WithoutCommand {
  using Command = NeedsAnArgument;
};
Replicates<CommandWithoutDefault> command_has_no_default;

struct MachineWithoutDefault : WithoutCommand {
  using Command = int;
  explicit MachineWithoutDefault(int) {}
};
Replicates<MachineWithoutDefault> has_no_default;

struct AppliesToAReference : WithoutCommand {
  using Command = int;
  void apply(int&) {}
};
Replicates<AppliesToAReference> cannot_be_given_a_command;

struct ResultWithoutDefault : WithoutCommand {
  using Command = int;
  NeedsAnArgument apply(int);
};
Replicates<ResultWithoutDefault> result_has_no_default;

struct WithoutSerialize {
  using Command = int;
  void apply(int) {}
};
Replicates<WithoutSerialize> has_no_serialize;
