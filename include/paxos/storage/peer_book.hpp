// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/lives_met.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/sealed_file.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::detail {

/// The newest life of each peer's data directory that this node has met, in any life of its own: so that a peer whose
/// disk was wiped or rolled back is told from the voter that it was, even after every node was started again.
///
/// The file `peers` is a SealedFile, "PAXOSPRS": a list of pairs of a node's id and a MetLife.
template <FileSystem Files>
class PeerBook {
 public:
  /// Throws StorageError when the file is there and cannot be read.
  PeerBook(Files& files, DataDirectory<Files>& directory) : file_(files, directory, "peers", "PAXOSPRS") {
    if (file_.is_there()) read();
  }

  /// Whether the peer may come in that life. A new one is remembered, durably, before the answer is given; throws
  /// StorageError when that fails.
  [[nodiscard]] Refusal refusal_of(NodeId peer, const StoreLife& life) {
    Refusal refusal = lives_.refusal_of(peer, life, "'" + file_.path() + "'");
    if (!refusal.is_welcome()) {
      if (life.is_well_formed())
        refusal.text +=
            ". Only if node " + to_string(peer) +
            " is right and that file is wrong: stop this node, remove the file, and start it again with the "
            "right one up";
      return refusal;
    }
    if (lives_.has_met(peer, life)) return {};
    LivesMet more = lives_;
    more.meet(peer, life.newest());
    ensure(more.known().size() <= members_max, "PeerBook: more peers than a cluster has members");
    file_.write(more.known());
    lives_ = std::move(more);
    return {};
  }

 private:
  void read() {
    std::vector<LivesMet::Known> entries;
    if (!file_.read(entries))
      throw StorageError("'" + file_.path() +
                         "' is damaged (its checksum does not hold), so this node cannot tell a peer whose disk was "
                         "wiped or rolled back from one whose was not. The log is not concerned: if no peer's disk was "
                         "replaced or restored, remove this file, and the node will remember its peers anew");
    for (const LivesMet::Known& entry : entries) lives_.meet(entry.peer, entry.newest);
  }

  SealedFile<Files, std::vector<LivesMet::Known>> file_;
  LivesMet lives_;
};

}  // namespace paxos::detail
