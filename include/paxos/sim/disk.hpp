// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>
#include <paxos/core/random.hpp>

namespace paxos::sim {

/// Gives a number in [0, bound). A random source, or an enumeration of everything that may happen.
using Choose = std::function<std::uint64_t(std::uint64_t bound)>;

/// One simulated disk with one directory: what programs see of it (the page cache), and what a power cut leaves (the
/// platter). Knows nothing of what is written.
///
/// Everything that changes the disk is one operation of a journal. settle() says that the operations so far have
/// reached the device; crash() ends the machine somewhere in what has not: the operations before that point happened,
/// those behind it did not. Then, of what was not synced, each sector of 512 bytes is independently as it was before,
/// as some write left it, or torn; a file has its old size or its new one; each change of a name is kept or lost.
class Disk {
 public:
  static constexpr std::size_t sector_bytes = 512;     ///< lost, kept or torn as a whole
  using Bytes = std::vector<std::byte>;                ///< of one file
  using Sector = std::array<std::byte, sector_bytes>;  ///< as the platter has it
  using Inode = std::uint64_t;                         ///< names a file for the life of the disk

  // What programs do.

  /// As processes see them, synced or not.
  [[nodiscard]] const std::map<std::string, Inode>& names() const { return cache_names_; }
  /// As processes see it, synced or not.
  [[nodiscard]] const Bytes& content(Inode inode) const { return files_.at(inode).cache; }

  /// Bytes read: fewer than asked for at the end of the file; 0 and an error when the read failed.
  [[nodiscard]] std::pair<std::size_t, std::error_code> read(Inode inode, std::span<std::byte> in,
                                                             std::uint64_t offset) {
    if (reads_to_failure_ != 0 && --reads_to_failure_ == 0) return {0, failed_call()};
    const Bytes& cache = files_.at(inode).cache;
    const auto begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, cache.size()));
    const std::size_t count = std::min(in.size(), cache.size() - begin);
    std::copy_n(cache.begin() + static_cast<std::ptrdiff_t>(begin), count, in.begin());
    return {count, {}};
  }
  /// An empty file under a new name, in the cache.
  [[nodiscard]] std::error_code create(const std::string& name, Inode& inode) {
    if (const auto error = next_call()) return error;
    if (space_ && *space_ == 0) return no_space();
    inode = ++last_inode_;
    files_[inode];
    cache_names_[name] = inode;
    record({Kind::link, inode, 0, {}, name});
    return {};
  }
  /// To nothing, in the cache.
  [[nodiscard]] std::error_code truncate(Inode inode) {
    if (const auto error = next_call()) return error;
    give_back(files_.at(inode).cache.size());
    files_.at(inode).cache.clear();
    record({Kind::truncate, inode, 0, {}, {}});
    return {};
  }
  /// Bytes written, which may be fewer on a disk that gets full. After an error any first part of them is.
  [[nodiscard]] std::pair<std::size_t, std::error_code> write(Inode inode, std::span<const std::byte> bytes,
                                                              std::uint64_t offset) {
    const auto error = next_call();
    if (error) bytes = bytes.first(static_cast<std::size_t>(Random{calls_}.below(bytes.size() + 1)));
    if (error && bytes.empty()) return {0, error};
    Bytes& cache = files_.at(inode).cache;
    const auto begin = static_cast<std::size_t>(offset);
    if (space_ && begin + bytes.size() > cache.size()) {
      const std::size_t fits = static_cast<std::size_t>(
          std::min<std::uint64_t>(*space_ + cache.size() - std::min(begin, cache.size()), bytes.size()));
      bytes = bytes.first(fits);
      if (bytes.empty()) return {0, no_space()};
      if (begin + bytes.size() > cache.size()) *space_ -= begin + bytes.size() - cache.size();
    }
    if (begin + bytes.size() > cache.size()) cache.resize(begin + bytes.size());
    std::ranges::copy(bytes, cache.begin() + static_cast<std::ptrdiff_t>(begin));
    record({Kind::write, inode, begin, Bytes(bytes.begin(), bytes.end()), {}});
    return {error ? 0 : bytes.size(), error};
  }
  /// After an error the cache holds the bytes for clean, and the platter has none of them: no later sync writes them.
  [[nodiscard]] std::error_code sync(Inode inode, bool size_too) {
    const auto error = next_call();
    record({error ? Kind::failed_sync : size_too ? Kind::sync : Kind::sync_data, inode, 0, {}, {}});
    return error;
  }
  /// Names as they are reach the platter.
  [[nodiscard]] std::error_code sync_names() {
    if (const auto error = next_call()) return error;
    record({Kind::sync_names, 0, 0, {}, {}});
    return {};
  }
  /// In the cache; a name that is there is taken over.
  [[nodiscard]] std::error_code rename(const std::string& from, const std::string& to) {
    if (const auto error = next_call()) return error;
    const auto found = cache_names_.find(from);
    if (found == cache_names_.end()) return std::make_error_code(std::errc::no_such_file_or_directory);
    const Inode inode = found->second;
    const auto replaced = cache_names_.find(to);
    if (replaced != cache_names_.end() && replaced->second != inode)
      give_back(files_.at(replaced->second).cache.size());
    cache_names_.erase(found);
    cache_names_[to] = inode;
    record({Kind::rename, inode, 0, {}, to, from});
    return {};
  }
  /// The name goes, in the cache.
  [[nodiscard]] std::error_code remove(const std::string& name) {
    if (const auto error = next_call()) return error;
    const auto found = cache_names_.find(name);
    if (found == cache_names_.end()) return std::make_error_code(std::errc::no_such_file_or_directory);
    give_back(files_.at(found->second).cache.size());
    cache_names_.erase(found);
    record({Kind::unlink, 0, 0, {}, name});
    return {};
  }

  // What happens to it.

  /// Operations recorded so far, in all lives: the points between which a machine can die.
  [[nodiscard]] std::uint64_t operations() const { return settled_operations_ + journal_.size(); }
  /// Called after each operation.
  std::function<void(const Disk&)> on_operation;

  /// Every operation so far is over. What was not synced may still be lost.
  void settle() { apply_first(journal_.size()); }

  /// A power cut after the operation number `last` (see operations()), or, by default, after any that is not settled.
  void crash(const Choose& choose, std::optional<std::uint64_t> last = std::nullopt) {
    const std::uint64_t some =
        last ? std::max(*last, settled_operations_) - settled_operations_ : choose(journal_.size() + 1);
    apply_first(static_cast<std::size_t>(std::min<std::uint64_t>(some, journal_.size())));
    settled_operations_ += journal_.size();
    journal_.clear();
    for (const Operation& change : unsynced_names_)
      if (choose(2) == 1) change_name(platter_names_, change);
    unsynced_names_.clear();
    cache_names_ = settled_names_ = platter_names_;
    for (auto& [inode, file] : files_) lose_unsynced(file, choose);
    drop_unnamed();
    failing_call_.reset();
  }

  /// The process dies and the machine stays: of what was under way some first part happened, and the cache keeps it.
  void kill(const Choose& choose) {
    apply_first(static_cast<std::size_t>(choose(journal_.size() + 1)));
    settled_operations_ += journal_.size();
    journal_.clear();
    cache_names_ = settled_names_;
    for (auto& [inode, file] : files_) file.cache = file.settled;
    failing_call_.reset();
  }

  /// The `count`-th call from now that changes something, counting from 1, fails with an input/output error, once.
  void fail_call(std::uint64_t count) { failing_call_ = calls_ + count; }
  /// The same of reads, in whatever life; 0: none. Gives what was set before.
  std::uint64_t fail_read(std::uint64_t count) { return std::exchange(reads_to_failure_, count); }
  /// No call fails any more, and there is space.
  void heal() {
    failing_call_.reset();
    reads_to_failure_ = 0;
    space_.reset();
  }
  /// So many more bytes can be allocated; nullopt: as many as one likes.
  void set_space(std::optional<std::uint64_t> bytes) { space_ = bytes; }
  /// Calls that met fail_call() or fail_read(), and calls that found no space.
  [[nodiscard]] std::uint64_t failed_calls() const { return failed_calls_; }
  [[nodiscard]] std::uint64_t full_calls() const { return full_calls_; }  ///< the latter
  [[nodiscard]] bool is_full() const { return space_ && *space_ == 0; }   ///< nothing more fits

  /// One bit of what is on the platter flips. False when there is nothing.
  bool rot(const Choose& choose) {
    const auto place = pick(choose, true);
    if (!place) return false;
    Bytes& platter = files_.at(place->first).platter;
    const std::size_t end = std::min(platter.size(), place->second + sector_bytes);
    const std::size_t at = place->second + static_cast<std::size_t>(choose(end - place->second));
    put(place->first, at, platter[at] ^ std::byte(1U << choose(8)));
    return true;
  }
  /// A sector is again as it was before it was last written: a write that the disk acknowledged and never did. Not of
  /// the last sync: that nobody can tell from a sync that never was.
  bool make_stale(const Choose& choose) {
    const auto place = pick(choose, false);
    if (!place) return false;
    revert(place->first, place->second);
    return true;
  }
  /// A sector stands where another one should, and that one is as it was before. Not of the last sync, as above.
  bool misdirect(const Choose& choose) {
    const auto from = pick(choose, false), to = pick(choose, false);
    if (!from || from == to) return false;
    const Sector moved = sector_of(files_.at(from->first).platter, from->second);
    revert(from->first, from->second);
    put_sector(to->first, to->second, moved);
    return true;
  }
  /// What a power cut would leave for sure, as a backup or a snapshot has it.
  using Copy = std::map<std::string, Bytes>;
  /// As of now.
  [[nodiscard]] Copy copy() const {
    Copy copy;
    for (const auto& [name, inode] : platter_names_) copy[name] = files_.at(inode).platter;
    return copy;
  }
  /// Somebody puts another disk in its place, which holds that.
  void replace(const Copy& copy) {
    wipe();
    for (const auto& [name, bytes] : copy) {
      files_[++last_inode_] = File{bytes, bytes, bytes, {}, {}, {}, {}};
      cache_names_[name] = settled_names_[name] = platter_names_[name] = last_inode_;
    }
  }
  /// Somebody puts an empty disk in its place.
  void wipe() {
    ensure(journal_.empty(), "sim::Disk: a disk is wiped while its machine is down");
    files_.clear();
    cache_names_.clear();
    settled_names_.clear();
    platter_names_.clear();
    unsynced_names_.clear();
  }

 private:
  enum class Kind : std::uint8_t { link, truncate, write, sync, sync_data, failed_sync, sync_names, rename, unlink };
  struct Operation {
    Kind kind;
    Inode inode = 0;
    std::size_t offset = 0;
    Bytes bytes;
    std::string name;
    std::string old_name = {};
  };
  struct File {
    Bytes cache;    ///< what a program reads
    Bytes settled;  ///< without what stands in the journal
    Bytes platter;
    std::map<std::size_t, std::vector<Sector>> unsynced;  ///< by offset: what writes made of the sector, oldest first
    std::map<std::size_t, std::vector<Sector>> doubtful;  ///< as `unsynced`, but no later sync will write them
    std::map<std::size_t, Sector> previous;  ///< by offset: the sector before the sync that changed it last
    std::set<std::size_t> last_synced;       ///< the offsets that the last sync changed
  };

  std::error_code no_space() {
    ++full_calls_;
    return std::make_error_code(std::errc::no_space_on_device);
  }

  std::error_code next_call() {
    if (++calls_ != failing_call_) return {};
    failing_call_.reset();
    return failed_call();
  }
  std::error_code failed_call() {
    ++failed_calls_;
    return std::make_error_code(std::errc::io_error);
  }
  void give_back(std::size_t bytes) {
    if (space_) *space_ += bytes;
  }
  void record(Operation operation) {
    journal_.push_back(std::move(operation));
    if (on_operation) on_operation(*this);
  }

  void apply_first(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) apply(journal_[i]);
    journal_.erase(journal_.begin(), journal_.begin() + static_cast<std::ptrdiff_t>(count));
    settled_operations_ += count;
  }

  void apply(const Operation& operation) {
    switch (operation.kind) {
      case Kind::link:
      case Kind::rename:
      case Kind::unlink:
        change_name(settled_names_, operation);
        unsynced_names_.push_back(operation);
        return;
      case Kind::sync_names:
        platter_names_ = settled_names_;
        unsynced_names_.clear();
        return;
      case Kind::truncate:
        files_.at(operation.inode).settled.clear();
        files_.at(operation.inode).unsynced.clear();
        return;
      case Kind::write: return apply_write(files_.at(operation.inode), operation);
      case Kind::failed_sync: return apply_failed_sync(files_.at(operation.inode));
      case Kind::sync:
      case Kind::sync_data: return apply_sync(files_.at(operation.inode), operation.kind == Kind::sync);
    }
  }

  static void change_name(std::map<std::string, Inode>& names, const Operation& operation) {
    names.erase(operation.kind == Kind::rename ? operation.old_name : operation.name);
    if (operation.kind != Kind::unlink) names[operation.name] = operation.inode;
  }

  static void apply_write(File& file, const Operation& write) {
    const std::size_t end = write.offset + write.bytes.size();
    if (end > file.settled.size()) file.settled.resize(end);
    std::ranges::copy(write.bytes, file.settled.begin() + static_cast<std::ptrdiff_t>(write.offset));
    for (std::size_t at = write.offset / sector_bytes * sector_bytes; at < end; at += sector_bytes)
      file.unsynced[at].push_back(sector_of(file.settled, at));
  }

  /// The pages are clean now, whatever of them reached the platter: a power cut tells.
  static void apply_failed_sync(File& file) {
    for (auto& [at, versions] : file.unsynced) {
      auto& doubtful = file.doubtful[at];
      doubtful.insert(doubtful.end(), versions.begin(), versions.end());
    }
    file.unsynced.clear();
  }

  static void apply_sync(File& file, bool size_too) {
    if (size_too) file.platter.resize(file.settled.size());
    std::set<std::size_t> changed;
    std::erase_if(file.unsynced, [&](const auto& entry) {
      const std::size_t at = entry.first;
      if (at >= file.platter.size()) return false;
      file.previous[at] = sector_of(file.platter, at);
      put_into(file.platter, at, entry.second.back());
      file.doubtful.erase(at);
      changed.insert(at);
      return true;
    });
    if (!changed.empty()) file.last_synced = std::move(changed);
  }

  static void lose_unsynced(File& file, const Choose& choose) {
    if (file.settled.size() != file.platter.size() && choose(2) == 1) file.platter.resize(file.settled.size());
    for (const auto* lost : {&file.doubtful, &file.unsynced}) keep_some(file.platter, *lost, choose);
    file.doubtful.clear();
    file.unsynced.clear();
    file.cache = file.settled = file.platter;
  }

  static void keep_some(Bytes& platter, const std::map<std::size_t, std::vector<Sector>>& written,
                        const Choose& choose) {
    for (const auto& [at, versions] : written) {
      if (at >= platter.size()) continue;
      const auto picked = static_cast<std::size_t>(choose(versions.size() + 2));
      if (picked == 0) continue;  // lost
      if (picked <= versions.size()) {
        put_into(platter, at, versions[picked - 1]);
        continue;
      }
      constexpr std::array<std::size_t, 6> cuts{1, 31, 100, 256, 300, 511};
      const std::size_t cut = cuts[static_cast<std::size_t>(choose(cuts.size()))];
      Sector torn = sector_of(platter, at);
      std::copy_n(versions.back().begin(), cut, torn.begin());
      put_into(platter, at, torn);
    }
  }

  void drop_unnamed() {
    std::set<Inode> named;
    for (const auto& [name, inode] : platter_names_) named.insert(inode);
    std::erase_if(files_, [&](const auto& entry) { return !named.contains(entry.first); });
  }

  static Sector sector_of(const Bytes& bytes, std::size_t at) {
    Sector sector{};
    if (at < bytes.size())
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min(sector_bytes, bytes.size() - at),
                  sector.begin());
    return sector;
  }
  static void put_into(Bytes& bytes, std::size_t at, const Sector& sector) {
    std::copy_n(sector.begin(), std::min(sector_bytes, bytes.size() - at),
                bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }

  /// A sector that holds something, on the platter and nowhere newer.
  std::optional<std::pair<Inode, std::size_t>> pick(const Choose& choose, bool of_last_sync_too) const {
    std::vector<std::pair<Inode, std::size_t>> all;
    for (const auto& [name, inode] : platter_names_) {
      const auto found = files_.find(inode);
      if (found == files_.end()) continue;
      const File& file = found->second;
      for (std::size_t at = 0; at < file.platter.size(); at += sector_bytes) {
        if (sector_of(file.platter, at) == Sector{} || file.unsynced.contains(at)) continue;
        if (!of_last_sync_too && (file.last_synced.contains(at) || !file.previous.contains(at))) continue;
        all.emplace_back(inode, at);
      }
    }
    if (all.empty()) return std::nullopt;
    return all[static_cast<std::size_t>(choose(all.size()))];
  }
  void revert(Inode inode, std::size_t at) { put_sector(inode, at, Sector{files_.at(inode).previous.at(at)}); }
  void put_sector(Inode inode, std::size_t at, const Sector& sector) {
    for (std::size_t i = 0; i < sector_bytes; ++i) put(inode, at + i, sector[i]);
  }
  void put(Inode inode, std::size_t at, std::byte byte) {
    File& file = files_.at(inode);
    for (Bytes* bytes : {&file.platter, &file.settled, &file.cache})
      if (at < bytes->size()) (*bytes)[at] = byte;
  }

  std::map<Inode, File> files_;
  std::map<std::string, Inode> cache_names_;
  std::map<std::string, Inode> settled_names_;
  std::map<std::string, Inode> platter_names_;
  std::vector<Operation> unsynced_names_;
  std::vector<Operation> journal_;
  std::uint64_t settled_operations_ = 0;
  Inode last_inode_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t failed_calls_ = 0;
  std::uint64_t full_calls_ = 0;
  std::optional<std::uint64_t> failing_call_;
  std::uint64_t reads_to_failure_ = 0;  ///< 0: none fails
  std::optional<std::uint64_t> space_;
};

}  // namespace paxos::sim
