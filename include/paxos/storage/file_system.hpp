// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <paxos/detail/platform.hpp>

namespace paxos {

/// What a read or write did before it ended. Fewer bytes than asked for, without an error, is a short transfer.
struct IoResult {
  std::size_t bytes = 0;  ///< that were read or written, also before an error
  std::error_code error;  ///< none: all went well
};

/// How a file is opened.
enum class OpenMode {
  existing,        ///< read and write; must exist
  create,          ///< read and write; may exist
  create_or_empty  ///< read and write; empty afterwards
};

/// The system calls of FileStorage, so that a test can make them fail and a simulation can put a disk of its own under
/// the same code. Paths are text; a File closes when it is destroyed.
///
/// As on a real disk, what was written may be lost until it was synced, in any part: sync_data() keeps the bytes within
/// the size that sync() last kept; sync() keeps the file's size too; names (of created, renamed and removed files)
/// stay only after sync_directory(). rename() replaces its target in one step. No call throws for an error of the disk.
/// read_at() and write_at() of different files, and read_at() beside write_at(), may run on several threads.
template <class F>
concept FileSystem = requires(F& fs, typename F::File& file, const std::string& path, std::span<std::byte> in,
                              std::span<const std::byte> out, std::uint64_t offset, std::uint64_t& size,
                              std::vector<std::string>& names) {
  requires std::movable<typename F::File>;
  { fs.create_directories(path) } -> std::same_as<std::error_code>;
  { fs.list(path, names) } -> std::same_as<std::error_code>;  // names of the entries, no order
  { fs.open(path, OpenMode::create, file) } -> std::same_as<std::error_code>;
  { fs.try_lock(file) } -> std::same_as<bool>;  // for this process alone, until the file closes
  { fs.size(file, size) } -> std::same_as<std::error_code>;
  { fs.read_at(file, in, offset) } -> std::same_as<IoResult>;  // 0 bytes: the end of the file
  { fs.write_at(file, out, offset) } -> std::same_as<IoResult>;
  { fs.sync(file) } -> std::same_as<std::error_code>;
  { fs.sync_data(file) } -> std::same_as<std::error_code>;
  { fs.sync_directory(path) } -> std::same_as<std::error_code>;
  { fs.rename(path, path) } -> std::same_as<std::error_code>;
  { fs.remove(path) } -> std::same_as<std::error_code>;
  { fs.start_writeback(file, offset, size) } -> std::same_as<void>;  // a hint: a sync of this range is near
  { fs.random() } -> std::same_as<std::uint64_t>;
};

/// The machine's own files.
class PosixFileSystem {
 public:
  /// A descriptor, closed in the end. Moved, not copied.
  class File {
   public:
    File() = default;
    explicit File(int descriptor) : descriptor_(descriptor) {}                          ///< takes it over; -1: none
    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}  ///< the other one has none then
    File& operator=(File&& other) noexcept {
      std::swap(descriptor_, other.descriptor_);
      return *this;
    }
    ~File() {
      if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int descriptor() const { return descriptor_; }  ///< -1: none

   private:
    int descriptor_ = -1;
  };

  std::error_code create_directories(const std::string& path) {
    std::error_code first;
    for (std::size_t end = 0; end < path.size();) {
      end = path.find('/', end + 1);
      if (::mkdir(path.substr(0, end).c_str(), 0777) != 0 && errno != EEXIST && !first) first = last_error();
    }
    struct stat found{};  // one above it need not be ours to make, and be there
    if (::stat(path.c_str(), &found) != 0) return first ? first : last_error();
    return S_ISDIR(found.st_mode) ? std::error_code{} : std::make_error_code(std::errc::not_a_directory);
  }

  std::error_code list(const std::string& path, std::vector<std::string>& names) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir(path.c_str()), ::closedir};
    if (!directory) return last_error();
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(directory.get());
      if (entry == nullptr) return last_error();  // none: that was the last one
      if (const std::string_view name{entry->d_name}; name != "." && name != "..") names.emplace_back(name);
    }
  }

  std::error_code open(const std::string& path, OpenMode mode, File& file) {
    int flags = O_RDWR | O_CLOEXEC;
    if (mode != OpenMode::existing) flags |= O_CREAT;
    if (mode == OpenMode::create_or_empty) flags |= O_TRUNC;
    const int descriptor = ::open(path.c_str(), flags, 0644);
    if (descriptor < 0) return last_error();
    file = File{descriptor};
    return {};
  }

  bool try_lock(File& file) { return ::flock(file.descriptor(), LOCK_EX | LOCK_NB) == 0; }

  std::error_code size(File& file, std::uint64_t& size) {
    struct stat status{};
    if (::fstat(file.descriptor(), &status) != 0) return last_error();
    size = static_cast<std::uint64_t>(status.st_size);
    return {};
  }

  IoResult read_at(File& file, std::span<std::byte> in, std::uint64_t offset) {
    return transfer([&] { return ::pread(file.descriptor(), in.data(), in.size(), static_cast<off_t>(offset)); });
  }
  IoResult write_at(File& file, std::span<const std::byte> out, std::uint64_t offset) {
    return transfer([&] { return ::pwrite(file.descriptor(), out.data(), out.size(), static_cast<off_t>(offset)); });
  }

  std::error_code sync(File& file) {
    return detail::sync_file(file.descriptor()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code sync_data(File& file) {
    return detail::sync_file_data(file.descriptor()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code sync_directory(const std::string& path) {
    const File directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.descriptor() < 0) return last_error();
    return detail::sync_file(directory.descriptor()) == 0 ? std::error_code{} : last_error();
  }

  std::error_code rename(const std::string& from, const std::string& to) {
    return ::rename(from.c_str(), to.c_str()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code remove(const std::string& path) {
    return ::unlink(path.c_str()) == 0 ? std::error_code{} : last_error();
  }

  void start_writeback(File& file, std::uint64_t offset, std::uint64_t size) {
    detail::start_writeback(file.descriptor(), offset, size);
  }

  std::uint64_t random() { return detail::entropy(); }

 private:
  static std::error_code last_error() { return {errno, std::generic_category()}; }

  template <class Call>
  static IoResult transfer(Call&& call) {
    for (;;) {
      const ssize_t done = call();
      if (done >= 0) return {static_cast<std::size_t>(done), {}};
      if (errno != EINTR) return {0, last_error()};
    }
  }
};

static_assert(FileSystem<PosixFileSystem>);

namespace detail {

[[nodiscard]] inline bool is_out_of_space(const std::error_code& error) {
  return error == std::errc::no_space_on_device || error.value() == EDQUOT;
}

/// The process, or the machine, has no file descriptor left.
[[nodiscard]] inline bool is_out_of_files(const std::error_code& error) {
  return error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system;
}

/// It says nothing about the disk, and may be gone in a moment.
[[nodiscard]] inline bool is_passing(const std::error_code& error) {
  return is_out_of_files(error) || error == std::errc::not_enough_memory;
}

/// Writes all of it, however short the single writes are.
template <FileSystem Files>
[[nodiscard]] std::error_code write_fully(Files& files, typename Files::File& file, std::span<const std::byte> bytes,
                                          std::uint64_t offset) {
  while (!bytes.empty()) {
    const IoResult result = files.write_at(file, bytes, offset);
    if (result.error) return result.error;
    if (result.bytes == 0) return std::make_error_code(std::errc::io_error);
    bytes = bytes.subspan(result.bytes);
    offset += result.bytes;
  }
  return {};
}

/// Reads until `bytes` is full or the file ends; the result says how much came.
template <FileSystem Files>
[[nodiscard]] IoResult read_fully(Files& files, typename Files::File& file, std::span<std::byte> bytes,
                                  std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const IoResult result = files.read_at(file, bytes.subspan(done), offset + done);
    if (result.error) return {done, result.error};
    if (result.bytes == 0) break;
    done += result.bytes;
  }
  return {done, {}};
}

template <FileSystem Files>
[[nodiscard]] std::error_code write_zeros(Files& files, typename Files::File& file, std::uint64_t begin,
                                          std::uint64_t end) {
  static const std::vector<std::byte> zeros(std::size_t{1} << 16);
  while (begin < end) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), end - begin));
    if (const auto error = write_fully(files, file, std::span{zeros}.first(size), begin)) return error;
    begin += size;
  }
  return {};
}

}  // namespace detail

}  // namespace paxos
