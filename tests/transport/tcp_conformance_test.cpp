// Copyright (c) the paxos authors. MIT licence.
#include <paxos/testing/transport_conformance.hpp>
#include <paxos/transport/tcp_transport.hpp>

#include "transport/tcp_harness.hpp"

static const paxos::testing::TransportConformance<paxos::test::TcpHarnessOf<paxos::TcpTransport>> tests{"TcpTransport"};
