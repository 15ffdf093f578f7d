// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <paxos/core/store_life.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/testing/child_process.hpp>
#include <paxos/testing/storage_checks.hpp>
#include <paxos/testing/storage_subject.hpp>

/// What every storage must do when its process dies, the power goes, the disk fails, and two threads use it at once.
namespace paxos::testing::checks {

/// The storage is opened in another process, is given all of this and flushes the first part, and dies.
template <StorageHarness Harness>
void die_with(StorageSubject<Harness>& subject, const std::vector<Record>& flushed,
              const std::vector<Record>& unflushed) {
  subject.close();
  in_a_process_that_dies([&] {
    subject.open();
    subject.append_all(flushed);
    subject.flush();
    subject.append_all(unflushed);
  });
  for (const Record& record : flushed) subject.note(record);
  subject.note_flush();
  for (const Record& record : unflushed) subject.note(record);
  subject.open();
}

template <StorageHarness Harness>
void survives_its_process() {
  StorageSubject<Harness> subject;
  die_with(subject, {promise(4), accept(1, 4, "one"), chosen(1)}, {promise(5), accept(2, 5, "two"), chosen(2)});
  die_with(subject, {promise(9), accept(3, 9, noise(50000, 3))}, {});
  subject.append_all({accept(2, 9, "two"), chosen(3), learn(4, "four")});
  subject.flush();
  subject.restart();
}

/// What a start found is still there after the next one, though the first did nothing but look.
template <StorageHarness Harness>
void believes_only_what_is_durable() {
  StorageSubject<Harness> subject;
  for (std::uint64_t life = 1; life <= 8; ++life) {
    subject.append(promise(100 * life));
    subject.flush();
    for (std::uint64_t slot = 1; slot <= life; ++slot)
      subject.append(accept(slot, 100 * life + slot, noise(300 * slot, slot)));
    if (life % 2 == 0) subject.restart();
    subject.cut_power();
    subject.cut_power();
    subject.cut_power();
  }
}

template <StorageHarness Harness>
void believes_no_cache() {
  StorageSubject<Harness> subject;
  for (std::uint64_t life = 1; life <= 20; ++life) {
    subject.append_all({promise(100 * life), learn(life, noise(100 * life, life))});
    subject.flush();
    for (std::uint64_t i = 1; i <= life; ++i) subject.append(accept(life + i, 100 * life + i, noise(300 * i, i)));
    subject.kill();
    subject.cut_power();
  }
}

template <StorageHarness Harness>
void survives_power_cuts() {
  agrees_with_the_model_under<Harness>([](StorageSubject<Harness>& subject, Random& random) {
    if (random.chance(30)) return subject.restart();
    if constexpr (Kills<Harness>) {
      if (random.chance(30)) return subject.kill();
    }
    subject.cut_power();
  });
}

/// Appends to the full disk until a flush says so; that of the last record.
template <StorageHarness Harness>
void fill_up(StorageSubject<Harness>& subject) {
  subject.harness.fill_disk();
  constexpr std::size_t bytes_max = std::size_t{64} << 20, bytes = std::size_t{64} << 10;
  for (std::size_t written = 0; written < bytes_max; written += bytes) {
    subject.append(learn(subject.state().chosen_through().value() + 1, noise(bytes, written)));
    const Status status = subject.try_flush();
    if (status.ok()) continue;
    demand(status.code == Errc::storage_full, [&] {
      return "on a full disk flush() must answer Errc::storage_full, and answers " + subject.describe(status);
    });
    return;
  }
  throw DutyBroken("flush() answered ok for 64 MiB on a full disk; or the harness does not fill it");
}

template <StorageHarness Harness>
void waits_for_space() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(3), learn(1, "one")});
  subject.flush();
  fill_up(subject);
  const std::size_t backlog = subject.store().backlog();
  demand(backlog >= std::size_t{64} << 10, "backlog() falls though the disk is full: the records must wait");
  const Status again = subject.try_flush();
  demand(again.code == Errc::storage_full, "on a disk that is still full flush() must answer Errc::storage_full");
  subject.append_all({accept(subject.state().chosen_through().value() + 1, 4, "later"), promise(8)});
  subject.expect_reads();
  subject.harness.heal();
  subject.flush();
  subject.expect_reads();
  subject.restart();
  subject.append(promise(9));
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void loses_nothing_on_a_full_disk() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(3), learn(1, "one"), accept(2, 3, "two")});
  subject.flush();
  fill_up(subject);
  subject.close();
  subject.harness.heal();
  subject.open();
  subject.append(promise(9));
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void never_confirms_again() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(3), learn(1, "one"), accept(2, 3, "two")});
  subject.flush();
  subject.append_all({promise(5), learn(2, "other"), accept(4, 5, noise(9000, 4))});
  subject.harness.fail_writes();
  const Status failed = subject.try_flush();
  demand(!failed.ok(), "flush() answers ok though the disk failed");
  demand(failed.code != Errc::storage_full,
         "a disk that fails is no full disk: the node would try again, and believe what the disk no longer has");
  subject.harness.heal();
  for (int i = 0; i < 3; ++i) {
    demand(!subject.try_flush().ok(), "flush() answers ok after one that failed");
    static_cast<void>(subject.store().append(promise(6)));
    static_cast<void>(subject.store().read(Slot{1}));
    static_cast<void>(subject.store().read(Slot{2}));
    static_cast<void>(subject.store().backlog());
  }
  subject.restart();
  subject.append(promise(9));
  subject.flush();
  subject.restart();
}

/// What another start finds after a flush that failed must not be what only the system's cache still has.
template <StorageHarness Harness>
void distrusts_the_cache_after_a_failure() {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    StorageSubject<Harness> subject;
    subject.append_all({promise(3), learn(1, noise(700 * seed, seed))});
    subject.flush();
    subject.append_all({promise(5), accept(2, 5, noise(100 * seed, seed)), promise(seed + 5)});
    subject.harness.fail_writes();
    demand(!subject.try_flush().ok(), "flush() answers ok though the disk failed");
    subject.harness.heal();
    bool is_killed = false;
    if constexpr (Kills<Harness>) {
      if ((is_killed = seed % 2 == 0)) subject.kill();
    }
    if (!is_killed) subject.restart();
    subject.cut_power();
    subject.cut_power();
  }
}

/// Whatever read() cannot give is nothing, not something else; and then the node has to hear of it at a flush. Whether
/// there was such a read().
template <StorageHarness Harness>
bool read_all_from_a_bad_disk(StorageSubject<Harness>& subject) {
  bool has_failed = false;
  for (std::size_t i = 0; i < subject.state().chosen.size(); ++i) {
    const auto read = subject.store().read(Slot{i + 1});
    has_failed |= !read.has_value();
    demand(!read || *read == subject.state().chosen[i],
           [&] { return "read() gives a wrong value for slot " + std::to_string(i + 1) + " from a disk that fails"; });
  }
  if constexpr (requires { subject.harness.heal(); }) subject.harness.heal();
  if (!has_failed) return false;
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(subject.store().append(promise(50)));
    demand(!subject.store().flush().ok(),
           "flush() answers ok after a read() that could not give what is chosen: the node would go on to say that it "
           "knows the slot, and keep the others from finding it again");
  }
  return true;
}

template <StorageHarness Harness>
void tells_of_failed_reads() {
  StorageSubject<Harness> subject;
  for (std::uint64_t slot = 1; slot <= 40; ++slot) {
    subject.append(learn(slot, noise(9000, slot)));
    subject.flush();
  }
  subject.restart();
  subject.harness.fail_reads();
  demand(read_all_from_a_bad_disk(subject),
         "every read() gives its value, though each read of the disk fails: the storage has all in memory (then the "
         "harness leaves fail_reads() out), or the harness fails none");
  subject.restart();
}

template <StorageHarness Harness>
void does_not_believe_damage() {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    StorageSubject<Harness> subject;
    subject.append_all({promise(3), accept(7, 3, noise(600, 7))});
    for (std::uint64_t slot = 1; slot <= 5; ++slot) {
      subject.append(learn(slot, noise(200 * slot, slot)));
      subject.flush();
    }
    subject.close();
    subject.harness.damage(seed);
    try {
      subject.open();
    } catch (const DutyBroken& broken) {
      const std::string text = broken.what();
      if (text.find("read() gives nothing") == std::string::npos)
        throw DutyBroken(text + "; some of it was damaged (seed " + std::to_string(seed) +
                         "), and the storage must refuse to start then, or not be fooled");
      read_all_from_a_bad_disk(subject);
    } catch (const std::exception&) {
      // Refused, which is right.
    }
  }
}

/// Sets a flag however its scope is left.
class SetAtEnd {
 public:
  explicit SetAtEnd(std::atomic<bool>& flag) : flag_(flag) {}
  SetAtEnd(const SetAtEnd&) = delete;
  SetAtEnd& operator=(const SetAtEnd&) = delete;
  ~SetAtEnd() { flag_ = true; }

 private:
  std::atomic<bool>& flag_;
};

/// Appends and reads on this thread while another one flushes. What a call throws ends both.
template <StorageHarness Harness>
void serves_two_threads() {
  constexpr std::uint64_t slots = 2000;
  const auto value = [](std::uint64_t slot) { return Value{noise(20 + slot % 300, slot)}; };
  StorageSubject<Harness> subject;
  auto& store = subject.store();
  std::atomic<bool> is_done{false};
  auto flusher = std::async(std::launch::async, [&] {
    const SetAtEnd ends{is_done};
    for (WriteTicket last; !is_done.load();) {
      const Status status = store.flush();
      demand(status.ok(), [&] { return "flush() fails beside append() and read(): " + subject.describe(status); });
      demand(store.durable() >= last, "durable() goes back");
      last = store.durable();
      if constexpr (requires { store.prepare(); }) store.prepare();
    }
  });
  const SetAtEnd ends{is_done};  // before the flusher is waited for, whatever is thrown here
  std::string wrong;
  for (std::uint64_t slot = 1; slot <= slots && wrong.empty() && !is_done.load(); ++slot) {
    if (store.append(learn(slot, value(slot).text())) != WriteTicket{slot}) wrong = "append() answers a wrong ticket";
    const std::uint64_t other = 1 + (slot * 7919) % slot;
    if (store.read(Slot{other}) != value(other)) wrong = "read() misses slot " + std::to_string(other);
    if (store.durable() > WriteTicket{slot}) wrong = "durable() is ahead of what was appended";
    while (store.backlog() > 100000 && !is_done.load()) std::this_thread::yield();
    subject.note(learn(slot, value(slot).text()));
  }
  while (wrong.empty() && store.durable() < WriteTicket{slots} && !is_done.load()) std::this_thread::yield();
  is_done = true;
  flusher.get();
  demand(wrong.empty(), wrong + " while a flush runs on another thread");
  demand(store.backlog() == 0, "backlog() is not 0 though all is flushed");
  subject.note_flush();
  subject.restart();
}

template <StorageHarness Harness>
void does_not_wait_for_a_flush() {
  std::chrono::milliseconds patience{20'000};  // only a broken storage takes it
  if constexpr (requires { Harness::patience; }) patience = Harness::patience;
  StorageSubject<Harness> subject;
  auto& store = subject.store();
  subject.append(learn(1, "one"));
  subject.flush();
  subject.append(learn(2, "two"));
  const StoreLife met{22, 1, {101}};
  if constexpr (RemembersPeers<typename Harness::Store>)
    demand(store.refusal_of_peer(NodeId{2}, met).is_welcome(), "a peer that was never met is refused");
  subject.harness.hold_flush();
  auto flushed = std::async(std::launch::async, [&] { return store.flush(); });
  subject.harness.wait_until_held();
  auto used = std::async(std::launch::async, [&]() -> std::string {
    if (store.durable() != WriteTicket{1}) return "durable() covers what a flush still works at";
    if (store.backlog() == 0) return "backlog() is 0 while a flush still works at it";
    if (store.append(learn(3, "three")) != WriteTicket{3}) return "append() answers a wrong ticket";
    for (std::uint64_t slot = 1; slot <= 3; ++slot)
      if (!store.read(Slot{slot})) return "read() gives nothing for slot " + std::to_string(slot);
    if constexpr (RemembersPeers<typename Harness::Store>) {
      if (!store.life().is_well_formed()) return "life() is malformed";
      if (!store.refusal_of_peer(NodeId{2}, met).is_welcome()) return "a peer is refused in the life that was met";
    }
    return {};
  });
  const bool has_returned = used.wait_for(patience) == std::future_status::ready;
  subject.harness.release_flush();
  const std::string wrong = used.get();
  const Status status = flushed.get();
  demand(
      has_returned,
      "append(), durable(), backlog(), read(), life() or refusal_of_peer() of a life that is known waits for a flush "
      "that hangs: the node would fall silent");
  demand(wrong.empty(), wrong + " during a flush on another thread");
  demand(status.ok(), [&] { return "a flush that took long fails: " + subject.describe(status); });
  demand(store.durable() == WriteTicket{2} || store.durable() == WriteTicket{3},
         "after the flush durable() does not cover what was appended before it");
  subject.note(learn(3, "three"));
  demand(store.flush().ok() && store.durable() == WriteTicket{3}, "what came during a flush is not in the next one");
  subject.note_flush();
  subject.restart();
}

}  // namespace paxos::testing::checks
