// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <paxos/core/ballot.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/core/slot.hpp>
#include <paxos/sim/explore_image.hpp>
#include <paxos/sim/explore_tables.hpp>

namespace paxos::sim {

/// A message on its way: who sent what. Whom it is for, its reader knows.
struct Letter {
  NodeId from;                ///< who sent it
  std::uint32_t message = 0;  ///< number in the Lexicon

  friend auto operator<=>(const Letter&, const Letter&) = default;
};

/// One acceptor's vote, as a fact that stays true for good.
struct VoteFact {
  Slot slot;                ///< where
  Ballot ballot;            ///< at which
  std::uint32_t value = 0;  ///< number in the Lexicon

  friend auto operator<=>(const VoteFact&, const VoteFact&) = default;
};

/// What all members speak of, by number.
template <StateMachine Machine>
struct Glossary {
  Lexicon<Machine> lexicon;                        ///< of what messages and images contain
  std::vector<Letter> letters;                     ///< by number
  std::map<Letter, std::uint32_t> letter_numbers;  ///< the same, the other way
  std::vector<VoteFact> votes;                     ///< by number
  std::map<VoteFact, std::uint32_t> vote_numbers;  ///< the same, the other way
  Strings sets;                                    ///< of letters
  std::map<std::string, std::uint64_t> digests;    ///< learnt facts → digest of the machine

  /// A new one, if it was not met yet.
  std::uint32_t number_of(const Letter& letter) { return number(letter, letters, letter_numbers); }
  /// A new one, if it was not met yet.
  std::uint32_t number_of(const VoteFact& vote) { return number(vote, votes, vote_numbers); }
  /// A chosen value is told of as a vote at no ballot.
  std::uint32_t number_of_chosen(Slot slot, const Value& value) {
    return number_of(VoteFact{slot, Ballot{}, lexicon.number_of(value)});
  }

  /// Of a set, in any order and with repetitions.
  std::uint32_t number_of(std::vector<std::uint32_t> letters_in_set) {
    std::ranges::sort(letters_in_set);
    const auto twins = std::ranges::unique(letters_in_set);
    letters_in_set.erase(twins.begin(), twins.end());
    const auto* first = reinterpret_cast<const char*>(letters_in_set.data());
    return sets.number_of({first, letters_in_set.size() * sizeof(std::uint32_t)}).first;
  }
  /// Ascending, each once.
  [[nodiscard]] std::vector<std::uint32_t> letters_of(std::uint32_t set) const {
    const std::string& bytes = sets[set];
    std::vector<std::uint32_t> found(bytes.size() / sizeof(std::uint32_t));
    if (!bytes.empty()) std::memcpy(found.data(), bytes.data(), bytes.size());
    return found;
  }

 private:
  template <class T>
  static std::uint32_t number(const T& thing, std::vector<T>& things, std::map<T, std::uint32_t>& numbers) {
    const auto [entry, is_new] = numbers.try_emplace(thing, static_cast<std::uint32_t>(things.size()));
    if (is_new) things.push_back(thing);
    return entry->second;
  }
};

}  // namespace paxos::sim
