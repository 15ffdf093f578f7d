// Copyright (c) the paxos authors. MIT licence.
//
// Values of slots, as a log may hold them. Any bytes: two replicas, one of which restarts, give the same answers and
// the same digest. Honest clients whose commands are repeated, reordered and late: each runs at most once, with the
// smallest of session tables.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/replica/replicated_state.hpp>
#include <timeline.hpp>

#include "check.hpp"
#include "input.hpp"
#include "meter.hpp"

namespace paxos::fuzz {

namespace {

Config small_tables() {
  Config config{.id = NodeId{1}, .members = {{1, "a:1"}}, .data_dir = "none"};
  config.sessions_max = 2;
  config.session_window = 4;
  return config;
}

/// Every run has its own number.
struct Counter {
  using Command = std::uint8_t;
  std::uint64_t runs = 0;
  std::uint64_t apply(Command) { return ++runs; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(runs);
  }
};

bool is_same(const Answer& a, const Answer& b) { return a.id == b.id && a.error == b.error && a.result == b.result; }

/// A command of the timeline, well formed or not, or none at all.
Bytes some_payload(Input& input) {
  static const std::vector<std::string> names{"anna", "bert", "", "c d"};
  const std::uint8_t form = input.byte();
  if (form >= 224) return Bytes{input.take(form % 32U)};
  twitter::Command command;
  command.verb = static_cast<twitter::Verb>(form % 6U);
  command.user = names[form / 6U % 4];
  command.body = (form & 1U) != 0 ? names[input.byte() % 4U] : std::string{text_of(input.take(form % 16U))};
  command.utc = static_cast<std::int64_t>(form < 16 ? input.number(8) : form);
  command.body_is_site = form % 3 == 0;
  command.id = RequestId{{1, form % 2U}, form % 5U};
  return encoded(command);
}

Value some_value(Input& input) {
  const std::uint8_t form = input.byte();
  if (form % 4 == 0) return Value{input.take(form)};
  BatchBuilder batch;
  for (unsigned count = form / 4U % 5; count > 0; --count) {
    const std::uint8_t id = input.byte();
    const std::uint64_t sequence = id < 250 ? id / 8U : input.number(8);
    batch.add({RequestId{{0, id % 5U}, sequence}, input.byte() % 16U, Slot{input.byte()}, some_payload(input)});
  }
  return batch.take();
}

void check_same_digest(Input& input) {
  using State = ReplicatedState<twitter::Timeline>;
  const Config config = small_tables();
  Meter::start();
  State first{config};
  std::optional<State> second{std::in_place, config};
  std::vector<Value> log;
  std::size_t log_bytes = 0;
  while (!input.empty() && log.size() < 64) {
    const Value value = some_value(input);
    log.push_back(value);
    log_bytes += value.size() + 64;
    std::vector<Answer> answers;
    std::vector<Answer> others;
    first.apply(Slot{log.size()}, value, answers);
    if (input.byte() % 8 == 0) {  // a restart
      second.emplace(config);
      const auto read = [&](Slot slot) { return std::optional{log[slot.value() - 1]}; };
      check(second->replay(Slot{log.size() - 1}, read).ok(), "a log that is all there is replayed");
    }
    second->apply(Slot{log.size()}, value, others);
    check(std::ranges::equal(answers, others, is_same), "replicas answer alike");
    check(first.sessions().size() <= config.sessions_max, "a session table keeps to its bound");
    check(first.applied() == Slot{log.size()}, "a slot is applied, whatever it holds");
  }
  check(first.digest() == second->digest(), "replicas that applied the same have the same digest");
  check(first.machine() == second->machine(), "and the same state");
  Buffer bytes;
  encode(bytes, first.machine());
  twitter::Timeline copy;
  check(decode(bytes, copy) && copy == first.machine(), "a state is read back as it was written");
  check(Meter::held() <= 16384 + 64 * log_bytes, "the state grows with what was written");
}

/// What a client keeps of a command: a retry carries the same.
struct Issued {
  Command command;
  std::optional<Bytes> result;
};

/// Clients that keep the rules: sequences rise, what is settled is not asked again by them, and a retry is the command
/// that it repeats. The network repeats, reorders and delays as the input says.
void check_runs_once(Input& input) {
  ReplicatedState<Counter> state{small_tables()};
  std::vector<Issued> issued;
  std::map<std::uint64_t, std::uint64_t> newest;
  std::map<std::string, RequestId> owner_of;
  while (!input.empty() && issued.size() < 256) {
    BatchBuilder batch;
    for (unsigned count = 1 + input.byte() % 4U; count > 0; --count) {
      const std::uint8_t form = input.byte();
      if (form < 128 || issued.empty()) {
        const std::uint64_t session = form % 5U;
        const std::uint64_t sequence = newest[session] += 1 + form / 64U;
        const std::uint64_t settled = sequence - std::min<std::uint64_t>(sequence, form / 8U % 4);
        const Slot behind{state.applied().value() - std::min<std::uint64_t>(state.applied().value(), form / 32U % 3)};
        issued.push_back({Command{RequestId{{7, session}, sequence}, settled, behind, encoded(form)}, {}});
        if (form % 3 == 0) continue;  // the first copy is late
        batch.add(issued.back().command);
      } else {
        batch.add(issued[issued.size() - 1 - std::min<std::size_t>(form % 64U, issued.size() - 1)].command);
      }
    }
    std::vector<Answer> answers;
    state.apply(state.applied().next(), batch.take(), answers);
    for (const Answer& answer : answers) {
      const auto found = std::ranges::find(issued, answer.id, [](const Issued& one) { return one.command.id; });
      check(found != issued.end(), "an answer is to a command that was issued");
      if (answer.error) continue;
      check(!found->result || *found->result == answer.result, "a command that ran does not run again");
      found->result = answer.result;
      const auto [owner, is_first] = owner_of.try_emplace(std::string{answer.result.text()}, answer.id);
      check(is_first || owner->second == answer.id, "a result answers one command");
    }
  }
}

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos::fuzz;
  Input input{data, size};
  if (input.flag()) {
    check_runs_once(input);
  } else {
    check_same_digest(input);
  }
  return 0;
}
