// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/life_file.hpp>

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

StoreLife life_in(const std::string& directory) {
  return BasicFileStorage<PosixFileSystem>{config_in(directory), small_segments}.life();
}

/// Why it does not open; empty when it does.
std::string refusal_in(const std::string& directory) {
  try {
    const TestStorage store{config_in(directory), small_segments};
  } catch (const StorageError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("each opening of a directory is a life that descends from those before it", "[life_file]") {
  TempDir dir;
  const StoreLife first = life_in(dir / "data");
  CHECK(first.number == 1);
  CHECK(first.nonces.size() == 1);
  const StoreLife second = life_in(dir / "data");
  CHECK(second.number == 2);
  CHECK(second.incarnation == first.incarnation);
  CHECK(second.descends_from(first.newest()));
  CHECK(second.nonces.front() != first.nonces.front());
  for (std::uint64_t number = 3; number <= StoreLife::told_max + 10; ++number)
    REQUIRE(life_in(dir / "data").number == number);
}

// The bytes were computed by another program, from the description in life_file.hpp and sealed_file.hpp.
TEST_CASE("the format of the file of lives, byte for byte", "[life_file][golden]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data"), small_segments};
  }
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    store.mark_outdated(NodeId{3});
  }
  CHECK(hex(image_of(dir / "data").at("life")) ==
        "5041584f534c494601000000"                  // PAXOSLIF, disk format 1
        "0100000000000000"                          // incarnation
        "0200000000000000"                          // number
        "0200000001000000000000000200000000000000"  // nonces
        "0300000000000000"                          // found outdated by node 3
        "aadfd0e3"                                  // checksum
  );
}

TEST_CASE("a copy of a directory and the directory itself descend from each other no more", "[life_file]") {
  TempDir dir;
  const StoreLife common = life_in(dir / "data");
  std::filesystem::copy(dir / "data", dir / "copy");
  const StoreLife own = life_in(dir / "data"), of_copy = life_in(dir / "copy"), of_copy_again = life_in(dir / "copy");
  CHECK(own.descends_from(common.newest()));
  CHECK(of_copy.descends_from(common.newest()));
  CHECK_FALSE(of_copy.descends_from(own.newest()));
  CHECK_FALSE(own.descends_from(of_copy.newest()));
  CHECK_FALSE(of_copy_again.descends_from(own.newest()));
}

TEST_CASE("a life that cannot be made durable does not begin", "[life_file]") {
  for (const Call failing : {Call::write, Call::sync, Call::sync_directory}) {
    TempDir dir;
    {
      const TestStorage store{config_in(dir / "data"), small_segments};
    }
    const auto control = std::make_shared<TestFiles::Control>();
    bool is_lock_written = false;
    control->fault = [&](Call call) {
      if (call == Call::write && !std::exchange(is_lock_written, true)) return std::error_code{};
      return call == failing ? eio : std::error_code{};
    };
    CHECK_THROWS_AS((TestStorage{config_in(dir / "data"), small_segments, TestFiles{control}}), StorageError);
    // Whether the start that failed counts or not: the next one is behind all that began.
    CHECK(life_in(dir / "data").number >= 2);
  }
}

TEST_CASE("damage to the file of lives is refused by name, whatever byte it is", "[life_file]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data"), small_segments};
  }
  const Image whole = image_of(dir / "data");
  const std::size_t bytes = whole.at("life").size();
  CHECK(bytes == 12 + 8 + 8 + 4 + 8 + 8 + 4);
  for (std::size_t at = 0; at < bytes; ++at) {
    Image image = whole;
    image["life"][at] ^= 1;
    put_back(image, dir / "data");
    CAPTURE(at);
    CHECK_THAT(refusal_in(dir / "data"), ContainsSubstring("data/life' is damaged"));
  }
  Image image = whole;
  image["life"] += '\0';
  put_back(image, dir / "data");
  CHECK_THAT(refusal_in(dir / "data"), ContainsSubstring("data/life' is damaged"));
  image.erase("life");
  put_back(image, dir / "data");
  CHECK_THAT(refusal_in(dir / "data"), ContainsSubstring("data/life' is missing"));
}

TEST_CASE("the file of lives of another directory is refused", "[life_file]") {
  TempDir dir;
  CHECK(life_in(dir / "a").incarnation != life_in(dir / "b").incarnation);
  std::filesystem::copy_file(dir / "a/life", dir / "b/life", std::filesystem::copy_options::overwrite_existing);
  CHECK_THAT(refusal_in(dir / "b"), ContainsSubstring("b/life' is damaged"));
}

TEST_CASE("a file of lives that tells what no life is like is damaged, though its checksum holds", "[life_file]") {
  TempDir dir;
  CHECK(life_in(dir / "data").number == 1);
  const Image whole = image_of(dir / "data");
  const auto put_number = [&](std::uint64_t number) {
    Image image = whole;
    std::string& file = image["life"];
    for (std::size_t i = 0; i < 8; ++i) file[20 + i] = static_cast<char>(number >> (8 * i));
    const std::uint32_t crc = crc32c(std::as_bytes(std::span{file}.first(file.size() - 4)));
    for (std::size_t i = 0; i < 4; ++i) file[file.size() - 4 + i] = static_cast<char>(crc >> (8 * i));
    put_back(image, dir / "data");
  };
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}, UINT64_MAX}) {
    put_number(number);
    CHECK_THAT(refusal_in(dir / "data"), ContainsSubstring("data/life' is damaged"));
  }
  put_number(1);
  CHECK(life_in(dir / "data").number == 2);
}

TEST_CASE("a crash while a life is begun leaves the old one or the new one", "[life_file]") {
  TempDir dir;
  CHECK(life_in(dir / "data").number == 1);
  Image image = image_of(dir / "data");
  image["life.tmp"] = "half of a li";
  put_back(image, dir / "data");
  CHECK(life_in(dir / "data").number == 2);
}

TEST_CASE("a directory that a peer found outdated is never opened again, and says what to do", "[life_file]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    store.mark_outdated(NodeId{3});
  }
  for (int start = 0; start < 3; ++start) {
    const std::string refusal = refusal_in(dir / "data");
    CHECK_THAT(refusal, ContainsSubstring("data' is an older copy: node 3 has met a newer life of it"));
    CHECK_THAT(refusal, ContainsSubstring("data/life'"));
    CHECK_THAT(refusal, ContainsSubstring("add a new member with a new id"));
  }
}

TEST_CASE("a mark that cannot be made durable is not told as one", "[life_file]") {
  for (const Call failing : {Call::write, Call::sync, Call::sync_directory}) {
    TempDir dir;
    const auto control = std::make_shared<TestFiles::Control>();
    TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
    control->fault = [&](Call call) { return call == failing ? eio : std::error_code{}; };
    CHECK_THROWS_AS(store.mark_outdated(NodeId{2}), StorageError);
    control->fault = [](Call) { return std::error_code{}; };
    CHECK_NOTHROW(store.mark_outdated(NodeId{2}));
  }
}
