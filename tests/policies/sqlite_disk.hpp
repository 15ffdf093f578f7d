// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include <paxos/core/random.hpp>

namespace examples {

/// A layer below SQLite (a VFS) that is the machine's own, but fails as it is told, and knows what a power cut takes:
/// of what was not synced each sector of 512 bytes, and the file's size, may be as they were. A sync that failed leaves
/// what it should have written for clean. Names are kept; nothing is really synced.
class SqliteDisk {
 public:
  SqliteDisk() : real_(sqlite3_vfs_find(nullptr)), name_("paxos-test-" + std::to_string(++made_)) {
    vfs_ = *real_;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = &open;
    vfs_.xDelete = &remove;
    vfs_.xSleep = &sleep;
    sqlite3_vfs_register(&vfs_, 0);
  }
  SqliteDisk(const SqliteDisk&) = delete;
  SqliteDisk& operator=(const SqliteDisk&) = delete;
  ~SqliteDisk() { sqlite3_vfs_unregister(&vfs_); }

  [[nodiscard]] const char* vfs() const { return name_.c_str(); }

  bool fails_writes = false, fails_syncs = false, fails_reads = false, is_full = false;
  bool dies_at_sync = false;  ///< stop(), before the next one does anything
  bool skips_pauses = false;  ///< who waits for a lock tries as often as ever, and at once

  void hold_sync() { set_hold(true); }
  void release_sync() { set_hold(false); }
  void wait_until_held() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return is_held_; });
  }

  /// The process is as good as dead: what it still does to its files goes nowhere, until start().
  void stop() { is_dead_ = true; }
  /// All files of the database are closed. `loses_power`: what was not synced may be as it was.
  void start(bool loses_power, paxos::Random& random) {
    const std::lock_guard lock{mutex_};
    is_dead_ = false;
    for (auto& [name, cache] : caches_) {
      std::filesystem::remove(name + "-shm");
      if (!loses_power || !std::filesystem::exists(name)) continue;
      std::ifstream in{name, std::ios::binary};
      std::string bytes{std::istreambuf_iterator<char>{in}, {}};
      if (bytes.size() != cache.synced_bytes && random.chance(50)) bytes.resize(cache.synced_bytes);
      for (const auto* lost : {&cache.unsynced, &cache.doubtful})
        for (const auto& [at, before] : *lost)
          if (at < bytes.size() && random.chance(50))
            bytes.replace(at, std::min(before.size(), bytes.size() - at), before, 0, bytes.size() - at);
      std::ofstream{name, std::ios::binary} << bytes;
      cache = {bytes.size(), {}, {}};
    }
  }

 private:
  static constexpr std::size_t sector_bytes = 512;

  /// One file, as far as the disk may not have it.
  struct Cache {
    std::size_t synced_bytes = 0;
    std::map<std::size_t, std::string> unsynced;  ///< by offset: the sector as the disk has it
    std::map<std::size_t, std::string> doubtful;  ///< the same after a sync that failed: no later one writes them
  };
  struct File : sqlite3_file {
    SqliteDisk* disk;
    Cache* cache;  ///< nullptr: a temporary file
    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static File& of(sqlite3_file* file) { return *static_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return of(file).real(); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* disk = static_cast<SqliteDisk*>(vfs->pAppData);
    File& opened = of(file);
    opened.pMethods = nullptr;
    const int code = disk->real_->xOpen(disk->real_, name, opened.real(), flags, out_flags);
    if (code != SQLITE_OK) return code;
    opened.pMethods = &methods;
    opened.disk = disk;
    const std::lock_guard lock{disk->mutex_};
    opened.cache = name != nullptr ? &disk->caches_[name] : nullptr;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    auto* disk = static_cast<SqliteDisk*>(vfs->pAppData);
    const std::lock_guard lock{disk->mutex_};
    if (disk->is_dead_) return SQLITE_OK;
    if (const auto cache = disk->caches_.find(name); cache != disk->caches_.end()) cache->second = {};
    return disk->real_->xDelete(disk->real_, name, 0);
  }

  static int sleep(sqlite3_vfs* vfs, int microseconds) {
    auto* disk = static_cast<SqliteDisk*>(vfs->pAppData);
    return disk->skips_pauses ? microseconds : disk->real_->xSleep(disk->real_, microseconds);
  }

  static int read(sqlite3_file* file, void* into, int count, sqlite3_int64 at) {
    if (of(file).disk->fails_reads) return SQLITE_IOERR_READ;
    return real(file)->pMethods->xRead(real(file), into, count, at);
  }
  static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    File& own = of(file);
    if (own.disk->is_dead_) return SQLITE_OK;
    if (own.disk->fails_writes) return SQLITE_IOERR_WRITE;
    if (own.disk->is_full && at + count > size_of(file)) return SQLITE_FULL;
    own.disk->note_change(own, static_cast<std::size_t>(at), static_cast<std::size_t>(at + count));
    return real(file)->pMethods->xWrite(real(file), from, count, at);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 bytes) {
    if (of(file).disk->is_dead_) return SQLITE_OK;
    of(file).disk->note_change(of(file), static_cast<std::size_t>(bytes), static_cast<std::size_t>(size_of(file)));
    return real(file)->pMethods->xTruncate(real(file), bytes);
  }
  static int sync(sqlite3_file* file, int) {
    File& own = of(file);
    SqliteDisk& disk = *own.disk;
    std::unique_lock lock{disk.mutex_};
    disk.is_held_ = disk.holds_;
    disk.changed_.notify_all();
    disk.changed_.wait(lock, [&] { return !disk.holds_; });
    disk.is_held_ = false;
    disk.is_dead_ |= disk.dies_at_sync;
    if (own.cache == nullptr || disk.is_dead_) return SQLITE_OK;
    if (disk.fails_syncs || disk.fails_writes) {
      own.cache->doubtful.merge(own.cache->unsynced);
      own.cache->unsynced.clear();
      return SQLITE_IOERR_FSYNC;
    }
    own.cache->unsynced.clear();
    own.cache->synced_bytes = static_cast<std::size_t>(size_of(file));
    return SQLITE_OK;
  }

  static sqlite3_int64 size_of(sqlite3_file* file) {
    sqlite3_int64 bytes = 0;
    real(file)->pMethods->xFileSize(real(file), &bytes);
    return bytes;
  }

  /// Keeps what the disk has of these bytes.
  void note_change(File& file, std::size_t begin, std::size_t end) {
    if (file.cache == nullptr) return;
    const std::lock_guard lock{mutex_};
    for (std::size_t at = begin / sector_bytes * sector_bytes; at < end; at += sector_bytes) {
      if (file.cache->unsynced.contains(at)) continue;
      if (const auto doubtful = file.cache->doubtful.extract(at)) {
        file.cache->unsynced[at] = doubtful.mapped();
        continue;
      }
      std::string sector(sector_bytes, '\0');
      file.real()->pMethods->xRead(file.real(), sector.data(), sector_bytes, static_cast<sqlite3_int64>(at));
      file.cache->unsynced[at] = sector;
    }
  }

  void set_hold(bool holds) {
    const std::lock_guard lock{mutex_};
    holds_ = holds;
    changed_.notify_all();
  }

  static const sqlite3_io_methods methods;
  static inline int made_ = 0;

  sqlite3_vfs* real_;
  std::string name_;
  sqlite3_vfs vfs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool holds_ = false, is_held_ = false, is_dead_ = false;
  std::map<std::string, Cache> caches_;
};

inline const sqlite3_io_methods SqliteDisk::methods{
    .iVersion = 2,
    .xClose = [](sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); },
    .xRead = &read,
    .xWrite = &write,
    .xTruncate = &truncate,
    .xSync = &sync,
    .xFileSize = [](sqlite3_file* file,
                    sqlite3_int64* bytes) { return real(file)->pMethods->xFileSize(real(file), bytes); },
    .xLock = [](sqlite3_file* file, int lock) { return real(file)->pMethods->xLock(real(file), lock); },
    .xUnlock = [](sqlite3_file* file, int lock) { return real(file)->pMethods->xUnlock(real(file), lock); },
    .xCheckReservedLock = [](sqlite3_file* file,
                             int* is_held) { return real(file)->pMethods->xCheckReservedLock(real(file), is_held); },
    .xFileControl = [](sqlite3_file* file, int what,
                       void* with) { return real(file)->pMethods->xFileControl(real(file), what, with); },
    .xSectorSize = [](sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); },
    .xDeviceCharacteristics = [](sqlite3_file*) { return 0; },
    .xShmMap = [](sqlite3_file* file, int page, int bytes, int extends,
                  void volatile** at) { return real(file)->pMethods->xShmMap(real(file), page, bytes, extends, at); },
    .xShmLock = [](sqlite3_file* file, int offset, int count,
                   int flags) { return real(file)->pMethods->xShmLock(real(file), offset, count, flags); },
    .xShmBarrier = [](sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); },
    .xShmUnmap = [](sqlite3_file* file, int removes) { return real(file)->pMethods->xShmUnmap(real(file), removes); },
    .xFetch = nullptr,
    .xUnfetch = nullptr};

}  // namespace examples
