// Copyright (c) the paxos authors. MIT licence.
// expect: Observer
#include <paxos/core.hpp>

// Written from scratch rather than derived from NullObserver, and on_stopped() forgotten.
struct ObserverLackingACall {
  void on_standing(paxos::Standing, const paxos::Ballot&) {}
  void on_leader(paxos::NodeId, const paxos::Ballot&) {}
  void on_promised(const paxos::Ballot&) {}
  void on_chosen(paxos::Slot, std::size_t) {}
  void on_peer_up(paxos::NodeId) {}
  void on_peer_down(paxos::NodeId, std::string_view) {}
  void on_dropped(paxos::NodeId, std::string_view) {}
  void on_refused(std::string_view) {}
  void on_disk_error(const paxos::Status&) {}
};

template <paxos::Observer Watcher>
void use(Watcher&);

void must_not_compile(ObserverLackingACall& watcher) { use(watcher); }
