// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/core/ballot.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot.hpp>

namespace paxos::testing {

/// A duty was not done. The text says which, and what was seen instead.
class DutyBroken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `duty`: a text, or a callable that makes one.
template <class Duty>
void demand(bool is_done, Duty&& duty) {
  if (is_done) return;
  if constexpr (requires { std::string(duty()); }) {
    throw DutyBroken(duty());
  } else {
    throw DutyBroken(std::string(duty));
  }
}

// Records, in few words.

[[nodiscard]] inline Ballot ballot(std::uint64_t round) { return Ballot{round, NodeId{1}}; }
[[nodiscard]] inline Record promise(std::uint64_t round) { return PromiseRecord{ballot(round)}; }
[[nodiscard]] inline Record accept(std::uint64_t slot, std::uint64_t round, std::string_view value) {
  return AcceptRecord{ballot(round), Slot{slot}, Value{value}};
}
[[nodiscard]] inline Record chosen(std::uint64_t through) { return ChosenRecord{Slot{through}}; }
[[nodiscard]] inline Record learn(std::uint64_t slot, std::string_view value) {
  return LearnRecord{Slot{slot}, Value{value}};
}
/// Bytes of every kind, others for every seed.
[[nodiscard]] inline std::string noise(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  auto state = static_cast<std::uint32_t>(seed * 2654435761U + 1);
  for (char& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

/// What a log says: the sum of its records, in the plainest form.
struct StorageState {
  struct Vote {
    Ballot ballot;
    Value value;
    friend bool operator==(const Vote&, const Vote&) = default;
  };

  Ballot promised;
  std::vector<Value> chosen;  ///< entry i is slot i + 1
  std::map<Slot, Vote> accepted;

  [[nodiscard]] Slot chosen_through() const { return Slot{chosen.size()}; }

  /// Adds a record that may follow those before it.
  void add(const Record& record) {
    record.visit([this](const auto& fields) { add_fields(fields); });
  }

  /// For a person: enough to see the difference of two.
  [[nodiscard]] std::string text() const {
    std::string text = "promised " + to_string(promised) + ", chosen through " + to_string(chosen_through());
    text += ", accepted";
    if (accepted.empty()) text += " nothing";
    constexpr std::size_t told_max = 8;
    std::size_t told = 0;
    for (const auto& [slot, vote] : accepted) {
      if (++told > told_max) return text + " and " + std::to_string(accepted.size() - told_max) + " more";
      text +=
          " " + to_string(slot) + " at " + to_string(vote.ballot) + " (" + std::to_string(vote.value.size()) + " B)";
    }
    return text;
  }

  friend bool operator==(const StorageState&, const StorageState&) = default;

 private:
  void add_fields(const PromiseRecord& record) { promised = std::max(promised, record.ballot); }
  void add_fields(const AcceptRecord& record) {
    promised = std::max(promised, record.ballot);
    if (record.slot <= chosen_through()) return;
    Vote& vote = accepted[record.slot];
    if (record.ballot >= vote.ballot) vote = {record.ballot, record.value};
  }
  void add_fields(const ChosenRecord& record) {
    while (chosen_through() < record.through) {
      const auto vote = accepted.find(chosen_through().next());
      demand(vote != accepted.end(), "the test itself is wrong: a slot is marked as chosen that nobody accepted");
      chosen.push_back(vote->second.value);
      accepted.erase(vote);
    }
  }
  void add_fields(const LearnRecord& record) {
    demand(record.slot == chosen_through().next(), "the test itself is wrong: a slot is learned out of turn");
    accepted.erase(record.slot);
    chosen.push_back(record.value);
  }
};

}  // namespace paxos::testing
