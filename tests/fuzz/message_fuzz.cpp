// Copyright (c) the paxos authors. MIT licence.
//
// Everything that is decoded from the wire or the disk: what decodes is encoded as the same bytes again (the encoding
// is canonical), and decoding allocates no more than a multiple of what is there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/record.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/log_index.hpp>
#include <paxos/storage/segment.hpp>
#include <paxos/transport/hello.hpp>

#include "check.hpp"
#include "input.hpp"
#include "meter.hpp"

namespace paxos::fuzz {

namespace {

/// An empty value takes 4 bytes on the wire and an element of 24 in memory, in a vector that doubles: the old and the
/// new elements are there for a moment. A value of one byte has a block of its own.
constexpr std::size_t bytes_per_byte_max = 32;

void check_allocated(std::size_t input_bytes) {
  check(Meter::peak() <= 1024 + bytes_per_byte_max * input_bytes, "decoding allocates in proportion to the bytes");
}

void check_same(std::span<const std::byte> bytes, const Buffer& again) {
  check(std::ranges::equal(bytes, again), "what decodes is encoded as the same bytes");
}

template <class T>
void check_fields(std::span<const std::byte> bytes) {
  T value{};
  Meter::start();
  const bool is_whole = decode(bytes, value);
  check_allocated(bytes.size());
  if (!is_whole) return;
  Buffer again;
  encode(again, value);
  check_same(bytes, again);
}

void check_message(std::span<const std::byte> bytes) {
  Message message;
  Meter::start();
  const bool is_whole = decode_message(bytes, message);
  check_allocated(bytes.size());
  if (!is_whole) return;
  Buffer again;
  encode_message(again, message);
  check_same(bytes, again);
  Message twin;
  check(decode_message(again, twin) && twin == message, "and that decodes as an equal message");
  check(!name_of(message).empty(), "every message has a name");
}

void check_record(std::uint8_t kind, std::span<const std::byte> bytes) {
  Meter::start();
  const auto record = detail::decode_record(kind, bytes);
  check_allocated(bytes.size());
  if (!record) return;
  Buffer again;
  record->visit([&](const auto& fields) { encode(again, fields); });
  check_same(bytes, again);
  check(detail::encoded_bytes(*record) == bytes.size(), "the size of a record is foretold");
}

/// The only batch that is not built as it was read is the one without a command: a no-op is written as no bytes.
void check_batch(std::span<const std::byte> bytes) {
  const Value value{bytes};
  Meter::start();
  const auto commands = commands_of(value);
  check_allocated(bytes.size());
  if (!commands || commands->empty()) return;
  BatchBuilder builder;
  for (const Command& command : *commands) builder.add(command);
  check(builder.take() == value, "a batch is built again as it was");
}

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos;
  using namespace paxos::fuzz;
  Input input{data, size};
  const std::uint8_t what = input.byte();
  const auto bytes = input.rest();
  switch (what) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: check_record(what, bytes); break;
    case 6: check_fields<Hello>(bytes); break;
    case 7: check_fields<HelloReply>(bytes); break;
    case 8: check_fields<Identity>(bytes); break;
    case 9: check_fields<SegmentHeader>(bytes); break;
    case 10: check_fields<LogFrameHeader>(bytes); break;
    case 11: check_batch(bytes); break;
    case 12: check_fields<std::vector<std::vector<std::uint64_t>>>(bytes); break;
    case 13: check_fields<std::vector<std::string>>(bytes); break;
    default: check_message(bytes); break;
  }
  return 0;
}
