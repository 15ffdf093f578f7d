// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/seal.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::detail {

/// A small file of a data directory that is replaced as a whole, so that a power cut leaves the old one or the new one:
/// see sealed().
template <FileSystem Files, class Content>
class SealedFile {
 public:
  SealedFile(Files& files, DataDirectory<Files>& directory, std::string name, std::string_view magic)
      : files_(files), directory_(directory), name_(std::move(name)), magic_(magic) {}

  [[nodiscard]] std::string path() const { return directory_.file(name_); }
  /// When the directory was opened.
  [[nodiscard]] bool is_there() const { return directory_.has(name_); }

  /// False when it is damaged; throws StorageError when the disk fails, or a newer version wrote it.
  [[nodiscard]] bool read(Content& content) {
    typename Files::File source;
    throw_on(files_.open(path(), OpenMode::existing, source), "cannot open '" + path() + "'");
    std::array<std::byte, bytes_max + 1> room{};
    const IoResult read = read_fully(files_, source, room, 0);
    throw_on(read.error, "cannot read '" + path() + "'");
    return unseal(std::span{room}.first(read.bytes), magic_, path(), content);
  }

  /// Durable when it returns. Throws StorageError when the disk fails; then the old one or the new one is there.
  void write(const Content& content) {
    const Buffer bytes = sealed(magic_, content);
    ensure(bytes.size() <= bytes_max, "SealedFile: the content is larger than what is read back");
    const std::string next = path() + ".tmp";
    typename Files::File target;
    auto error = files_.open(next, OpenMode::create_or_empty, target);
    if (!error) error = write_fully(files_, target, bytes, 0);
    if (!error) error = files_.sync(target);
    if (!error) error = files_.rename(next, path());
    throw_on(error, "cannot write '" + path() + "'");
    directory_.sync();
  }

 private:
  static constexpr std::size_t bytes_max = 1024;

  Files& files_;
  DataDirectory<Files>& directory_;
  std::string name_;
  std::string_view magic_;
};

}  // namespace paxos::detail
