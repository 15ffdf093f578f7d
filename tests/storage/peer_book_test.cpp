// Copyright (c) the paxos authors. MIT licence.
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <paxos/storage/peer_book.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;

namespace {

const NodeId n2{2}, n3{3};
const StoreLife first{22, 1, {101}};
const StoreLife second{22, 2, {102, 101}};
const StoreLife copy_of_first{22, 2, {202, 101}};
const StoreLife wiped{23, 1, {301}};
const StoreLife of_n3{33, 1, {401}};

bool admits(TestStorage& store, NodeId peer, const StoreLife& life) {
  return store.refusal_of_peer(peer, life).is_welcome();
}

}  // namespace

TEST_CASE("a peer's directory is remembered for good, and no other is admitted", "[peer_book]") {
  TempDir dir;
  for (int life = 0; life < 2; ++life) {
    TestStorage store{config_in(dir / "data"), small_segments};
    CHECK(admits(store, n2, first));
    CHECK_FALSE(admits(store, n2, wiped));
    CHECK(admits(store, n3, of_n3));
    CHECK(admits(store, n2, first));
  }
}

TEST_CASE("the newest life of a peer is remembered for good, and none before or beside it is admitted", "[peer_book]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    CHECK(admits(store, n2, first));
    CHECK(admits(store, n2, second));
  }
  for (int life = 0; life < 2; ++life) {
    TestStorage store{config_in(dir / "data"), small_segments};
    CHECK(store.refusal_of_peer(n2, first).code == RefusalCode::outdated);
    CHECK(store.refusal_of_peer(n2, copy_of_first).code == RefusalCode::outdated);
    CHECK(store.refusal_of_peer(n2, copy_of_first.next(203).next(204)).code == RefusalCode::outdated);
    CHECK(admits(store, n2, second));
  }
}

TEST_CASE("a refusal names the book, and when to remove it", "[peer_book]") {
  TempDir dir;
  TestStorage store{config_in(dir / "data"), small_segments};
  CHECK(admits(store, n2, second));
  for (const StoreLife& life : {copy_of_first, wiped}) {
    const std::string text = store.refusal_of_peer(n2, life).text;
    CHECK_THAT(text, ContainsSubstring("data/peers'"));
    CHECK_THAT(text, ContainsSubstring("stop this node, remove the file"));
  }
}

TEST_CASE("a life that is remembered already costs no write", "[peer_book]") {
  TempDir dir;
  const auto control = std::make_shared<TestFiles::Control>();
  TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
  CHECK(admits(store, n2, second));
  control->fault = [](Call) { return eio; };
  CHECK(admits(store, n2, second));
  CHECK_FALSE(admits(store, n2, first));
}

TEST_CASE("a peer that cannot be remembered is not admitted", "[peer_book]") {
  for (const Call failing : {Call::write, Call::sync, Call::sync_directory}) {
    TempDir dir;
    const auto control = std::make_shared<TestFiles::Control>();
    TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
    control->fault = [&](Call call) { return call == failing ? eio : std::error_code{}; };
    CHECK_THROWS_AS(store.refusal_of_peer(n2, first), StorageError);
    control->fault = [](Call) { return std::error_code{}; };
    CHECK(admits(store, n2, wiped));
    CHECK_FALSE(admits(store, n2, first));
  }
}

// The bytes were computed by another program, from the description in peer_book.hpp and sealed_file.hpp.
TEST_CASE("the format of the book, byte for byte", "[peer_book][golden]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    REQUIRE(admits(store, n3, of_n3));
    REQUIRE(admits(store, n2, second));
  }
  CHECK(hex(image_of(dir / "data").at("peers")) ==
        "5041584f5350525301000000"                                          // PAXOSPRS, disk format 1
        "02000000"                                                          // count
        "0200000000000000160000000000000002000000000000006600000000000000"  // node 2: incarnation, number, nonce
        "0300000000000000210000000000000001000000000000009101000000000000"  // node 3
        "626774e9"                                                          // checksum
  );
}

TEST_CASE("a damaged book of peers is refused by name, whatever byte it is", "[peer_book]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    REQUIRE(admits(store, n2, first));
  }
  const Image whole = image_of(dir / "data");
  const std::size_t bytes = whole.at("peers").size();
  CHECK(bytes == 12 + 4 + 32 + 4);
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
    REQUIRE(admits(store, n2, first));
  }
  Image image = image_of(dir / "data");
  image["peers.tmp"] = "half of a bo";
  put_back(image, dir / "data");
  TestStorage store{config_in(dir / "data"), small_segments};
  CHECK_FALSE(admits(store, n2, wiped));
  CHECK(admits(store, n3, of_n3));
}

TEST_CASE("a life that no directory can have is refused, not met, and no reason to remove a file", "[peer_book]") {
  TempDir dir;
  TestStorage store{config_in(dir / "data"), small_segments};
  for (const bool is_known : {false, true}) {
    if (is_known) REQUIRE(admits(store, n2, second));
    const Image before = image_of(dir / "data");
    for (const StoreLife& forged : {StoreLife{22, UINT64_MAX, {}}, StoreLife{22, 2, {102}}, StoreLife{22, 9, {}}}) {
      const Refusal refusal = store.refusal_of_peer(n2, forged);
      CHECK(refusal.code == RefusalCode::other);
      CHECK_THAT(refusal.text, ContainsSubstring("a malformed life") && !ContainsSubstring("remove the file"));
    }
    CHECK(image_of(dir / "data") == before);
  }
  CHECK(admits(store, n2, second));
}
