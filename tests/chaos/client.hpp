// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "history.hpp"

namespace chaos {

/// What the clients share with whoever runs them.
struct Load {
  std::atomic<bool> is_over = false;
  std::atomic<bool> is_heavy = false;         ///< tweets are long, so that disks fill up
  std::atomic<std::uint64_t> log_length = 0;  ///< entries that some client has read: any later read must reach them
  std::atomic<std::uint64_t> disk_full = 0;   ///< answers that said that the disk is full
  std::array<std::atomic<std::uint64_t>, Arena::sites> answered{};  ///< operations done, by site
};

/// One client that asks one thing after the other, of any site, and notes what it saw. Every write has an id; a write
/// whose answer is missing is sent again under the same id, mostly, and to another site. Run it on a thread of its own.
class Client {
 public:
  Client(const Arena& arena, Load& load, std::size_t number, std::uint64_t seed)
      : arena_(arena), load_(load), number_(number), random_(seed), site_(number % Arena::sites + 1) {}

  void run() {
    while (!load_.is_over) perform(draw_event());
  }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::uint64_t retries() const { return retries_; }
  /// Answers that no server should give; the first ones.
  [[nodiscard]] const std::vector<std::string>& unexpected() const { return unexpected_; }

 private:
  static constexpr int attempts_max = 8;
  static constexpr std::size_t view_items = 8;
  static constexpr std::size_t log_items = 40;

  enum class Answer : std::uint8_t { definite, not_applied, unknown };

  std::uint64_t draw(std::uint64_t bound) { return random_() % bound; }

  Event draw_event() {
    Event event;
    event.client = number_;
    const std::uint64_t dice = draw(100);
    event.kind = dice < 40   ? Kind::tweet
                 : dice < 65 ? static_cast<Kind>(static_cast<std::uint64_t>(Kind::block) + draw(4))
                 : dice < 78 ? Kind::blocklist
                 : dice < 90 ? Kind::log
                             : Kind::view;
    event.user = draw(user_count);
    event.target = (event.user + 1 + draw(user_count - 1)) % user_count;
    return event;
  }

  void perform(Event event) {
    Json request = request_for(event);
    bool was_unknown = false;
    event.invoked = Clock::now();
    for (bool is_settled = false; !is_settled;) {
      ++event.attempts;
      const Answer answer = attempt(request, event);
      if (answer == Answer::definite) break;
      was_unknown = was_unknown || answer == Answer::unknown;
      if (was_unknown && is_write(event.kind)) request["retry"] = true;
      event.fate = was_unknown ? Fate::unknown : Fate::not_applied;
      leave_site();
      pause();
      // Nobody is obliged to try again.
      is_settled = event.attempts >= attempts_max || load_.is_over || draw(10) == 0;
      if (!is_settled) ++retries_;
    }
    if (event.fate == Fate::done || event.fate == Fate::refused) {
      event.returned = Clock::now();
      event.site = site_;
      ++load_.answered[site_ - 1];
      if (draw(200) == 0) leave_site();
    }
    events_.push_back(std::move(event));
  }

  Json request_for(Event& event) {
    Json request{{"head", kind_names[static_cast<std::size_t>(event.kind)]}};
    if (is_write(event.kind)) request["id"] = session() + ':' + std::to_string(++sequence_);
    switch (event.kind) {
      case Kind::tweet:
        request["user"] = users[event.user];
        request["body"] = session() + ' ' + std::to_string(sequence_) + ' ' + filler();
        event.text = kept(request["body"]);
        break;
      case Kind::blocklist: request["user"] = users[event.user]; break;
      case Kind::log:
        // As far as anybody has read, or a little less: what was there once must be there again.
        event.from = load_.log_length.load();
        event.from -= std::min<std::uint64_t>(event.from, draw(log_items / 2));
        request["from"] = std::to_string(event.from);
        request["limit"] = log_items;
        break;
      case Kind::view:
        request["user"] = watcher;
        request["limit"] = view_items;
        break;
      default:
        request["user"] = users[event.user];
        request["body"] = users[event.target];
        break;
    }
    return request;
  }

  std::string filler() { return std::string(draw(load_.is_heavy ? 2 : 30) == 0 ? 500 + draw(4000) : 0, 'x'); }

  Answer attempt(const Json& request, Event& event) {
    if (!socket_) socket_ = std::make_unique<examples::Socket>(arena_.client_port(site_), std::chrono::seconds{2});
    if (!socket_->is_open()) return Answer::not_applied;
    const auto line = socket_->ask(request.dump());
    if (!line) return Answer::unknown;
    const Json reply = Json::parse(*line, nullptr, false);
    if (reply.is_object() && reply["stat"] == 503) {
      if (line->find("disk is full") != line->npos) ++load_.disk_full;
      return reply["body"]["outcome"] == "not applied" ? Answer::not_applied : Answer::unknown;
    }
    if (is_relation(event.kind) && is_refusal(reply)) {
      event.fate = Fate::refused;
      return Answer::definite;
    }
    if (!reply.is_object() || reply["stat"] != 200) {
      if (unexpected_.size() < 10) unexpected_.push_back(request.dump() + " -> " + *line);
      return Answer::unknown;
    }
    event.fate = Fate::done;
    note(reply, event);
    return Answer::definite;
  }

  static bool is_refusal(const Json& reply) {
    if (!reply.is_object() || reply["stat"] != 400) return false;
    const std::string why = reply["body"]["why"];
    return why.starts_with("already ") || why.starts_with("not ");
  }

  void note(const Json& reply, Event& event) {
    const Json& body = reply["body"];
    if (is_write(event.kind)) {
      event.place = {body["slot"], body["index"]};
    } else if (event.kind == Kind::blocklist) {
      for (const Json& name : body) {
        for (std::size_t user = 0; user < user_count; ++user) {
          if (name == users[user]) event.blocked |= std::uint64_t{1} << user;
        }
      }
    } else {
      for (const Json& line : body) {
        event.lines.push_back(event.kind == Kind::log ? line_of_log(line) : line_of_view(line));
      }
      event.has_more = reply.contains("next");
      if (event.kind == Kind::log) {
        const std::uint64_t length = event.from + event.lines.size();
        std::uint64_t known = load_.log_length;
        while (known < length && !load_.log_length.compare_exchange_weak(known, length)) {
        }
      }
    }
  }

  /// A site that is down says so at once; to ask again at once would keep a processor from those that are not.
  void pause() { std::this_thread::sleep_for(std::chrono::milliseconds{5 + draw(20)}); }

  void leave_site() {
    socket_.reset();
    site_ = site_ % Arena::sites + 1;
  }
  [[nodiscard]] std::string session() const { return "c" + std::to_string(number_); }

  const Arena& arena_;
  Load& load_;
  std::size_t number_;
  std::mt19937_64 random_;
  std::size_t site_;
  std::uint64_t sequence_ = 0;
  std::unique_ptr<examples::Socket> socket_;
  std::vector<Event> events_;
  std::uint64_t retries_ = 0;
  std::vector<std::string> unexpected_;
};

}  // namespace chaos
