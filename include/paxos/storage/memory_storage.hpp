// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/storage/log_index.hpp>

namespace paxos {

/// A Storage in memory, with a disk's manners: what was not flushed is gone after crash(). For tests, simulation, and
/// nodes that may forget. A copy is a second disk with the same content. Not for several threads at once.
///
/// A template so that it costs little where it is only included (docs/compile-time.md); use it as MemoryStorage.
template <class Log = std::vector<Record>>
class BasicMemoryStorage {
 public:
  [[nodiscard]] Recovered recover() {
    Recovered recovered{index_.promised(), index_.chosen_through(), {}};
    for (const auto& [slot, accepted] : index_.accepted())
      recovered.accepted.push_back({slot, accepted.ballot, accepted.location});
    return recovered;
  }

  /// The record must be able to follow those before it (see LogFault).
  WriteTicket append(const Record& record) {
    fold(record);
    backlog_ += detail::encoded_bytes(record);
    records_.push_back(record);
    return appended();
  }

  Status flush() { return flush_through(appended()); }

  /// As flush(), but the disk stops after `last`: a later crash() leaves that much.
  Status flush_through(WriteTicket last) {
    if (!failure_.ok()) return failure_;
    if (!next_failure_.ok()) {
      Status failure = std::exchange(next_failure_, Status{});
      if (failure.code != Errc::storage_full) failure_ = failure;
      return failure;
    }
    ensure(last <= appended(), "MemoryStorage: flush_through() names a write that was never appended");
    const std::size_t end = first_of_life_ + static_cast<std::size_t>(last.value());
    for (; durable_records_ < end; ++durable_records_) backlog_ -= detail::encoded_bytes(records_[durable_records_]);
    return {};
  }

  /// The ticket of the newest append.
  [[nodiscard]] WriteTicket appended() const { return WriteTicket{records_.size() - first_of_life_}; }
  [[nodiscard]] WriteTicket durable() const { return WriteTicket{durable_records_ - first_of_life_}; }
  [[nodiscard]] std::size_t backlog() const { return backlog_; }

  [[nodiscard]] std::optional<Value> read(Slot slot) {
    const Value* value = index_.chosen(slot);
    return value != nullptr ? std::optional{*value} : std::nullopt;
  }

  /// The next flush makes nothing durable and answers `failure`; unless that is Errc::storage_full, so do all later
  /// ones, until crash().
  void fail_next_flush(Status failure) { next_failure_ = std::move(failure); }

  /// A power cut: forgets what was not flushed. A new life begins: recover() comes next, tickets start at 1.
  void crash() {
    records_.resize(durable_records_);
    first_of_life_ = durable_records_;
    backlog_ = 0;
    failure_ = next_failure_ = Status{};
    index_ = {};
    for (const Record& record : records_) fold(record);
  }

  /// All that was appended, in order, in this life and before.
  [[nodiscard]] std::span<const Record> records() const { return records_; }
  /// What a crash leaves.
  [[nodiscard]] std::span<const Record> durable_records() const { return records().first(durable_records_); }

 private:
  void fold(const Record& record) {
    const Value* value = detail::value_of(record);
    const auto fault = index_.fold(record, value != nullptr ? *value : Value{});
    ensure(!fault, [&] { return "MemoryStorage: " + fault->text(); });
  }

  Log records_;
  std::size_t durable_records_ = 0;
  std::size_t first_of_life_ = 0;
  std::size_t backlog_ = 0;
  LogIndex<Value> index_;
  Status failure_;
  Status next_failure_;
};

/// The one to use.
using MemoryStorage = BasicMemoryStorage<>;

}  // namespace paxos
