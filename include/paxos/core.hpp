// Copyright (c) the paxos authors. MIT licence.
#pragma once

// The half of the library that does no I/O: no sockets, files, threads or clocks, and no Asio.

#include <paxos/core/archive.hpp>
#include <paxos/core/ballot.hpp>
#include <paxos/core/bytes.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/common_terms.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/fnv1a.hpp>
#include <paxos/core/lives_met.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/core/time.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/policy/state_machine.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/policy/transport.hpp>
#include <paxos/replica.hpp>
#include <paxos/replica/ballot_book.hpp>
#include <paxos/replica/disk_watch.hpp>
#include <paxos/replica/node_status.hpp>
#include <paxos/replica/outbox.hpp>
#include <paxos/replica/reader.hpp>
#include <paxos/replica/reign_watch.hpp>
#include <paxos/replica/replicated_state.hpp>
#include <paxos/replica/session_table.hpp>
#include <paxos/replica/submitter.hpp>
#include <paxos/role/acceptor.hpp>
#include <paxos/role/catch_up.hpp>
#include <paxos/role/leader_election.hpp>
#include <paxos/role/learner.hpp>
#include <paxos/role/proposer.hpp>
#include <paxos/storage/memory_storage.hpp>
#include <paxos/version.hpp>
