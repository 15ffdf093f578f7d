// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <asio.hpp>

#include "protocol.hpp"
#include "site_config.hpp"

namespace twitter {

/// A connection to one site that sends a line and waits for the line that answers it, both within a bound.
class Link {
 public:
  /// What became of a line.
  enum class Fate {
    answered,
    unsent,      ///< no connection: the site has not seen it
    unanswered,  ///< sent, perhaps; what the site did with it is not known
  };

  Fate ask(const Site& site, const std::string& line, std::chrono::milliseconds wait, std::string& answer) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    if (site.id != connected_to_ || has_ended()) {
      close();
      if (!connect(site, deadline)) return Fate::unsent;
    }
    std::error_code error = asio::error::would_block;
    asio::async_write(socket_, asio::buffer(line), [&](std::error_code result, std::size_t) { error = result; });
    if (!run(deadline, error)) return Fate::unanswered;
    error = asio::error::would_block;
    std::size_t size = 0;
    asio::async_read_until(socket_, asio::dynamic_buffer(received_, answer_bytes_max), '\n',
                           [&](std::error_code result, std::size_t bytes) {
                             error = result;
                             size = bytes;
                           });
    if (!run(deadline, error)) return Fate::unanswered;
    answer = received_.substr(0, size);
    received_.erase(0, size);
    return Fate::answered;
  }

  void close() {
    std::error_code ignored;
    socket_.close(ignored);
    received_.clear();
    connected_to_ = 0;
  }

 private:
  static constexpr std::size_t answer_bytes_max = std::size_t{64} << 20;
  using Deadline = std::chrono::steady_clock::time_point;

  /// The site dropped us while nothing was asked: it does so with clients that are silent for long.
  [[nodiscard]] bool has_ended() {
    char byte = 0;
    const auto peeked = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return peeked >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  bool connect(const Site& site, Deadline deadline) {
    asio::ip::tcp::resolver resolver{context_};
    std::error_code error;
    const auto endpoints = resolver.resolve(site.addr, std::to_string(site.client_port), error);
    if (error) return false;
    error = asio::error::would_block;
    asio::async_connect(socket_, endpoints, [&](std::error_code result, const auto&) { error = result; });
    if (!run(deadline, error)) return false;
    connected_to_ = site.id;
    return true;
  }

  /// Runs what was started; closes the connection when it fails or takes too long.
  bool run(Deadline deadline, std::error_code& error) {
    context_.restart();
    context_.run_until(deadline);
    if (!context_.stopped()) {
      close();
      context_.run();
      error = asio::error::timed_out;
    }
    if (error) close();
    return !error;
  }

  asio::io_context context_{1};
  asio::ip::tcp::socket socket_{context_};
  std::uint64_t connected_to_ = 0;  ///< a site's id; 0: none
  std::string received_;
};

/// The sites as one service: asks one, and goes on with the next when that dies. A request that changes something
/// carries one id wherever it goes, so that it is carried out once.
class Sites {
 public:
  using Notice = std::function<void(std::string)>;

  Sites(SiteConfig config, std::uint64_t first_site, std::chrono::milliseconds patience, Notice notice)
      : config_(std::move(config)), patience_(patience), notice_(std::move(notice)), session_(fresh_session()) {
    while (config_.sites[current_].id != first_site) ++current_;
  }

  /// The answer; its `next` pages are fetched and joined. Without one in time: a 503 in the form that sites use.
  Json ask(Json request) {
    for (const std::string_view name : {"tweet", "follow", "unfollow", "block", "unblock"}) {
      if (request["head"] == name) {
        request["id"] = fmt::format("{}:{}", session_, ++sequence_);
        return ask_any(request, true);
      }
    }
    Json whole = ask_any(request, false);
    for (Json page = whole; page.contains("next") && page["body"].is_array();) {
      request["from"] = page["next"];
      page = ask_any(request, false);
      if (page.value("stat", Json{}) != 200) return page;
      for (Json& item : page["body"]) whole["body"].push_back(std::move(item));
    }
    whole.erase("next");
    return whole;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static std::string fresh_session() {
    std::random_device entropy;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", entropy(), entropy(), entropy(), entropy());
  }

  static std::string line_of(const Json& request) {
    return request.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }

  Json ask_any(Json request, bool is_write) {
    const auto deadline = Clock::now() + patience_;
    bool may_have_happened = false;
    std::string why = "no site can be reached";
    bool is_first_round = true;
    for (bool has_quorum = true; has_quorum; is_first_round = false) {
      bool heard_503 = false;
      for (std::size_t tried = 0; tried < config_.sites.size() && Clock::now() < deadline; ++tried) {
        if (is_write && may_have_happened) request["retry"] = true;
        Json reply = ask_current(line_of(request), deadline, may_have_happened);
        if (!reply.is_null() && reply["stat"] != 503) return reply;
        if (!reply.is_null()) {
          heard_503 = true;
          const Json& body = reply["body"];
          may_have_happened = may_have_happened || !body.is_object() || body.value("outcome", Json{}) != "not applied";
          if (body.is_object()) why = detail::text_field(body, "why");
        }
        move_on(reply.is_null(), is_first_round);
      }
      // Each live site waited for a quorum as long as it may: more rounds would only make the user wait.
      has_quorum = !heard_503 && Clock::now() < deadline;
      if (has_quorum) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    const bool unknown = is_write && may_have_happened;
    return Json{{"stat", 503}, {"body", {{"outcome", unknown ? "unknown" : "not applied"}, {"why", why}}}};
  }

  /// 6 s of the default 15: a site answers within 5 s unless it hangs. What is left is for the others.
  [[nodiscard]] std::chrono::milliseconds site_patience() const { return patience_ * 2 / 5; }

  /// null without an answer.
  Json ask_current(const std::string& line, Clock::time_point deadline, bool& may_have_happened) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    std::string answer;
    const Link::Fate fate = link_.ask(config_.sites[current_], line, std::min(left, site_patience()), answer);
    may_have_happened = may_have_happened || fate == Link::Fate::unanswered;
    if (fate != Link::Fate::answered) return nullptr;
    Json reply = Json::parse(answer, nullptr, false);
    if (reply.is_object() && reply.contains("stat") && reply.contains("body")) return reply;
    may_have_happened = true;
    link_.close();
    return nullptr;
  }

  void move_on(bool is_silent, bool is_news) {
    const Site& from = config_.sites[current_];
    current_ = (current_ + 1) % config_.sites.size();
    const Site& to = config_.sites[current_];
    if (!notice_ || !is_news || from.id == to.id) return;
    notice_(fmt::format("site {} ({}) {}; trying site {} ({})", from.id, from.name,
                        is_silent ? "does not answer" : "has no quorum", to.id, to.name));
  }

  SiteConfig config_;
  std::chrono::milliseconds patience_;
  Notice notice_;
  std::size_t current_ = 0;
  Link link_;
  std::string session_;
  std::uint64_t sequence_ = 0;
};

}  // namespace twitter
