// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <paxos/core/ballot.hpp>
#include <paxos/core/min_max.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

namespace detail {

/// The value that a record carries, if any.
[[nodiscard]] const Value* value_of(const std::same_as<Record> auto& record) {
  if (const auto* accept = get_if<AcceptRecord>(&record)) return &accept->value;
  if (const auto* learn = get_if<LearnRecord>(&record)) return &learn->value;
  return nullptr;
}

/// What Encoder makes of the record, in bytes.
[[nodiscard]] std::size_t encoded_bytes(const std::same_as<Record> auto& record) {
  constexpr std::size_t number = 8, ballot = 16, length = 4;
  const Value* value = value_of(record);
  const std::size_t value_bytes = value != nullptr ? length + value->size() : 0;
  switch (record.index()) {
    case 0: return ballot;
    case 1: return ballot + number + value_bytes;
    default: return number + value_bytes;
  }
}

}  // namespace detail

/// Why a record cannot follow those before it. From a caller that is a defect; from a disk, damage.
struct LogFault {
  /// Which rule the record breaks.
  enum class Kind {
    chosen_unaccepted,   ///< a ChosenRecord covers a slot that has no AcceptRecord
    learned_out_of_turn  ///< a LearnRecord names another slot than the first one not known as chosen
  };
  Kind kind;  ///< which rule
  Slot slot;  ///< of the record

  /// For a person, with the slot.
  [[nodiscard]] std::string text() const {
    switch (kind) {
      case Kind::chosen_unaccepted:
        return "slot " + to_string(slot) + " is marked as chosen, yet the log holds no value accepted for it";
      case Kind::learned_out_of_turn:
        return "slot " + to_string(slot) + " is learned out of turn: it is not the first slot not known as chosen";
    }
    return "?";
  }
};

/// The sum of a log's records: what was promised, accepted, and chosen, and where each value lies. Knows no disk;
/// `Location` is whatever leads to a value.
template <class Location>
class LogIndex {
 public:
  /// The newest vote in one slot.
  struct Accepted {
    Ballot ballot;      ///< the highest at which the slot was accepted
    Location location;  ///< of the value
  };

  /// Adds the next record. `location` is that of its value, unused when it has none. A fault changes nothing.
  [[nodiscard]] std::optional<LogFault> fold(const Record& record, const Location& location) {
    return record.visit([&](const auto& fields) { return add(fields, location); });
  }

  [[nodiscard]] const Ballot& promised() const { return promised_; }          ///< the highest promised or accepted
  [[nodiscard]] Slot chosen_through() const { return Slot{chosen_.size()}; }  ///< each slot up to here has a location
  /// Above chosen_through(); the newest ballot of each slot.
  [[nodiscard]] const std::map<Slot, Accepted>& accepted() const { return accepted_; }
  /// nullptr when the slot is not known as chosen.
  [[nodiscard]] const Location* chosen(Slot slot) const {
    if (slot == Slot{} || slot > chosen_through()) return nullptr;
    return &chosen_[static_cast<std::size_t>(slot.value() - 1)];
  }

 private:
  std::optional<LogFault> add(const PromiseRecord& record, const Location&) {
    promised_ = std::max(promised_, record.ballot);
    return std::nullopt;
  }

  std::optional<LogFault> add(const AcceptRecord& record, const Location& location) {
    promised_ = std::max(promised_, record.ballot);
    if (record.slot <= chosen_through()) return std::nullopt;
    const auto [entry, is_new] = accepted_.try_emplace(record.slot, Accepted{record.ballot, location});
    if (!is_new && record.ballot >= entry->second.ballot) entry->second = Accepted{record.ballot, location};
    return std::nullopt;
  }

  std::optional<LogFault> add(const ChosenRecord& record, const Location&) {
    Slot last = chosen_through();
    auto end = accepted_.begin();
    for (; last < record.through; ++end) {
      last = last.next();
      if (end == accepted_.end() || end->first != last) return LogFault{LogFault::Kind::chosen_unaccepted, last};
    }
    for (auto entry = accepted_.begin(); entry != end; ++entry) chosen_.push_back(std::move(entry->second.location));
    accepted_.erase(accepted_.begin(), end);
    return std::nullopt;
  }

  std::optional<LogFault> add(const LearnRecord& record, const Location& location) {
    if (record.slot == Slot{} || record.slot.previous() != chosen_through())
      return LogFault{LogFault::Kind::learned_out_of_turn, record.slot};
    accepted_.erase(record.slot);
    chosen_.push_back(location);
    return std::nullopt;
  }

  Ballot promised_;
  std::deque<Location> chosen_;  ///< entry i is slot i + 1
  std::map<Slot, Accepted> accepted_;
};

}  // namespace paxos
