// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <optional>
#include <system_error>

#include <paxos/core/bytes.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/one_of.hpp>
#include <paxos/detail/unique_function.hpp>
#include <paxos/node/inbox.hpp>
#include <paxos/transport/node_transport.hpp>

namespace paxos::detail {

using OnAnswer = UniqueFunction<void(std::error_code, const Bytes&)>;
template <class Machine>
using OnRead = UniqueFunction<void(std::error_code, const Machine*)>;

/// A command from outside the executor.
struct Proposal {
  std::optional<RequestId> id;  ///< nullopt: under the node's own session
  Bytes payload;
  OnAnswer on_answer;
  Budget::Share share{};
};

/// A read from outside the executor, and one that was taken on.
template <class Machine>
struct Read {
  OnRead<Machine> on_read;
  Budget::Share share{};
};

template <class Machine>
using Request = OneOf<Proposal, Read<Machine>>;

/// Somebody who waits for a command.
struct Waiter {
  OnAnswer on_answer;
  Budget::Share share;
  ClientId client;  ///< ClientId{}: a caller in this process
};

/// What a request holds besides the command's own bytes, about.
inline constexpr std::size_t request_overhead_bytes = 256;

}  // namespace paxos::detail
