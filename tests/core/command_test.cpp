// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/command.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/random.hpp>
#include <tests/core/hex.hpp>

namespace {

using paxos::BatchBuilder;
using paxos::Buffer;
using paxos::Bytes;
using paxos::Command;
using paxos::commands_of;
using paxos::RequestId;
using paxos::SessionId;
using paxos::Slot;
using paxos::Value;

Command command_of(std::uint64_t sequence, const std::string& payload) {
  return Command{{{0x11, 0x22}, sequence}, sequence, Slot{sequence + 5}, Bytes{payload}};
}

TEST_CASE("Batch: the commands come back in the order in which they were added", "[command]") {
  BatchBuilder batch;
  std::vector<Command> commands;
  for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) {
    commands.push_back(command_of(sequence, std::string(sequence, 'x')));
    batch.add(commands.back());
  }
  CHECK(batch.commands() == 100);
  CHECK(commands_of(batch.take()) == commands);
}

TEST_CASE("Batch: an empty value is the no-op, and holds no command", "[command]") {
  BatchBuilder batch;
  CHECK(batch.empty());
  CHECK(batch.take() == Value{});
  CHECK(commands_of(Value{}) == std::vector<Command>{});
}

TEST_CASE("Batch: a builder that was emptied starts a new batch", "[command]") {
  BatchBuilder batch;
  batch.add(command_of(1, "first"));
  const Value first = batch.take();
  CHECK(batch.empty());
  CHECK(batch.bytes() == 0);
  batch.add(command_of(2, "second"));
  CHECK(commands_of(first) == std::vector{command_of(1, "first")});
  CHECK(commands_of(batch.take()) == std::vector{command_of(2, "second")});
}

TEST_CASE("Batch: the bytes of a batch are these", "[command][golden]") {
  BatchBuilder batch;
  batch.add(Command{{{1, 2}, 3}, 4, Slot{5}, Bytes{"hi"}});
  CHECK(paxos::test::hex(batch.take().span()) ==
        "01 00 00 00 "                                      // one command
        "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 "  // session
        "03 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 "  // sequence, settled_below
        "05 00 00 00 00 00 00 00 02 00 00 00 68 69");       // issued_after, payload
}

// Every replica sees the same bytes, so all must agree whether they are a batch; none may fall over them.
TEST_CASE("Batch: cut, prolonged or altered bytes are a batch or are not; they never crash", "[command]") {
  BatchBuilder batch;
  batch.add(command_of(1, "alpha"));
  batch.add(command_of(2, "beta"));
  const Value good = batch.take();
  for (std::size_t size = 1; size < good.size(); ++size)
    CHECK(commands_of(Value{good.span().first(size)}) == std::nullopt);
  paxos::Random random{3};
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    Buffer bytes{good.span().begin(), good.span().end()};
    bytes[static_cast<std::size_t>(random.below(bytes.size()))] = static_cast<std::byte>(random.below(256));
    if (!commands_of(Value{bytes})) ++refused;
  }
  CHECK(refused > 0);
}

TEST_CASE("Batch: a count of four billion commands allocates none of them", "[command]") {
  CHECK(commands_of(Value{Buffer(4, std::byte{0xff})}) == std::nullopt);
  Buffer with_some_bytes(4096, std::byte{0});
  with_some_bytes[0] = std::byte{0xff};  // 255 commands in the room of at most 93
  CHECK(commands_of(Value{with_some_bytes}) == std::nullopt);
}

// The name is all that a client must keep to be recognised again: on any machine, in any version.
TEST_CASE("SessionId: a name gives the same session everywhere", "[command][golden]") {
  static_assert(SessionId::named("alice") == SessionId::named("alice"));
  CHECK(SessionId::named("alice") != SessionId::named("alicf"));
  CHECK(SessionId::named("alice").high != SessionId::named("alice").low);
  CHECK(SessionId::named("").high == 0xaf63bd4c8601b7dfULL);  // FNV-1a of one zero byte, from the reference tables
}

TEST_CASE("RequestId: session and sequence both count", "[command]") {
  const RequestId id{{1, 2}, 3};
  CHECK(id == RequestId{{1, 2}, 3});
  CHECK(id != RequestId{{1, 2}, 4});
  CHECK(id != RequestId{{2, 1}, 3});
  std::unordered_set<RequestId> set{id, id, {{1, 2}, 4}, {{2, 1}, 3}};
  CHECK(set.size() == 3);
}

}  // namespace
