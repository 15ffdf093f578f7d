// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/segment.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

Buffer sealed(std::uint64_t offset, std::uint32_t seed, const Record& record) {
  Buffer out;
  LogFrameHeader header;
  header.sequence = 9;
  header.flush_first = 8;
  header.kind = static_cast<std::uint8_t>(record.index() + 1);
  detail::append_frame(out, header, &record, offset, seed);
  return out;
}

}  // namespace

// The bytes were computed by another program, from the description in segment.hpp.
TEST_CASE("the format of the log, byte for byte", "[segment][golden]") {
  TempDir dir;
  {
    TestStorage store{config_in(dir / "data"), small_segments};
    store.append(promise(7));
    store.append(accept(1, 7, "hello"));
    CHECK(store.flush().ok());
    store.append(chosen(1));
    store.append(learn(2, "w"));
    CHECK(store.flush().ok());
  }
  {
    const TestStorage opened{config_in(dir / "data"), small_segments};
  }
  const Image image = image_of(dir / "data");
  const std::string_view identity =
      "5041584f53494454010000000100000000000000010000000000000005000000"
      "7061786f73030000000100000000000000020000000000000003000000000000"
      "0000100000000000000020000000000000013e3445";
  const std::string_view header =
      "5041584f534c4f4701000000d8758528d6a6a4d5010000000000000001000000"
      "0000000001000000000000000040000000000000010000000000000001000000"
      "00000000030000000000000007d24ec2";
  const std::string_view frames =
      // promise of ballot 7.1
      "7bd3ac2dbf0d317301000000000000000100000000000000100000000100005a"
      "070000000000000001000000000000000000000000000000000000000000005a"
      // accept of slot 1 at 7.1: 'hello'
      "5b0171b67a3d5a6602000000000000000100000000000000210000000200005a"
      "0700000000000000010000000000000001000000000000000500000068656c6c"
      "6f0000000000000000000000000000000000000000000000000000000000005a"
      // chosen through 1
      "5a98d147fbd463d203000000000000000300000000000000080000000300005a"
      "010000000000000000000000000000000000000000000000000000000000005a"
      // learn slot 2: 'w'
      "3e351847f9e17172040000000000000003000000000000000d0000000400005a"
      "020000000000000001000000770000000000000000000000000000000000005a"
      // mark, from the second opening
      "9ab5ff9907d24ec205000000000000000500000000000000000000008100005a";
  CHECK(hex(image.at("identity")) == identity);
  const std::string& log = image.at("log-0000000000000001.paxos");
  CHECK(log.size() == 16384);
  CHECK(hex(log.substr(0, header.size() / 2)) == header);
  CHECK(log.find_first_not_of('\0', header.size() / 2) == 4096);
  CHECK(hex(log.substr(4096, frames.size() / 2)) == frames);
  CHECK(log.find_first_not_of('\0', 4096 + frames.size() / 2) == std::string::npos);
}

TEST_CASE("a frame is believed at its own place only", "[segment]") {
  const Buffer frame = sealed(8192, 77, learn(3, "value"));
  CHECK(detail::parse_frame(frame, 8192, 77, 8192).valid);
  CHECK_FALSE(detail::parse_frame(frame, 8224, 77, 8224).header_valid);
  CHECK_FALSE(detail::parse_frame(frame, 8192, 78, 8192).header_valid);
}

TEST_CASE("the last byte of every sector that a frame goes through is 0x5A, and its record is whole", "[segment]") {
  for (std::uint64_t offset = 4096; offset < 4096 + 512; offset += 32) {
    for (const std::size_t bytes : {0U, 1U, 400U, 466U, 467U, 468U, 499U, 500U, 510U, 511U, 512U, 978U, 1022U, 5000U}) {
      CAPTURE(offset, bytes);
      const Record record = learn(3, std::string(bytes, '\0'));
      const Buffer frame = sealed(offset, 1, record);
      REQUIRE(frame.size() == detail::frame_bytes(detail::encoded_bytes(record), offset));
      for (std::size_t at = 0; at < frame.size(); ++at)
        if ((offset + at) % 512 == 511) REQUIRE(frame[at] == std::byte{0x5A});
      const auto parsed = detail::parse_frame(frame, offset, 1, offset);
      REQUIRE(parsed.valid);
      REQUIRE(detail::decode_record(4, parsed.payload()) == record);
    }
  }
}

TEST_CASE("a frame that claims more than there is, is not read", "[segment]") {
  Buffer frame = sealed(4096, 1, learn(3, noise(100, 1)));
  const auto claim = [&](std::uint32_t bytes) {
    std::memcpy(frame.data() + 24, &bytes, sizeof bytes);
    const std::uint32_t crc = detail::frame_header_crc(frame, 4096, 1);
    std::memcpy(frame.data(), &crc, sizeof crc);
    return detail::parse_frame(frame, 4096, 1, 4096);
  };
  CHECK(claim(112).valid);
  CHECK_FALSE(claim(200).header_valid);
  CHECK_FALSE(claim(0xffffffffU).header_valid);
  CHECK_FALSE(detail::parse_frame(std::span{frame}.first(31), 4096, 1, 4096).header_valid);
  CHECK_FALSE(detail::parse_frame(frame, 4096 + frame.size() + 32, 1, 4096).header_valid);
}

TEST_CASE("a payload of an unknown kind, or with bytes left over, is no record", "[segment]") {
  const Buffer frame = sealed(4096, 1, promise(3));
  const auto parsed = detail::parse_frame(frame, 4096, 1, 4096);
  const auto payload = parsed.payload();
  CHECK(detail::decode_record(1, payload) == promise(3));
  CHECK_FALSE(detail::decode_record(0, payload));
  CHECK_FALSE(detail::decode_record(3, payload));
  CHECK_FALSE(detail::decode_record(5, payload));
  CHECK_FALSE(detail::decode_record(1, payload.first(15)));
}

TEST_CASE("the size of a record's payload is known before it is encoded", "[segment]") {
  for (const Record& record : {promise(1), accept(1, 1, "abc"), accept(1, 1, ""), chosen(1), learn(1, noise(77, 1))}) {
    Buffer out;
    record.visit([&](const auto& fields) { encode(out, fields); });
    CHECK(out.size() == detail::encoded_bytes(record));
  }
}
