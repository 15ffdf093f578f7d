// Copyright (c) the paxos authors. MIT licence.
// A node comes back with an older copy of its disk. It has forgotten what it voted for, so none of its votes may count.
#include <cstdint>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "sim/rig.hpp"

namespace {

using namespace paxos;
using namespace paxos::test;

const NodeId n2{2}, n3{3};

/// Three nodes. Of node 3's disk there is a copy; it has lived on since, and voted, and the others know it.
struct Past : SimRig {
  explicit Past(std::uint64_t seed = 1) : SimRig(3, seed) {
    (void)elect();
    write(n2, "before the copy");
    const std::uint64_t life = cluster.store_life(n3);
    copy = cluster.disk(n3).copy();
    cluster.crash(n3);
    cluster.start(n3);
    cluster.stand(n3);  // speaks to everybody
    require([&] { return cluster.is_known_to_all(n3, life); });
    write(n2, "behind the copy");
    require_agreement();
  }
  void require(const std::function<bool()>& done) { REQUIRE(cluster.run_until(done, 10s)); }

  void put_copy_back() {
    cluster.crash(n3);
    cluster.replace_disk(n3, copy);
    cluster.start(n3);
  }
  void wait_until_it_ended() {
    require([&] { return !cluster.is_up(n3); });
    cluster.run_for(5s);
    CHECK_FALSE(cluster.is_up(n3));
  }

  sim::Disk::Copy copy;
};

}  // namespace

TEST_CASE("A node on an older copy of its disk ends, and no start brings it back", "[sim]") {
  Past past;
  past.put_copy_back();
  CHECK(past.cluster.is_up(n3));
  past.wait_until_it_ended();
  for (int i = 0; i < 3; ++i) {
    past.cluster.start(n3);
    CHECK_FALSE(past.cluster.is_up(n3));
  }
  past.write(n2, "by the other two");
}

// By its number its last life is newer than what the others met; but it does not descend from that.
TEST_CASE("A node on an older copy is not let in however often it was started before anybody could tell it", "[sim]") {
  Past past;
  past.cluster.isolate(n3);
  past.put_copy_back();
  for (int i = 0; i < 10; ++i) {
    past.cluster.run_for(200ms);
    REQUIRE(past.cluster.is_up(n3));
    i % 2 == 0 ? past.cluster.kill(n3) : past.cluster.crash(n3);
    past.cluster.start(n3);
  }
  CHECK(past.cluster.store_life(n3) > 10);
  past.cluster.links().mend_all();
  past.wait_until_it_ended();
  past.write(n2, "by the other two");
}

TEST_CASE("A node on an older copy is refused by nodes that were all started since", "[sim]") {
  Past past;
  past.cluster.crash(n3);
  for (const NodeId other : {NodeId{1}, n2}) {
    past.cluster.crash(other);
    past.cluster.start(other);
  }
  past.cluster.replace_disk(n3, past.copy);
  past.cluster.start(n3);
  past.wait_until_it_ended();
  past.write(n2, "by the other two", 10s);
}

TEST_CASE("A node that could not note that its disk is outdated is told again", "[sim]") {
  Past past;
  past.put_copy_back();
  past.cluster.disk(n3).fail_call(1);  // it opens, rename or write of the note fails
  past.require([&] { return !past.cluster.is_up(n3); });
  past.require([&] { return past.cluster.is_up(n3); });  // nothing keeps it from starting
  past.wait_until_it_ended();
  past.write(n2, "by the other two");
}

TEST_CASE("The disk that a node had in its last life is no older copy, whatever a power cut left of it", "[sim]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Past past{seed};
    for (int i = 0; i < 5; ++i) {
      past.cluster.crash(n3);
      past.cluster.start(n3);
      past.cluster.run_for(std::chrono::milliseconds{1 + 7 * i});
    }
    past.require_agreement();
    CHECK(past.cluster.is_up(n3));
  }
}
