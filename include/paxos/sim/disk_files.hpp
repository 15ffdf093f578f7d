// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <paxos/core/random.hpp>
#include <paxos/sim/disk.hpp>
#include <paxos/storage/file_storage.hpp>

namespace paxos::sim {

/// The FileSystem of one simulated disk: the shipping FileStorage runs on it without a change.
class DiskFiles {
 public:
  /// An open file.
  struct File {
    Disk::Inode inode = 0;  ///< 0: none
  };

  /// The disk must outlive it; `seed` draws identities, as the machine's source of randomness would.
  DiskFiles(Disk& disk, std::uint64_t seed) : disk_(&disk), random_(seed) {}

  std::error_code create_directories(const std::string&) { return {}; }
  std::error_code list(const std::string&, std::vector<std::string>& names) {
    for (const auto& [name, inode] : disk_->names()) names.push_back(name);
    return {};
  }
  std::error_code open(const std::string& path, OpenMode mode, File& file) {
    const auto found = disk_->names().find(name_in(path));
    if (found == disk_->names().end()) {
      if (mode == OpenMode::existing) return std::make_error_code(std::errc::no_such_file_or_directory);
      return disk_->create(name_in(path), file.inode);
    }
    file.inode = found->second;
    return mode == OpenMode::create_or_empty ? disk_->truncate(file.inode) : std::error_code{};
  }
  bool try_lock(File&) { return true; }
  std::error_code size(File& file, std::uint64_t& size) {
    size = disk_->content(file.inode).size();
    return {};
  }
  IoResult read_at(File& file, std::span<std::byte> in, std::uint64_t offset) {
    const auto [count, error] = disk_->read(file.inode, in, offset);
    return {count, error};
  }
  IoResult write_at(File& file, std::span<const std::byte> out, std::uint64_t offset) {
    const auto [count, error] = disk_->write(file.inode, out, offset);
    return {count, error};
  }
  std::error_code sync(File& file) { return disk_->sync(file.inode, true); }
  std::error_code sync_data(File& file) { return disk_->sync(file.inode, false); }
  std::error_code sync_directory(const std::string& path) {
    return path == directory ? disk_->sync_names() : std::error_code{};
  }
  std::error_code rename(const std::string& from, const std::string& to) {
    return disk_->rename(name_in(from), name_in(to));
  }
  std::error_code remove(const std::string& path) { return disk_->remove(name_in(path)); }
  void start_writeback(File&, std::uint64_t, std::uint64_t) {}
  std::uint64_t random() { return random_(); }

  /// The one directory of the disk: Config::data_dir of a simulated node.
  static constexpr std::string_view directory = "disk";

 private:
  static std::string name_in(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

  Disk* disk_;
  Random random_;
};

static_assert(FileSystem<DiskFiles>);

}  // namespace paxos::sim
