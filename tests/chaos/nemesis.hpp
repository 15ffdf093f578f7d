// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "client.hpp"

namespace chaos {

/// How often a fault was made, and how often it hit: what counts as a hit is said where the fault is made.
struct Hits {
  std::size_t made = 0;
  std::size_t hit = 0;
};

/// Does to the arena what a schedule says that is drawn from a seed: one or two faults at a time, each for a while, all
/// healed again before the next. Every kind of fault comes up before any comes twice.
///
/// Runs on the thread that made the arena, as servers live no longer than the thread that started them.
class Nemesis {
 public:
  Nemesis(Arena& arena, Load& load, std::uint64_t seed) : arena_(arena), load_(load), random_(seed) { make_faults(); }

  /// Goes on for that long, and leaves everything healed. What went wrong with the servers, or nothing: one that ended
  /// by itself, or that gave no answer in half a minute after all was healed.
  [[nodiscard]] std::string run(Clock::duration duration) {
    const auto end = Clock::now() + duration;
    while (Clock::now() < end) {
      std::vector<Fault*> now{&next_fault()};
      // One that hits processes beside one that hits links.
      if (draw(3) == 0 && !deck_.empty() && faults_[deck_.back()].is_of_links != now[0]->is_of_links) {
        now.push_back(&next_fault());
      }
      for (Fault* fault : now) begin(*fault);
      const std::uint64_t bound = longest(now);
      const auto heal = Clock::now() + std::chrono::milliseconds{bound / 4 + draw(bound * 3 / 4)};
      while (Clock::now() < heal && !std::ranges::any_of(now, [](Fault* fault) { return fault->is_over(); })) {
        for (Fault* fault : now) fault->tick();
        wait(std::chrono::milliseconds{20 + draw(60)});
      }
      for (Fault* fault : now) finish(*fault);
      if (std::string wrong = recover(names(now)); !wrong.empty()) return names(now) + ": " + wrong;
      wait(std::chrono::milliseconds{100 + draw(400)});
    }
    return {};
  }

  [[nodiscard]] const std::map<std::string, Hits>& hits() const { return hits_; }
  /// When all faults were over, each time.
  [[nodiscard]] const std::vector<Clock::time_point>& heals() const { return heals_; }
  /// The longest time from there until every site had answered somebody, and after what.
  [[nodiscard]] const std::pair<Clock::duration, std::string>& slowest_recovery() const { return slowest_recovery_; }
  [[nodiscard]] std::size_t restarts() const { return restarts_; }

 private:
  struct Fault {
    std::string name;
    bool is_of_links = false;
    std::uint64_t longest_ms = 2000;
    std::function<void()> begin = [] {};
    std::function<void()> tick = [] {};
    std::function<bool()> is_over = [] { return false; };  ///< it has hit as hard as it can
    std::function<bool()> finish = [] { return true; };    ///< heals, and tells whether the fault hit
  };

  std::uint64_t draw(std::uint64_t bound) { return random_() % bound; }
  static void wait(std::chrono::milliseconds duration) { std::this_thread::sleep_for(duration); }

  Fault& next_fault() {
    if (deck_.empty()) {
      for (std::size_t i = 0; i < faults_.size(); ++i) deck_.push_back(i);
      for (std::size_t i = deck_.size(); i > 1; --i) std::swap(deck_[i - 1], deck_[draw(i)]);
    }
    Fault& fault = faults_[deck_.back()];
    deck_.pop_back();
    return fault;
  }
  static std::uint64_t longest(const std::vector<Fault*>& faults) {
    std::uint64_t ms = 0;
    for (const Fault* fault : faults) ms = std::max(ms, fault->longest_ms);
    return ms;
  }
  static std::string names(const std::vector<Fault*>& faults) {
    std::string text;
    for (const Fault* fault : faults) text += (text.empty() ? "" : " and ") + fault->name;
    return text;
  }

  void begin(Fault& fault) {
    if (const std::size_t leads = arena_.leader(); leads != 0) leader_ = leads;
    follower_ = (leader_ + draw(2)) % Arena::sites + 1;
    ++hits_[fault.name].made;
    fault.begin();
  }
  void finish(Fault& fault) {
    if (fault.finish()) ++hits_[fault.name].hit;
  }

  std::string recover(const std::string& after) {
    for (std::size_t site = 1; site <= Arena::sites; ++site) {
      // A full disk may keep a site from starting, and nothing else.
      if (arena_.has_died(site) && !(site == arena_.small_site() && was_full_)) {
        return "site " + std::to_string(site) + " ended by itself";
      }
      if (!arena_.is_running(site)) arena_.start(site);
    }
    was_full_ = false;
    const auto healed = Clock::now();
    heals_.push_back(healed);
    std::array<std::uint64_t, Arena::sites> before{};
    for (std::size_t i = 0; i < Arena::sites; ++i) before[i] = load_.answered[i];
    const bool is_back = examples::eventually(std::chrono::seconds{30}, [&] {
      for (std::size_t i = 0; i < Arena::sites; ++i) {
        if (load_.answered[i] == before[i]) return false;
      }
      return true;
    });
    slowest_recovery_ = std::max(slowest_recovery_, std::pair{Clock::now() - healed, after});
    return is_back ? "" : "not every site answers half a minute after all was healed";
  }

  void restart(std::size_t site) {
    if (arena_.has_died(site)) return;
    ++restarts_;
    arena_.start(site);
  }

  /// Kills what `choose` names; a hit when all of them ran.
  void add_kill(const std::string& name, std::function<std::vector<std::size_t>()> choose) {
    auto victims = std::make_shared<std::vector<std::size_t>>();
    auto all_ran = std::make_shared<bool>();
    faults_.push_back(Fault{name, false, 1200,
                            [this, victims, all_ran, choose] {
                              *victims = choose();
                              *all_ran = true;
                              for (const std::size_t site : *victims) {
                                *all_ran = *all_ran && arena_.is_running(site);
                                arena_.kill(site);
                              }
                            },
                            [] {}, [] { return false; },
                            [this, victims, all_ran] {
                              for (const std::size_t site : *victims) restart(site);
                              return *all_ran;
                            }});
  }

  /// SIGSTOP; a hit when, as it wakes up, another site leads than itself.
  void add_freeze(const std::string& name, std::function<std::size_t()> choose) {
    auto victim = std::make_shared<std::size_t>();
    faults_.push_back(Fault{name, false, 3000,
                            [this, victim, choose] {
                              *victim = choose();
                              arena_.freeze(*victim);
                            },
                            [] {}, [] { return false; },
                            [this, victim] {
                              const std::size_t leads = arena_.leader();
                              arena_.thaw(*victim);
                              return leads != 0 && leads != *victim;
                            }});
  }

  /// A leader that sleeps, wakes up, and for a moment hears nobody tell it that it leads no more. Clients have asked it
  /// meanwhile. A hit when another leads as it wakes up.
  void add_sleepwalk() {
    auto sleeper = std::make_shared<std::size_t>();
    faults_.push_back(Fault{"freeze the leader, wake it deaf", true, 1800,
                            [this, sleeper] {
                              *sleeper = leader_;
                              set(links_of(*sleeper, false, true), black_hole());
                              arena_.freeze(*sleeper);
                            },
                            [] {}, [] { return false; },
                            [this, sleeper] {
                              const std::size_t leads = arena_.leader();
                              arena_.thaw(*sleeper);
                              wait(std::chrono::milliseconds{50 + draw(200)});
                              set(links_of(*sleeper, false, true), {});
                              return leads != 0 && leads != *sleeper;
                            }});
  }

  /// Short sleeps of random sites, again and again.
  void add_stutter() {
    auto sleeper = std::make_shared<std::size_t>(0);
    auto sleeps = std::make_shared<std::size_t>(0);
    faults_.push_back(Fault{"stutter", false, 3000, [] {},
                            [this, sleeper, sleeps] {
                              if (draw(4) != 0) return;
                              if (*sleeper != 0) arena_.thaw(*sleeper);
                              *sleeper = draw(Arena::sites + 1);
                              if (*sleeper != 0) arena_.freeze(*sleeper);
                              *sleeps += *sleeper != 0;
                            },
                            [] { return false; },
                            [this, sleeper, sleeps] {
                              if (*sleeper != 0) arena_.thaw(*sleeper);
                              *sleeper = 0;
                              return std::exchange(*sleeps, 0) > 0;
                            }});
  }

  using Link = std::pair<std::size_t, std::size_t>;
  using Links = std::vector<Link>;
  [[nodiscard]] static Links all_links() { return {{1, 2}, {1, 3}, {2, 1}, {2, 3}, {3, 1}, {3, 2}}; }
  [[nodiscard]] Links links_of(std::size_t site, bool from, bool to) const {
    Links links;
    for (const auto& [a, b] : all_links()) {
      if ((from && a == site) || (to && b == site)) links.emplace_back(a, b);
    }
    return links;
  }
  [[nodiscard]] Counts counts_of(const Links& links) {
    Counts sum;
    for (const auto& [from, to] : links) sum += arena_.proxy().counts(arena_.link(from, to));
    return sum;
  }
  void set(const Links& links, const LinkWeather& weather) {
    for (const auto& [from, to] : links) arena_.proxy().set(arena_.link(from, to), weather);
  }

  /// Weather over the links that `choose` names; `hit` looks at what they did meanwhile.
  void add_weather(const std::string& name, std::function<Links()> choose, std::function<LinkWeather()> weather,
                   std::function<bool(const Counts& before, const Counts& after)> hit) {
    auto links = std::make_shared<Links>();
    auto before = std::make_shared<Counts>();
    faults_.push_back(Fault{name, true, 2500,
                            [this, links, before, choose, weather] {
                              *links = choose();
                              *before = counts_of(*links);
                              for (const Link& link : *links) set({link}, weather());
                            },
                            [] {}, [] { return false; },
                            [this, links, before, hit] {
                              const Counts after = counts_of(*links);
                              set(*links, {});
                              return hit(*before, after);
                            }});
  }

  /// Does something to a random link again and again.
  void add_flicker(const std::string& name, Links links, std::function<void(const Link&)> strike) {
    auto before = std::make_shared<Counts>();
    faults_.push_back(Fault{name, true, 2000, [this, links, before] { *before = counts_of(links); },
                            [this, links, strike] { strike(links[draw(links.size())]); }, [] { return false; },
                            [this, links, before] {
                              set(links, {});
                              return counts_of(links).resets > before->resets;
                            }});
  }

  static LinkWeather black_hole() { return LinkWeather{{.loses = true}, {.loses = true}, false}; }

  void make_faults() {
    add_kill("kill the leader", [this] { return std::vector{leader_}; });
    add_kill("kill a follower", [this] { return std::vector{follower_}; });
    add_kill("kill two", [this] { return std::vector{leader_, follower_}; });
    add_kill("kill all", [] { return std::vector<std::size_t>{1, 2, 3}; });
    add_freeze("freeze the leader", [this] { return leader_; });
    add_freeze("freeze a follower", [this] { return follower_; });
    add_sleepwalk();
    add_stutter();

    const auto loses = [](const Counts& before, const Counts& after) { return after.bytes_lost > before.bytes_lost; };
    const auto is_late = [](const Counts& before, const Counts& after) { return after.bytes_late > before.bytes_late; };
    add_weather("isolate the leader", [this] { return links_of(leader_, true, true); }, black_hole, loses);
    add_weather("isolate a follower", [this] { return links_of(follower_, true, true); }, black_hole, loses);
    add_weather("mute the leader", [this] { return links_of(leader_, true, false); }, black_hole, loses);
    add_weather("deafen the leader", [this] { return links_of(leader_, false, true); }, black_hole, loses);
    add_weather(
        "cut leader and follower apart", [this] { return Links{{leader_, follower_}, {follower_, leader_}}; },
        black_hole, loses);
    add_weather("one link loses", [this] { return Links{all_links()[draw(6)]}; }, black_hole, loses);
    add_weather(
        "random links lose",
        [this] {
          Links links = all_links();
          std::erase_if(links, [this](const Link&) { return draw(2) == 0; });
          return links;
        },
        black_hole, loses);
    add_weather(
        "hold all links", [] { return all_links(); },
        [] { return LinkWeather{{.holds = true}, {.holds = true}, false}; },
        [](const Counts&, const Counts&) { return true; });
    add_weather(
        "late links", [] { return all_links(); },
        [this] {
          const std::chrono::milliseconds delay{draw(40)};
          const std::chrono::milliseconds jitter{1 + draw(80)};
          return LinkWeather{{.delay = delay, .jitter = jitter}, {.delay = delay}, false};
        },
        is_late);
    add_weather(
        "narrow links", [] { return all_links(); },
        [this] { return LinkWeather{{.bytes_per_second = 10'000 + draw(60'000)}, {}, false}; }, is_late);
    add_weather("a site hears no clients", [this] { return Links{{0, 1 + draw(3)}}; }, black_hole, loses);
    add_flicker("reset links", all_links(),
                [this](const Link& link) { arena_.proxy().reset(arena_.link(link.first, link.second)); });
    add_flicker("links come and go", all_links(),
                [this](const Link& link) { set({link}, LinkWeather{{}, {}, draw(2) == 0}); });
    add_flicker("reset clients", {{0, 1}, {0, 2}, {0, 3}},
                [this](const Link& link) { arena_.proxy().reset(arena_.link(link.first, link.second)); });
    if (arena_.disk().is_usable()) add_full_disk();
  }

  /// A hit when some client was told.
  void add_full_disk() {
    auto before = std::make_shared<std::uint64_t>();
    faults_.push_back(Fault{"full disk", false, 10'000,
                            [this, before] {
                              *before = load_.disk_full;
                              was_full_ = true;
                              load_.is_heavy = true;
                              arena_.disk().fill();
                            },
                            [] {}, [this, before] { return load_.disk_full > *before + 200; },
                            [this, before] {
                              arena_.disk().free();
                              load_.is_heavy = false;
                              return load_.disk_full > *before;
                            }});
  }

  Arena& arena_;
  Load& load_;
  std::mt19937_64 random_;
  std::vector<Fault> faults_;
  std::vector<std::size_t> deck_;
  std::size_t leader_ = 1;
  std::size_t follower_ = 2;
  bool was_full_ = false;
  std::map<std::string, Hits> hits_;
  std::vector<Clock::time_point> heals_;
  std::pair<Clock::duration, std::string> slowest_recovery_{};
  std::size_t restarts_ = 0;
};

}  // namespace chaos
