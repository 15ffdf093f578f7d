// Copyright (c) the paxos authors. MIT licence.
// expect: net.send(to, std::move
// expect: net.send_after(ticket, to, std::move
#include <paxos/policy/transport.hpp>

template <paxos::Transport Net>
struct Carries {};
template <paxos::DurableTransport Net>
struct CarriesOnceDurable {};

struct WithoutAddressee {
  void send(paxos::Message);
};
struct WaitsForNoDisk {
  void send(paxos::NodeId, paxos::Message);
};
Carries<WithoutAddressee> without_addressee;
CarriesOnceDurable<WaitsForNoDisk> waits_for_no_disk;
