// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/one_of.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>

namespace {

using paxos::InvariantViolation;
using paxos::OneOf;

/// Counts how many of its kind there are.
struct Counted {
  static inline int alive = 0;
  int value = 0;

  explicit Counted(int number) : value(number) { ++alive; }
  Counted() noexcept { ++alive; }
  Counted(const Counted& other) : value(other.value) { ++alive; }
  Counted(Counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
  friend bool operator==(const Counted&, const Counted&) = default;
};

using Mixed = OneOf<int, std::string, std::vector<int>, Counted>;

static_assert(Mixed::alternatives == 4);
static_assert(Mixed::admits<std::string> && !Mixed::admits<double> && !Mixed::admits<const char*>);
// A double is no int, and a literal no string: nothing is converted.
static_assert(!std::constructible_from<Mixed, double> && !std::constructible_from<Mixed, const char*>);
static_assert(std::is_nothrow_move_constructible_v<Mixed> && std::is_nothrow_move_assignable_v<Mixed>);
static_assert(std::copyable<Mixed> && !std::is_copy_constructible_v<OneOf<std::unique_ptr<int>, int>>);
static_assert(sizeof(OneOf<std::uint8_t, std::uint16_t>) == 4);

TEST_CASE("OneOf: it begins with a default value of the first type", "[one_of]") {
  const Mixed mixed;
  CHECK(mixed.index() == 0);
  REQUIRE(get_if<int>(&mixed) != nullptr);
  CHECK(*get_if<int>(&mixed) == 0);
}

TEST_CASE("OneOf: it is asked for what it is, and for what it is not", "[one_of]") {
  Mixed mixed{std::string{"text"}};
  CHECK(mixed.index() == 1);
  CHECK(holds_alternative<std::string>(mixed));
  CHECK_FALSE(holds_alternative<int>(mixed));
  CHECK(get_if<int>(&mixed) == nullptr);
  CHECK(get<std::string>(mixed) == "text");
  CHECK_THROWS_AS(get<int>(mixed), InvariantViolation);
  *get_if<std::string>(&mixed) += "!";
  CHECK(get<std::string>(std::as_const(mixed)) == "text!");
}

TEST_CASE("OneOf: a visitor meets the value as what it is, and may change it", "[one_of]") {
  Mixed mixed{std::vector<int>{1, 2}};
  std::string met;
  mixed.visit([&]<class T>(T& value) {
    if constexpr (std::same_as<T, std::vector<int>>) value.push_back(3);
    met += std::same_as<T, std::vector<int>> ? "vector" : "another";
  });
  CHECK(met == "vector");
  const auto size = [](const auto& value) -> std::size_t {
    if constexpr (requires { value.size(); }) return value.size();
    return 0;
  };
  CHECK(std::as_const(mixed).visit(size) == 3);
  CHECK(Mixed{7}.visit(size) == 0);
}

TEST_CASE("OneOf: reset gives a default value of the type in that place, or changes nothing", "[one_of]") {
  Mixed mixed{std::string{"text"}};
  CHECK_FALSE(mixed.reset(4));
  CHECK_FALSE(mixed.reset(~std::size_t{0}));
  CHECK(get<std::string>(mixed) == "text");
  CHECK(mixed.reset(2));
  CHECK(get<std::vector<int>>(mixed).empty());
}

TEST_CASE("OneOf: equal are values of one type that are equal", "[one_of]") {
  CHECK(Mixed{1} == Mixed{1});
  CHECK_FALSE(Mixed{1} == Mixed{2});
  CHECK_FALSE(Mixed{0} == Mixed{std::string{}});
  CHECK_FALSE(OneOf<std::uint8_t, std::uint16_t>{std::uint8_t{1}} ==
              OneOf<std::uint8_t, std::uint16_t>{std::uint16_t{1}});
}

TEST_CASE("OneOf: it owns what cannot be copied, and is then not to be copied itself", "[one_of]") {
  OneOf<std::unique_ptr<int>, int> owner{std::make_unique<int>(5)};
  OneOf<std::unique_ptr<int>, int> next{std::move(owner)};
  CHECK(*get<std::unique_ptr<int>>(next) == 5);
  CHECK(get<std::unique_ptr<int>>(owner) == nullptr);
}

TEST_CASE("OneOf: assigning itself changes nothing", "[one_of]") {
  Mixed mixed{std::string{"a text too long to be kept inside the string itself"}};
  Mixed& same = mixed;
  mixed = same;
  mixed = std::move(same);
  CHECK(get<std::string>(mixed).size() == 51);
}

// std::variant is the slow and obviously right twin.
TEST_CASE("OneOf: 20,000 random steps agree with std::variant, and nothing is left behind", "[one_of]") {
  using Twin = std::variant<int, std::string, std::vector<int>, Counted>;
  const int before = Counted::alive;
  {
    paxos::Random random{1};
    std::vector<Mixed> ours(4);
    std::vector<Twin> twins(4);
    bool agree = true;
    for (int step = 0; step < 20'000 && agree; ++step) {
      const auto to = random.below(4);
      const auto from = random.below(4);
      const std::size_t length = random.below(100);
      const int number = static_cast<int>(length);
      switch (random.below(7)) {
        case 0: ours[to] = number, twins[to].emplace<int>(number); break;
        case 1: ours[to] = std::string(length, 'x'), twins[to].emplace<std::string>(length, 'x'); break;
        case 2: ours[to] = std::vector<int>{number}, twins[to].emplace<std::vector<int>>(1, number); break;
        case 3: ours[to] = Counted{number}, twins[to].emplace<Counted>(number); break;
        case 4:
          ours[to] = ours[from];
          if (to != from) twins[to].~Twin(), new (&twins[to]) Twin(twins[from]);
          break;
        case 5:
          if (to == from) break;
          ours[to] = std::move(ours[from]);
          twins[to].~Twin(), new (&twins[to]) Twin(std::move(twins[from]));
          break;
        default: {
          const Mixed copy{ours[from]};
          agree = agree && copy == ours[from];
        }
      }
      for (std::size_t i = 0; i < 4; ++i) {
        agree = agree && ours[i].index() == twins[i].index() && ours[i].visit([&]<class T>(const T& value) {
          return std::holds_alternative<T>(twins[i]) && std::get<T>(twins[i]) == value;
        });
      }
    }
    CHECK(agree);
    CHECK(Counted::alive > before);
  }
  CHECK(Counted::alive == before);
}

}  // namespace
