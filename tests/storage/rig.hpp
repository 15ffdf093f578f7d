// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/storage/file_storage.hpp>

namespace paxos::test {

/// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "paxos-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The whole content of a directory, to be put back, or altered, at will.
using Image = std::map<std::string, std::string>;

inline Image image_of(const std::string& directory) {
  Image image;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream in{entry.path(), std::ios::binary};
    image[entry.path().filename().string()] = {std::istreambuf_iterator<char>{in}, {}};
  }
  return image;
}

inline void put_back(const Image& image, const std::string& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& [name, bytes] : image) std::ofstream{directory + "/" + name, std::ios::binary} << bytes;
}

inline std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

enum class Call { open, write, sync, sync_data, sync_directory, read };

/// The machine's files, but: random numbers count up, syncs cost nothing, and calls fail as the test says.
class TestFiles : public PosixFileSystem {
 public:
  struct Control {
    /// Asked before each call; an error here is its outcome.
    std::function<std::error_code(Call)> fault = [](Call) { return std::error_code{}; };
    std::size_t write_bytes_max = SIZE_MAX;  ///< longer writes are short
    std::uint64_t next_random = 1;
    std::size_t largest_read = 0;  ///< bytes of room that a read was given at most
  };

  TestFiles() : control_(std::make_shared<Control>()) {}
  explicit TestFiles(std::shared_ptr<Control> control) : control_(std::move(control)) {}

  std::error_code open(const std::string& path, OpenMode mode, File& file) {
    if (const auto error = control_->fault(Call::open)) return error;
    return PosixFileSystem::open(path, mode, file);
  }
  IoResult write_at(File& file, std::span<const std::byte> out, std::uint64_t offset) {
    if (const auto error = control_->fault(Call::write)) return {0, error};
    return PosixFileSystem::write_at(file, out.first(std::min(out.size(), control_->write_bytes_max)), offset);
  }
  IoResult read_at(File& file, std::span<std::byte> in, std::uint64_t offset) {
    if (const auto error = control_->fault(Call::read)) return {0, error};
    control_->largest_read = std::max(control_->largest_read, in.size());
    return PosixFileSystem::read_at(file, in, offset);
  }
  std::error_code sync(File&) { return control_->fault(Call::sync); }
  std::error_code sync_data(File&) { return control_->fault(Call::sync_data); }
  std::error_code sync_directory(const std::string&) { return control_->fault(Call::sync_directory); }
  void start_writeback(File&, std::uint64_t, std::uint64_t) {}
  std::uint64_t random() { return control_->next_random++; }

 private:
  std::shared_ptr<Control> control_;
};

static_assert(FileSystem<TestFiles>);

using TestStorage = BasicFileStorage<TestFiles>;

inline const std::error_code eio = std::make_error_code(std::errc::io_error);
inline const std::error_code enospc = std::make_error_code(std::errc::no_space_on_device);
/// What says nothing about the disk.
inline const std::vector<std::error_code> passing_errors{std::make_error_code(std::errc::too_many_files_open),
                                                         std::make_error_code(std::errc::too_many_files_open_in_system),
                                                         std::make_error_code(std::errc::not_enough_memory)};
inline constexpr FileStorageOptions small_segments{.segment_bytes = 16 << 10};

inline Config config_in(const std::string& directory, std::uint64_t node = 1, const std::string& cluster = "paxos") {
  Config config;
  config.id = NodeId{node};
  config.members = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:0"}, {3, "127.0.0.1:0"}};
  config.data_dir = directory;
  config.cluster = cluster;
  return config;
}

inline Ballot ballot(std::uint64_t round) { return Ballot{round, NodeId{1}}; }
inline Record promise(std::uint64_t round) { return PromiseRecord{ballot(round)}; }
inline Record accept(std::uint64_t slot, std::uint64_t round, std::string_view value) {
  return AcceptRecord{ballot(round), Slot{slot}, Value{value}};
}
inline Record chosen(std::uint64_t through) { return ChosenRecord{Slot{through}}; }
inline Record learn(std::uint64_t slot, std::string_view value) { return LearnRecord{Slot{slot}, Value{value}}; }

inline std::optional<std::string> text_of(const std::optional<Value>& value) {
  return value ? std::optional{std::string{value->text()}} : std::nullopt;
}

/// Bytes without a run of zeros, different for every seed.
inline std::string noise(std::size_t size, std::uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<char>(1 + (seed >> 24) % 255);
  }
  return bytes;
}

}  // namespace paxos::test
