// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/data_directory.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

TEST_CASE("a directory keeps its incarnation, and a new one has another", "[data_directory]") {
  TempDir dir;
  const auto incarnation = [&](const std::string& name) {
    return FileStorage{config_in(dir / name)}.life().incarnation;
  };
  const std::uint64_t first = incarnation("a");
  CHECK(incarnation("a") == first);
  CHECK(incarnation("b") != first);
  std::filesystem::remove_all(dir / "a");
  CHECK(incarnation("a") != first);
}

TEST_CASE("the directory of another node or cluster is refused, and both are named", "[data_directory]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data", 1, "red")};
  }
  CHECK_THROWS_MATCHES(TestStorage(config_in(dir / "data", 2, "red")), StorageError,
                       MessageMatches(ContainsSubstring("was made for node 1 of {members 1 2 3; ") &&
                                      ContainsSubstring("cluster red}, but Config says node 2 of {")));
  CHECK_THROWS_MATCHES(TestStorage(config_in(dir / "data", 1, "blue")), StorageError,
                       MessageMatches(ContainsSubstring("cluster blue}; correct Config")));
  CHECK_NOTHROW(TestStorage(config_in(dir / "data", 1, "red")));
}

// Edited on all nodes alike, no greeting shows it: two of {1, 2, 3} have chosen what two of {1, 4, 5} never heard of.
TEST_CASE("members and session limits that were edited on a used directory are refused", "[data_directory]") {
  TempDir dir;
  const Config made = config_in(dir / "data");
  {
    const TestStorage store{made};
  }
  Config edited = made;
  edited.members.back().id = NodeId{4};
  CHECK_THROWS_MATCHES(TestStorage(edited), StorageError, MessageMatches(ContainsSubstring("{members 1 2 4; ")));
  edited = made;
  ++edited.sessions_max;
  CHECK_THROWS_MATCHES(TestStorage(edited), StorageError, MessageMatches(ContainsSubstring("sessions_max 4097")));
  edited = made;
  --edited.session_window;
  CHECK_THROWS_MATCHES(TestStorage(edited), StorageError, MessageMatches(ContainsSubstring("session_window 8191")));
  // An address, an order, a priority and all else may change.
  edited = made;
  std::ranges::reverse(edited.members);
  edited.members.front() = {3, "localhost:7003", 5};
  edited.window_slots = 8;
  CHECK_NOTHROW(TestStorage(edited));
}

namespace {

/// The file as another version would have written it: with its format in place, and a checksum that holds.
void put_format(std::string& file, std::uint32_t format, std::size_t checksum_at) {
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) file[at + i] = static_cast<char>(value >> (8 * i));
  };
  put(8, format);
  put(checksum_at, crc32c(std::as_bytes(std::span{file}.first(checksum_at))));
}

}  // namespace

TEST_CASE("a directory of a newer format is refused as that, not as damage, and nothing in it is changed",
          "[data_directory][formats]") {
  TempDir dir;
  for (int start = 0; start < 2; ++start) {
    TestStorage store{config_in(dir / "data")};
    CHECK(store.refusal_of_peer(NodeId{2}, StoreLife{2, 1, {5}}).is_welcome());
  }
  const Image whole = image_of(dir / "data");
  for (const std::string name : {"identity", "life", "peers", "log-0000000000000001.paxos"}) {
    const auto open = [&,
                       checksum_at = name.starts_with("log-") ? 76 : whole.at(name).size() - 4](std::uint32_t format) {
      Image image = whole;
      put_format(image.at(name), format, checksum_at);
      put_back(image, dir / "data");
      const TestStorage store{config_in(dir / "data")};
    };
    CAPTURE(name);
    CHECK_NOTHROW(open(disk_format));
    CHECK_THROWS_MATCHES(open(disk_format + 1), StorageError,
                         MessageMatches(ContainsSubstring("data/" + name + "' has disk format 2") &&
                                        ContainsSubstring("Nothing is damaged: start this node with the version that "
                                                          "wrote the directory, or a newer one")));
    CHECK(image_of(dir / "data").at("log-0000000000000001.paxos").substr(4096) ==
          whole.at("log-0000000000000001.paxos").substr(4096));
    CHECK_THROWS_MATCHES(open(disk_format_oldest - 1), StorageError,
                         MessageMatches(ContainsSubstring("a version that reads both")));
  }
}

TEST_CASE("a log without an identity is nobody's log", "[data_directory]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data")};
  }
  std::filesystem::remove(dir / "data/identity");
  CHECK_THROWS_MATCHES(TestStorage(config_in(dir / "data")), StorageError,
                       MessageMatches(ContainsSubstring("no file 'identity'")));
}

TEST_CASE("a log that was deleted, all but its identity, is not begun anew", "[data_directory]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data")};
  }
  std::filesystem::remove(dir / "data/log-0000000000000001.paxos");
  CHECK_THROWS_MATCHES(TestStorage(config_in(dir / "data")), StorageError,
                       MessageMatches(ContainsSubstring("this segment file is missing")));
}

TEST_CASE("a directory whose creation fails anywhere is created by the next start", "[data_directory]") {
  TempDir dir;
  for (int calls_left = 0;; ++calls_left) {
    CAPTURE(calls_left);
    const std::string data = dir / ("data" + std::to_string(calls_left));
    auto control = std::make_shared<TestFiles::Control>();
    bool met = false;
    control->fault = [&met, left = calls_left](Call) mutable {
      if (left-- != 0) return std::error_code{};
      met = true;
      return enospc;
    };
    try {
      const TestStorage store{config_in(data), small_segments, TestFiles{control}};
    } catch (const StorageError& error) {
      CHECK_THAT(error.what(), ContainsSubstring("No space left"));
    }
    TestStorage store{config_in(data), small_segments};
    CHECK(store.recover().promised == Ballot{});
    if (!met) {
      CHECK(calls_left > 8);
      break;
    }
  }
}

/// The machine's files; remembers which directories were synced.
struct NotedSyncs : PosixFileSystem {
  std::shared_ptr<std::vector<std::string>> synced = std::make_shared<std::vector<std::string>>();
  std::error_code sync_directory(const std::string& path) {
    synced->push_back(path);
    return PosixFileSystem::sync_directory(path);
  }
};

TEST_CASE("a new directory's own name is synced, and that of each one above it", "[data_directory]") {
  TempDir dir;
  NotedSyncs files;
  BasicFileStorage<NotedSyncs>{config_in(dir / "a/b"), {}, files};
  for (const std::string& path : {dir / "a/b", dir / "a", dir / "."}) {
    CAPTURE(path);
    const auto is_it = [&](const std::string& synced) { return std::filesystem::equivalent(synced, path); };
    CHECK(std::ranges::any_of(*files.synced, is_it));
  }
}

/// The working directory, for a while.
class InDirectory {
 public:
  explicit InDirectory(const std::string& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() { std::filesystem::current_path(before_); }

 private:
  std::filesystem::path before_;
};

TEST_CASE("a relative data_dir is made and synced up to the working directory, however it is written",
          "[data_directory]") {
  TempDir dir;
  const InDirectory in{dir / "."};
  using Names = std::vector<std::string>;
  const auto synced_of = [](const std::string& path) {
    NotedSyncs files;
    BasicFileStorage<NotedSyncs>{config_in(path), {}, files};
    CHECK(std::filesystem::exists(path + "/identity"));
    Names above;
    for (const std::string& synced : *files.synced)
      if (synced != path && (above.empty() || above.back() != synced)) above.push_back(synced);
    return above;
  };
  CHECK(synced_of("plain") == Names{"."});
  CHECK(synced_of("a/b/c") == Names{"a/b", "a", "."});
  CHECK(synced_of("./d/e//") == Names{"./d", "."});
  CHECK(synced_of("f/../g") == Names{"f/..", "f", "."});
}

/// One directory cannot be synced.
struct Unsyncable : PosixFileSystem {
  std::string path;
  std::error_code sync_directory(const std::string& synced) {
    return synced == path ? std::make_error_code(std::errc::io_error) : PosixFileSystem::sync_directory(synced);
  }
};

TEST_CASE("the parent of a new data_dir must be synced, however it is written; those above it need not",
          "[data_directory]") {
  TempDir dir;
  const InDirectory in{dir / "."};
  const auto open = [](const std::string& data_dir, const std::string& unsyncable) {
    Unsyncable files;
    files.path = unsyncable;
    BasicFileStorage<Unsyncable>{config_in(data_dir), {}, files};
  };
  CHECK_THROWS_AS(open("a/b", "a"), StorageError);
  CHECK_NOTHROW(open("c/d", "."));
  CHECK_THROWS_AS(open("e/.", "."), StorageError);     // e is the directory
  CHECK_THROWS_AS(open("f/g/..", "."), StorageError);  // f is
  CHECK_THROWS_AS(open("h/./i", "h/."), StorageError);
  CHECK_NOTHROW(open("j/k/../l", "j"));
}

TEST_CASE("a data_dir below a file, or in place of one, is refused with the reason", "[data_directory]") {
  TempDir dir;
  {
    std::ofstream{dir / "file"} << "text";
  }
  for (const std::string& path : {dir / "file", dir / "file/below"})
    CHECK_THROWS_MATCHES(TestStorage(config_in(path)), StorageError,
                         MessageMatches(ContainsSubstring("cannot create data_dir '" + path + "': Not a directory")));
}

TEST_CASE("an empty data_dir is refused", "[data_directory]") {
  CHECK_THROWS_MATCHES(TestStorage(config_in("")), StorageError,
                       MessageMatches(ContainsSubstring("data_dir is empty")));
}

// The process before may have died between the rename and the sync: a power cut could still take the name back.
TEST_CASE("a directory whose names cannot be synced is not believed", "[data_directory]") {
  TempDir dir;
  {
    const TestStorage store{config_in(dir / "data")};
  }
  auto control = std::make_shared<TestFiles::Control>();
  control->fault = [](Call call) { return call == Call::sync_directory ? eio : std::error_code{}; };
  CHECK_THROWS_MATCHES((TestStorage{config_in(dir / "data"), {}, TestFiles{control}}), StorageError,
                       MessageMatches(ContainsSubstring("cannot sync the directory")));
  CHECK_NOTHROW(TestStorage{config_in(dir / "data")});
}
