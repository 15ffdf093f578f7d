// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/memory_storage.hpp>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

struct StoreWithoutFlush {
  Recovered recover() { return {}; }
  WriteTicket append(const Record&) { return {}; }
  [[nodiscard]] WriteTicket durable() const { return {}; }
  [[nodiscard]] std::size_t backlog() const { return 0; }
  std::optional<Value> read(Slot) { return {}; }
};
static_assert(!Storage<StoreWithoutFlush>);

}  // namespace

TEST_CASE("a crash forgets what was not flushed, and nothing else", "[memory_storage]") {
  MemoryStorage disk;
  CHECK(disk.append(promise(1)) == WriteTicket{1});
  CHECK(disk.append(accept(1, 1, "a")) == WriteTicket{2});
  CHECK(disk.durable() == WriteTicket{});
  CHECK(disk.flush().ok());
  CHECK(disk.durable() == WriteTicket{2});
  CHECK(disk.append(chosen(1)) == WriteTicket{3});
  CHECK(text_of(disk.read(Slot{1})) == "a");

  disk.crash();
  CHECK(disk.recover().accepted == std::vector<AcceptedValue>{{Slot{1}, ballot(1), Value{"a"}}});
  CHECK_FALSE(disk.read(Slot{1}));
  CHECK(disk.durable() == WriteTicket{});
  CHECK(disk.append(chosen(1)) == WriteTicket{1});
}

TEST_CASE("a flush that stops half-way leaves a prefix", "[memory_storage]") {
  MemoryStorage disk;
  disk.append(promise(1));
  disk.append(promise(2));
  disk.append(promise(3));
  CHECK(disk.flush_through(WriteTicket{2}).ok());
  CHECK(disk.durable() == WriteTicket{2});
  CHECK(disk.backlog() == 16);
  disk.crash();
  CHECK(disk.recover().promised == ballot(2));
  CHECK(disk.durable_records().size() == 2);
}

TEST_CASE("after a failed flush the memory storage never confirms again in that life", "[memory_storage]") {
  MemoryStorage disk;
  disk.append(promise(1));
  disk.fail_next_flush({Errc::storage_failed, "a broken cable"});
  CHECK(disk.flush().text == "a broken cable");
  CHECK(disk.flush().code == Errc::storage_failed);
  CHECK(disk.durable() == WriteTicket{});
  disk.crash();
  CHECK(disk.recover().promised == Ballot{});
  disk.append(promise(1));
  CHECK(disk.flush().ok());
}

TEST_CASE("a copy of a memory storage is a disk of its own", "[memory_storage]") {
  MemoryStorage disk;
  disk.append(promise(1));
  MemoryStorage copy = disk;
  CHECK(copy.flush().ok());
  copy.crash();
  disk.crash();
  CHECK(copy.recover().promised == ballot(1));
  CHECK(disk.recover().promised == Ballot{});
}

TEST_CASE("appending what cannot follow breaks an invariant and leaves no trace", "[memory_storage]") {
  MemoryStorage disk;
  CHECK_THROWS_AS(disk.append(chosen(1)), InvariantViolation);
  CHECK_THROWS_AS(disk.append(learn(2, "b")), InvariantViolation);
  CHECK(disk.append(promise(1)) == WriteTicket{1});
  CHECK(disk.records().size() == 1);
}
