// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <optional>

#include <paxos/core/error.hpp>
#include <paxos/core/time.hpp>

namespace paxos {

/// How this node's disk is doing: full, or so slow that the node should not lead.
class DiskWatch {
 public:
  /// `stall_timeout`: how long may something wait for the disk.
  explicit DiskWatch(Duration stall_timeout) : stall_timeout_(stall_timeout) {}

  /// After each flush.
  void on_flushed(const Status& status) {
    is_full_ = status.code == Errc::storage_full;
    if (status.ok()) waiting_since_.reset();
  }
  [[nodiscard]] bool is_full() const { return is_full_; }  ///< the last flush found no space

  /// `is_waiting`: something waits for a flush. True once that has lasted for the whole timeout without any.
  [[nodiscard]] bool is_stalled(bool is_waiting, Time now) {
    if (!is_waiting) waiting_since_.reset();
    if (is_waiting && !waiting_since_) waiting_since_ = now;
    return waiting_since_ && now - *waiting_since_ >= stall_timeout_;
  }

  /// See Replica::image.
  template <class Archive>
  void image(Archive& archive) {
    archive(is_full_);
  }

 private:
  Duration stall_timeout_;
  std::optional<Time> waiting_since_;
  bool is_full_ = false;
};

}  // namespace paxos
