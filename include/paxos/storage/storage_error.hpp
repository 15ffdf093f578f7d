// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace paxos {

/// A data directory that must not, or cannot, be used. The text names the file, the place in it, what is affected as
/// far as can be told, and what to do.
class StorageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

/// What to do about a log that lost what it had acknowledged.
inline constexpr const char* damage_cure =
    "This node may have promised or accepted things that it can no longer remember, so it must not vote. Remove this "
    "node from the cluster and add a new member with a new id. Do not delete the log to start it again under the same "
    "id, and do not restore an older copy of it: it would forget its promises, and chosen values could be lost.";

/// What to do about a data directory of which a newer life was met.
inline constexpr const char* outdated_cure =
    "It was restored from a backup or a snapshot, or it is a clone of the directory of a node that went on; it has "
    "forgotten what that node promised and accepted since, so it must not vote. If the newer directory is still there, "
    "run the node on that one; else remove this node from the cluster and add a new member with a new id. Never "
    "restore a voter's disk, and never run a copy of one.";

inline void throw_on(const std::error_code& code, const std::string& doing) {
  if (code)
    throw StorageError(doing + ": " + code.message() +
                       "; check the disk, its free space and the permissions of the data directory");
}

}  // namespace detail

}  // namespace paxos
