// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/testing/child_process.hpp>
#include <paxos/testing/storage_subject.hpp>

/// What a storage must do besides, for a Node to run on it: tell its lives apart, and know those of its peers.
namespace paxos::testing::checks {

/// Whether open() refuses.
template <StorageHarness Harness>
[[nodiscard]] bool refuses_to_open(Harness& harness) {
  try {
    const auto store = harness.open();
    static_cast<void>((*store).recover());
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

template <StorageHarness Harness>
void is_opened_once() {
  StorageSubject<Harness> subject;
  subject.append(promise(2));
  subject.flush();
  demand(refuses_to_open(subject.harness),
         "a second storage opens the place while one is open: they would ruin the log");
  in_a_process_that_dies([&] {
    demand(refuses_to_open(subject.harness),
           "another process opens the place while one is open: they would ruin the log");
  });
  subject.append(promise(3));
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void belongs_to_one_node() {
  StorageSubject<Harness> subject;
  subject.append(promise(2));
  subject.flush();
  subject.close();
  const auto opens = [&](const std::string& cluster, NodeId node) {
    try {
      subject.harness.open_as(cluster, node);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  };
  demand(!opens("another", NodeId{1}),
         "the storage opens for another cluster: its node would speak with another one's memory");
  demand(!opens("paxos", NodeId{2}),
         "the storage opens for another node of its cluster: that one would vote with another one's memory");
  demand(opens("paxos", NodeId{1}),
         "after it refused others the storage does not open for its own node (which open() of the harness must make "
         "node 1 of the cluster \"paxos\")");
  subject.open();
}

/// Opens again, and gives the life that began.
template <StorageHarness Harness>
[[nodiscard]] StoreLife next_life(StorageSubject<Harness>& subject, bool loses_power = false) {
  if (loses_power) {
    if constexpr (CutsPower<Harness>) subject.cut_power();
  } else {
    subject.restart();
  }
  return subject.store().life();
}

template <StorageHarness Harness>
void follows(const StoreLife& life, const StoreLife& previous) {
  demand(life.is_well_formed(), "life() is malformed: see StoreLife::is_well_formed()");
  if constexpr (Harness::outlives_process || RemembersPeers<typename Harness::Store>) {
    demand(life.incarnation == previous.incarnation, "life() has another incarnation, in the same place");
    demand(life.number == previous.number + 1, "life() does not count each opening: the number must be one more");
    demand(life.descends_from(previous.newest()), "life() does not tell the nonce of the life before it");
    demand(life.nonces.front() != previous.nonces.front(), "life() has the nonce of the life before it");
  } else {
    demand(!life.descends_from(previous.newest()) && !previous.descends_from(life.newest()),
           "life() of a storage that forgets must have another incarnation each time");
  }
}

template <StorageHarness Harness>
void tells_its_lives_apart() {
  StorageSubject<Harness> subject;
  StoreLife life = subject.store().life();
  demand(life.is_well_formed(), "life() is malformed: see StoreLife::is_well_formed()");
  for (std::size_t i = 0; i < StoreLife::told_max + 6; ++i) {
    StoreLife next = next_life(subject);
    follows<Harness>(next, life);
    life = std::move(next);
  }
  StorageSubject<Harness> other;
  demand(other.store().life().incarnation != life.incarnation, "life() has the same incarnation in another place");
}

template <StorageHarness Harness>
void remembers_its_life_at_once() {
  StorageSubject<Harness> subject;
  StoreLife life = subject.store().life();
  for (int i = 0; i < 5; ++i) {
    StoreLife next = next_life(subject, true);
    follows<Harness>(next, life);
    life = std::move(next);
  }
}

inline const NodeId peer{2}, other_peer{3};
inline const StoreLife first_life{22, 1, {101}}, second_life{22, 2, {102, 101}}, third_life{22, 3, {103, 102, 101}};
inline const StoreLife copy_of_first{22, 2, {202, 101}}, wiped{23, 1, {301}}, life_of_other{33, 5, {5, 4, 3, 2, 1}};

template <class Store>
[[nodiscard]] bool admits(Store& store, NodeId who, const StoreLife& life) {
  const Refusal refusal = store.refusal_of_peer(who, life);
  demand(refusal.is_welcome() == (refusal.code == RefusalCode::none), "a refusal has a text and a code, or neither");
  return refusal.is_welcome();
}

/// What must hold once second_life of the peer was admitted.
template <class Store>
void expect_memory_of_peers(Store& store, const std::string& when) {
  const auto must = [&](bool holds, const char* what) { demand(holds, std::string{what} + ", " + when); };
  must(!admits(store, peer, wiped), "a peer with another incarnation is admitted: it has forgotten what it promised");
  for (const StoreLife& old : {first_life, copy_of_first, copy_of_first.next(203).next(204)}) {
    must(!admits(store, peer, old), "a peer on an older copy of its data is admitted");
    must(store.refusal_of_peer(peer, old).code == RefusalCode::outdated,
         "the refusal of an older copy lacks RefusalCode::outdated, so that its node goes on asking");
  }
  must(!admits(store, peer, StoreLife{22, 9, {}}) && !admits(store, other_peer, StoreLife{}),
       "a peer with a malformed life is admitted");
  must(admits(store, peer, second_life), "a peer is refused in the life that was met");
}

template <StorageHarness Harness>
void remembers_peers() {
  StorageSubject<Harness> subject;
  demand(admits(subject.store(), peer, first_life), "a peer that was never met is refused");
  demand(admits(subject.store(), peer, second_life), "a peer is refused after a restart of its own");
  expect_memory_of_peers(subject.store(), "in the same life");
  for (int i = 0; i < 2; ++i) {
    subject.restart();
    expect_memory_of_peers(subject.store(), "after a restart");
  }
  demand(admits(subject.store(), other_peer, life_of_other), "another peer that was never met is refused");
  demand(admits(subject.store(), peer, third_life), "a peer is refused after a restart of its own");
  subject.restart();
  demand(!admits(subject.store(), peer, second_life) && !admits(subject.store(), other_peer, first_life),
         "after a restart a peer is admitted in an older life, or on another disk");
}

template <StorageHarness Harness>
void remembers_peers_when_it_dies() {
  StorageSubject<Harness> subject;
  subject.close();
  in_a_process_that_dies([&] {
    subject.open();
    demand(admits(subject.store(), peer, second_life), "a peer that was never met is refused");
  });
  subject.open();
  expect_memory_of_peers(subject.store(), "after its process died");
}

template <StorageHarness Harness>
void remembers_peers_without_power() {
  StorageSubject<Harness> subject;
  demand(admits(subject.store(), peer, second_life), "a peer that was never met is refused");
  subject.cut_power();
  expect_memory_of_peers(subject.store(), "after a power cut");
}

template <StorageHarness Harness>
void admits_nobody_whom_it_would_forget() {
  StorageSubject<Harness> subject;
  subject.harness.fail_writes();
  bool is_admitted = false;
  try {
    is_admitted = admits(subject.store(), peer, second_life);
  } catch (const DutyBroken&) {
    throw;
  } catch (const std::exception&) {
    // Told, which is right.
  }
  subject.harness.heal();
  if (!is_admitted) return;
  subject.restart();
  expect_memory_of_peers(subject.store(), "admitted while no write was possible");
}

template <StorageHarness Harness>
void is_never_opened_once_outdated() {
  StorageSubject<Harness> subject;
  subject.append(promise(2));
  subject.flush();
  subject.store().mark_outdated(peer);
  subject.close();
  for (int i = 0; i < 2; ++i)
    demand(refuses_to_open(subject.harness), "the storage opens though a peer has met a newer life of it");
}

template <StorageHarness Harness>
void is_outdated_when_it_dies() {
  StorageSubject<Harness> subject;
  subject.close();
  in_a_process_that_dies([&] {
    subject.open();
    subject.store().mark_outdated(peer);
  });
  demand(refuses_to_open(subject.harness), "the mark that the storage is outdated died with its process");
}

}  // namespace paxos::testing::checks
