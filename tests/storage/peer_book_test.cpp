// Copyright (c) the paxos authors. MIT licence.
#include <optional>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <paxos/storage/peer_book.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

TEST_CASE("a peer's first directory is remembered for good, and no other is admitted", "[peer_book]") {
  TempDir dir;
  for (int life = 0; life < 2; ++life) {
    TestStorage store{config_in(dir / "data"), small_segments};
    CHECK(store.admits_peer(NodeId{2}, 22));
    CHECK_FALSE(store.admits_peer(NodeId{2}, 23));
    CHECK(store.admits_peer(NodeId{3}, 33));
    CHECK(store.admits_peer(NodeId{2}, 22));
  }
}

TEST_CASE("a peer that cannot be remembered is not admitted", "[peer_book]") {
  for (const Call failing : {Call::write, Call::sync, Call::sync_directory}) {
    TempDir dir;
    const auto control = std::make_shared<TestFiles::Control>();
    TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
    control->fault = [&](Call call) { return call == failing ? eio : std::error_code{}; };
    CHECK_THROWS_AS(store.admits_peer(NodeId{2}, 22), StorageError);
    control->fault = [](Call) { return std::error_code{}; };
    CHECK(store.admits_peer(NodeId{2}, 23));
    CHECK_FALSE(store.admits_peer(NodeId{2}, 22));
  }
}

TEST_CASE("a damaged book of peers is refused by name, whatever byte it is", "[peer_book]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    REQUIRE(store.admits_peer(NodeId{2}, 22));
  }
  const Image whole = image_of(dir / "data");
  const std::size_t bytes = whole.at("peers").size();
  CHECK(bytes == 8 + 4 + 16 + 4);
  for (std::size_t at = 0; at < bytes; ++at) {
    Image image = whole;
    image["peers"][at] ^= 1;
    put_back(image, dir / "data");
    std::string refusal;
    try {
      const TestStorage store{config_in(dir / "data"), small_segments};
    } catch (const StorageError& error) {
      refusal = error.what();
    }
    CAPTURE(at, refusal);
    CHECK(refusal.find("peers' is damaged") != std::string::npos);
  }
}

TEST_CASE("a crash while a peer is remembered leaves the old book or the new one", "[peer_book]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    REQUIRE(store.admits_peer(NodeId{2}, 22));
  }
  Image image = image_of(dir / "data");
  image["peers.tmp"] = "half of a bo";
  put_back(image, dir / "data");
  TestStorage store{config_in(dir / "data"), small_segments};
  CHECK_FALSE(store.admits_peer(NodeId{2}, 23));
  CHECK(store.admits_peer(NodeId{3}, 33));
}
