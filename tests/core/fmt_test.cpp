// Copyright (c) the paxos authors. MIT licence.
#include <paxos/fmt.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace paxos;

TEST_CASE("fmt: numbers take what fmt knows of numbers", "[fmt]") {
  CHECK(fmt::format("{}", Slot{12}) == "12");
  CHECK(fmt::format("{:>4}", NodeId{3}) == "   3");
  CHECK(fmt::format("{:#x}", WriteTicket{255}) == "0xff");
}

TEST_CASE("fmt: names and texts take a width", "[fmt]") {
  CHECK(fmt::format("{}", Ballot{4, NodeId{2}}) == "4.2");
  CHECK(fmt::format("[{:^7}]", Ballot{4, NodeId{2}}) == "[  4.2  ]");
  CHECK(fmt::format("{:<9}|", Standing::leader) == "leader   |");
}

TEST_CASE("fmt: a status says its text and what its code means", "[fmt]") {
  const std::string meaning = make_error_code(Errc::storage_failed).message();
  CHECK(fmt::format("{}", Status{}) == "ok");
  CHECK(fmt::format("{}", Status{make_error_code(Errc::storage_failed), "wal-7: EIO"}) ==
        "wal-7: EIO (" + meaning + ")");
  CHECK(fmt::format("{}", Status{make_error_code(Errc::storage_failed), ""}) == meaning);
}

TEST_CASE("fmt: a node's status is one line", "[fmt]") {
  NodeStatus status;
  status.id = NodeId{2};
  status.ballot = status.promised = Ballot{4, NodeId{1}};
  status.chosen_through = Slot{9};
  status.applied = Slot{8};
  const std::string rest = " at ballot 4.1, promised 4.1, chosen through 9, applied 8";
  CHECK(fmt::format("{}", status) == "node 2: follower without a leader" + rest);
  status.leader = NodeId{1};
  CHECK(fmt::format("{}", status) == "node 2: follower of node 1" + rest);
  status.standing = Standing::leader;
  status.is_storage_full = true;
  CHECK(fmt::format("{}", status) == "node 2: leader" + rest + ", the disk is full");
  status.is_storage_full = false;
  status.failure = Status{make_error_code(Errc::stopped), ""};
  CHECK(fmt::format("{}", status) == "node 2: leader" + rest + ", stopped: " + status.failure.code.message());
}
