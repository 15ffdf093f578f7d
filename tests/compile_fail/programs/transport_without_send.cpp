// Copyright (c) the paxos authors. MIT licence.
// expect: Transport
#include <paxos/core.hpp>

struct NetWithoutSend {
  void send_after(paxos::WriteTicket, paxos::NodeId, paxos::Message);
};

template <paxos::DurableTransport Net>
void use(Net&);

void must_not_compile(NetWithoutSend& net) { use(net); }
