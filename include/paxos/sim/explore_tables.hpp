// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <paxos/core/ensure.hpp>

namespace paxos::sim {

/// A set of small numbers, as bits.
class BitSet {
 public:
  static constexpr std::size_t limit = 256;  ///< bits are 0 to `limit` - 1

  /// An InvariantViolation for a bit that there is no room for.
  void insert(std::size_t bit) {
    ensure(bit < limit, "explore: more facts than a BitSet holds; choose smaller bounds");
    words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  /// `bit` must be below `limit`.
  [[nodiscard]] bool has(std::size_t bit) const { return ((words_[bit / 64] >> (bit % 64)) & 1) != 0; }
  /// No bit is in.
  [[nodiscard]] bool is_empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  /// They have a bit in common.
  [[nodiscard]] bool meets(const BitSet& other) const { return !(*this & other).is_empty(); }
  /// Every bit of `other` is in.
  [[nodiscard]] bool covers(const BitSet& other) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      if ((other.words_[i] & ~words_[i]) != 0) return false;
    return true;
  }

  /// Ascending.
  template <class Visit>
  void each(Visit&& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (std::uint64_t left = words_[i]; left != 0; left &= left - 1)
        visit(64 * i + static_cast<std::size_t>(std::countr_zero(left)));
  }

  friend BitSet operator&(BitSet a, const BitSet& b) {
    for (std::size_t i = 0; i < a.words_.size(); ++i) a.words_[i] &= b.words_[i];
    return a;
  }
  friend BitSet operator|(BitSet a, const BitSet& b) {
    for (std::size_t i = 0; i < a.words_.size(); ++i) a.words_[i] |= b.words_[i];
    return a;
  }
  friend BitSet operator^(BitSet a, const BitSet& b) {
    for (std::size_t i = 0; i < a.words_.size(); ++i) a.words_[i] ^= b.words_[i];
    return a;
  }
  friend bool operator==(const BitSet&, const BitSet&) = default;
  /// As a key.
  [[nodiscard]] std::string bytes() const { return {reinterpret_cast<const char*>(words_.data()), sizeof words_}; }

 private:
  std::array<std::uint64_t, limit / 64> words_{};
};

/// Gives small numbers to byte strings, for good.
class Strings {
 public:
  /// Its number, and whether it is new.
  std::pair<std::uint32_t, bool> number_of(std::string bytes) {
    const auto [entry, is_new] = numbers_.try_emplace(std::move(bytes), static_cast<std::uint32_t>(strings_.size()));
    if (is_new) strings_.push_back(&entry->first);
    return {entry->second, is_new};
  }
  [[nodiscard]] const std::string& operator[](std::uint32_t number) const { return *strings_[number]; }
  [[nodiscard]] std::size_t size() const { return strings_.size(); }  ///< distinct ones

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<const std::string*> strings_;
};

/// A hash that spreads every bit over all.
[[nodiscard]] inline std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93ULL;
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93ULL;
  return value ^ (value >> 32);
}

/// From 64 bits to 32, for what is looked up millions of times. Open addressing; nothing is ever removed. The key of
/// all ones is not used.
class PairMap {
 public:
  /// What find() gives for a key that is not there; no value.
  static constexpr std::uint32_t absent = ~std::uint32_t{0};

  /// `absent`: it is not there.
  [[nodiscard]] std::uint32_t find(std::uint64_t key) const {
    for (std::size_t at = mixed(key) & mask();; at = (at + 1) & mask()) {
      if (entries_[at].key == key) return entries_[at].value;
      if (entries_[at].key == empty) return absent;
    }
  }
  /// The key must not be there yet.
  void insert(std::uint64_t key, std::uint32_t value) {
    if (2 * ++size_ > entries_.size()) grow();
    place(Entry{key, value});
  }
  [[nodiscard]] std::size_t size() const { return size_; }  ///< entries

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  struct Entry {
    std::uint64_t key = empty;
    std::uint32_t value = absent;
  };

  [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }
  void place(const Entry& entry) {
    std::size_t at = mixed(entry.key) & mask();
    while (entries_[at].key != empty) at = (at + 1) & mask();
    entries_[at] = entry;
  }
  void grow() {
    const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(2 * entries_.size()));
    for (const Entry& entry : old)
      if (entry.key != empty) place(entry);
  }

  std::vector<Entry> entries_ = std::vector<Entry>(1024);
  std::size_t size_ = 0;
};

/// The states that were reached, in the order in which they were found, each with the state that it was reached from. A
/// state is a row of words; two states are one when their rows are equal.
class StateTable {
 public:
  /// Words in a row, without the parent.
  explicit StateTable(std::size_t words) : words_(words), slots_(std::size_t{1} << 16, 0) {}

  /// Of a row, for insert() and expect_row().
  [[nodiscard]] static std::uint64_t hash(const std::uint32_t* row, std::size_t words) {
    std::uint64_t value = 0x9e3779b97f4a7c15ULL;
    for (std::size_t i = 0; i < words; ++i) value = mixed(value ^ row[i]);
    return value;
  }
  /// Two hints, some time apart, that insert() will be called: memory is what it waits for.
  void expect(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
  /// A hint to the processor: that row comes soon.
  void expect_row(std::uint64_t hash) const {
    if (const std::uint32_t slot = slots_[hash & (slots_.size() - 1)]; slot != 0) __builtin_prefetch(row(slot - 1));
  }

  /// False when it was there already.
  bool insert(const std::uint32_t* row, std::uint64_t hash, std::uint32_t parent) {
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
      if (is_same(slots_[at] - 1, row)) return false;
    slots_[at] = static_cast<std::uint32_t>(++size_);
    append(row, parent);
    if (10 * size_ > 6 * slots_.size()) grow();
    return true;
  }

  [[nodiscard]] std::size_t size() const { return size_; }  ///< rows
  /// Valid until the next insert().
  [[nodiscard]] const std::uint32_t* row(std::size_t state) const {
    return chunks_[state / chunk_states].get() + (state % chunk_states) * (words_ + 1);
  }
  /// The row from which it was reached first.
  [[nodiscard]] std::uint32_t parent(std::size_t state) const { return row(state)[words_]; }
  /// Of memory, about.
  [[nodiscard]] std::size_t bytes() const {
    return slots_.size() * sizeof(std::uint32_t) + chunks_.size() * chunk_states * (words_ + 1) * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::size_t chunk_states = std::size_t{1} << 16;

  [[nodiscard]] bool is_same(std::size_t state, const std::uint32_t* other) const {
    const std::uint32_t* own = row(state);
    for (std::size_t i = 0; i < words_; ++i)
      if (own[i] != other[i]) return false;
    return true;
  }
  void append(const std::uint32_t* row, std::uint32_t parent) {
    ensure(size_ < ~std::uint32_t{0}, "explore: more than 2^32 states");
    const std::size_t state = size_ - 1;
    if (state % chunk_states == 0)
      chunks_.push_back(std::make_unique_for_overwrite<std::uint32_t[]>(chunk_states * (words_ + 1)));
    std::uint32_t* own = chunks_.back().get() + (state % chunk_states) * (words_ + 1);
    for (std::size_t i = 0; i < words_; ++i) own[i] = row[i];
    own[words_] = parent;
  }
  void grow() {
    slots_ = {};
    std::size_t slots = 1;
    while (10 * size_ > 3 * slots) slots *= 2;
    slots_.assign(slots, 0);
    for (std::size_t state = 0; state < size_; ++state) {
      std::size_t at = hash(row(state), words_) & (slots - 1);
      while (slots_[at] != 0) at = (at + 1) & (slots - 1);
      slots_[at] = static_cast<std::uint32_t>(state + 1);
    }
  }

  std::size_t words_;
  std::vector<std::uint32_t> slots_;  ///< number of a state + 1; 0: free
  std::vector<std::unique_ptr<std::uint32_t[]>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace paxos::sim
