// Copyright (c) the paxos authors. MIT licence.
//
// The explorer takes replicas apart and puts them together again between any two turns. Here two benches walk the same
// random way side by side: one replica is never touched, the other is loaded from its image before every turn, after a
// turn from some other state. A field that an image() forgot shows as a difference.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/crc32c.hpp>
#include <paxos/core/random.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Bench = sim::Workbench<Numbers>;

/// One member: its untouched replica, its replica of many pieces, and the letters that it may hear.
struct Walker {
  Walker(const Config& config, sim::Lexicon<Numbers>& lexicon, const Bench::Options& options)
      : self(config.id),
        untouched(config, lexicon, options),
        pieced(config, lexicon, options),
        image(untouched.blank()),
        images{image} {}
  NodeId self;
  Bench untouched;
  Bench pieced;
  std::string image;
  std::vector<std::string> images;  ///< all that it has been
  std::vector<std::pair<NodeId, Message>> letters;
};

class Walk {
 public:
  Walk(std::uint64_t seed, const Bench::Options& options, bool crashes)
      : random_(seed),
        commands_(options.commands.size()),
        crashes_(crashes),
        pace_(crashes ? sim::Pace::slow : sim::Pace::prompt) {
    (void)lexicon_.number_of(Value{});
    for (std::uint64_t id = 1; id <= 3; ++id) {
      Config config;
      config.id = NodeId{id};
      for (std::uint64_t member = 1; member <= 3; ++member) config.members.emplace_back(member, "node:1");
      config.data_dir = "walked";
      config.window_slots = 2;  // so that commands wait
      config.batch_commands_max = 2;
      walkers_.push_back(std::make_unique<Walker>(config, lexicon_, options));
    }
  }

  /// False when the step did nothing.
  bool step() {
    Walker& walker = *walkers_[pick(walkers_.size())];
    // What the image does not set is what another turn, from another state, left behind.
    walker.pieced.load(walker.images[pick(walker.images.size())]);
    (void)take(walker, walker.pieced, choose(walker, walker.pieced));
    walker.pieced.load(walker.image);
    const sim::NodeEvent event = choose(walker, walker.untouched);
    const sim::NodeTurn whole = take(walker, walker.untouched, event);
    const sim::NodeTurn pieced = take(walker, walker.pieced, event);
    REQUIRE(whole.breach.empty());
    REQUIRE(pieced.breach.empty());
    REQUIRE(whole.image == pieced.image);
    REQUIRE(said(whole) == said(pieced));
    REQUIRE(whole.hardened == pieced.hardened);
    for (const auto& [to, message] : whole.sent)
      walkers_[static_cast<std::size_t>(to.value() - 1)]->letters.emplace_back(walker.self, message);
    if (whole.image == walker.image) return false;
    walker.image = whole.image;
    walker.images.push_back(whole.image);
    return true;
  }

 private:
  /// With a checksum, as what describe() leaves out counts too. What is said twice at once counts once, and votes slot
  /// by slot: a letter stays for good, so the image keeps one copy of a message that waits, and fewer are neighbours.
  static std::set<std::string> said(const sim::NodeTurn& turn) {
    std::set<std::string> all;
    const auto add = [&](NodeId to, const Message& message) {
      Buffer bytes;
      encode_message(bytes, message);
      all.insert(to_string(to) + ": " + sim::describe(message) + ", " + std::to_string(crc32c(bytes)));
    };
    for (const auto& [to, message] : turn.sent) {
      const auto* accepted = get_if<Accepted>(&message);
      if (accepted == nullptr) {
        add(to, message);
        continue;
      }
      for (Slot slot = accepted->first; slot <= accepted->last; slot = slot.next())
        add(to, Accepted{accepted->ballot, slot, slot});
    }
    return all;
  }

  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % count); }

  static sim::NodeTurn take(const Walker& walker, Bench& bench, const sim::NodeEvent& event) {
    const bool is_delivery = event.kind == sim::NodeEvent::Kind::deliver;
    const auto [from, message] = is_delivery ? walker.letters[event.argument] : std::pair<NodeId, Message>{};
    return bench.take(event, from, message);
  }

  sim::NodeEvent choose(const Walker& walker, Bench& bench) {
    using Kind = sim::NodeEvent::Kind;
    const std::uint64_t dice = random_() % 100;
    const auto event = [&](Kind kind, std::size_t argument) {
      return sim::NodeEvent{kind, pace_, static_cast<std::uint32_t>(argument)};
    };
    const sim::NodeFacts facts = bench.facts();
    if (dice < 4) return event(Kind::stand, 0);
    if (dice < 8 && crashes_) return event(Kind::crash, pick(facts.unflushed + 1));
    if (dice < 20) return event(Kind::command, pick(commands_));
    if ((dice < 40 && facts.wants_flush) || walker.letters.empty()) return event(Kind::flush, 0);
    // One of the newest, or of those of long ago.
    const std::size_t among = dice % 4 == 0 ? walker.letters.size() : std::min<std::size_t>(walker.letters.size(), 6);
    return event(Kind::deliver, walker.letters.size() - 1 - pick(among));
  }

  Random random_;
  std::size_t commands_;
  bool crashes_;
  sim::Pace pace_;
  sim::Lexicon<Numbers> lexicon_;
  std::vector<std::unique_ptr<Walker>> walkers_;
};

Bench::Options options_of(bool with_hints) {
  Bench::Options options;
  options.frame.last_slot = Slot{1000};
  options.frame.with_hints = with_hints;
  for (std::size_t kind = 0; kind < std::size(message_names); ++kind)
    if (with_hints || kind <= 5) options.frame.kinds |= 1U << kind;
  for (std::uint64_t i = 1; i <= 8; ++i)
    options.commands.push_back(Command{RequestId{SessionId{1, i}, 1}, 0, Slot{}, encoded(i)});
  return options;
}

void walk(bool with_hints, bool crashes) {
  std::size_t news = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    INFO("seed " << seed);
    Walk way{seed, options_of(with_hints), crashes};
    for (int step = 0; step < 150; ++step) news += way.step() ? 1 : 0;
  }
  CHECK(news > 15'000);
}

}  // namespace

TEST_CASE("Explore: a replica put together from its image goes on as the original", "[explore]") { walk(true, false); }
TEST_CASE("Explore: so does one that crashes, on a slow disk", "[explore]") { walk(true, true); }
TEST_CASE("Explore: what is left out as a hint makes no difference to the rest", "[explore]") { walk(false, true); }
