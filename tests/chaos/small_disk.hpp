// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace chaos {

/// A file system in memory that can be filled up. It is mounted nowhere: other processes reach it through this one's
/// descriptor, so that it is gone with this process, however that ends.
class SmallDisk {
 public:
  /// Without the right to make one (CAP_SYS_ADMIN), why_not() says so and the disk is unusable.
  explicit SmallDisk(std::size_t bytes) : root_(mounted(bytes)) {
    if (root_ < 0) why_not_ = std::strerror(errno);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (root_ >= 0) ::close(root_);
  }

  [[nodiscard]] bool is_usable() const { return root_ >= 0; }
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  /// The root directory, for this process and others.
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(root_);
  }

  /// Takes all the space that is left.
  void fill() {
    const int ballast = ::openat(root_, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    off_t size = 0;
    for (off_t step = off_t{1} << 24; step >= 4096;) {
      if (::fallocate(ballast, 0, size, step) == 0) {
        size += step;
      } else {
        step /= 2;
      }
    }
    ::close(ballast);
  }
  void free() { ::unlinkat(root_, "ballast", 0); }

 private:
  static int mounted(std::size_t bytes) {
    const int context = ::fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    int root = -1;
    if (::fsconfig(context, FSCONFIG_SET_STRING, "size", std::to_string(bytes).c_str(), 0) == 0 &&
        ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
      root = ::fsmount(context, FSMOUNT_CLOEXEC, 0);
    }
    const int error = errno;
    ::close(context);
    errno = error;
    return root;
  }

  int root_;
  std::string why_not_;
};

}  // namespace chaos
