// Copyright (c) the paxos authors. MIT licence.
#include <paxos/cereal.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <cereal/access.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/base_class.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <tests/core/hex.hpp>

namespace cereal_test {

using paxos::Buffer;
using paxos::test::hex_of;

struct Point {
  std::uint8_t x = 0;
  std::uint8_t y = 0;

  friend bool operator==(const Point&, const Point&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, y);
  }
};

/// Its fields are others' types, so that one encoding goes back and forth between this library's archive and cereal's.
struct Line {
  std::optional<Point> begin;
  std::map<std::uint8_t, std::vector<Point>> rest;

  friend bool operator==(const Line&, const Line&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(begin, cereal::make_nvp("rest", rest));
  }
};

/// Serialised from outside.
struct Outside {
  std::uint8_t value = 0;
  friend bool operator==(const Outside&, const Outside&) = default;
};
template <class Archive>
void serialize(Archive& archive, Outside& outside) {
  archive(outside.value);
}

class Hidden {
 public:
  Hidden() = default;
  explicit Hidden(std::uint8_t value) : value_(value) {}
  friend bool operator==(const Hidden&, const Hidden&) = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }
  std::uint8_t value_ = 0;
};

struct Derived : Point {
  std::uint8_t z = 0;

  friend bool operator==(const Derived&, const Derived&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Point>(this), z);
  }
};

struct Empty {
  friend bool operator==(const Empty&, const Empty&) = default;
};

struct Versioned {
  std::uint8_t value = 0;

  friend bool operator==(const Versioned&, const Versioned&) = default;
  template <class Archive>
  void serialize(Archive& archive, std::uint32_t version) {
    if (version == 7) archive(value);
  }
};

template <class T>
void check_round_trip(const T& value) {
  Buffer out;
  paxos::encode(out, value);
  T back{};
  REQUIRE(paxos::decode(out, back));
  CHECK(back == value);
}

}  // namespace cereal_test

CEREAL_CLASS_VERSION(cereal_test::Versioned, 7)

namespace cereal_test {

// Snapshots and commands of every user hold these bytes.
TEST_CASE("Cereal: the bytes of others' types are these", "[cereal][golden]") {
  CHECK(hex_of(std::vector<bool>{true, false}) == "02 00 00 00 01 00");
  CHECK(hex_of(std::pair<std::uint8_t, bool>{1, true}) == "01 01");
  CHECK(hex_of(std::tuple{std::uint8_t{1}, std::string{"t"}}) == "01 01 00 00 00 74");
  CHECK(hex_of(std::array<std::uint16_t, 2>{1, 2}) == "01 00 02 00");
  CHECK(hex_of(std::set<std::uint8_t>{3, 1}) == "02 00 00 00 01 03");
  CHECK(hex_of(std::optional<Point>{}) == "01");
  CHECK(hex_of(std::optional<Point>{Point{3, 4}}) == "00 03 04");
  CHECK(hex_of(std::variant<Point, std::string>{"v"}) == "01 00 00 00 01 00 00 00 76");
  CHECK(hex_of(std::map<std::string, std::vector<Point>>{{"a", {{1, 2}}}}) ==
        "01 00 00 00 01 00 00 00 61 01 00 00 00 01 02");
  CHECK(hex_of(Line{Point{1, 2}, {{9, {{3, 4}}}}}) == "00 01 02 01 00 00 00 09 01 00 00 00 03 04");
  CHECK(hex_of(Outside{5}) == "05");
  CHECK(hex_of(Hidden{6}) == "06");
  CHECK(hex_of(Derived{{1, 2}, 3}) == "01 02 03");
  CHECK(hex_of(Empty{}).empty());
}

TEST_CASE("Cereal: others' types come back", "[cereal]") {
  check_round_trip(std::vector<bool>{true, false, true});
  check_round_trip(std::tuple{Point{1, 2}, std::string{"t"}, 'c'});
  check_round_trip(std::array<std::uint16_t, 3>{1, 2, 3});
  check_round_trip(std::set<std::string>{"a", "b"});
  check_round_trip(std::variant<Point, std::string>{"v"});
  check_round_trip(std::vector<Line>{{Point{1, 2}, {{9, {{3, 4}}}}}, {}});
  check_round_trip(Outside{5});
  check_round_trip(Hidden{6});
  check_round_trip(Derived{{1, 2}, 3});
  check_round_trip(Empty{});
}

// Cereal writes the version of a class, and what several pointers share, once for an archive: however often one value
// is handed from our archive to cereal's, that is one archive.
TEST_CASE("Cereal: one encoding has one memory", "[cereal]") {
  CHECK(hex_of(std::vector<Versioned>{{1}, {2}}) == "02 00 00 00 07 00 00 00 01 02");
  check_round_trip(std::vector<Versioned>{{1}, {2}, {3}});

  const auto shared = std::make_shared<std::uint8_t>(std::uint8_t{4});
  CHECK(hex_of(std::vector<std::shared_ptr<std::uint8_t>>{shared, shared}) == "02 00 00 00 01 00 00 80 04 01 00 00 00");
  Buffer out;
  paxos::encode(out, std::vector<std::shared_ptr<std::uint8_t>>{shared, shared});
  std::vector<std::shared_ptr<std::uint8_t>> back;
  REQUIRE(paxos::decode(out, back));
  REQUIRE(back.size() == 2);
  CHECK(back[0] == back[1]);
  CHECK(*back[0] == 4);
}

// Hazards 45, as in archive_test: cereal's containers take no count on trust either.
TEST_CASE("Cereal: cut short is not a T", "[cereal]") {
  Buffer out;
  paxos::encode(out, Line{Point{1, 2}, {{9, {{3, 4}}}, {10, {}}}});
  Line line;
  for (std::size_t size = 0; size < out.size(); ++size) CHECK_FALSE(paxos::decode(std::span{out}.first(size), line));
  CHECK(paxos::decode(out, line));
  const Buffer claims_4_gib(5, std::byte{0xff});
  std::map<std::uint8_t, std::vector<Point>> points;
  CHECK_FALSE(paxos::decode(claims_4_gib, points));
}

// As cereal throws for an index that the variant does not have.
TEST_CASE("Cereal: what cereal throws is an answer: no T", "[cereal]") {
  std::variant<Point, std::string> value;
  CHECK_FALSE(paxos::decode(Buffer(8, std::byte{9}), value));
}

}  // namespace cereal_test
