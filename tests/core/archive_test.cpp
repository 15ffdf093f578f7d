// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/archive.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <tests/core/hex.hpp>

namespace {

using paxos::Buffer;
using paxos::Bytes;
using paxos::Decoder;
using paxos::test::hex_of;

struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;

  friend bool operator==(const Point&, const Point&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, y);
  }
};

enum class Colour : std::uint16_t { red = 1, green = 2 };

/// Two functions, where one for both ways will not do.
struct Label {
  std::string text;

  friend bool operator==(const Label&, const Label&) = default;
  template <class Archive>
  void save(Archive& archive) const {
    archive(static_cast<std::uint8_t>(text.size()));
    archive.raw(text.data(), text.size());
  }
  template <class Archive>
  void load(Archive& archive) {
    std::uint8_t size = 0;
    archive(size);
    text.resize(size);
    archive.raw(text.data(), size);
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

// The format: any change here breaks every disk and every peer, and needs a new format number.
TEST_CASE("Archive: the bytes of each kind of field are these", "[archive][golden]") {
  CHECK(hex_of(std::uint8_t{0xab}) == "ab");
  CHECK(hex_of(std::uint16_t{0x0102}) == "02 01");
  CHECK(hex_of(std::uint32_t{0x01020304}) == "04 03 02 01");
  CHECK(hex_of(std::uint64_t{0x0102030405060708}) == "08 07 06 05 04 03 02 01");
  CHECK(hex_of(std::int32_t{-2}) == "fe ff ff ff");
  CHECK(hex_of(1.0) == "00 00 00 00 00 00 f0 3f");
  CHECK(hex_of(true) == "01");
  CHECK(hex_of(std::string{"hi"}) == "02 00 00 00 68 69");
  CHECK(hex_of(Bytes{"hi"}) == "02 00 00 00 68 69");
  CHECK(hex_of(Bytes{}) == "00 00 00 00");
  CHECK(hex_of(std::vector<std::uint16_t>{1, 2}) == "02 00 00 00 01 00 02 00");
  CHECK(hex_of(std::vector<std::byte>{std::byte{7}}) == "01 00 00 00 07");
  CHECK(hex_of(std::vector<Point>{{1, -1}}) == "01 00 00 00 01 00 00 00 ff ff ff ff");
  CHECK(hex_of(std::vector<std::vector<std::uint8_t>>{{1}, {}}) == "02 00 00 00 01 00 00 00 01 00 00 00 00");
  CHECK(hex_of(Colour::green) == "02 00");
  CHECK(hex_of(Label{"hi"}) == "02 68 69");
}

TEST_CASE("Archive: what it knows without cereal comes back", "[archive]") {
  check_round_trip(std::numeric_limits<std::uint64_t>::max());
  check_round_trip(std::numeric_limits<std::int64_t>::min());
  check_round_trip(-0.25);
  check_round_trip(Colour::red);
  check_round_trip(std::string(100000, 'x'));
  check_round_trip(std::vector<std::string>{"", "a", std::string(300, 'b')});
  check_round_trip(std::vector<std::uint32_t>{1, 2, 0xffffffff});
  check_round_trip(std::vector<std::byte>{std::byte{1}, std::byte{255}});
  check_round_trip(std::vector<std::vector<Point>>{{{1, 2}, {3, 4}}, {}});
  check_round_trip(std::vector<Label>{{"one"}, {""}});
  check_round_trip(Bytes{"payload"});
}

// Hazards 45: cut frames. Every proper prefix of a good message is refused, and one byte more is refused as well.
TEST_CASE("Decoder: cut short or too long is not a T", "[archive]") {
  Buffer out;
  paxos::encode(out, std::vector<std::string>{"alpha", "beta", "gamma"});
  std::vector<std::string> value;
  for (std::size_t size = 0; size < out.size(); ++size) CHECK_FALSE(paxos::decode(std::span{out}.first(size), value));
  CHECK(paxos::decode(out, value));
  out.push_back(std::byte{0});
  CHECK_FALSE(paxos::decode(out, value));
}

// Hazards 45: "hostile length, huge count → memory gone". The count is compared with the bytes that are left first.
TEST_CASE("Decoder: a count beyond the bytes left allocates nothing", "[archive]") {
  const Buffer claims_4_gib(4, std::byte{0xff});
  std::vector<std::uint64_t> numbers;
  CHECK_FALSE(paxos::decode(claims_4_gib, numbers));
  CHECK(numbers.capacity() == 0);
  std::vector<std::string> texts;
  CHECK_FALSE(paxos::decode(claims_4_gib, texts));
  CHECK(texts.capacity() == 0);
  std::string text;
  CHECK_FALSE(paxos::decode(claims_4_gib, text));
  CHECK(text.capacity() < 64);
  Bytes bytes;
  CHECK_FALSE(paxos::decode(claims_4_gib, bytes));
  CHECK(bytes.empty());
}

TEST_CASE("Decoder: a plausible count of elements that are not there stops at the last byte", "[archive]") {
  Buffer out;
  paxos::encode(out, std::uint32_t{1000});
  out.resize(out.size() + 1000);  // a thousand bytes, but not a thousand Points
  std::vector<Point> points;
  CHECK_FALSE(paxos::decode(out, points));
  CHECK(points.capacity() < 1000);
  std::vector<std::uint64_t> numbers;
  CHECK_FALSE(paxos::decode(out, numbers));
  CHECK(numbers.capacity() == 0);
}

TEST_CASE("Decoder: the first error sticks, and all that follows reads as zero", "[archive]") {
  Buffer out;
  paxos::encode(out, std::uint16_t{7});
  Decoder decoder{out};
  std::uint64_t too_large = 1;
  std::uint16_t would_fit = 1;
  decoder(too_large, would_fit);
  CHECK_FALSE(decoder.ok());
  CHECK(too_large == 0);
  CHECK(would_fit == 0);
  CHECK(decoder.length() == 0);
  CHECK(decoder.take(1).empty());
  CHECK_FALSE(decoder.finished());
}

TEST_CASE("Decoder: a bool is 0 or 1; other bytes would be undefined behaviour", "[archive]") {
  bool value = false;
  CHECK(paxos::decode(Buffer{std::byte{1}}, value));
  CHECK(value);
  CHECK_FALSE(paxos::decode(Buffer{std::byte{2}}, value));
}

TEST_CASE("Decoder: nothing decodes as nothing only", "[archive]") {
  const Decoder empty{{}};
  CHECK(empty.finished());
  std::uint8_t byte = 9;
  CHECK_FALSE(paxos::decode({}, byte));
  CHECK(byte == 0);
}

struct Tick {};
TEST_CASE("Archive: a class without members takes no bytes", "[archive]") {
  paxos::Buffer out;
  paxos::encode(out, Tick{});
  CHECK(out.empty());
  Tick tick;
  CHECK(paxos::decode(out, tick));
}

}  // namespace
