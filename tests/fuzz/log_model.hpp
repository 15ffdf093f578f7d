// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/record.hpp>
#include <paxos/storage/file_storage.hpp>

#include "memory_files.hpp"

namespace paxos::fuzz {

using Store = BasicFileStorage<MemoryFiles>;

inline Config config_of_log() {
  Config config;
  config.id = NodeId{1};
  config.data_dir = "/data";
  return config;
}
inline constexpr FileStorageOptions small_segments{.segment_bytes = 16 << 10};

/// What a log says, in the plainest form: of the records that were written, or of a storage that was opened.
struct LogState {
  Ballot promised;
  std::map<std::uint64_t, std::string> chosen;
  std::map<std::uint64_t, std::pair<Ballot, std::string>> accepted;

  friend bool operator==(const LogState&, const LogState&) = default;
};

/// The sum of the first `count` records.
inline LogState folded(const std::vector<Record>& records, std::size_t count) {
  LogState state;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto* promise = get_if<PromiseRecord>(&records[i])) {
      state.promised = std::max(state.promised, promise->ballot);
    } else if (const auto* accept = get_if<AcceptRecord>(&records[i])) {
      state.promised = std::max(state.promised, accept->ballot);
      const std::uint64_t slot = accept->slot.value();
      if (slot <= state.chosen.size()) continue;
      auto& [ballot, value] = state.accepted[slot];
      if (accept->ballot < ballot) continue;
      ballot = accept->ballot;
      value = accept->value.text();
    } else if (const auto* chosen = get_if<ChosenRecord>(&records[i])) {
      for (std::uint64_t slot = state.chosen.size() + 1; slot <= chosen->through.value(); ++slot)
        state.chosen[slot] = state.accepted.extract(slot).mapped().second;
    } else {
      const auto& learn = get<LearnRecord>(records[i]);
      state.accepted.erase(learn.slot.value());
      state.chosen[learn.slot.value()] = learn.value.text();
    }
  }
  return state;
}

/// What an opened storage gives; nullopt when it knows a slot as chosen and cannot read it.
inline std::optional<LogState> told_by(Store& store) {
  const Recovered recovered = store.recover();
  LogState state{recovered.promised, {}, {}};
  for (const AcceptedValue& accepted : recovered.accepted)
    state.accepted[accepted.slot.value()] = {accepted.ballot, std::string{accepted.value.text()}};
  for (Slot slot{1}; slot <= recovered.chosen_through; slot = slot.next()) {
    const auto value = store.read(slot);
    if (!value) return std::nullopt;
    state.chosen[slot.value()] = value->text();
  }
  return state;
}

/// A directory that a FileStorage wrote, and what went into it.
struct WrittenLog {
  std::vector<Record> records;
  std::vector<std::size_t> flushed;  ///< how many records there were after each flush that ended well
  Directory files;
};

}  // namespace paxos::fuzz
