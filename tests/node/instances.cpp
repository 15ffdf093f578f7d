// Copyright (c) the paxos authors. MIT licence.
#include "node/rig.hpp"

template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::FileStorage,
                                       paxos::TcpTransport>;
template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::test::FaultyStorage,
                                       paxos::TcpTransport>;
template class paxos::detail::NodeCore<paxos::test::Ledger, paxos::test::Witness, paxos::test::NodeMemory,
                                       paxos::LoopbackTransport>;
