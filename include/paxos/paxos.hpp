// Copyright (c) the paxos authors. MIT licence.
#pragma once

// Everything but the simulator (paxos/sim/), which programs do not need.

#include <paxos/core.hpp>
#include <paxos/transport/address.hpp>
#include <paxos/transport/connection.hpp>
#include <paxos/transport/frame.hpp>
#include <paxos/transport/hello.hpp>
#include <paxos/transport/incoming.hpp>
#include <paxos/transport/listener.hpp>
#include <paxos/transport/loopback_transport.hpp>
#include <paxos/transport/node_transport.hpp>
#include <paxos/transport/outgoing.hpp>
#include <paxos/transport/tcp_shared.hpp>
#include <paxos/transport/tcp_transport.hpp>
#include <paxos/transport/write_queue.hpp>
