// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include <paxos/core/node_id.hpp>
#include <paxos/policy/storage.hpp>

namespace paxos::testing {

/// What you write so that the conformance suite can judge your storage: an object that owns one place for it (a
/// directory, a simulated disk), empty when the harness is made, gone when it is destroyed.
///
/// open() opens the storage in that place and gives a pointer to it that may own it, such as a std::unique_ptr. It is
/// called again in the same place, mostly after the last pointer was dropped. It throws when the storage refuses.
///
/// outlives_process says whether another process that opens the place finds what was flushed. It may not write to
/// other places: the suite forks.
///
/// All else is optional, and a test that needs what is not there is skipped and says so. See the concepts below.
template <class H>
concept StorageHarness = std::default_initializable<H> && Storage<typename H::Store> && requires(H& harness) {
  { *harness.open() } -> std::same_as<typename H::Store&>;
  { H::outlives_process } -> std::convertible_to<bool>;
};

/// The storage is used by one thread at a time, as a Replica that you run yourself may do. A Node needs more.
template <class H>
concept SingleThreaded = requires { requires H::is_single_threaded; };

/// cut_power(), called while the storage is open: what was not made durable may vanish, in any part, as the harness
/// decides; what the storage still does before it is dropped goes nowhere. The next open() finds what is left.
template <class H>
concept CutsPower = requires(H& harness) { harness.cut_power(); };

/// kill(), as cut_power(), but only the process dies, best in the middle of a flush: what it wrote is in the system's
/// cache, and what of it was not made durable still is not.
template <class H>
concept Kills = requires(H& harness) { harness.kill(); };

/// fail_writes(): until heal() the disk answers each write and each sync with an error that is not want of space.
template <class H>
concept FailsWrites = requires(H& harness) {
  harness.fail_writes();
  harness.heal();
};

/// fail_reads(): until heal() the disk answers each read with an error. Some read() must come to need the disk then: a
/// storage that has all in memory leaves this out.
template <class H>
concept FailsReads = requires(H& harness) {
  harness.fail_reads();
  harness.heal();
};

/// fill_disk(): until heal() there is no room for new data, or soon none: at most some megabytes.
template <class H>
concept FillsDisk = requires(H& harness) {
  harness.fill_disk();
  harness.heal();
};

/// damage(seed), called while the storage is closed: changes some byte of what lies in the place, another for each
/// seed.
template <class H>
concept Damages = requires(H& harness, std::uint64_t seed) { harness.damage(seed); };

/// hold_flush(): the next flush hangs in the disk until release_flush(); wait_until_held() returns once it does. The
/// other calls get 20 s meanwhile, or Harness::patience, a duration.
template <class H>
concept HoldsFlush = requires(H& harness) {
  harness.hold_flush();
  harness.wait_until_held();
  harness.release_flush();
};

/// open_as(cluster, node): as open(), for that node of that cluster; open() must be for node 1 of the cluster "paxos".
template <class H>
concept OpensAsOther =
    requires(H& harness, const std::string& cluster, NodeId node) { harness.open_as(cluster, node); };

}  // namespace paxos::testing
