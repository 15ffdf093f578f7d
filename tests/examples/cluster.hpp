// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "free_port.hpp"
#include "process.hpp"

namespace examples {

using Json = nlohmann::json;

/// A blocking TCP connection to a port of 127.0.0.1; every wait is bounded.
class Socket {
 public:
  explicit Socket(std::uint16_t port, std::chrono::seconds patience = std::chrono::seconds{20})
      : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval bound{static_cast<time_t>(patience.count()), 0};
    const int on = 1;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    is_open_ = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(descriptor_); }

  [[nodiscard]] bool is_open() const { return is_open_; }
  bool send(std::string_view bytes) {
    while (is_open_ && !bytes.empty()) {
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      is_open_ = sent > 0;
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return is_open_;
  }
  void end_of_sending() { ::shutdown(descriptor_, SHUT_WR); }
  /// The next line without its end; nullopt when the connection ended or nothing came in time.
  std::optional<std::string> line() {
    while (true) {
      if (const auto end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      if (!receive()) return std::nullopt;
    }
  }
  /// True once the other side has closed; false when it did not in time.
  bool ends() {
    while (receive()) received_.clear();
    return has_ended_;
  }
  std::optional<std::string> ask(std::string_view request) {
    if (!send(std::string{request} + '\n')) return std::nullopt;
    return line();
  }

 private:
  bool receive() {
    std::array<char, 65536> chunk{};
    const auto size = ::recv(descriptor_, chunk.data(), chunk.size(), 0);
    if (size > 0) {
      received_.append(chunk.data(), static_cast<std::size_t>(size));
      return true;
    }
    has_ended_ = size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    is_open_ = false;
    return false;
  }

  int descriptor_;
  bool is_open_ = false;
  bool has_ended_ = false;
  std::string received_;
};

/// Real twitter-servers on free ports of 127.0.0.1, sites 1 to `size`, their logs in a directory of their own.
class Cluster {
 public:
  explicit Cluster(std::size_t size = 3, std::vector<std::string> options = {})
      : options_(std::move(options)), uncaught_(std::uncaught_exceptions()) {
    static constexpr const char* names[] = {"alice", "bob", "carol", "dave", "erin"};
    Json sites = Json::array();
    for (std::size_t i = 0; i < size; ++i) {
      ports_.push_back({free_port(), free_port()});
      sites.push_back({{"id", i + 1},
                       {"name", names[i]},
                       {"addr", "127.0.0.1"},
                       {"port", ports_[i].first},
                       {"client_port", ports_[i].second}});
    }
    std::ofstream{config()} << Json{{"sites", sites}};
    servers_.resize(size);
  }
  ~Cluster() {
    servers_.clear();
    if (std::uncaught_exceptions() == uncaught_) return;
    for (std::size_t site = 1; site <= servers_.size(); ++site) {
      std::cout << "--- what site " << site << " logged\n" << log_of(site);
    }
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] std::string config() const { return directory_.path("config.json"); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }
  [[nodiscard]] std::uint16_t peer_port(std::size_t site) const { return ports_[site - 1].first; }
  [[nodiscard]] std::uint16_t client_port(std::size_t site) const { return ports_[site - 1].second; }
  [[nodiscard]] std::string log_of(std::size_t site) const { return contents_of(log_file(site)); }
  [[nodiscard]] Process& server(std::size_t site) { return *servers_[site - 1]; }
  [[nodiscard]] std::size_t size() const { return servers_.size(); }

  /// Starts the site and waits until it takes clients.
  void start(std::size_t site) {
    Process::Line line;
    line.arguments = {TWITTER_SERVER,         "--config", config(), "--site", std::to_string(site), "--data-dir",
                      directory_.path("data")};
    line.arguments.insert(line.arguments.end(), options_.begin(), options_.end());
    line.error_file = log_file(site);
    servers_[site - 1] = std::make_unique<Process>(line);
    const bool is_up = eventually(std::chrono::seconds{30}, [&] {
      return !servers_[site - 1]->is_running() || Socket{client_port(site)}.is_open();
    });
    INFO(log_of(site));
    REQUIRE(is_up);
    REQUIRE(server(site).is_running());
  }
  void start_all() {
    for (std::size_t site = 1; site <= size(); ++site) start(site);
  }
  void kill(std::size_t site) { servers_[site - 1]->kill_now(); }

  /// One request on a connection of its own; null without an answer.
  [[nodiscard]] Json ask(std::size_t site, const Json& request) const {
    const auto answer = line(site, request);
    return answer ? Json::parse(*answer) : Json{};
  }
  [[nodiscard]] std::optional<std::string> line(std::size_t site, const Json& request) const {
    return Socket{client_port(site)}.ask(request.dump());
  }
  /// Waits until a leader works, and gives its site.
  [[nodiscard]] std::size_t leader() const {
    std::size_t found = 0;
    const bool has_leader = eventually(std::chrono::seconds{30}, [&] {
      for (std::size_t site = 1; site <= ports_.size(); ++site) {
        const Json answer = ask(site, {{"head", "servers"}, {"body", "self"}});
        if (answer.is_object() && answer["body"][0]["role"] == "leader") found = site;
      }
      return found != 0;
    });
    REQUIRE(has_leader);
    return found;
  }
  /// The whole log as the site prints it.
  [[nodiscard]] std::string log_line(std::size_t site) const {
    return line(site, {{"head", "log"}}).value_or("(none)");
  }

 private:
  [[nodiscard]] std::string log_file(std::size_t site) const {
    return directory_.path("site-" + std::to_string(site) + ".log");
  }

  TemporaryDirectory directory_;
  std::vector<std::string> options_;
  int uncaught_;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> ports_;
  std::vector<std::unique_ptr<Process>> servers_;
};

}  // namespace examples
