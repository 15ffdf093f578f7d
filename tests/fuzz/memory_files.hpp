// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <paxos/storage/file_system.hpp>

namespace paxos::fuzz {

/// The files of one directory, by name without the directory.
using Directory = std::map<std::string, std::vector<std::byte>>;

/// A FileSystem in memory, of one directory only: every write is durable at once, nothing fails. Random numbers count
/// up. A copy works on the same files.
class MemoryFiles {
 public:
  struct File {
    std::shared_ptr<std::vector<std::byte>> bytes;
  };

  MemoryFiles() = default;
  explicit MemoryFiles(const Directory& content) {
    for (const auto& [name, bytes] : content)
      disk_->files.emplace(name, std::make_shared<std::vector<std::byte>>(bytes));
  }

  [[nodiscard]] Directory content() const {
    Directory content;
    for (const auto& [name, bytes] : disk_->files) content.emplace(name, *bytes);
    return content;
  }

  std::error_code create_directories(const std::string&) { return {}; }
  std::error_code list(const std::string&, std::vector<std::string>& names) {
    for (const auto& entry : disk_->files) names.push_back(entry.first);
    return {};
  }
  std::error_code open(const std::string& path, OpenMode mode, File& file) {
    auto& files = disk_->files;
    auto found = files.find(name_of(path));
    if (found == files.end()) {
      if (mode == OpenMode::existing) return std::make_error_code(std::errc::no_such_file_or_directory);
      found = files.emplace(name_of(path), std::make_shared<std::vector<std::byte>>()).first;
    }
    if (mode == OpenMode::create_or_empty) found->second->clear();
    file.bytes = found->second;
    return {};
  }
  bool try_lock(File&) { return true; }
  std::error_code size(File& file, std::uint64_t& size) {
    size = file.bytes->size();
    return {};
  }
  IoResult read_at(File& file, std::span<std::byte> in, std::uint64_t offset) {
    if (offset >= file.bytes->size()) return {};
    const auto rest = std::span{*file.bytes}.subspan(static_cast<std::size_t>(offset));
    const std::size_t size = std::min(in.size(), rest.size());
    std::copy_n(rest.begin(), size, in.begin());
    return {size, {}};
  }
  IoResult write_at(File& file, std::span<const std::byte> out, std::uint64_t offset) {
    const auto end = static_cast<std::size_t>(offset) + out.size();
    if (file.bytes->size() < end) file.bytes->resize(end);
    std::ranges::copy(out, file.bytes->begin() + static_cast<std::ptrdiff_t>(offset));
    return {out.size(), {}};
  }
  std::error_code sync(File&) { return {}; }
  std::error_code sync_data(File&) { return {}; }
  std::error_code sync_directory(const std::string&) { return {}; }
  std::error_code rename(const std::string& from, const std::string& to) {
    const auto found = disk_->files.find(name_of(from));
    if (found == disk_->files.end()) return std::make_error_code(std::errc::no_such_file_or_directory);
    auto bytes = std::move(found->second);
    disk_->files.erase(found);
    disk_->files.insert_or_assign(name_of(to), std::move(bytes));
    return {};
  }
  std::error_code remove(const std::string& path) {
    return disk_->files.erase(name_of(path)) > 0 ? std::error_code{}
                                                 : std::make_error_code(std::errc::no_such_file_or_directory);
  }
  void start_writeback(File&, std::uint64_t, std::uint64_t) {}
  std::uint64_t random() { return disk_->next_random++; }

 private:
  struct Disk {
    std::map<std::string, std::shared_ptr<std::vector<std::byte>>> files;
    std::uint64_t next_random = 1;
  };

  static std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

  std::shared_ptr<Disk> disk_ = std::make_shared<Disk>();
};

static_assert(FileSystem<MemoryFiles>);

}  // namespace paxos::fuzz
