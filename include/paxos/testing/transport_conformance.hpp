// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <filesystem>
#include <source_location>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/testing/transport_bound_cases.hpp>
#include <paxos/testing/transport_cases.hpp>
#include <paxos/testing/transport_cluster_case.hpp>
#include <paxos/testing/transport_greeting_cases.hpp>
#include <paxos/testing/transport_harness.hpp>
#include <paxos/testing/transport_life_cases.hpp>

namespace paxos::testing {

/// Registers with Catch2 every test that a NodeTransport must pass, as "NAME: what it shows":
///
///     static const paxos::testing::TransportConformance<MyHarness> tests{"MyTransport"};
///
/// See TransportHarness for what to write. The tests ask no more than the policy promises: messages may be lost,
/// repeated and reordered, so they are sent until they arrive, and a deadline only ever fails. Worth running under the
/// address and the thread sanitizer. They are tagged [transport], [conformance], [threads] where several run, and with
/// the name of the file, without its ending, that has the object.
template <TransportHarness H>
class TransportConformance {
 public:
  /// Registers the tests; `name` goes before the title of each.
  explicit TransportConformance(const std::string& name,
                                const std::source_location& where = std::source_location::current()) {
    const std::string tags =
        "[transport][conformance][" + std::filesystem::path{where.file_name()}.stem().string() + "]";
    for (const auto& cases : {TransportCases<H>::all(), TransportLifeCases<H>::all(), TransportBoundCases<H>::all(),
                              TransportGreetingCases<H>::all(), TransportClusterCase<H>::all()})
      for (const ConformanceCase& one : cases) {
        const std::string title = name + ": " + std::string{one.title};
        const std::string own_tags = tags + (one.has_threads ? "[threads]" : "");
        REGISTER_TEST_CASE(one.run, title, own_tags);
      }
  }
};

}  // namespace paxos::testing
