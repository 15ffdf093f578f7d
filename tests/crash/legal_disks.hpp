// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/crc32c.hpp>
#include <paxos/core/random.hpp>
#include <paxos/sim/disk.hpp>

namespace paxos::test {

/// The files of a disk that holds nothing unsynced.
using Files = std::map<std::string, sim::Disk::Bytes>;

inline Files files_of(const sim::Disk& disk) {
  Files files;
  for (const auto& [name, inode] : disk.names()) files[name] = disk.content(inode);
  return files;
}

inline void check_done(std::error_code error) { ensure(!error, "a healthy simulated disk failed"); }

/// Made by a power cut that spares everything: such a disk remembers nothing of how it came about, and copies quickly.
inline sim::Disk disk_of(const Files& files) {
  sim::Disk disk;
  for (const auto& [name, bytes] : files) {
    sim::Disk::Inode inode = 0;
    check_done(disk.create(name, inode));
    if (!bytes.empty()) check_done(disk.write(inode, bytes, 0).second);
  }
  disk.crash([](std::uint64_t bound) { return bound == 2 ? 1 : bound - 2; }, disk.operations());
  return disk;
}

inline std::uint64_t digest_of(const Files& files) {
  std::uint64_t digest = files.size();
  for (const auto& [name, bytes] : files) {
    digest = digest * 0x9e3779b97f4a7c15ULL ^ crc32c(std::as_bytes(std::span{name}));
    digest = digest * 0x9e3779b97f4a7c15ULL ^ (std::uint64_t{crc32c(bytes)} << 32 | crc32c(bytes, 77));
  }
  return digest;
}

/// Every disk that a power cut may leave: all names and sizes that may be kept or lost, and of each sector whatever
/// sim::Disk::crash may make of it. Sectors are independent, so one crash for each alternative, taken by all of them,
/// shows all that a sector can become; alternatives that come to the same are one.
class LegalDisks {
 public:
  struct Counts {
    std::uint64_t complete = 0;  ///< sets of names and sizes of which every combination of sectors was visited
    std::uint64_t sampled = 0;   ///< those that have too many: each sector alone, pairs, and some by chance
    std::uint64_t visited = 0;
  };

  /// Of more than `combinations_max` combinations so many are visited.
  LegalDisks(const sim::Disk& disk, std::uint64_t combinations_max, std::uint64_t seed)
      : disk_(disk), combinations_max_(combinations_max), random_(seed) {
    disk_.on_operation = nullptr;
  }

  Counts visit(const std::function<void(const Files&)>& each) {
    each_ = &each;
    Script first{{}, 0};
    (void)crashed(first);
    const std::size_t choices = first.structure.size();
    ensure(choices <= 12, "too many names and sizes are unsynced at once");
    for (std::uint64_t bits = 0; bits < (1ULL << choices); ++bits) {
      std::vector<std::uint64_t> structure;
      for (std::size_t i = 0; i < choices; ++i) structure.push_back(bits >> i & 1);
      visit_sectors(structure, first.versions_max);
    }
    return counts_;
  }

 private:
  static constexpr std::uint64_t cuts = 4;  ///< places where sim::Disk tears a sector

  /// Answers what sim::Disk::crash asks: names and sizes are questions with two answers; sectors have three or more,
  /// of which the last asks where it is torn.
  struct Script {
    std::vector<std::uint64_t> structure;
    std::uint64_t pick = 0;
    std::uint64_t cut = 0;
    bool is_torn = false;
    bool asks_cut = false;
    std::size_t next = 0;
    std::uint64_t versions_max = 0;

    std::uint64_t operator()(std::uint64_t bound) {
      if (std::exchange(asks_cut, false)) return cut;
      if (bound == 2) {
        if (next == structure.size()) structure.push_back(0);
        return structure[next++];
      }
      versions_max = std::max(versions_max, bound - 2);
      asks_cut = is_torn;
      return is_torn ? bound - 1 : std::min(pick, bound - 2);
    }
  };
  /// A sector that may become more than one thing.
  struct Cell {
    sim::Disk::Bytes* file;
    std::size_t at;
    std::vector<sim::Disk::Bytes> alternatives;  ///< the first one: it was lost; the second: mostly, the newest
  };

  [[nodiscard]] Files crashed(Script& script) const {
    sim::Disk disk = disk_;
    disk.crash(std::ref(script), disk.operations());
    return files_of(disk);
  }

  void visit_sectors(const std::vector<std::uint64_t>& structure, std::uint64_t versions) {
    std::vector<Files> outcomes;
    for (std::uint64_t pick = 0; pick <= versions; ++pick) {
      Script script{structure, pick == 0 ? 0 : versions + 1 - pick};
      outcomes.push_back(crashed(script));
    }
    for (std::uint64_t cut = 0; cut < cuts; ++cut) {
      Script script{structure, 0, cut, true};
      outcomes.push_back(crashed(script));
    }
    files_ = outcomes.front();
    cells_.clear();
    for (auto& [name, bytes] : files_)
      for (std::size_t at = 0; at < bytes.size(); at += sim::Disk::sector_bytes) add_cell(name, bytes, at, outcomes);
    visit_cells();
  }

  void add_cell(const std::string& name, sim::Disk::Bytes& bytes, std::size_t at, const std::vector<Files>& outcomes) {
    const std::size_t size = std::min(sim::Disk::sector_bytes, bytes.size() - at);
    Cell cell{&bytes, at, {}};
    for (const Files& outcome : outcomes) {
      const auto begin = outcome.at(name).begin() + static_cast<std::ptrdiff_t>(at);
      sim::Disk::Bytes sector(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (std::ranges::find(cell.alternatives, sector) == cell.alternatives.end())
        cell.alternatives.push_back(std::move(sector));
    }
    if (cell.alternatives.size() > 1) cells_.push_back(std::move(cell));
  }

  void put(const Cell& cell, std::size_t alternative) {
    std::ranges::copy(cell.alternatives[alternative], cell.file->begin() + static_cast<std::ptrdiff_t>(cell.at));
  }
  void put_all(std::size_t alternative) {
    for (const Cell& cell : cells_) put(cell, alternative);
  }
  void give() {
    ++counts_.visited;
    (*each_)(files_);
  }

  void visit_cells() {
    std::uint64_t combinations = 1;
    for (const Cell& cell : cells_)
      combinations = std::min(combinations * cell.alternatives.size(), combinations_max_ + 1);
    if (combinations > combinations_max_) {
      ++counts_.sampled;
      return visit_some();
    }
    ++counts_.complete;
    for (std::uint64_t number = 0; number < combinations; ++number) {
      std::uint64_t rest = number;
      for (const Cell& cell : cells_) {
        put(cell, static_cast<std::size_t>(rest % cell.alternatives.size()));
        rest /= cell.alternatives.size();
      }
      give();
    }
  }

  /// Where all others are lost, and where all others are whole: each sector alone, and each pair as far as it goes.
  void visit_some() {
    std::uint64_t left = combinations_max_ / 2;
    for (const std::size_t others : {0U, 1U}) {
      put_all(others);
      give();
      for (const Cell& cell : cells_) {
        for (std::size_t alternative = 0; alternative < cell.alternatives.size(); ++alternative) {
          put(cell, alternative);
          give();
        }
        put(cell, others);
      }
      for (std::size_t a = 0; a < cells_.size(); ++a)
        for (std::size_t b = a + 1; b < cells_.size() && left > 0; ++b)
          left -= visit_pair(cells_[a], cells_[b], others);
      left = combinations_max_ / 2;
    }
    for (std::uint64_t i = 0; i < combinations_max_ / 2; ++i) {
      for (const Cell& cell : cells_) put(cell, static_cast<std::size_t>(random_.below(cell.alternatives.size())));
      give();
    }
  }
  std::uint64_t visit_pair(const Cell& a, const Cell& b, std::size_t others) {
    const auto one = static_cast<std::size_t>(random_.below(a.alternatives.size()));
    const auto other = static_cast<std::size_t>(random_.below(b.alternatives.size()));
    put(a, one);
    put(b, other);
    give();
    put(a, others);
    put(b, others);
    return 1;
  }

  sim::Disk disk_;
  std::uint64_t combinations_max_;
  Random random_;
  const std::function<void(const Files&)>* each_ = nullptr;
  Counts counts_;
  Files files_;
  std::vector<Cell> cells_;
};

}  // namespace paxos::test
