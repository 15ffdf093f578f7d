// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/memory_storage.hpp>
#include <paxos/testing/storage_conformance.hpp>

using namespace paxos;

namespace {

/// The memory is the place; to open it again is the power cut that it knows.
class MemoryHarness {
 public:
  using Store = MemoryStorage;
  static constexpr bool outlives_process = false;
  static constexpr bool is_single_threaded = true;

  MemoryStorage* open() {
    memory_.crash();
    return &memory_;
  }
  void cut_power() {}
  void fail_writes() { memory_.fail_next_flush({Errc::storage_failed, "a broken cable"}); }
  void heal() { memory_.fail_next_flush({}); }

 private:
  MemoryStorage memory_;
};

/// The disk of this one is full at every other flush.
class FullMemory : public MemoryStorage {
 public:
  Status flush() {
    if (is_full) fail_next_flush({Errc::storage_full, "no space"});
    return MemoryStorage::flush();
  }
  bool is_full = false;
};

class FullMemoryHarness {
 public:
  using Store = FullMemory;
  static constexpr bool outlives_process = false;
  static constexpr bool is_single_threaded = true;

  FullMemory* open() {
    memory_.crash();
    return &memory_;
  }
  void fill_disk() { memory_.is_full = true; }
  void heal() { memory_.is_full = false; }

 private:
  FullMemory memory_;
};

const testing::StorageConformance<MemoryHarness> memory_storage{"MemoryStorage"};
const testing::StorageConformance<FullMemoryHarness> full_memory_storage{"MemoryStorage on a full disk"};

}  // namespace
