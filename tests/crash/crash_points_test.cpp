// Copyright (c) the paxos authors. MIT licence.
//
// A node dies before and after every operation of its disk and every message that it sends, its very first start and
// each recovery included. It comes back, the scenario goes on to its end, and nothing that was promised is missing.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>

#include "crash/depth.hpp"
#include "crash/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

struct Scenario {
  std::string name;
  std::size_t nodes;
  bool with_births;  ///< points in the very first start of each node count too
  std::function<void(World&)> play;
};

const NodeId n1{1}, n2{2};

NodeId follower_of(NodeId leader) { return leader == n1 ? n2 : n1; }

std::vector<Scenario> scenarios() {
  return {
      {"a node alone", 1, true,
       [](World& world) {
         world.write(3);
         world.write(2, 700);
         world.take_away(n1);
         world.bring_back(n1);
         world.write(3, 100);
         world.kill_for_a_while(n1);
         world.bring_back(n1);
         world.write(1);
       }},
      {"three elect a leader and write", 3, true,
       [](World& world) {
         world.elect();
         world.write(4);
         world.write(3, 700);
         world.write(1);
       }},
      {"the leader dies and comes back", 3, false,
       [](World& world) {
         const NodeId leader = world.elect();
         world.write(4);
         world.take_away(leader);
         world.write(3, 300);
         world.bring_back(leader);
         world.write(2);
       }},
      {"all lose their power at once", 3, false,
       [](World& world) {
         world.elect();
         world.write(3, 300);
         for (const NodeId id : world.cluster.ids()) world.take_away(id);
         for (const NodeId id : world.cluster.ids()) world.bring_back(id);
         world.write(3);
       }},
      {"a node was away, for several segments", 3, false,
       [](World& world) {
         const NodeId away = follower_of(world.elect());
         world.write(2);
         world.take_away(away);
         for (int i = 0; i < 5; ++i) world.write(8, 1500);
         world.bring_back(away);
         world.require([&] { return world.all_agree(); }, "the node never caught up");
         world.write(2);
       }},
      {"the leader and another of five die", 5, false,
       [](World& world) {
         const NodeId leader = world.elect();
         world.write(3);
         const NodeId other = follower_of(leader);
         world.take_away(leader);
         world.kill_for_a_while(other);
         world.write(2);
         world.bring_back(other);
         world.bring_back(leader);
         world.write(2);
       }},
      {"reads, and retries that come late", 3, false,
       [](World& world) {
         world.elect();
         world.write(3);
         world.read_everywhere();
         world.repeat_last_commands();
         world.write(3);
         world.repeat_last_commands();
         world.read_everywhere();
       }},
      {"a deposed leader hears of it", 3, false,
       [](World& world) {
         const NodeId old_leader = world.elect();
         world.write(2);
         world.cluster.isolate(old_leader);
         world.shunned = {old_leader};
         if (world.cluster.is_up(old_leader))
           world.cluster.submit(old_leader, Book::Command{1000, {}}, [](const Answer&) {});
         world.write(3);
         world.cluster.links().mend_all();
         world.shunned.clear();
         world.write(2);
       }},
  };
}

/// Where a node dies. Operations and messages are counted from 1, in all lives of the node; operation 0 is before the
/// first.
struct Point {
  enum class Kind { operation, before_send, after_send, operation_after_death };
  Kind kind;
  NodeId node;
  std::uint64_t at;
};

std::string text_of(const Point& point) {
  const char* kinds[] = {"after operation", "before message", "after message", "after its death, after operation"};
  return "node " + to_string(point.node) + " dies " + kinds[static_cast<int>(point.kind)] + " " +
         std::to_string(point.at);
}

struct Extent {
  std::map<NodeId, std::uint64_t> first_operation, operations, messages;
};

std::uint64_t keeps_nothing(std::uint64_t) { return 0; }
/// See sim::Disk::crash: of two, the changed one; of more, the newest that is whole.
std::uint64_t keeps_all(std::uint64_t bound) { return bound - (bound == 2 ? 1 : 2); }

/// What all runs of a scenario share, so that they are the same up to the first death.
struct Setting {
  const Scenario& scenario;
  std::uint64_t seed;
  sim::Choose fate;  ///< what power cuts spare
};

std::vector<Setting> settings_of(const Scenario& scenario) {
  std::vector<Setting> settings;
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    for (const sim::Choose& fate : {sim::Choose{}, sim::Choose{keeps_nothing}, sim::Choose{keeps_all}})
      settings.push_back({scenario, seed, fate});
  return settings;
}

/// One run of a scenario, through points at which a node dies.
class Run {
 public:
  Run(const Setting& setting, std::vector<Point> points)
      : scenario_(setting.scenario), points_(std::move(points)), world_(scenario_.nodes, setting.seed) {
    if (scenario_.with_births) world_.unmake();
    for (const NodeId id : world_.cluster.ids()) extent_.messages[id] = 0;
    for (const NodeId id : world_.cluster.ids())
      extent_.first_operation[id] = extent_.operations[id] = world_.cluster.disk(id).operations();
    world_.cluster.fate = setting.fate;
    for (const Point& point : points_)
      if (point.kind == Point::Kind::operation) world_.cluster.die_after_operation(point.node, point.at);
    world_.cluster.on_send = [this](NodeId from, NodeId, const Message&) { on_send(from); };
    world_.on_death = [this](NodeId id) { on_death(id); };
  }

  void run() {
    for (const NodeId id : world_.cluster.ids())
      if (!world_.cluster.is_up(id)) world_.cluster.start(id);
    scenario_.play(world_);
    world_.finish();
    for (const NodeId id : world_.cluster.ids()) extent_.operations[id] = world_.cluster.disk(id).operations();
  }

  [[nodiscard]] const Extent& extent() const { return extent_; }
  [[nodiscard]] std::size_t deaths() const { return world_.deaths.size(); }

 private:
  void on_send(NodeId from) {
    const std::uint64_t number = ++extent_.messages[from];
    for (const Point& point : points_)
      if (point.node == from && point.at == number &&
          (point.kind == Point::Kind::before_send || point.kind == Point::Kind::after_send))
        world_.cluster.die_now(from, point.kind == Point::Kind::before_send);
  }
  void on_death(NodeId id) {
    if (world_.deaths.size() > 1) return;
    for (const Point& point : points_)
      if (point.node == id && point.kind == Point::Kind::operation_after_death)
        world_.cluster.die_after_operation(id, world_.cluster.disk(id).operations() + point.at);
  }

  const Scenario& scenario_;
  std::vector<Point> points_;
  World world_;
  Extent extent_;
};

/// Every point of a scenario, in the order of nodes.
std::vector<Point> points_of(const Extent& extent) {
  std::vector<Point> points;
  for (const auto& [id, last] : extent.operations) {
    for (std::uint64_t at = extent.first_operation.at(id); at <= last; ++at)
      points.push_back({Point::Kind::operation, id, at});
    for (std::uint64_t at = 1; at <= extent.messages.at(id); ++at) {
      points.push_back({Point::Kind::before_send, id, at});
      points.push_back({Point::Kind::after_send, id, at});
    }
  }
  return points;
}

/// Throws nothing: the text of what broke, empty when nothing did.
std::string failure_of(const Setting& setting, const std::vector<Point>& points, std::size_t& deaths) {
  Run run{setting, points};
  try {
    run.run();
    deaths = run.deaths();
    return {};
  } catch (const std::exception& error) {
    std::string text = setting.scenario.name + ", seed " + std::to_string(setting.seed);
    for (const Point& point : points) text += "; " + text_of(point);
    return text + ": " + error.what();
  }
}

std::vector<Point> points_of(const Setting& setting) {
  Run whole{setting, {}};
  whole.run();
  return points_of(whole.extent());
}

/// The second death is one soon after the first, of the same node, most of them in its recovery; or any of another.
Point second_point(const Point& first, const std::vector<Point>& all, Random& random) {
  if (random.chance(50)) return {Point::Kind::operation_after_death, first.node, 1 + random.below(12)};
  return all[random.below(all.size())];
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("a node may die before and after every operation of its disk and every message", "[crash]") {
  std::size_t operations = 0, messages = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto all = scenarios();
  for (const Scenario& scenario : all) {
    for (const Setting& setting : settings_of(scenario)) {
      for (const Point& point : points_of(setting)) {
        std::size_t deaths = 0;
        const std::string failure = failure_of(setting, {point}, deaths);
        INFO(text_of(point));
        REQUIRE(failure == "");
        REQUIRE(deaths == 1);
        ++(point.kind == Point::Kind::operation ? operations : messages);
      }
    }
    std::printf("crash points: %s: %zu points so far, %.1f s\n", scenario.name.c_str(), operations + messages,
                seconds_since(start));
  }
  std::printf("crash points: %zu scenarios, %zu at an operation of a disk, %zu at a message, %.1f s\n", all.size(),
              operations, messages, seconds_since(start));
  CHECK(operations > 2000);
  CHECK(messages > 5000);
}

TEST_CASE("a node may die again, in its recovery too, and two nodes may die", "[crash]") {
  std::size_t pairs = 0, died_twice = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto all = scenarios();
  for (const Scenario& scenario : all) {
    for (const Setting& setting : settings_of(scenario)) {
      const auto points = points_of(setting);
      Random random{setting.seed * 42};
      for (std::uint64_t i = 0; i < 250 * depth(); ++i) {
        const Point first = points[random.below(points.size())];
        const Point second = second_point(first, points, random);
        std::size_t deaths = 0;
        const std::string failure = failure_of(setting, {first, second}, deaths);
        REQUIRE(failure == "");
        REQUIRE(deaths >= 1);
        ++pairs;
        died_twice += deaths > 1 ? 1 : 0;
      }
    }
  }
  std::printf("crash points: %zu scenarios, %zu pairs, in %zu of them both deaths came, %.1f s\n", all.size(), pairs,
              died_twice, seconds_since(start));
  CHECK(died_twice > pairs / 2);
}
