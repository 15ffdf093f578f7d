// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core/record.hpp>

#include <cstdint>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <tests/core/hex.hpp>

namespace {

using paxos::AcceptRecord;
using paxos::Ballot;
using paxos::Bytes;
using paxos::ChosenRecord;
using paxos::LearnRecord;
using paxos::NodeId;
using paxos::PromiseRecord;
using paxos::Record;
using paxos::Slot;
using paxos::test::hex_of;

const Ballot ballot{0x0102, NodeId{3}};

// Disk format 1. A change of any of these bytes makes every existing log unreadable: it needs a new format number.
TEST_CASE("Record: the fields of each kind are these bytes", "[record][golden]") {
  CHECK(hex_of(PromiseRecord{ballot}) == "02 01 00 00 00 00 00 00 03 00 00 00 00 00 00 00");
  CHECK(hex_of(AcceptRecord{ballot, Slot{7}, Bytes{"v"}}) ==
        "02 01 00 00 00 00 00 00 03 00 00 00 00 00 00 00 07 00 00 00 00 00 00 00 01 00 00 00 76");
  CHECK(hex_of(ChosenRecord{Slot{9}}) == "09 00 00 00 00 00 00 00");
  CHECK(hex_of(LearnRecord{Slot{9}, Bytes{"v"}}) == "09 00 00 00 00 00 00 00 01 00 00 00 76");
}

// The index is the kind on the disk.
TEST_CASE("Record: each kind keeps its number", "[record][golden]") {
  CHECK(Record{PromiseRecord{}}.index() == 0);
  CHECK(Record{AcceptRecord{}}.index() == 1);
  CHECK(Record{ChosenRecord{}}.index() == 2);
  CHECK(Record{LearnRecord{}}.index() == 3);
  STATIC_CHECK(Record::alternatives == 4);
}

TEST_CASE("Record: what was written comes back", "[record]") {
  const AcceptRecord record{ballot, Slot::infinity(), Bytes{std::string(1000, 'x')}};
  paxos::Buffer out;
  paxos::encode(out, record);
  AcceptRecord back;
  REQUIRE(paxos::decode(out, back));
  CHECK(back == record);
}

}  // namespace
