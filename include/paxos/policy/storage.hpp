// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/error.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/core/write_ticket.hpp>

namespace paxos {

/// What a storage knows when it is opened: the sum of its durable records.
struct Recovered {
  Ballot promised;                      ///< the highest ballot promised or accepted
  Slot chosen_through;                  ///< every slot up to here is chosen, and read() gives its value
  std::vector<AcceptedValue> accepted;  ///< accepted above chosen_through, in slot order, newest ballot each
};

/// One node's stable storage: an append-only log of records, the memory of Paxos.
///
/// append() orders a write and returns at once. A ticket is durable once its write, and all before it, would survive
/// a power cut. The first append of a life gets WriteTicket{1}, the next WriteTicket{2}, and so on.
///
/// flush() makes durable all that was appended before the call, or says why not; until it returns well, no ticket
/// counts. It may block, and is called off the event loop, one call at a time, while append(), read() and backlog()
/// go on. It answers
///   - ok: durable() covers all that was appended before the call;
///   - Errc::storage_full: nothing is lost, the records are kept; a later flush() may do (for want of space, or of a
///     file descriptor, say);
///   - any other code: what the disk holds is unknown. The node stops, because an acceptor that guesses can break a
///     promise. After that flush() must never answer ok again.
///
/// read() gives the chosen value of a slot that a ChosenRecord or LearnRecord covers, appended in this life or
/// recovered; nullopt when it is not known. When the disk fails, or has damaged the bytes, it answers nullopt too, and
/// every later flush() fails: a node that cannot give what it knows as chosen must not stay in the others' way. It may
/// answer nullopt for a moment and no more, when the process lacks a file descriptor, say.
///
/// recover() is called once, before anything else. It gives the sum of all that was flushed, and of what was appended
/// behind that a first part or nothing. That must be durable: a storage that finds records which were never flushed
/// flushes them before it believes them. <paxos/testing/storage_conformance.hpp> tests all of this.
template <class S>
concept Storage = requires(S& store, const S& read_only, const Record& record, Slot slot) {
  { store.recover() } -> std::same_as<Recovered>;
  { store.append(record) } -> std::same_as<WriteTicket>;
  { store.flush() } -> std::same_as<Status>;
  { read_only.durable() } -> std::same_as<WriteTicket>;
  { read_only.backlog() } -> std::same_as<std::size_t>;  // bytes appended and not yet durable
  { store.read(slot) } -> std::same_as<std::optional<Value>>;
};

/// A Storage that a Node can open, and whose lives its peers can tell apart. life() was durable before anything else of
/// that life happened, and is well-formed; a storage that forgets everything has another incarnation each time.
template <class S>
concept NodeStorage = Storage<S> && std::constructible_from<S, const Config&> && requires(const S& store) {
  { store.life() } -> std::convertible_to<StoreLife>;
};

/// A NodeStorage that outlives its process, and so must not be taken for a newer or older one, nor take a peer for one.
/// Both calls may throw.
///
/// refusal_of_peer() says whether the peer may come in that life (the rule: LivesMet), and remembers a new one durably
/// before it answers. It is asked at every greeting, and must not wait for a flush unless the life is new.
///
/// mark_outdated() notes durably that `peer` has met a newer life of this storage, which is never opened again then.
template <class S>
concept RemembersPeers = NodeStorage<S> && requires(S& store, NodeId peer, const StoreLife& life) {
  { store.refusal_of_peer(peer, life) } -> std::same_as<Refusal>;
  { store.mark_outdated(peer) };
};

}  // namespace paxos
