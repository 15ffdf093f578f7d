// Copyright (c) the paxos authors. MIT licence.
// expect: observer.on_standing(
// expect: observer.on_leader(node, ballot)
// expect: observer.on_promised(ballot)
// expect: observer.on_chosen(slot
// expect: observer.on_peer_up(node)
// expect: observer.on_peer_down(node, text)
// expect: observer.on_dropped(node, text)
// expect: observer.on_refused(text)
// expect: observer.on_disk_error(status)
// expect: observer.on_stopped(status)
#include <paxos/policy/observer.hpp>

template <paxos::Observer Watcher>
struct Watches {};

struct Other {};
// Hiding a call with other parameters is a slip of the pen that must not pass in silence.
struct WrongOnStanding : paxos::NullObserver {
  void on_standing(Other) {}
};
struct WrongOnLeader : paxos::NullObserver {
  void on_leader(Other) {}
};
struct WrongOnPromised : paxos::NullObserver {
  void on_promised(Other) {}
};
struct WrongOnChosen : paxos::NullObserver {
  void on_chosen(Other) {}
};
struct WrongOnPeerUp : paxos::NullObserver {
  void on_peer_up(Other) {}
};
struct WrongOnPeerDown : paxos::NullObserver {
  void on_peer_down(Other) {}
};
struct WrongOnDropped : paxos::NullObserver {
  void on_dropped(Other) {}
};
struct WrongOnRefused : paxos::NullObserver {
  void on_refused(Other) {}
};
struct WrongOnDiskError : paxos::NullObserver {
  void on_disk_error(Other) {}
};
struct WrongOnStopped : paxos::NullObserver {
  void on_stopped(Other) {}
};
Watches<WrongOnStanding> on_standing;
Watches<WrongOnLeader> on_leader;
Watches<WrongOnPromised> on_promised;
Watches<WrongOnChosen> on_chosen;
Watches<WrongOnPeerUp> on_peer_up;
Watches<WrongOnPeerDown> on_peer_down;
Watches<WrongOnDropped> on_dropped;
Watches<WrongOnRefused> on_refused;
Watches<WrongOnDiskError> on_disk_error;
Watches<WrongOnStopped> on_stopped;
