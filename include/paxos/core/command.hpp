// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/bytes.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// Who asks: 128 bits that no two askers share.
struct SessionId {
  std::uint64_t high = 0;  ///< with `low`: 128 bits that nobody else draws or names
  std::uint64_t low = 0;   ///< the other half

  /// The session of a name that the asker chose: two FNV-1a hashes (64 bit, http://www.isthe.com/chongo/tech/comp/fnv/)
  /// over the name, the second behind one more byte. The same on every machine.
  [[nodiscard]] static constexpr SessionId named(std::string_view name) {
    return SessionId{fnv1a(name, 0), fnv1a(name, 1)};
  }

  friend constexpr auto operator<=>(const SessionId&, const SessionId&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(high, low);
  }

 private:
  static constexpr std::uint64_t fnv1a(std::string_view text, std::uint8_t first) {
    std::uint64_t hash = (14695981039346656037ULL ^ first) * 1099511628211ULL;
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    return hash;
  }
};

/// Names one command for good: a retry that carries the same id is executed at most once.
struct RequestId {
  SessionId session;           ///< of one asker
  std::uint64_t sequence = 0;  ///< from 1 on, rising; a higher one says that those below are settled

  friend constexpr auto operator<=>(const RequestId&, const RequestId&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(session, sequence);
  }
};

/// One command of a client, as it travels: still bytes, as only the state machine knows its type.
struct Command {
  RequestId id;                     ///< a retry keeps it
  std::uint64_t settled_below = 0;  ///< the asker awaits no answer for any sequence below this one
  Slot issued_after;                ///< what the asker's node had applied when it first issued this; kept by retries
  Bytes payload;                    ///< Machine::Command, encoded

  friend bool operator==(const Command&, const Command&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(id, settled_below, issued_after, payload);
  }
};

/// What a slot holds: a batch of commands in their one encoding. Empty is the no-op.
using Value = Bytes;

/// Collects commands into the value of one slot. Format: a 32-bit count, then the commands.
class BatchBuilder {
 public:
  /// Behind those that are in already.
  template <class Archive = Encoder>
  void add(const Command& command) {
    Archive archive{buffer_};
    if (count_ == 0) archive(std::uint32_t{0});
    archive(command);
    ++count_;
  }
  [[nodiscard]] std::size_t bytes() const { return buffer_.size(); }  ///< of the value so far
  [[nodiscard]] std::uint32_t commands() const { return count_; }     ///< how many are in
  [[nodiscard]] bool empty() const { return count_ == 0; }            ///< take() would give a no-op

  /// The value; the builder is then empty again and keeps its memory.
  [[nodiscard]] Value take() {
    if (empty()) return {};
    const auto little = detail::little_endian(count_);
    std::memcpy(buffer_.data(), &little, sizeof little);
    Value value{buffer_};
    buffer_.clear();
    count_ = 0;
    return value;
  }

 private:
  Buffer buffer_;
  std::uint32_t count_ = 0;
};

/// The commands of a value; nullopt when it is not a batch. Every replica sees the same bytes, so all agree on that.
[[nodiscard]] std::optional<std::vector<Command>> commands_of(const std::same_as<Value> auto& value) {
  std::vector<Command> commands;
  if (value.empty()) return commands;
  Decoder decoder{value.span()};
  const std::uint32_t count = decoder.length();
  for (std::uint32_t i = 0; i < count && decoder.ok(); ++i) decoder(commands.emplace_back());
  if (!decoder.finished()) return std::nullopt;
  return commands;
}

}  // namespace paxos

template <>
struct std::hash<paxos::SessionId> {
  std::size_t operator()(const paxos::SessionId& id) const noexcept {
    return static_cast<std::size_t>(id.high ^ (id.low * 0x9e3779b97f4a7c15ULL));
  }
};
template <>
struct std::hash<paxos::RequestId> {
  std::size_t operator()(const paxos::RequestId& id) const noexcept {
    return std::hash<paxos::SessionId>{}(id.session) ^ static_cast<std::size_t>(id.sequence * 0xff51afd7ed558ccdULL);
  }
};
