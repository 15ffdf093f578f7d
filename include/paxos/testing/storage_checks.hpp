// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/random.hpp>
#include <paxos/testing/storage_subject.hpp>

/// What every storage must do while nothing fails: one function for each sentence. They throw DutyBroken.
namespace paxos::testing::checks {

template <StorageHarness Harness>
void is_born_empty() {
  StorageSubject<Harness> subject;
  demand(subject.store().backlog() == 0, "backlog() of an empty storage is not 0");
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void counts_tickets() {
  StorageSubject<Harness> subject;
  for (int life = 0; life < 3; ++life) {
    for (std::uint64_t round = 1; round <= 5; ++round) {
      subject.append(promise(round));
      if (round % 2 == 0) subject.flush();
    }
    subject.restart();
  }
}

template <StorageHarness Harness>
void flushes_groups() {
  StorageSubject<Harness> subject;
  std::uint64_t slot = 0;
  for (int group = 1; group <= 20; ++group) {
    for (int i = 0; i < group; ++i) {
      ++slot;
      subject.append(accept(slot, slot, noise(20 * slot, slot)));
    }
    subject.flush();
    subject.flush();
  }
  subject.restart();
}

template <StorageHarness Harness>
void counts_backlog() {
  StorageSubject<Harness> subject;
  std::size_t before = subject.store().backlog();
  for (std::uint64_t slot = 1; slot <= 10; ++slot) {
    subject.append(learn(slot, noise(1000, slot)));
    demand(subject.store().backlog() >= before + 1000,
           "backlog() does not grow by what was appended: a node that cannot see it takes memory without a bound");
    before = subject.store().backlog();
  }
  subject.flush();
}

template <StorageHarness Harness>
void keeps_a_promise() {
  StorageSubject<Harness> subject;
  subject.append(promise(7));
  subject.flush();
  subject.restart();
  demand(subject.state().promised == ballot(7), "a promise that was flushed is gone");
}

template <StorageHarness Harness>
void never_lowers_a_promise() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(9), promise(3)});
  subject.flush();
  subject.restart();
  subject.append(promise(5));
  subject.append(PromiseRecord{Ballot{9, NodeId{}}});  // the same round, and lower all the same
  subject.flush();
  subject.restart();
  demand(subject.state().promised == ballot(9), "an older promise lowered a newer one");
}

template <StorageHarness Harness>
void takes_a_vote_for_a_promise() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(2), accept(1, 8, "a"), accept(2, 4, "b")});
  subject.flush();
  subject.restart();
  subject.append_all({chosen(2), accept(1, 11, "a")});  // chosen already; the ballot is promised none the less
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void keeps_the_newest_vote() {
  StorageSubject<Harness> subject;
  subject.append_all({accept(5, 3, "five"), accept(2, 1, "two"), accept(5, 2, "older"), accept(9, 4, "nine")});
  subject.flush();
  subject.append_all({accept(2, 6, "two, newer"), accept(9, 4, "nine, again"), accept(5, 1, "oldest")});
  subject.restart();  // these may be there or not
  subject.append_all({accept(2, 6, "two, newer"), accept(9, 4, "nine, again"), accept(5, 1, "oldest")});
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void keeps_what_is_chosen() {
  StorageSubject<Harness> subject;
  subject.append_all({accept(1, 1, "old"), accept(1, 2, "one"), accept(2, 1, "two"), accept(4, 1, "four"), chosen(2)});
  subject.expect_reads();
  subject.flush();
  subject.expect_reads();
  subject.restart();
  subject.append_all({accept(3, 2, "three"), chosen(4), chosen(3), accept(1, 9, "too late"), accept(6, 2, "six")});
  subject.expect_reads();
  subject.flush();
  subject.expect_reads();
  subject.restart();
}

template <StorageHarness Harness>
void keeps_what_was_learned() {
  StorageSubject<Harness> subject;
  subject.append_all({accept(1, 4, "my vote"), learn(1, "the choice"), learn(2, "two"), accept(3, 2, "three")});
  subject.expect_reads();
  subject.flush();
  subject.restart();
  subject.append_all({chosen(3), learn(4, "four")});
  subject.expect_reads();
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void keeps_every_value() {
  StorageSubject<Harness> subject;
  const Config config;
  const std::size_t largest = config.batch_bytes_max + config.command_bytes_max + 1024;
  std::uint64_t slot = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{4096},
                                 std::size_t{65537}, largest, std::size_t{0}}) {
    ++slot;
    subject.append(learn(slot, noise(size, slot)));
    subject.append(accept(slot + 1, 1, std::string(size, '\0')));
    subject.expect_read(Slot{slot});
    subject.flush();
  }
  subject.append(accept(slot + 2, 1, noise(largest, 1)));
  subject.flush();
  subject.restart();
}

template <StorageHarness Harness>
void keeps_many_records() {
  constexpr std::uint64_t slots = 3000;
  StorageSubject<Harness> subject;
  for (std::uint64_t slot = 1; slot <= slots; ++slot) {
    subject.append(accept(slot, 1 + slot / 100, noise(slot % 200, slot)));
    if (slot % 7 == 0) subject.append(chosen(slot - 3));
    if (slot % 100 == 0) subject.flush();
  }
  subject.restart();
  subject.restart();
}

template <StorageHarness Harness>
void goes_on_in_the_next_life() {
  StorageSubject<Harness> subject;
  std::uint64_t slot = 0;
  for (std::uint64_t life = 1; life <= 10; ++life) {
    for (const std::uint64_t end = slot + 3; slot < end; ++slot) subject.append(learn(slot + 1, noise(100, slot)));
    subject.append_all({accept(slot + 2, life, "ahead"), promise(life)});
    subject.flush();
    subject.restart();
  }
}

template <StorageHarness Harness>
void is_not_changed_by_restarts() {
  StorageSubject<Harness> subject;
  subject.append_all({promise(3), accept(1, 3, "one"), chosen(1), accept(3, 3, "three")});
  subject.flush();
  for (int i = 0; i < 20; ++i) subject.restart();
}

/// Also: no first part of what was not flushed is there without what came before it.
template <StorageHarness Harness>
void loses_the_newest_first() {
  StorageSubject<Harness> subject;
  for (std::uint64_t life = 1; life <= 5; ++life) {
    subject.append(promise(10 * life));
    subject.flush();
    for (std::uint64_t slot = 1; slot <= 4; ++slot) subject.append(accept(slot, 10 * life + slot, "unflushed"));
    subject.restart();
  }
}

/// Legal records at random.
class RecordSource {
 public:
  explicit RecordSource(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] Record next(const StorageState& state) {
    const std::uint64_t known = state.chosen_through().value();
    const std::uint64_t round =
        1 + state.promised.round + random_.below(5) - std::min(state.promised.round, random_.below(4));
    switch (random_.below(10)) {
      case 0: return promise(round);
      case 1: return learn(known + 1, value());
      case 2:
      case 3: {
        std::uint64_t through = known;
        while (state.accepted.contains(Slot{through + 1}) && random_.chance(70)) ++through;
        return chosen(through);
      }
      default: return accept(known + 1 - std::min(known, random_.below(2)) + random_.below(6), round, value());
    }
  }

 private:
  [[nodiscard]] std::string value() {
    const std::uint64_t size = random_.chance(5) ? random_.below(20000) : random_.below(100);
    return noise(static_cast<std::size_t>(size), random_());
  }

  Random random_;
};

/// Some thousands of random steps, against the model. `hazard` does something bad to the storage now and then, and must
/// leave it open.
template <StorageHarness Harness, class Hazard>
void agrees_with_the_model_under(Hazard hazard) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    try {
      StorageSubject<Harness> subject;
      Random random{seed};
      RecordSource source{seed};
      for (int step = 0; step < 1000; ++step) {
        const std::uint64_t dice = random.below(100);
        if (dice < 80) {
          subject.append(source.next(subject.state()));
        } else if (dice < 90) {
          subject.flush();
        } else if (dice < 98) {
          subject.expect_reads();
        } else {
          hazard(subject, random);
        }
      }
      subject.flush();
      subject.restart();
    } catch (const DutyBroken& broken) {
      throw DutyBroken(std::string{broken.what()} + " (random records, seed " + std::to_string(seed) + ")");
    }
  }
}

template <StorageHarness Harness>
void agrees_with_the_model() {
  agrees_with_the_model_under<Harness>([](StorageSubject<Harness>& subject, Random&) { subject.restart(); });
}

}  // namespace paxos::testing::checks
