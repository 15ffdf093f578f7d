// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/record.hpp>
#include <paxos/storage/storage_error.hpp>

#include "sqlite.hpp"

namespace examples {

/// One row of SqliteStorage's tables: (id, body, checksum).
struct Row {
  std::int64_t id = 0;
  paxos::Buffer body;

  [[nodiscard]] std::uint32_t checksum() const {
    return paxos::crc32c(body, paxos::crc32c(std::as_bytes(std::span{&id, 1})));
  }
};

/// Throws StorageError when the row is damaged.
[[nodiscard]] inline Row row_of(const Statement& statement) {
  const auto body = statement.bytes(1);
  Row row{statement.integer(0), paxos::Buffer(body.begin(), body.end())};
  if (row.checksum() != statement.integer(2))
    throw paxos::StorageError("the checksum of row " + std::to_string(row.id) + " does not hold");
  return row;
}

/// The kind of the record, and its fields.
[[nodiscard]] inline paxos::Buffer body_of(const paxos::Record& record) {
  paxos::Buffer body{static_cast<std::byte>(record.index())};
  record.visit([&](const auto& fields) { paxos::encode(body, fields); });
  return body;
}
[[nodiscard]] inline std::optional<paxos::Record> record_in(std::span<const std::byte> body) {
  paxos::Record record;
  if (body.empty() || !record.reset(std::to_integer<std::size_t>(body.front()))) return std::nullopt;
  if (!record.visit([&](auto& fields) { return paxos::decode(body.subspan(1), fields); })) return std::nullopt;
  return record;
}

/// The value of the record, if it has one.
[[nodiscard]] inline std::optional<paxos::Value> value_in(std::span<const std::byte> body) {
  const auto record = record_in(body);
  if (!record) return std::nullopt;
  if (const auto* accept = get_if<paxos::AcceptRecord>(&*record)) return accept->value;
  if (const auto* learn = get_if<paxos::LearnRecord>(&*record)) return learn->value;
  return std::nullopt;
}

}  // namespace examples
