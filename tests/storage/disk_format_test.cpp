// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/seal.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

std::string bytes_of(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(16 * digit(hex[i]) + digit(hex[i + 1]));
  return bytes;
}

/// A directory of format 1, as version 0.1.0 leaves it: node 1 of "paxos", with members 1 to 3, in its second life.
/// Computed by another program, from docs/formats.md.
Image directory_of_format_1() {
  std::string log = bytes_of(
      "5041584f534c4f4701000000d8758528d6a6a4d501000000000000000100000000000000010000000000000000400000"
      "0000000001000000000000000100000000000000030000000000000007d24ec2");
  log.resize(4096);
  log += bytes_of(
      "7bd3ac2dbf0d317301000000000000000100000000000000100000000100005a"  // promise of ballot 7.1
      "070000000000000001000000000000000000000000000000000000000000005a"
      "5b0171b67a3d5a6602000000000000000100000000000000210000000200005a"  // accept of slot 1 at 7.1: "hello"
      "0700000000000000010000000000000001000000000000000500000068656c6c"
      "6f0000000000000000000000000000000000000000000000000000000000005a"
      "5a98d147fbd463d203000000000000000300000000000000080000000300005a"  // chosen through 1
      "010000000000000000000000000000000000000000000000000000000000005a"
      "3e351847f9e17172040000000000000003000000000000000d0000000400005a"  // learn slot 2: "w"
      "020000000000000001000000770000000000000000000000000000000000005a"
      "9ab5ff9907d24ec205000000000000000500000000000000000000008100005a");  // mark, from the second opening
  log.resize(16384);
  return {
      {"lock", ""},
      {"identity",
       bytes_of("5041584f534944540100000001000000000000000100000000000000050000007061786f730300000001000000000000"
                "000200000000000000030000000000000000100000000000000020000000000000013e3445")},
      {"life", bytes_of("5041584f534c49460100000001000000000000000200000000000000020000000400000000000000"
                        "02000000000000000000000000000000977d3c60")},
      {"peers", bytes_of("5041584f5350525301000000020000000200000000000000160000000000000002000000000000006600000000"
                         "00000003000000000000002100000000000000010000000000000091010000000000006267"
                         "74e9")},
      {"log-0000000000000001.paxos", log}};
}

}  // namespace

// The policy (docs/versioning.md): what the minor version before wrote is read. Whoever raises disk_format adds the
// directory of the new one here and keeps those that are still to be read.
static_assert(disk_format_oldest == 1 && disk_format == 1);

TEST_CASE("a directory that an earlier version wrote is read, promise, votes, chosen values, lives and peers",
          "[disk_format][formats]") {
  TempDir dir;
  put_back(directory_of_format_1(), dir / "data");
  TestStorage store{config_in(dir / "data"), small_segments};
  const Recovered recovered = store.recover();
  CHECK(recovered.promised == ballot(7));
  CHECK(recovered.chosen_through == Slot{2});
  CHECK(recovered.accepted.empty());
  CHECK(text_of(store.read(Slot{1})) == "hello");
  CHECK(text_of(store.read(Slot{2})) == "w");
  CHECK(store.life().incarnation == 1);
  CHECK(store.life().number == 3);
  CHECK(store.refusal_of_peer(NodeId{2}, StoreLife{0x16, 2, {0x66, 0x65}}).is_welcome());
  CHECK(store.refusal_of_peer(NodeId{2}, StoreLife{0x16, 1, {0x65}}).code == RefusalCode::outdated);
  CHECK_FALSE(store.refusal_of_peer(NodeId{3}, StoreLife{0x22, 1, {0x191}}).is_welcome());
}
