// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/file_storage.hpp>

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

/// A TestStorage whose files the test rules.
struct Rig {
  TempDir dir;
  std::shared_ptr<TestFiles::Control> control = std::make_shared<TestFiles::Control>();
  std::optional<TestStorage> store;

  Rig() { open(); }
  void open() {
    store.reset();
    store.emplace(config_in(dir / "data"), small_segments, TestFiles{control});
  }
  /// Each of these slots has a segment of its own, so that the first ones are not kept open.
  void fill_segments(std::uint64_t slots) {
    for (std::uint64_t slot = 1; slot <= slots; ++slot) {
      store->append(learn(slot, noise(9000, static_cast<std::uint32_t>(slot))));
      if (const Status status = store->flush(); !status.ok()) throw std::runtime_error(status.text);
    }
  }
  void fail_each(Call call, std::error_code error) {
    control->fault = [=](Call made) { return made == call ? error : std::error_code{}; };
  }
  void fail_nothing() {
    control->fault = [](Call) { return std::error_code{}; };
  }
};

}  // namespace

TEST_CASE("the log goes on over many segments, and all of it is read again", "[file_storage]") {
  Rig rig;
  constexpr std::uint64_t slots = 200;
  const auto value = [](std::uint64_t slot) { return noise(100 + slot * 7, static_cast<std::uint32_t>(slot)); };
  for (std::uint64_t slot = 1; slot <= slots; ++slot) {
    rig.store->append(accept(slot, 1, value(slot)));
    if (slot % 3 == 0) rig.store->append(chosen(slot));
    if (slot % 7 == 0) CHECK(rig.store->flush().ok());
    if (slot % 11 == 0) rig.store->prepare();
  }
  CHECK(rig.store->flush().ok());
  CHECK(std::filesystem::exists(rig.dir / "data/log-0000000000000010.paxos"));
  rig.open();
  CHECK(rig.store->recover().chosen_through == Slot{198});
  CHECK(rig.store->recover().accepted.size() == 2);
  CHECK(rig.store->torn_bytes() == 0);
  for (std::uint64_t slot = 1; slot <= 198; ++slot) CHECK(text_of(rig.store->read(Slot{slot})) == value(slot));
}

TEST_CASE("a record larger than a segment gets a segment that holds it", "[file_storage]") {
  Rig rig;
  const std::string large = noise(100000, 1);
  rig.store->append(learn(1, "small"));
  rig.store->append(learn(2, large));
  rig.store->append(learn(3, "small again"));
  CHECK(text_of(rig.store->read(Slot{2})) == large);
  CHECK(rig.store->flush().ok());
  rig.open();
  CHECK(text_of(rig.store->read(Slot{2})) == large);
  CHECK(text_of(rig.store->read(Slot{3})) == "small again");
}

TEST_CASE("a second storage on the directory is refused and told who holds it", "[file_storage]") {
  Rig rig;
  CHECK_THROWS_MATCHES(TestStorage(config_in(rig.dir / "data"), small_segments), StorageError,
                       MessageMatches(ContainsSubstring("in use by process " + std::to_string(::getpid()))));
}

TEST_CASE("segment sizes out of range are refused", "[file_storage]") {
  TempDir dir;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{8192}, std::size_t{20000}, std::size_t{2} << 30})
    CHECK_THROWS_AS(TestStorage(config_in(dir / "data"), FileStorageOptions{.segment_bytes = bytes}), ConfigError);
}

TEST_CASE("a failed sync is final, even when the next would succeed", "[file_storage]") {
  Rig rig;
  rig.store->append(promise(1));
  CHECK(rig.store->flush().ok());
  rig.store->append(promise(2));
  rig.fail_each(Call::sync_data, eio);
  const Status status = rig.store->flush();
  CHECK(status.code == Errc::storage_failed);
  CHECK_THAT(status.text, ContainsSubstring("log-0000000000000001.paxos' cannot be synced"));
  rig.fail_nothing();
  CHECK(rig.store->flush().code == Errc::storage_failed);
  rig.store->append(promise(3));
  CHECK(rig.store->flush().code == Errc::storage_failed);
  CHECK(rig.store->durable() == WriteTicket{1});
}

TEST_CASE("a sync that fails for want of space is as final as any other", "[file_storage]") {
  Rig rig;
  rig.store->append(promise(1));
  rig.fail_each(Call::sync_data, enospc);
  CHECK(rig.store->flush().code == Errc::storage_failed);
  rig.fail_nothing();
  CHECK(rig.store->flush().code == Errc::storage_failed);
}

TEST_CASE("a failed write is final", "[file_storage]") {
  Rig rig;
  rig.store->append(promise(1));
  rig.fail_each(Call::write, eio);
  CHECK(rig.store->flush().code == Errc::storage_failed);
  rig.fail_nothing();
  CHECK(rig.store->flush().code == Errc::storage_failed);
}

TEST_CASE("on a full disk the records wait, and are written once there is space", "[file_storage]") {
  // The nth write fails; from the ninth record on a new segment is needed, so all kinds of write are met.
  for (int nth = 1; nth <= 12; ++nth) {
    CAPTURE(nth);
    Rig rig;
    rig.store->append(promise(1));
    CHECK(rig.store->flush().ok());
    for (std::uint64_t slot = 1; slot <= 20; ++slot) rig.store->append(learn(slot, noise(1000, 1)));
    rig.control->fault = [left = nth](Call call) mutable {
      return call == Call::write && --left <= 0 ? enospc : std::error_code{};
    };
    const Status status = rig.store->flush();
    if (status.ok()) {
      CHECK(nth > 3);
      continue;
    }
    CHECK(status.code == Errc::storage_full);
    CHECK(rig.store->durable() == WriteTicket{1});
    CHECK(rig.store->flush().code == Errc::storage_full);
    rig.store->append(learn(21, "later"));
    CHECK(text_of(rig.store->read(Slot{20})) == noise(1000, 1));
    CHECK(text_of(rig.store->read(Slot{21})) == "later");

    const Image crashed = image_of(rig.dir / "data");
    rig.fail_nothing();
    CHECK(rig.store->flush().ok());
    CHECK(rig.store->durable() == WriteTicket{22});
    CHECK(rig.store->backlog() == 0);
    rig.open();
    CHECK(rig.store->recover().chosen_through == Slot{21});

    rig.store.reset();
    put_back(crashed, rig.dir / "data");
    rig.open();
    CHECK(rig.store->recover().promised == ballot(1));
    CHECK(rig.store->recover().chosen_through <= Slot{20});
  }
}

// A burst of connections takes the descriptors, say. That it met a node with more segments than it keeps open must not
// end that node.
TEST_CASE("a read without a file descriptor or memory gives nothing for now, and condemns no disk", "[file_storage]") {
  for (const std::error_code& error : passing_errors) {
    Rig rig;
    rig.fill_segments(20);
    rig.fail_each(Call::open, error);
    CHECK_FALSE(rig.store->read(Slot{1}));
    rig.fail_nothing();
    rig.store->append(promise(2));
    CHECK(rig.store->flush().ok());
    CHECK(text_of(rig.store->read(Slot{1})) == noise(9000, 1));
  }
}

TEST_CASE("a segment that is gone is the disk's failure", "[file_storage]") {
  Rig rig;
  rig.fill_segments(20);
  rig.fail_each(Call::open, std::make_error_code(std::errc::no_such_file_or_directory));
  CHECK_FALSE(rig.store->read(Slot{1}));
  rig.fail_nothing();
  rig.store->append(promise(2));
  CHECK(rig.store->flush().code == Errc::storage_failed);
}

TEST_CASE("a flush without a file descriptor or memory keeps the records, and a later one writes them",
          "[file_storage]") {
  for (const std::error_code& error : passing_errors)
    for (const bool needs_segment : {false, true}) {
      CAPTURE(error.message(), needs_segment);
      Rig rig;
      rig.fill_segments(20);
      if (needs_segment) {
        rig.store->append(learn(21, noise(9000, 21)));
      } else {
        for (std::uint64_t slot = 1; slot <= 18; ++slot) REQUIRE(rig.store->read(Slot{slot}));
        rig.store->append(learn(21, "later"));
      }
      rig.fail_each(Call::open, error);
      for (int attempt = 0; attempt < 2; ++attempt) {
        const Status status = rig.store->flush();
        CHECK(status.code == Errc::storage_full);
        CHECK_THAT(status.text, ContainsSubstring("until that has passed"));
      }
      CHECK(rig.store->durable() == WriteTicket{20});
      CHECK(rig.store->read(Slot{21}));
      rig.fail_nothing();
      CHECK(rig.store->flush().ok());
      CHECK(rig.store->durable() == WriteTicket{21});
      rig.open();
      CHECK(rig.store->recover().chosen_through == Slot{21});
    }
}

TEST_CASE("a directory that cannot be opened for its sync, for want of descriptors, is synced later",
          "[file_storage]") {
  for (const std::error_code& error : passing_errors) {
    CAPTURE(error.message());
    Rig rig;
    rig.fill_segments(3);
    rig.store->append(learn(4, noise(9000, 4)));
    rig.fail_each(Call::sync_directory, error);
    const Status status = rig.store->flush();
    const Image crashed = image_of(rig.dir / "data");
    rig.fail_nothing();
    int syncs = 0;
    rig.control->fault = [&](Call call) { return syncs += call == Call::sync_directory, std::error_code{}; };
    if (error == std::errc::not_enough_memory) {  // which the sync itself may have answered
      CHECK(status.code == Errc::storage_failed);
      CHECK(rig.store->flush().code == Errc::storage_failed);
      continue;
    }
    CHECK(status.code == Errc::storage_full);
    CHECK(rig.store->flush().ok());
    CHECK(syncs == 1);
    rig.open();
    CHECK(rig.store->recover().chosen_through == Slot{4});
    rig.store.reset();
    put_back(crashed, rig.dir / "data");
    rig.open();
    CHECK(rig.store->recover().chosen_through == Slot{3});
  }
}

TEST_CASE("short writes are carried on", "[file_storage]") {
  Rig rig;
  rig.control->write_bytes_max = 37;
  for (std::uint64_t slot = 1; slot <= 30; ++slot) {
    rig.store->append(learn(slot, noise(900, static_cast<std::uint32_t>(slot))));
    CHECK(rig.store->flush().ok());
  }
  rig.open();
  CHECK(rig.store->recover().chosen_through == Slot{30});
  for (std::uint64_t slot = 1; slot <= 30; ++slot)
    CHECK(text_of(rig.store->read(Slot{slot})) == noise(900, static_cast<std::uint32_t>(slot)));
}

// Who says that it knows a slot as chosen, and cannot give it, keeps the others from finding it again.
TEST_CASE("a chosen value whose bytes rot is not returned, and nothing is confirmed any more", "[file_storage]") {
  Rig rig;
  rig.store->append(learn(1, noise(200, 1)));
  CHECK(rig.store->flush().ok());
  std::fstream file{rig.dir / "data/log-0000000000000001.paxos", std::ios::in | std::ios::out | std::ios::binary};
  file.seekp(4096 + 100);
  file.put('\0');
  file.close();
  CHECK_FALSE(rig.store->inspect(Slot{1}));
  rig.store->append(learn(2, "two"));
  CHECK(rig.store->flush().ok());
  CHECK_FALSE(rig.store->read(Slot{1}));
  rig.store->append(learn(3, "three"));
  const Status status = rig.store->flush();
  CHECK(status.code == Errc::storage_failed);
  CHECK(status.text.find("log-0000000000000001.paxos") != std::string::npos);
  CHECK(status.text.find("slot 1 was damaged") != std::string::npos);
}

TEST_CASE("a read that fails is no damage: nothing is confirmed any more, and the next start finds all",
          "[file_storage]") {
  Rig rig;
  rig.store->append(learn(1, "one"));
  rig.store->append(accept(2, 1, "two"));
  REQUIRE(rig.store->flush().ok());
  rig.fail_each(Call::read, eio);
  CHECK_FALSE(rig.store->read(Slot{1}));
  rig.fail_nothing();
  rig.store->append(learn(2, "two"));
  const Status status = rig.store->flush();
  CHECK(status.code == Errc::storage_failed);
  CHECK_THAT(status.text, ContainsSubstring("log-0000000000000001.paxos") && ContainsSubstring("cannot be read"));
  CHECK(rig.store->durable() == WriteTicket{2});

  rig.open();
  rig.fail_each(Call::read, eio);
  CHECK_THROWS_MATCHES(rig.store->recover(), StorageError,
                       MessageMatches(ContainsSubstring("cannot read") && !ContainsSubstring("must not vote")));
  CHECK_THROWS_MATCHES(rig.open(), StorageError, MessageMatches(ContainsSubstring("cannot read")));
  rig.fail_nothing();
  rig.open();
  CHECK(rig.store->recover().accepted.size() == 1);
  CHECK(text_of(rig.store->read(Slot{1})) == "one");
}
