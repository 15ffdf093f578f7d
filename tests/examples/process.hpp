// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace examples {

/// Asks `condition` again and again until it holds, or for `bound` at most. What it held in the end.
template <class Condition>
[[nodiscard]] bool eventually(std::chrono::milliseconds bound, Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

/// A fresh directory, removed in the end with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "twitter_test_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + pattern);
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] inline std::string contents_of(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// A program that runs beside the test, its output in files. Killed in the end if it still runs; the kernel kills it
/// too when the test's thread dies first.
class Process {
 public:
  /// What runs: argv, NAME=VALUE pairs that are added to the environment, and the text of standard input.
  struct Line {
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment = {};
    std::string input_file = "/dev/null";
    std::string output_file = "/dev/null";
    std::string error_file = "/dev/null";
  };

  explicit Process(const Line& line) {
    std::vector<char*> argv;
    for (const std::string& argument : line.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const auto& [name, value] : line.environment) ::setenv(name.c_str(), value.c_str(), 1);
    redirect(line.input_file, O_RDONLY, STDIN_FILENO);
    redirect(line.output_file, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    redirect(line.error_file, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    // A connection of the test's would stay open for as long as any child has it too.
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { kill_now(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const {
    if (!status_) ::kill(pid_, number);
  }
  /// kill -9, and waits until it is gone.
  void kill_now() {
    if (status_) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = -1;
  }
  [[nodiscard]] bool is_running() {
    if (status_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return false;
  }
  /// The exit status; -1 when a signal ended it, nullopt when it still runs after `bound`.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds bound) {
    if (!eventually(bound, [this] { return !is_running(); })) return std::nullopt;
    return status_;
  }
  /// A line of /proc/PID/status in KiB, such as VmHWM: the most memory that it ever had.
  [[nodiscard]] std::size_t memory_kib(const std::string& field) const {
    std::ifstream in{"/proc/" + std::to_string(pid_) + "/status"};
    for (std::string word; in >> word;) {
      std::size_t kib = 0;
      if (word == field + ":" && in >> kib) return kib;
    }
    return 0;
  }

 private:
  static void redirect(const std::string& file, int flags, int to) {
    const int from = ::open(file.c_str(), flags, 0644);
    if (from < 0 || ::dup2(from, to) < 0) ::_exit(126);
    ::close(from);
  }

  pid_t pid_ = 0;
  std::optional<int> status_;
};

}  // namespace examples
