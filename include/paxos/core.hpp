// Copyright (c) the paxos authors. MIT licence.
#pragma once

// The half of the library that does no I/O: no sockets, files, threads or clocks, and no Asio.

#include <paxos/core/archive.hpp>
#include <paxos/core/ballot.hpp>
#include <paxos/core/bytes.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/core/time.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/policy/transport.hpp>
#include <paxos/version.hpp>
