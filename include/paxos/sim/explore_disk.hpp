// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/record.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/storage/log_index.hpp>

namespace paxos::sim {

/// A Storage that is small to write down: what is durable, folded into what recover() needs of it, and the records that
/// a crash may still take away, in order. Keeps no vote above slot `last`, but the promise that goes with it.
class ExploredDisk {
 public:
  explicit ExploredDisk(Slot last) : last_(last) {}  ///< has room for the slots up to `last`

  [[nodiscard]] Recovered recover() const {
    Recovered recovered{all_.promised(), all_.chosen_through(), {}};
    for (const auto& [slot, accepted] : all_.accepted())
      recovered.accepted.push_back({slot, accepted.ballot, accepted.location});
    return recovered;
  }

  WriteTicket append(const Record& record) {
    const auto* accept = get_if<AcceptRecord>(&record);
    const bool is_kept = accept == nullptr || accept->slot <= last_;
    if (!is_kept && accept->ballot <= all_.promised()) return appended();
    pending_.push_back(is_kept ? record : Record{PromiseRecord{accept->ballot}});
    fold(all_, pending_.back());
    return appended();
  }

  Status flush() {
    harden(pending_.size());
    return {};
  }

  /// Of the newest append.
  [[nodiscard]] WriteTicket appended() const { return WriteTicket{flushed_ + pending_.size()}; }
  [[nodiscard]] WriteTicket durable() const { return WriteTicket{flushed_}; }
  [[nodiscard]] std::size_t backlog() const {
    std::size_t bytes = 0;
    for (const Record& record : pending_) bytes += paxos::detail::encoded_bytes(record);
    return bytes;
  }
  [[nodiscard]] std::optional<Value> read(Slot slot) const {
    const Value* value = all_.chosen(slot);
    return value != nullptr ? std::optional{*value} : std::nullopt;
  }

  /// A power cut that leaves the first `kept` of the records that were not flushed.
  void crash(std::size_t kept) {
    harden(kept);
    pending_.clear();
    all_ = durable_;
    flushed_ = 0;
  }

  /// What became durable since the last call.
  [[nodiscard]] std::vector<Record> take_hardened() { return std::exchange(hardened_, {}); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }         ///< appends that are not durable
  [[nodiscard]] const LogIndex<Value>& on_platter() const { return durable_; }  ///< what a crash leaves

  template <class Archive>
  void image(Archive& archive) {
    if constexpr (Archive::is_loading) {
      load(archive);
    } else {
      archive(durable_.promised(), durable_.chosen_through());
      for (Slot slot; slot < durable_.chosen_through();) archive(*durable_.chosen(slot = slot.next()));
      std::size_t accepted = durable_.accepted().size();
      archive(accepted);
      for (const auto& [slot, vote] : durable_.accepted()) archive(slot, vote.ballot, vote.location);
      std::size_t pending = pending_.size();
      archive(pending);
      for (Record& record : pending_) {
        std::size_t kind = record.index();
        archive(kind);
        record.visit([&](auto& fields) { archive(fields); });
      }
    }
  }

 private:
  template <class Archive>
  void load(Archive& archive) {
    durable_ = {};
    pending_.clear();
    flushed_ = 0;
    Ballot promised;
    Slot chosen_through;
    archive(promised, chosen_through);
    fold(durable_, PromiseRecord{promised});
    for (Slot slot; slot < chosen_through;) {
      LearnRecord learnt{slot = slot.next(), {}};
      archive(learnt.value);
      fold(durable_, learnt);
    }
    std::size_t count = 0;
    archive(count);
    for (; count > 0; --count) {
      AcceptRecord vote;
      archive(vote.slot, vote.ballot, vote.value);
      fold(durable_, vote);
    }
    all_ = durable_;
    for (archive(count); count > 0; --count) {
      std::size_t kind = 0;
      archive(kind);
      if (kind == 0) read_record<PromiseRecord>(archive);
      if (kind == 1) read_record<AcceptRecord>(archive);
      if (kind == 2) read_record<ChosenRecord>(archive);
      if (kind == 3) read_record<LearnRecord>(archive);
    }
  }
  template <class Fields, class Archive>
  void read_record(Archive& archive) {
    Fields fields;
    archive(fields);
    append(fields);
  }

  void harden(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      fold(durable_, pending_[i]);
      hardened_.push_back(std::move(pending_[i]));
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    flushed_ += count;
  }

  static void fold(LogIndex<Value>& index, const Record& record) {
    const Value* value = paxos::detail::value_of(record);
    const auto fault = index.fold(record, value != nullptr ? *value : Value{});
    ensure(!fault, [&] { return "ExploredDisk: " + fault->text(); });
  }

  Slot last_;
  LogIndex<Value> durable_;
  LogIndex<Value> all_;  ///< durable_ and then pending_
  std::vector<Record> pending_;
  std::vector<Record> hardened_;
  std::size_t flushed_ = 0;  ///< records, in this life
};

static_assert(Storage<ExploredDisk>);

}  // namespace paxos::sim
