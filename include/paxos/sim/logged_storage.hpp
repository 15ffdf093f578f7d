// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/sim/disk_files.hpp>
#include <paxos/storage/file_storage.hpp>

namespace paxos::sim {

/// The shipping file storage on a simulated disk, whose flushes take time: begin_flush() does the work, and nothing of
/// it counts before end_flush(). Remembers which records were confirmed as durable, for those who judge.
class LoggedStorage {
 public:
  /// Opens the directory on the disk. Throws StorageError as FileStorage does.
  LoggedStorage(const Config& config, FileStorageOptions options, Disk& disk, std::uint64_t seed)
      : disk_(disk), files_(config, options, DiskFiles{disk, seed}) {}

  [[nodiscard]] Recovered recover() { return recovered_ = files_.recover(); }
  /// What the last recover() gave.
  [[nodiscard]] const Recovered& recovered() const { return recovered_; }
  WriteTicket append(const Record& record) {
    const WriteTicket ticket = files_.append(record);
    unconfirmed_.push_back({ticket, record});
    return ticket;
  }
  Status flush() {
    begin_flush();
    return end_flush();
  }
  [[nodiscard]] WriteTicket durable() const { return durable_; }
  [[nodiscard]] std::size_t backlog() const { return files_.backlog() + flushing_bytes_; }
  [[nodiscard]] std::optional<Value> read(Slot slot) {
    const std::uint64_t failed_before = disk_.failed_calls();
    auto value = files_.read(slot);
    has_failed_read_ |= disk_.failed_calls() > failed_before;
    return value;
  }
  /// The same for those who judge: no fault strikes.
  [[nodiscard]] std::optional<Value> inspect(Slot slot) {
    const std::uint64_t armed = disk_.fail_read(0);
    auto value = files_.inspect(slot);
    disk_.fail_read(armed);
    return value;
  }

  /// What was appended so far goes to the disk; end_flush() says how that went.
  void begin_flush() {
    ensure(!result_, "sim: one flush at a time");
    const std::size_t before = files_.backlog();
    result_ = files_.flush();
    flushing_bytes_ = before - files_.backlog();
  }
  /// The flush is over: the disk has settled. Gives its outcome.
  Status end_flush() {
    ensure(result_.has_value(), "sim: no flush was begun");
    flushing_bytes_ = 0;
    durable_ = files_.durable();
    disk_.settle();
    files_.prepare();
    return *std::exchange(result_, std::nullopt);
  }
  /// The flush under way has failed, or a read, and the node does not know yet: what is appended now goes nowhere.
  [[nodiscard]] bool is_failing() const { return has_failed_read_ || (result_ && !result_->ok()); }
  [[nodiscard]] bool is_flushing() const { return result_.has_value(); }  ///< between begin_flush() and end_flush()

  /// The records that became durable since the last call, in the order in which they were written.
  [[nodiscard]] std::vector<Record> take_durable() {
    std::vector<Record> taken;
    for (; !unconfirmed_.empty() && unconfirmed_.front().ticket <= durable_; unconfirmed_.pop_front())
      taken.push_back(std::move(unconfirmed_.front().record));
    return taken;
  }

  [[nodiscard]] const StoreLife& life() const { return files_.life(); }
  [[nodiscard]] Refusal refusal_of_peer(NodeId peer, const StoreLife& life) {
    Refusal refusal = files_.refusal_of_peer(peer, life);
    disk_.settle();  // the file is durable when the answer is there
    return refusal;
  }
  void mark_outdated(NodeId peer) {
    files_.mark_outdated(peer);
    disk_.settle();
  }

 private:
  struct Unconfirmed {
    WriteTicket ticket;
    Record record;
  };

  Disk& disk_;
  BasicFileStorage<DiskFiles> files_;
  Recovered recovered_;
  std::optional<Status> result_;
  bool has_failed_read_ = false;
  std::size_t flushing_bytes_ = 0;
  WriteTicket durable_;
  std::deque<Unconfirmed> unconfirmed_;
};

static_assert(Storage<LoggedStorage>);

}  // namespace paxos::sim
