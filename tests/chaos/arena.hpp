// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy.hpp"
#include "small_disk.hpp"
#include "tests/examples/cluster.hpp"
#include "tests/examples/process.hpp"

namespace chaos {

using examples::Json;

/// Three real twitter-servers. Every site reaches every other through a link of its own, and so do clients every site.
/// The log of one of them, `small_site`, is on a disk that can be filled up, where the machine allows that.
///
/// Sites count from 1. Servers live as long as the thread that started them.
class Arena {
 public:
  static constexpr std::size_t sites = 3;

  Arena(std::uint64_t seed, std::size_t small_site)
      : uncaught_(std::uncaught_exceptions()), proxy_(seed), small_site_(small_site), disk_(std::size_t{64} << 20) {
    for (std::size_t site = 1; site <= sites; ++site) {
      peer_ports_.push_back(examples::free_port());
      client_ports_.push_back(examples::free_port());
      servers_.emplace_back();
      is_frozen_.push_back(false);
    }
    for (std::size_t from = 1; from <= sites; ++from) {
      for (std::size_t to = 1; to <= sites; ++to) {
        if (from != to) link_ports_[{from, to}] = add_link(from, to, peer_ports_[to - 1]);
      }
    }
    for (std::size_t site = 1; site <= sites; ++site)
      link_ports_[{0, site}] = add_link(0, site, client_ports_[site - 1]);
    for (std::size_t site = 1; site <= sites; ++site) write_config(site);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    servers_.clear();
    if (std::uncaught_exceptions() > uncaught_) print_logs();
  }

  [[nodiscard]] Proxy& proxy() { return proxy_; }
  [[nodiscard]] SmallDisk& disk() { return disk_; }
  [[nodiscard]] std::size_t small_site() const { return small_site_; }
  /// What site `from` sends to site `to`; from 0: clients, both ways.
  [[nodiscard]] std::size_t link(std::size_t from, std::size_t to) const { return links_.at({from, to}); }
  /// Where clients reach a site, through its link.
  [[nodiscard]] std::uint16_t client_port(std::size_t site) const { return link_ports_.at({0, site}); }

  /// Starts the site; is_up() tells when it takes clients.
  void start(std::size_t site) {
    examples::Process::Line line;
    line.arguments = {server_program(),    "--config", file("config", site), "--site",      std::to_string(site),
                      "--request-timeout", "1",        "--data-dir",         data_dir(site)};
    line.error_file = file("log", site);
    is_frozen_[site - 1] = false;
    servers_[site - 1] = std::make_unique<examples::Process>(line);
  }
  [[nodiscard]] bool is_up(std::size_t site) const { return examples::Socket{client_ports_[site - 1]}.is_open(); }
  void start_all() {
    for (std::size_t site = 1; site <= sites; ++site) start(site);
    for (std::size_t site = 1; site <= sites; ++site) {
      if (!examples::eventually(std::chrono::seconds{30}, [&] { return is_up(site) || has_died(site); }) ||
          has_died(site)) {
        throw std::runtime_error("site " + std::to_string(site) + " does not start");
      }
    }
  }
  /// kill -9. Nothing when it does not run.
  void kill(std::size_t site) { servers_[site - 1].reset(); }
  [[nodiscard]] bool is_running(std::size_t site) { return servers_[site - 1] && servers_[site - 1]->is_running(); }
  /// It ended, and not by kill().
  [[nodiscard]] bool has_died(std::size_t site) { return servers_[site - 1] && !servers_[site - 1]->is_running(); }
  void freeze(std::size_t site) {
    if (servers_[site - 1]) servers_[site - 1]->signal(SIGSTOP);
    is_frozen_[site - 1] = true;
  }
  void thaw(std::size_t site) {
    if (servers_[site - 1]) servers_[site - 1]->signal(SIGCONT);
    is_frozen_[site - 1] = false;
  }

  /// What the site says of itself; null when it says nothing.
  [[nodiscard]] Json status(std::size_t site) {
    if (!is_running(site) || is_frozen_[site - 1]) return {};
    const Json answer = ask(site, {{"head", "servers"}, {"body", "self"}});
    return answer.is_object() && answer["stat"] == 200 ? answer["body"][0] : Json{};
  }
  /// A site that leads, as far as it knows; 0 when there is none.
  [[nodiscard]] std::size_t leader() {
    std::size_t found = 0;
    std::string highest;
    for (std::size_t site = 1; site <= sites; ++site) {
      const Json own = status(site);
      if (!own.is_object() || own["role"] != "leader") continue;
      // Of two, the one with the newer ballot: "round.node".
      const std::string ballot = own["ballot"];
      if (found != 0 && (ballot.size() < highest.size() || (ballot.size() == highest.size() && ballot < highest))) {
        continue;
      }
      found = site;
      highest = ballot;
    }
    return found;
  }
  /// One request past the proxy; null without an answer.
  [[nodiscard]] Json ask(std::size_t site, const Json& request) const {
    const auto answer = line(site, request);
    return answer ? Json::parse(*answer) : Json{};
  }
  [[nodiscard]] std::optional<std::string> line(std::size_t site, const Json& request) const {
    return examples::Socket{client_ports_[site - 1]}.ask(request.dump());
  }

  [[nodiscard]] std::string log_of(std::size_t site) const { return examples::contents_of(file("log", site)); }
  void print_logs() const {
    for (std::size_t site = 1; site <= sites; ++site) {
      std::cout << "--- what site " << site << " logged\n" << log_of(site);
    }
    std::cout.flush();
  }

 private:
  /// PAXOS_CHAOS_SERVER names another build, one with a mistake in it, say.
  static std::string server_program() {
    const char* other = std::getenv("PAXOS_CHAOS_SERVER");
    return other != nullptr ? other : TWITTER_SERVER;
  }
  std::uint16_t add_link(std::size_t from, std::size_t to, std::uint16_t target) {
    const std::uint16_t port = examples::free_port();
    links_[{from, to}] = proxy_.add(port, target);
    return port;
  }
  [[nodiscard]] std::string file(const std::string& what, std::size_t site) const {
    return directory_.path(what + "-" + std::to_string(site));
  }
  [[nodiscard]] std::string data_dir(std::size_t site) const {
    return site == small_site_ && disk_.is_usable() ? disk_.path() : directory_.path("data");
  }
  void write_config(std::size_t own) const {
    static constexpr const char* names[] = {"alice", "bob", "carol"};
    Json list = Json::array();
    for (std::size_t site = 1; site <= sites; ++site) {
      list.push_back({{"id", site},
                      {"name", names[site - 1]},
                      {"addr", "127.0.0.1"},
                      {"port", site == own ? peer_ports_[site - 1] : link_ports_.at({own, site})},
                      {"client_port", client_ports_[site - 1]}});
    }
    std::ofstream{file("config", own)} << Json{{"sites", list}};
  }

  using Pair = std::pair<std::size_t, std::size_t>;

  int uncaught_;
  examples::TemporaryDirectory directory_;
  Proxy proxy_;
  std::size_t small_site_;
  SmallDisk disk_;
  std::vector<std::uint16_t> peer_ports_;
  std::vector<std::uint16_t> client_ports_;
  std::map<Pair, std::uint16_t> link_ports_;
  std::map<Pair, std::size_t> links_;
  std::vector<std::unique_ptr<examples::Process>> servers_;
  std::vector<bool> is_frozen_;
};

}  // namespace chaos
