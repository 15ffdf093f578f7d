// Copyright (c) the paxos authors. MIT licence.
#pragma once

// Everything but the simulator (paxos/sim/), which programs do not need.

#include <asio/use_future.hpp>

#include <paxos/cereal.hpp>
#include <paxos/client.hpp>
#include <paxos/client/client_core.hpp>
#include <paxos/core.hpp>
#include <paxos/detail/platform.hpp>
#include <paxos/detail/unique_function.hpp>
#include <paxos/node.hpp>
#include <paxos/node/node_core.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_storage.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/group_commit.hpp>
#include <paxos/storage/life_file.hpp>
#include <paxos/storage/log_index.hpp>
#include <paxos/storage/log_recovery.hpp>
#include <paxos/storage/peer_book.hpp>
#include <paxos/storage/seal.hpp>
#include <paxos/storage/sealed_file.hpp>
#include <paxos/storage/segment.hpp>
#include <paxos/storage/segment_files.hpp>
#include <paxos/storage/storage_error.hpp>
#include <paxos/storage/write_batch.hpp>
#include <paxos/transport/address.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/connection.hpp>
#include <paxos/transport/dialler.hpp>
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

/// A replicated state machine: Node is a member of a cluster, Client submits from outside, and the roles and policies
/// are what a Node is made of.
namespace paxos {}
