// Copyright (c) the paxos authors. MIT licence.
#include <algorithm>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <paxos/sim/linearizability.hpp>

namespace sim = paxos::sim;
using paxos::Time;
using sim::Judgement;

namespace {

/// Registers that also add, test and set: enough to tell a lost update from a repeated one.
struct Registers {
  enum class Verb : std::uint8_t { read, write, add, swap_if };
  struct Input {
    int key = 0;
    Verb verb = Verb::read;
    int value = 0;
    int expected = 0;
    friend bool operator==(const Input&, const Input&) = default;
  };
  using Output = int;  ///< read: the value; add: the sum; swap_if: whether it did; write: 0
  using State = int;

  int key(const Input& input) const { return input.key; }
  std::size_t hash(State state) const { return std::hash<int>{}(state); }
  bool step(State& state, const Input& input, const Output* output) const {
    const int result = apply(state, input);
    return output == nullptr || *output == result;
  }
  bool is_read(const Input& input, const Output* output) const {
    return input.verb == Verb::read || (input.verb == Verb::swap_if && output != nullptr && *output == 0);
  }
  static int apply(State& state, const Input& input) {
    switch (input.verb) {
      case Verb::read: return state;
      case Verb::write: state = input.value; return 0;
      case Verb::add: return state += input.value;
      case Verb::swap_if: break;
    }
    if (state != input.expected) return 0;
    state = input.value;
    return 1;
  }
};
using Verb = Registers::Verb;
using Op = sim::Operation<Registers::Input, int>;
using History = std::vector<Op>;

struct WithoutHash {
  using State = int;
  using Input = int;
  using Output = int;
  int key(int) const { return 0; }
  bool is_read(int, const int*) const { return false; }
  bool step(int&, int, const int*) const { return true; }
};
static_assert(sim::SequentialModel<Registers>);
static_assert(!sim::SequentialModel<WithoutHash>);

Time at(std::int64_t tick) { return Time{} + std::chrono::nanoseconds{tick}; }
Op op(std::int64_t from, std::int64_t to, Verb verb, int value, std::optional<int> output, int key = 0) {
  return Op{{key, verb, value, 0}, output, at(from), at(to)};
}
Op unknown(std::int64_t from, Verb verb, int value, int key = 0) {
  return Op{{key, verb, value, 0}, std::nullopt, at(from), Time::max()};
}
Judgement judge(const History& history) { return sim::check(Registers{}, std::span<const Op>{history}).judgement; }

/// The obviously right one: every order of every set of operations that holds all the answered ones.
bool has_order(const History& history) {
  std::vector<std::size_t> order;
  std::vector<bool> placed(history.size());
  const std::function<bool(int)> place = [&](int state) {
    bool is_complete = true;
    for (std::size_t i = 0; i < history.size(); ++i) is_complete = is_complete && (placed[i] || !history[i].output);
    if (is_complete) return true;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (placed[i]) continue;
      // Nothing that stands before it may have begun after its end.
      if (std::ranges::any_of(order, [&](std::size_t j) { return history[j].invoked > history[i].returned; })) continue;
      int after = state;
      if (!Registers{}.step(after, history[i].input, history[i].output ? &*history[i].output : nullptr)) continue;
      placed[i] = true;
      order.push_back(i);
      if (place(after)) return true;
      order.pop_back();
      placed[i] = false;
    }
    return false;
  };
  return place(0);
}

struct Shape {
  std::size_t operations = 7;
  int clients = 3;
  int keys = 1;
  double lost = 0.2;      ///< part of the operations whose answer nobody hears
  double expiring = 0.5;  ///< part of those which cannot take effect later than at a known time
};

/// Clients that run against one register each takes effect at one moment between its two times: linearizable.
History honest(std::mt19937_64& random, const Shape& shape) {
  const auto draw = [&](int bound) { return static_cast<int>(random() % static_cast<std::uint64_t>(bound)); };
  const auto chance = [&](double part) { return std::uniform_real_distribution<>{}(random) < part; };
  struct Moment {
    std::int64_t tick;
    std::size_t which;
    auto operator<=>(const Moment&) const = default;
  };
  History history;
  std::vector<Moment> moments;
  std::vector<std::int64_t> free_at(static_cast<std::size_t>(shape.clients), 1);
  for (std::size_t i = 0; i < shape.operations; ++i) {
    std::int64_t& clock = *std::ranges::min_element(free_at);
    const std::int64_t from = clock + draw(6);
    const std::int64_t effect = from + draw(20);
    const std::int64_t to = effect + draw(20);
    const Verb verb = static_cast<Verb>(draw(4));
    history.push_back(Op{{draw(shape.keys), verb, 1 + draw(3), draw(3)}, 0, at(from), at(to)});
    moments.push_back({effect, i});
    clock = to + 1;
  }
  std::ranges::sort(moments);
  std::vector<int> registers(static_cast<std::size_t>(shape.keys));
  for (const Moment& moment : moments) {
    Op& each = history[moment.which];
    const bool is_lost = chance(shape.lost);
    if (!is_lost || chance(0.5)) {
      each.output = Registers::apply(registers[static_cast<std::size_t>(each.input.key)], each.input);
    }
    if (!is_lost) continue;
    each.output.reset();
    if (!chance(shape.expiring)) each.returned = Time::max();
  }
  return history;
}

}  // namespace

TEST_CASE("Linearizable: what one register can have done", "[linearizability]") {
  CHECK(judge({}) == Judgement::linearizable);
  CHECK(judge({op(1, 2, Verb::write, 5, 0), op(3, 4, Verb::read, 0, 5)}) == Judgement::linearizable);
  // Beside a write, a read may see the old or the new; one after the other, both in turn.
  CHECK(judge({op(1, 9, Verb::write, 5, 0), op(2, 3, Verb::read, 0, 0), op(4, 5, Verb::read, 0, 5)}) ==
        Judgement::linearizable);
  // Two times that are equal do not say who was first.
  CHECK(judge({op(1, 3, Verb::write, 5, 0), op(3, 4, Verb::read, 0, 0)}) == Judgement::linearizable);
  // An unanswered write may take effect long after, or never.
  CHECK(judge({unknown(1, Verb::write, 5), op(2, 3, Verb::read, 0, 0), op(4, 5, Verb::read, 0, 5)}) ==
        Judgement::linearizable);
  CHECK(judge({unknown(1, Verb::write, 5), op(2, 3, Verb::read, 0, 0)}) == Judgement::linearizable);
  CHECK(judge({unknown(1, Verb::add, 1), unknown(1, Verb::add, 1), op(2, 3, Verb::read, 0, 2)}) ==
        Judgement::linearizable);
}

TEST_CASE("A write that changes nothing now may be needed later", "[linearizability]") {
  CHECK(judge({op(1, 2, Verb::write, 1, 0), op(1, 9, Verb::add, 1, 2), op(3, 20, Verb::write, 1, 0),
               op(15, 25, Verb::add, 1, 2)}) == Judgement::linearizable);
}

TEST_CASE("Planted: a stale read", "[linearizability][planted]") {
  CHECK(judge({op(1, 2, Verb::write, 5, 0), op(3, 4, Verb::read, 0, 0)}) == Judgement::violated);
  // Stale only against another read.
  CHECK(judge({op(1, 9, Verb::write, 5, 0), op(2, 3, Verb::read, 0, 5), op(4, 5, Verb::read, 0, 0)}) ==
        Judgement::violated);
  CHECK(judge({unknown(1, Verb::write, 5), op(2, 3, Verb::read, 0, 5), op(4, 5, Verb::read, 0, 0)}) ==
        Judgement::violated);
}

TEST_CASE("Planted: a lost update", "[linearizability][planted]") {
  CHECK(judge({op(1, 5, Verb::add, 1, 1), op(2, 6, Verb::add, 1, 1)}) == Judgement::violated);
  CHECK(judge({op(1, 5, Verb::add, 1, 1), op(2, 6, Verb::add, 1, 2), op(7, 8, Verb::read, 0, 1)}) ==
        Judgement::violated);
}

TEST_CASE("Planted: a command that ran twice", "[linearizability][planted]") {
  CHECK(judge({op(1, 2, Verb::add, 1, 2)}) == Judgement::violated);
  CHECK(judge({unknown(1, Verb::add, 1), op(2, 3, Verb::read, 0, 1), op(4, 5, Verb::read, 0, 2)}) ==
        Judgement::violated);
  // Once at first and once again, after somebody else's write.
  CHECK(judge({op(1, 2, Verb::write, 5, 0), op(3, 4, Verb::write, 6, 0), op(5, 6, Verb::read, 0, 6),
               op(7, 8, Verb::read, 0, 5)}) == Judgement::violated);
}

TEST_CASE("Planted: two clients who see two orders", "[linearizability][planted]") {
  CHECK(judge({op(1, 20, Verb::write, 5, 0), op(1, 20, Verb::write, 6, 0), op(2, 3, Verb::read, 0, 5),
               op(4, 5, Verb::read, 0, 6), op(6, 7, Verb::read, 0, 5)}) == Judgement::violated);
}

TEST_CASE("Planted: a value from nowhere", "[linearizability][planted]") {
  CHECK(judge({op(1, 2, Verb::write, 5, 0), op(3, 4, Verb::read, 0, 7)}) == Judgement::violated);
  CHECK(judge({op(1, 2, Verb::read, 0, 5), op(3, 4, Verb::write, 5, 0)}) == Judgement::violated);
}

TEST_CASE("Planted: what was not applied shows up, or shows up too late", "[linearizability][planted]") {
  // "Not applied" is left out of the history, so that nobody may see its value.
  CHECK(judge({op(1, 2, Verb::write, 5, 0), op(5, 6, Verb::read, 0, 9)}) == Judgement::violated);
  Op late = unknown(1, Verb::write, 9);
  late.returned = at(4);
  CHECK(judge({late, op(5, 6, Verb::read, 0, 9)}) == Judgement::linearizable);
  CHECK(judge({late, op(5, 6, Verb::read, 0, 0), op(7, 8, Verb::read, 0, 9)}) == Judgement::violated);
}

TEST_CASE("Keys are judged one by one, and the one that failed is named", "[linearizability]") {
  History history;
  for (int key = 0; key < 5; ++key) {
    history.push_back(op(1, 2, Verb::write, key, 0, key));
    history.push_back(op(3, 4, Verb::read, 0, key == 3 ? 7 : key, key));
  }
  const auto verdict = sim::check(Registers{}, std::span<const Op>{history});
  CHECK(verdict.judgement == Judgement::violated);
  REQUIRE(verdict.key);
  CHECK(*verdict.key == 3);
  CHECK(verdict.placed == 1);
  REQUIRE(verdict.state);
  CHECK(*verdict.state == 3);
  CHECK(verdict.stuck == std::vector<std::size_t>{7});
}

TEST_CASE("A search that would need too much memory says so", "[linearizability]") {
  History history;
  for (int i = 0; i < 24; ++i) history.push_back(op(1, 100, Verb::add, 1 << i, 0));
  for (Op& each : history) each.output.reset();
  history.push_back(op(101, 102, Verb::read, 0, -1));
  const auto verdict = sim::check(Registers{}, std::span<const Op>{history}, {.states_max = 10'000});
  CHECK(verdict.judgement == Judgement::undecided);
  CHECK(verdict.states == 10'000);
}

TEST_CASE("Random histories are judged as by trying every order", "[linearizability][twin]") {
  std::mt19937_64 random{20260731};
  std::size_t linearizable = 0;
  std::size_t violated = 0;
  std::size_t unanswered = 0;
  for (int round = 0; round < 60'000; ++round) {
    Shape shape;
    shape.operations = 2 + random() % 6;
    shape.clients = 1 + static_cast<int>(random() % 5);
    shape.lost = static_cast<double>(random() % 4) * 0.2;
    History history = honest(random, shape);
    const bool is_honest = random() % 3 == 0;
    if (!is_honest) {
      Op& changed = history[random() % history.size()];
      if (changed.output) *changed.output = static_cast<int>(random() % 4);
    }
    const bool truth = has_order(history);
    CAPTURE(round);
    if (is_honest) REQUIRE(truth);
    REQUIRE(judge(history) == (truth ? Judgement::linearizable : Judgement::violated));
    ++(truth ? linearizable : violated);
    unanswered += static_cast<std::size_t>(std::ranges::count_if(history, [](const Op& each) { return !each.output; }));
  }
  CHECK(linearizable > 10'000);
  CHECK(violated > 10'000);
  CHECK(unanswered > 10'000);
}

TEST_CASE("Long histories: every state once, and one wrong answer is found", "[linearizability]") {
  std::mt19937_64 random{7};
  History history = honest(random, {.operations = 50'000, .clients = 8, .keys = 1, .lost = 0.001, .expiring = 0.9});
  const auto verdict = sim::check(Registers{}, std::span<const Op>{history});
  CHECK(verdict.judgement == Judgement::linearizable);
  CHECK(verdict.states < 40 * history.size());

  // Those that may yet take effect in the end are what makes the search for an order that is not there long.
  history = honest(random, {.operations = 50'000, .clients = 8, .keys = 1, .lost = 0.001, .expiring = 1});
  Op* wrong = nullptr;
  for (std::size_t i = 40'000; wrong == nullptr; ++i) {
    if (history[i].output && history[i].input.verb == Verb::add) wrong = &history[i];
  }
  *wrong->output += 1000;
  const auto second = sim::check(Registers{}, std::span<const Op>{history});
  CHECK(second.judgement == Judgement::violated);
  CHECK(second.placed > 39'900);
  CHECK(second.placed < 40'100);
}

TEST_CASE("A known order is held against the clock", "[linearizability]") {
  using sim::misplaced;
  using Pair = std::pair<std::size_t, std::size_t>;
  std::vector<sim::PlacedOperation> order{
      {at(1), at(4), 1, 1}, {at(3), at(9), 3, 3}, {at(2), at(3), 5, 5}, {at(8), at(9), 7, 7}};
  CHECK_FALSE(misplaced(order));
  order.push_back({at(5), at(7), 9, 9});
  CHECK(misplaced(order) == Pair{4, 3});
  order.back().returned = at(8);
  CHECK_FALSE(misplaced(order));
  order.push_back({at(1), Time::max(), 11, 11});
  CHECK_FALSE(misplaced(order));
  // A reader between bounds: not before what it must have seen, nor after what it did not.
  order.push_back({at(10), at(11), 0, 9});
  CHECK_FALSE(misplaced(order));
  order.back().last_place = 8;
  CHECK(misplaced(order) == Pair{4, 6});
  order.back() = {at(10), at(11), 10, 12};
  order.push_back({at(12), at(13), 0, 9});
  CHECK(misplaced(order) == Pair{6, 7});
  // It stands as early as it may, so that it puts no other one out of place without need.
  order.back().last_place = 10;
  CHECK_FALSE(misplaced(order));
}

TEST_CASE("A known order is judged as by trying all places", "[linearizability][twin]") {
  std::mt19937_64 random{11};
  std::size_t wrong = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::vector<sim::PlacedOperation> operations(2 + random() % 4);
    for (auto& each : operations) {
      each.invoked = at(static_cast<std::int64_t>(random() % 10));
      each.returned = each.invoked + std::chrono::nanoseconds{random() % 4};
      each.first_place = random() % 4;
      each.last_place = each.first_place + random() % 2;
    }
    const auto has_places = [&] {
      for (std::uint64_t bits = 0; bits < std::uint64_t{1} << operations.size(); ++bits) {
        const auto place = [&](std::size_t i) {
          return (bits >> i & 1) != 0 ? operations[i].last_place : operations[i].first_place;
        };
        bool is_right = true;
        for (std::size_t i = 0; i < operations.size(); ++i)
          for (std::size_t j = 0; j < operations.size(); ++j)
            is_right = is_right && !(operations[i].returned < operations[j].invoked && place(i) > place(j));
        if (is_right) return true;
      }
      return false;
    };
    const bool truth = has_places();
    CAPTURE(round);
    REQUIRE(sim::misplaced(operations).has_value() == !truth);
    wrong += truth ? 0 : 1;
  }
  CHECK(wrong > 5'000);
  CHECK(wrong < 35'000);
}
