// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/sim/disk_files.hpp>
#include <paxos/storage/file_storage.hpp>
#include <paxos/storage/memory_storage.hpp>

namespace paxos::test {

using DiskStorage = BasicFileStorage<sim::DiskFiles>;
inline constexpr FileStorageOptions small_segments{.segment_bytes = std::size_t{16} << 10};

inline Config the_config() {
  return Config{.id = NodeId{1}, .members = {{1, ""}}, .data_dir = std::string{sim::DiskFiles::directory}};
}
inline Ballot ballot(std::uint64_t round) { return {round, NodeId{1}}; }

/// Bytes without a zero, different for every seed.
inline Value noise(std::size_t size, std::uint64_t seed) {
  Random random{seed};
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(1 + random.below(255));
  return Value{std::string_view{text}};
}

/// What a storage is told, and what it must recover after so many records.
class Story {
 public:
  using Flush = std::vector<Record>;

  explicit Story(std::vector<Flush> flushes) : flushes_(std::move(flushes)) {
    MemoryStorage memory;
    states_.push_back(memory.recover());
    for (const Flush& flush : flushes_)
      for (const Record& record : flush) {
        (void)memory.append(record);
        records_.push_back(record);
        states_.push_back(memory.recover());
      }
    for (Slot slot{1}; slot <= states_.back().chosen_through; slot = slot.next()) values_.push_back(*memory.read(slot));
  }

  [[nodiscard]] const std::vector<Flush>& flushes() const { return flushes_; }
  [[nodiscard]] const std::vector<Record>& records() const { return records_; }

  /// After how many records, of `from` to `to`, this is the state; nullopt if after none. The most that fit: records
  /// that change nothing cannot be told.
  [[nodiscard]] std::optional<std::size_t> find(const Recovered& state, std::size_t from, std::size_t to) const {
    for (std::size_t count = to + 1; count-- > from;) {
      const Recovered& known = states_[count];
      if (known.promised == state.promised && known.chosen_through == state.chosen_through &&
          known.accepted == state.accepted)
        return count;
    }
    return std::nullopt;
  }
  [[nodiscard]] const Value& value(Slot slot) const { return values_[static_cast<std::size_t>(slot.value() - 1)]; }

 private:
  std::vector<Flush> flushes_;
  std::vector<Record> records_;
  std::vector<Recovered> states_;
  std::vector<Value> values_;
};

inline Record vote(std::uint64_t slot, std::uint64_t round, std::size_t bytes) {
  return AcceptRecord{ballot(round), Slot{slot}, noise(bytes, slot * 1000 + round)};
}
inline Record chosen(std::uint64_t through) { return ChosenRecord{Slot{through}}; }
inline Record promise(std::uint64_t round) { return PromiseRecord{ballot(round)}; }
inline Record learnt(std::uint64_t slot, std::size_t bytes) { return LearnRecord{Slot{slot}, noise(bytes, slot)}; }

/// Every kind of record; flushes of one sector, of several, and over the ends of segments; votes that others replace.
inline Story every_kind() {
  return Story{{
      {promise(1)},
      {vote(1, 1, 10)},
      {vote(2, 1, 40), vote(3, 1, 5), chosen(1)},
      {vote(4, 1, 700)},
      {promise(2), vote(3, 2, 300), vote(4, 2, 20)},
      {chosen(3)},
      {vote(5, 2, 480), vote(6, 2, 31), vote(7, 2, 64), vote(8, 2, 1)},
      {chosen(4), learnt(5, 900)},
      {learnt(6, 60), vote(9, 3, 3000)},
      {vote(10, 3, 2500), vote(11, 3, 600)},
      {vote(12, 4, 1400), vote(13, 4, 1400)},
      {vote(14, 4, 900), vote(15, 4, 1900)},  // the first segment ends in here
      {promise(5)},
      {chosen(6), vote(7, 5, 100)},
      {vote(16, 5, 13000)},  // and the second one
      {vote(17, 5, 20000)},  // larger than a usual segment
      {promise(6), vote(18, 6, 50)},
      {chosen(7)},
  }};
}

/// What a log must hold, and may hold, when the power is cut.
struct Bounds {
  std::size_t confirmed = 0;  ///< records that were confirmed
  std::size_t appended = 0;   ///< and those that were begun to be written at most
  std::uint64_t peers_met = 0;
  std::optional<MetLife> life = {};  ///< the last one that began: of a directory that was opened once
};

/// A disk as it was at some time.
struct Moment {
  sim::Disk disk;
  Bounds bounds;
};

inline NodeId peer(std::uint64_t number) { return NodeId{number + 1}; }
/// In which a peer is met, and that of an older copy of the same directory.
inline StoreLife life_of(NodeId met) { return {met.value() * 1'000'003, 1, {met.value()}}; }
inline StoreLife older_life_of(NodeId met) { return {met.value() * 1'000'003, 1, {met.value() + 1}}; }

/// Lets a storage live through a story, and remembers the disk after each of its operations.
class Life {
 public:
  Life(const Story& story, sim::Disk& disk, std::size_t records_there = 0, std::uint64_t peers_met = 0)
      : story_(story), disk_(disk), bounds_{records_there, records_there, peers_met} {
    disk_.on_operation = [this](const sim::Disk& now) { remember(now); };
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { disk_.on_operation = nullptr; }

  /// False when the storage failed, as a disk that fails makes it.
  bool open() {
    try {
      store_ = std::make_unique<DiskStorage>(the_config(), small_segments, sim::DiskFiles{disk_, 7});
      (void)store_->recover();
    } catch (const StorageError& error) {
      error_ = error.what();
      return false;
    }
    bounds_.life = store_->life().newest();
    disk_.settle();
    remember(disk_);
    return true;
  }
  bool flush(const Story::Flush& records) {
    for (const Record& record : records) {
      (void)store_->append(record);
      ++bounds_.appended;
    }
    const Status status = store_->flush();
    if (!status.ok()) {
      error_ = status.text;
      return false;
    }
    bounds_.confirmed = bounds_.appended;
    disk_.settle();
    remember(disk_);
    store_->prepare();
    return true;
  }
  /// Now and then a peer is met for the first time.
  bool whole_story() {
    if (!open()) return false;
    std::size_t flushes = 0;
    for (const auto& flush : story_.flushes()) {
      if (!this->flush(flush)) return false;
      if (++flushes % 5 == 2 && !meet()) return false;
    }
    return true;
  }
  bool meet() {
    const NodeId met = peer(bounds_.peers_met + 1);
    try {
      ensure(store_->refusal_of_peer(met, life_of(met)).is_welcome(), "a peer is unknown, and yet another one");
    } catch (const StorageError& error) {
      error_ = error.what();
      return false;
    }
    ++bounds_.peers_met;
    disk_.settle();
    remember(disk_);
    return true;
  }
  /// The process is gone.
  void end() {
    disk_.on_operation = nullptr;
    store_.reset();
  }

  [[nodiscard]] std::vector<Moment>& moments() { return moments_; }
  [[nodiscard]] const Bounds& bounds() const { return bounds_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void remember(const sim::Disk& now) {
    Moment& moment = moments_.emplace_back(Moment{now, bounds_});
    moment.disk.on_operation = nullptr;
  }

  const Story& story_;
  sim::Disk& disk_;
  Bounds bounds_;
  std::unique_ptr<DiskStorage> store_;
  std::vector<Moment> moments_;
  std::string error_;
};

/// What a node may go on with after so many records: of the same sizes as those that the story went on with, so that
/// what was cut might fit in again; but others.
inline Story::Flush otherwise(const Story& story, std::size_t place) {
  Story::Flush flush;
  for (std::size_t i = place; i < std::min(place + 2, story.records().size()); ++i) {
    Record record = story.records()[i];
    if (auto* accept = get_if<AcceptRecord>(&record)) {
      accept->ballot.round += 100;
      accept->value = noise(accept->value.size(), i + 4711);
    } else if (auto* raise = get_if<PromiseRecord>(&record)) {
      raise->ballot.round += 100;
    } else {
      break;
    }
    flush.push_back(std::move(record));
  }
  if (flush.empty()) flush.push_back(promise(200));
  return flush;
}

/// The first `place` records of a story, and then another end.
inline Story with_other_end(const Story& story, std::size_t place, std::vector<Story::Flush> end) {
  end.insert(end.begin(),
             Story::Flush(story.records().begin(), story.records().begin() + static_cast<std::ptrdiff_t>(place)));
  return Story{std::move(end)};
}

}  // namespace paxos::test
