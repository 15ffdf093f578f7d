// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <filesystem>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core/ensure.hpp>
#include <paxos/testing/storage_suite.hpp>

/// What a storage or a transport of your own is held to: StorageConformance, TransportConformance.
namespace paxos::testing {

/// The tests that every storage must pass, as test cases of Catch2. One object registers all of them:
///
///     static const paxos::testing::StorageConformance<MyHarness> my_storage{"MyStorage"};
///
/// MyHarness says how your storage is opened, and how its disk can be made to fail: StorageHarness. A duty that cannot
/// be looked at, for want of such means, is skipped and says what it would need. The tests are tagged [storage] and
/// [conformance], [threads] where several run, and with the name of the file, without its ending, that has the object.
template <StorageHarness Harness>
class StorageConformance {
 public:
  /// Registers the tests; `name` goes before the title of each.
  explicit StorageConformance(std::string_view name,
                              const std::source_location& where = std::source_location::current())
      : tags_("[storage][conformance][" + std::filesystem::path{where.file_name()}.stem().string() + "]") {
    ensure(all().size() <= checks_max, "StorageConformance: there are more checks than it makes places for");
    add_all(std::string{name} + ": ", std::make_index_sequence<checks_max>{});
  }

 private:
  static constexpr std::size_t checks_max = 64;

  template <std::size_t... I>
  void add_all(const std::string& prefix, std::index_sequence<I...>) {
    (add<I>(prefix), ...);
  }
  template <std::size_t I>
  void add(const std::string& prefix) {
    if (I >= all().size()) return;
    const StorageCheck check = all().at(I);
    const std::string name = prefix + std::string{check.duty}, tags = tags_ + (check.has_threads ? "[threads]" : "");
    REGISTER_TEST_CASE(run<I>, name, tags);
  }

  template <std::size_t I>
  static void run() {
    const StorageCheck check = all().at(I);
    if (check.run == nullptr) SKIP("it needs " << check.lacks);
    try {
      check.run();
      SUCCEED();
    } catch (const DutyBroken& broken) {
      FAIL(broken.what());
    }
  }
  static const std::vector<StorageCheck>& all() {
    static const std::vector<StorageCheck> checks = storage_checks<Harness>();
    return checks;
  }

  std::string tags_;
};

}  // namespace paxos::testing
