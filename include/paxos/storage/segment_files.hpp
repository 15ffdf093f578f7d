// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/segment.hpp>

namespace paxos::detail {

/// The segment files of one directory: makes them, zero-filled ahead of need, and keeps a few open. Knows no record.
///
/// create() and prepare() belong to the thread that flushes; open() may be called on any.
template <FileSystem Files>
class SegmentFiles {
 public:
  using Handle = std::shared_ptr<typename Files::File>;

  SegmentFiles(Files& files, DataDirectory<Files>& directory) : files_(files), directory_(directory) {}

  [[nodiscard]] std::error_code open(std::uint64_t number, Handle& handle) {
    const std::lock_guard lock{mutex_};
    for (const auto& [open_number, open_handle] : open_) {
      if (open_number == number) {
        handle = open_handle;
        return {};
      }
    }
    auto file = std::make_shared<typename Files::File>();
    if (const auto error = files_.open(path(number), OpenMode::existing, *file)) return error;
    handle = file;
    keep(number, std::move(file));
    return {};
  }

  /// Makes the segment; once this is well, it and its name are durable. After an error nothing of it counts, and a
  /// later try may do, unless a sync failed.
  [[nodiscard]] std::error_code create(const SegmentHeader& header, bool& sync_failed) {
    std::uint32_t seed = 0;
    const Buffer block = segment_block(header, seed);
    auto error = fill(header.size);
    if (!error) error = write_fully(files_, *next_, block, 0);
    if (error) {
      drop_next();
      return error;
    }
    sync_failed = true;
    if ((error = files_.sync(*next_)) || (error = files_.rename(next_path(), path(header.number)))) return error;
    if ((error = files_.sync_directory(directory_.path()))) {
      // Then the directory could not be opened, and no sync was tried. A later try replaces the file by one like it.
      if (is_out_of_files(error)) {
        sync_failed = false;
        drop_next();
      }
      return error;
    }
    sync_failed = false;
    const std::lock_guard lock{mutex_};
    keep(header.number, std::exchange(next_, nullptr));
    next_filled_ = 0;
    return {};
  }

  /// Fills up to `bytes` more of the next segment with zeros, so that create() finds it done. Failure has no effect
  /// but that: create() will meet it again.
  void prepare(std::uint64_t next_size, std::uint64_t bytes) {
    if (next_filled_ >= next_size) return;
    const std::uint64_t begin = next_filled_;
    if (fill(std::min(next_size, begin + bytes))) {
      drop_next();
      return;
    }
    files_.start_writeback(*next_, begin, next_filled_ - begin);
  }

  /// The file was removed.
  void forget(std::uint64_t number) {
    const std::lock_guard lock{mutex_};
    std::erase_if(open_, [&](const auto& entry) { return entry.first == number; });
  }

  [[nodiscard]] std::string path(std::uint64_t number) const { return directory_.file(segment_name(number)); }
  [[nodiscard]] std::string next_path() const { return directory_.file("segment.tmp"); }

 private:
  [[nodiscard]] std::error_code fill(std::uint64_t size) {
    if (!next_) {
      auto file = std::make_shared<typename Files::File>();
      if (const auto error = files_.open(next_path(), OpenMode::create_or_empty, *file)) return error;
      next_ = std::move(file);
      next_filled_ = 0;
    }
    if (next_filled_ >= size) return {};
    if (const auto error = write_zeros(files_, *next_, next_filled_, size)) return error;
    next_filled_ = size;
    return {};
  }

  /// Gives its space back: on a full disk the rest of the machine needs it more.
  void drop_next() {
    next_.reset();
    next_filled_ = 0;
    static_cast<void>(files_.remove(next_path()));
  }

  void keep(std::uint64_t number, Handle handle) {
    constexpr std::size_t open_max = 16;
    open_.emplace_back(number, std::move(handle));
    if (open_.size() > open_max) open_.pop_front();
  }

  Files& files_;
  DataDirectory<Files>& directory_;
  std::mutex mutex_;
  std::deque<std::pair<std::uint64_t, Handle>> open_;
  Handle next_;
  std::uint64_t next_filled_ = 0;
};

}  // namespace paxos::detail
