// Copyright (c) the paxos authors. MIT licence.
//
// What is SQLite's own; the duties of every storage are in sqlite_storage_conformance_test.cpp.
#include "examples/policies/sqlite_storage.hpp"

#include <optional>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <paxos/testing/child_process.hpp>
#include <paxos/testing/storage_model.hpp>

#include "sqlite_disk.hpp"
#include "storage/rig.hpp"

using namespace paxos;
using examples::Connection;
using examples::SqliteDisk;
using examples::SqliteStorage;

TEST_CASE("what a reader keeps from becoming durable is not believed", "[sqlite_storage]") {
  const test::TempDir dir;
  const Config config = test::config_in(dir / "data");
  std::optional<SqliteStorage> left;  // there, and never closed
  testing::in_a_process_that_dies([&] {
    left.emplace(config);
    left->append(testing::promise(7));
    testing::demand(left->flush().ok(), "the flush fails");
  });
  SqliteDisk disk;
  disk.skips_pauses = true;
  {
    Connection reader{dir / "data/log.sqlite", SQLITE_OPEN_READWRITE, nullptr};
    reader.run("BEGIN");
    REQUIRE(reader.text_of("SELECT count(*) FROM log") == "1");
    CHECK_THROWS_MATCHES((SqliteStorage{config, disk.vfs()}), StorageError,
                         Catch::Matchers::MessageMatches(Catch::Matchers::ContainsSubstring("end that program")));
  }
  SqliteStorage store{config, disk.vfs()};
  CHECK(store.recover().promised == testing::ballot(7));
}

TEST_CASE("after a failed flush no new life of a peer is let in, and the one that was met still is",
          "[sqlite_storage]") {
  const test::TempDir dir;
  const Config config = test::config_in(dir / "data");
  const StoreLife first{22, 1, {101}}, second{22, 2, {102, 101}};
  SqliteDisk disk;
  {
    SqliteStorage store{config, disk.vfs()};
    REQUIRE(store.refusal_of_peer(NodeId{2}, first).is_welcome());
    store.append(testing::promise(7));
    disk.fails_syncs = true;
    CHECK_FALSE(store.flush().ok());
    disk.fails_syncs = false;
    CHECK(store.refusal_of_peer(NodeId{2}, first).is_welcome());
    CHECK_THROWS_AS(store.refusal_of_peer(NodeId{2}, second), StorageError);
    CHECK_THROWS_AS(store.refusal_of_peer(NodeId{3}, first), StorageError);
    store.mark_outdated(NodeId{2});
  }
  CHECK_THROWS_AS((SqliteStorage{config, disk.vfs()}), StorageError);
}
