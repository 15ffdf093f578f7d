// Copyright (c) the paxos authors. MIT licence.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

#include "cluster.hpp"

using namespace examples;
using namespace std::chrono_literals;

namespace {

/// twitter-client on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const Cluster& cluster) {
    const std::string config = cluster.config();
    const winsize size{40, 200, 0, 0};
    pid_ = ::forkpty(&descriptor_, nullptr, nullptr, &size);
    REQUIRE(pid_ >= 0);
    if (pid_ > 0) return;
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
    ::execl(TWITTER_CLIENT, TWITTER_CLIENT, "--config", config.c_str(), nullptr);
    ::_exit(127);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    ::close(descriptor_);
    if (is_reaped_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Waits until the program takes keys one by one, which is a moment after it showed its prompt: an end of input that
  /// was typed for whole lines would be lost.
  bool takes_keys() {
    return eventually(20s, [&] {
      termios mode{};
      return ::tcgetattr(descriptor_, &mode) == 0 && (mode.c_lflag & ICANON) == 0;
    });
  }
  void type(std::string_view keys) { REQUIRE(::write(descriptor_, keys.data(), keys.size()) > 0); }
  /// Reads until `text` was shown since the last call; false after 20 s, or when the program has gone.
  bool shows(std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (true) {
      if (const auto at = screen_.find(text); at != std::string::npos) {
        screen_.erase(0, at + text.size());
        return true;
      }
      pollfd ready{descriptor_, POLLIN, 0};
      std::array<char, 4096> chunk{};
      if (std::chrono::steady_clock::now() > deadline || ::poll(&ready, 1, 1000) < 0) return false;
      if (ready.revents == 0) continue;
      const auto size = ::read(descriptor_, chunk.data(), chunk.size());
      if (size <= 0) return false;
      screen_.append(chunk.data(), static_cast<std::size_t>(size));
    }
  }
  int exit_status() {
    int status = 0;
    const bool is_over = eventually(20s, [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!is_over) return -2;
    is_reaped_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int descriptor_ = -1;
  pid_t pid_ = 0;
  bool is_reaped_ = false;
  std::string screen_;
};

}  // namespace

TEST_CASE("At a terminal there is a prompt with completion, history and colour", "[client][prompt]") {
  Cluster cluster{1};
  cluster.start_all();
  static_cast<void>(cluster.leader());
  Terminal terminal{cluster};
  REQUIRE(terminal.shows("alice> "));
  REQUIRE(terminal.takes_keys());

  terminal.type("tweet hello\n");
  REQUIRE(terminal.shows(" slot "));
  terminal.type("vi\t\n");  // completes to view
  REQUIRE(terminal.shows("\x1b[1;36malice"));
  REQUIRE(terminal.shows("hello"));
  terminal.type("\x1b[A\x1b[A\n");  // twice up: the tweet again
  REQUIRE(terminal.shows(" slot "));
  CHECK(cluster.ask(1, {{"head", "view"}})["body"].size() == 2);

  terminal.type("nonsense\n");
  REQUIRE(terminal.shows("there is no command nonsense"));
  REQUIRE(terminal.shows("unblock USER"));
  terminal.type("exit\n");
  CHECK(terminal.exit_status() == 0);
}

TEST_CASE("The end of the input leaves the prompt", "[client][prompt]") {
  Cluster cluster{1};
  cluster.start_all();
  Terminal terminal{cluster};
  REQUIRE(terminal.shows("alice> "));
  REQUIRE(terminal.takes_keys());
  terminal.type("\x04");
  CHECK(terminal.exit_status() == 0);
}
