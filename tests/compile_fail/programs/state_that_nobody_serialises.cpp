// Copyright (c) the paxos authors. MIT licence.
// expect: give it a member serialize(Archive&), or include <paxos/cereal.hpp>
// expect: is_left_to_cereal<Mine>
// expect: is_left_to_cereal<Answer>
#include <paxos/core.hpp>

// Deep inside, where no concept looks: a field of the state, and what apply() returns.
struct Mine {
  int* secret = nullptr;
};
struct Answer {
  int* secret = nullptr;
};

struct Machine {
  using Command = int;
  std::vector<Mine> state;
  Answer apply(Command) { return {}; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(state);
  }
};

struct Net {
  void send(paxos::NodeId, paxos::Message) {}
};

void must_not_compile(const paxos::Config& config, Net& net, paxos::MemoryStorage& store,
                      paxos::NullObserver& watcher) {
  paxos::Replica<Machine, Net, paxos::MemoryStorage> replica{config, net, store, watcher, {}, paxos::Time{}};
  replica.end_turn(paxos::Time{});
}
