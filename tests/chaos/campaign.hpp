// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "arena.hpp"
#include "client.hpp"
#include "judge.hpp"
#include "nemesis.hpp"

namespace chaos {

/// One run: servers, clients, nemesis, and the judge in the end.
class Campaign {
 public:
  static constexpr std::size_t clients = 8;

  explicit Campaign(std::uint64_t seed) : seed_(seed), random_(seed), arena_(random_(), 1 + random_() % Arena::sites) {}

  /// What went wrong; empty when all went well. Throws what the servers' start throws.
  [[nodiscard]] std::string run(Clock::duration duration) {
    arena_.start_all();
    introduce_users();
    Nemesis nemesis{arena_, load_, random_()};
    const auto started = Clock::now();
    std::string wrong;
    {
      // Gone before the servers are.
      const Crowd crowd{arena_, load_, random_};
      wrong = nemesis.run(duration);
      crowd.disperse(load_);
      for (const auto& client : crowd.clients()) {
        events_.insert(events_.end(), client->events().begin(), client->events().end());
        retries_ += client->retries();
        for (const std::string& answer : client->unexpected()) wrong += "\nunexpected: " + answer;
      }
    }
    duration_ = Clock::now() - started;
    if (wrong.empty() && !read_logs()) wrong = "the sites do not agree on the log half a minute after the end";
    if (wrong.empty()) {
      const auto judged = Clock::now();
      Findings findings = Judge{log_, events_}.judge();
      judging_ = Clock::now() - judged;
      wrong = findings.text();
      print(nemesis, findings);
    }
    if (!wrong.empty()) {
      fmt::print("seed {}: {}\n", seed_, wrong);
      arena_.print_logs();
    }
    return wrong;
  }

  [[nodiscard]] std::size_t operations() const { return events_.size(); }
  [[nodiscard]] const std::string& disk_missing() { return arena_.disk().why_not(); }

 private:
  /// The clients' threads; they end with it.
  class Crowd {
   public:
    Crowd(const Arena& arena, Load& load, std::mt19937_64& random) : load_(load) {
      for (std::size_t i = 0; i < Campaign::clients; ++i) {
        clients_.push_back(std::make_unique<Client>(arena, load, i, random()));
      }
      for (const auto& client : clients_) threads_.emplace_back([client = client.get()] { client->run(); });
    }
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;
    ~Crowd() { disperse(load_); }
    void disperse(Load& load) const {
      load.is_over = true;
      for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
      }
    }
    [[nodiscard]] const std::vector<std::unique_ptr<Client>>& clients() const { return clients_; }

   private:
    Load& load_;
    std::vector<std::unique_ptr<Client>> clients_;
    mutable std::vector<std::thread> threads_;
  };

  /// Nobody can block a stranger: all write once before the run.
  void introduce_users() {
    for (std::size_t user = 0; user < user_count; ++user) {
      Event event;
      event.client = clients;
      event.user = user;
      event.text = fmt::format("hello {} ", user);
      event.invoked = Clock::now();
      const Json request{
          {"head", "tweet"}, {"user", users[user]}, {"body", event.text}, {"id", "setup:" + std::to_string(user + 1)}};
      Json reply;
      if (!examples::eventually(std::chrono::seconds{30}, [&] {
            reply = arena_.ask(1, request);
            return reply.is_object() && reply["stat"] == 200;
          })) {
        throw std::runtime_error("the sites do not serve: " + reply.dump());
      }
      event.place = {reply["body"]["slot"], reply["body"]["index"]};
      event.fate = Fate::done;
      event.returned = Clock::now();
      events_.push_back(event);
    }
  }

  /// The log as all sites have it.
  bool read_logs() {
    std::vector<std::string> first;
    const bool agree = examples::eventually(std::chrono::seconds{30}, [&] {
      first = pages(1);
      return !first.empty() && pages(2) == first && pages(3) == first;
    });
    for (const std::string& page : first) {
      const Json parsed = Json::parse(page);
      for (const Json& line : parsed["body"]) log_.push_back(line_of_log(line));
    }
    return agree;
  }
  [[nodiscard]] std::vector<std::string> pages(std::size_t site) const {
    std::vector<std::string> all;
    std::string from = "0";
    while (true) {
      auto page = arena_.line(site, {{"head", "log"}, {"from", from}});
      if (!page || !page->starts_with("{\"stat\":200")) return {};
      const std::size_t next = page->rfind("\"next\":\"");
      const bool has_next = next != std::string::npos && next > page->rfind(']');
      if (has_next) from = page->substr(next + 8, page->rfind('"') - next - 8);
      all.push_back(std::move(*page));
      if (!has_next) return all;
    }
  }

  void print(const Nemesis& nemesis, const Findings& findings) {
    const auto ms = [](Clock::duration time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    };
    std::array<std::array<std::size_t, 4>, std::size(kind_names)> counts{};
    std::vector<Clock::time_point> answers;
    for (const Event& event : events_) {
      ++counts[static_cast<std::size_t>(event.kind)][static_cast<std::size_t>(event.fate)];
      if (event.fate == Fate::done || event.fate == Fate::refused) answers.push_back(event.returned);
    }
    std::ranges::sort(answers);
    Clock::duration gap{};
    for (std::size_t i = 1; i < answers.size(); ++i) gap = std::max(gap, answers[i] - answers[i - 1]);

    fmt::print("chaos, seed {}: {} operations by {} clients in {} ms, {} retries, {} entries in the log\n", seed_,
               events_.size(), clients, ms(duration_), retries_, log_.size());
    for (std::size_t kind = 0; kind < counts.size(); ++kind) {
      fmt::print("  {:<10} {:>7} done {:>6} refused {:>5} not applied {:>5} unknown\n", kind_names[kind],
                 counts[kind][0], counts[kind][1], counts[kind][2], counts[kind][3]);
    }
    for (const auto& [name, hits] : nemesis.hits()) {
      fmt::print("  {:<30} {:>3} times, hit {:>3}\n", name, hits.made, hits.hit);
    }
    if (!arena_.disk().is_usable()) fmt::print("  full disk: skipped, {}\n", arena_.disk().why_not());
    Counts sites;
    Counts outside;
    for (std::size_t from = 0; from <= Arena::sites; ++from) {
      for (std::size_t to = 1; to <= Arena::sites; ++to) {
        if (from != to) (from == 0 ? outside : sites) += arena_.proxy().counts(arena_.link(from, to));
      }
    }
    for (const auto& [name, sum] : {std::pair{"between sites", sites}, std::pair{"of clients", outside}}) {
      fmt::print("  links {}: {} connections, {} reset, {} turned away; {} bytes, {} late, {} lost\n", name,
                 sum.connections, sum.resets, sum.turned_away, sum.bytes, sum.bytes_late, sum.bytes_lost);
    }
    fmt::print("  restarts {}, answers \"disk is full\" {}; longest time without any answer {} ms\n",
               nemesis.restarts(), load_.disk_full.load(), ms(gap));
    fmt::print("  from the end of all faults to the next answer at most {} ms, to one of each site {} ms ({})\n",
               ms(slowest(nemesis.heals(), answers)), ms(nemesis.slowest_recovery().first),
               nemesis.slowest_recovery().second);
    fmt::print("  judged in {} ms: {} by their place in the log; {} searched, {} states\n", ms(judging_),
               findings.placed, findings.searched, findings.states);
  }

  /// `answers` sorted.
  static Clock::duration slowest(const std::vector<Clock::time_point>& heals,
                                 const std::vector<Clock::time_point>& answers) {
    Clock::duration longest{};
    for (const auto heal : heals) {
      const auto next = std::ranges::lower_bound(answers, heal);
      if (next != answers.end()) longest = std::max(longest, *next - heal);
    }
    return longest;
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  Arena arena_;
  Load load_;
  std::vector<Event> events_;
  std::vector<Line> log_;
  std::uint64_t retries_ = 0;
  Clock::duration duration_{};
  Clock::duration judging_{};
};

}  // namespace chaos
