// Copyright (c) the paxos authors. MIT licence.
#include <paxos/storage/log_recovery.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "rig.hpp"

using namespace paxos;
using namespace paxos::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

const std::string first_segment = "log-0000000000000001.paxos";
const std::string second_segment = "log-0000000000000002.paxos";

/// A log whose last flush may be made to look unfinished.
class Scene {
 public:
  /// Flushes of `flushes[i]` learned slots each, of `value_bytes` each.
  explicit Scene(const std::vector<int>& flushes, std::size_t value_bytes, FileStorageOptions options = small_segments)
      : options_(options) {
    TestStorage store{config_in(directory_), options_};
    for (const int count : flushes) {
      durable_slots_ = slots_;
      for (int i = 0; i < count; ++i) {
        ++slots_;
        store.append(learn(slots_, noise(value_bytes, slots_)));
      }
      before_ = image_of(directory_);
      if (!store.flush().ok()) throw std::runtime_error("flush failed");
    }
    after_ = image_of(directory_);
    value_bytes_ = value_bytes;
  }

  [[nodiscard]] const Image& before() const { return before_; }  ///< without the last flush
  [[nodiscard]] const Image& after() const { return after_; }
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::uint32_t durable_slots() const { return durable_slots_; }  ///< without the last flush

  struct Outcome {
    std::uint64_t slots = 0;
    std::uint64_t torn_bytes = 0;
    std::string refusal;
  };

  /// Opens the log as `image`, checks that all that it holds is right, that it can be written, and opened again.
  Outcome open(const Image& image) {
    put_back(image, directory_);
    Outcome outcome;
    try {
      TestStorage store{config_in(directory_), options_};
      outcome.slots = check(store);
      outcome.torn_bytes = store.torn_bytes();
      store.append(learn(outcome.slots + 1, noise(value_bytes_, static_cast<std::uint32_t>(outcome.slots + 1))));
      REQUIRE(store.flush().ok());
    } catch (const StorageError& error) {
      outcome.refusal = error.what();
      return outcome;
    }
    TestStorage again{config_in(directory_), options_};
    REQUIRE(again.torn_bytes() == 0);
    REQUIRE(check(again) == outcome.slots + 1);
    return outcome;
  }

 private:
  std::uint64_t check(TestStorage& store) {
    const std::uint64_t through = store.recover().chosen_through.value();
    for (std::uint64_t slot = 1; slot <= through; ++slot) {
      if (text_of(store.read(Slot{slot})) != noise(value_bytes_, static_cast<std::uint32_t>(slot)))
        FAIL("slot " << slot << " holds a wrong value");
    }
    return through;
  }

  TempDir dir_;
  std::string directory_ = dir_ / "data";
  FileStorageOptions options_;
  Image before_, after_;
  std::size_t value_bytes_ = 0;
  std::uint32_t slots_ = 0, durable_slots_ = 0;
};

struct Range {
  std::size_t begin = 0, end = 0;
};

/// What the last flush changed in a file.
Range difference(const std::string& before, const std::string& after) {
  Range range{after.size(), 0};
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (before[i] == after[i]) continue;
    range.begin = std::min(range.begin, i);
    range.end = i + 1;
  }
  return range;
}

}  // namespace

TEST_CASE("a last flush cut at any byte leaves what was durable before it, and whole records of it", "[recovery]") {
  for (const std::size_t value_bytes : {5U, 40U, 700U}) {
    Scene scene{{2, 3}, value_bytes};
    const Range last = difference(scene.before().at(first_segment), scene.after().at(first_segment));
    const std::size_t last_flush = last.begin / 32 * 32;
    std::vector<std::size_t> frames{last_flush};
    for (int i = 0; i < 3; ++i) frames.push_back(frames.back() + detail::frame_bytes(12 + value_bytes, frames.back()));
    REQUIRE(last.end == frames.back());
    frames.pop_back();
    for (std::size_t cut = last.begin; cut <= last.end; ++cut) {
      CAPTURE(value_bytes, cut);
      Image image = scene.after();
      std::string& log = image[first_segment];
      std::fill(log.begin() + static_cast<std::ptrdiff_t>(cut), log.end(), '\0');
      const auto outcome = scene.open(image);
      REQUIRE(outcome.refusal.empty());
      // A record counts once its payload is there: a slot, a length and the value, behind the frame's 32 bytes.
      std::uint64_t whole = scene.durable_slots();
      for (const std::size_t at : frames) whole += at + 32 + detail::spread_bytes(12 + value_bytes, at + 32) <= cut;
      REQUIRE(outcome.slots == whole);

      log.resize(cut);
      REQUIRE(scene.open(image).slots == outcome.slots);
    }
  }
}

TEST_CASE("of the last flush any sectors may be missing, and no record before it is", "[recovery]") {
  Scene scene{{3, 6}, 700};
  const std::string& before = scene.before().at(first_segment);
  const std::string& after = scene.after().at(first_segment);
  const Range last = difference(before, after);
  const std::size_t first_sector = last.begin / 512;
  const std::size_t sectors = (last.end + 511) / 512 - first_sector;
  REQUIRE(sectors >= 8);
  REQUIRE(sectors <= 12);
  bool some_cut = false;
  for (unsigned lost = 0; lost < (1U << sectors); ++lost) {
    CAPTURE(lost);
    Image image = scene.after();
    for (std::size_t sector = 0; sector < sectors; ++sector) {
      if (((lost >> sector) & 1U) != 0)
        image[first_segment].replace((first_sector + sector) * 512, 512, before, (first_sector + sector) * 512, 512);
    }
    const auto outcome = scene.open(image);
    REQUIRE(outcome.refusal.empty());
    REQUIRE(outcome.slots >= scene.durable_slots());
    REQUIRE((outcome.slots == scene.slots()) == (lost == 0));
    some_cut = some_cut || outcome.slots > scene.durable_slots();
  }
  CHECK(some_cut);
}

TEST_CASE("a last flush over two segments may lose sectors of either, or the new segment", "[recovery]") {
  Scene scene{{4, 16}, 700};
  REQUIRE(scene.after().contains(second_segment));
  REQUIRE_FALSE(scene.before().contains(second_segment));
  const std::string& before = scene.before().at(first_segment);
  const std::string blank = scene.after().at(second_segment).substr(0, 4096) + std::string(12288, '\0');
  const Range last = difference(before, scene.after().at(first_segment));
  for (std::size_t sector = last.begin / 512; sector * 512 < last.end; ++sector) {
    for (const bool second_blank : {false, true}) {
      CAPTURE(sector, second_blank);
      Image image = scene.after();
      image[first_segment].replace(sector * 512, 512, before, sector * 512, 512);
      if (second_blank) image[second_segment] = blank;
      const auto outcome = scene.open(image);
      REQUIRE(outcome.refusal.empty());
      REQUIRE(outcome.slots >= scene.durable_slots());
      REQUIRE(outcome.slots < scene.slots());
    }
  }
  Image image = scene.after();
  image[first_segment] = before;
  image.erase(second_segment);
  CHECK(scene.open(image).slots == scene.durable_slots());
  image = scene.after();
  image[second_segment] = blank;
  CHECK(scene.open(image).refusal.empty());
}

TEST_CASE("no flipped byte loses a record that was acknowledged, unless the start is refused", "[recovery]") {
  Scene scene{{2, 2, 1}, 90};
  std::size_t harmless = 0, cut = 0, refused = 0;
  for (const auto& [file, bytes] : scene.after()) {
    if (file == "lock") continue;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      if (at > 6000 && at % 61 != 0) continue;  // nothing but zeros lies there
      for (const unsigned mask :
           {0x01U, 0x80U, 0xffU, 0x5aU, static_cast<unsigned>(static_cast<unsigned char>(bytes[at]))}) {
        if (mask == 0) continue;
        CAPTURE(file, at, mask);
        Image image = scene.after();
        image[file][at] = static_cast<char>(static_cast<unsigned>(bytes[at]) ^ mask);
        const auto outcome = scene.open(image);
        if (!outcome.refusal.empty()) {
          ++refused;
          REQUIRE_THAT(outcome.refusal, ContainsSubstring("/" + file));
          REQUIRE_THAT(outcome.refusal, ContainsSubstring("Do not delete the log") || ContainsSubstring("format"));
          if (file.starts_with("log-")) REQUIRE_THAT(outcome.refusal, ContainsSubstring("offset "));
        } else {
          REQUIRE(outcome.slots == scene.slots());
          ++(outcome.torn_bytes > 0 ? cut : harmless);
        }
      }
    }
  }
  CHECK(refused > 500);
  CHECK(harmless > 1000);
  CHECK(cut > 0);
}

TEST_CASE("damage that a later flush disproves is refused even where it looks torn", "[recovery]") {
  Scene scene{{2, 2, 1}, 700};
  Image image = scene.after();
  image[first_segment].replace(4608, 512, 512, '\0');
  const std::string refusal = scene.open(image).refusal;
  CHECK_THAT(refusal, ContainsSubstring(first_segment + "', offset 4096: records 1 to 2 cannot be read"));
  CHECK_THAT(refusal, ContainsSubstring("every slot above 0"));
  CHECK_THAT(refusal, ContainsSubstring("name slots up to 5"));
}

TEST_CASE("what was recovered once is proven: its loss is refused, not cut", "[recovery]") {
  Scene scene{{2}, 700};
  TempDir dir;
  const std::string directory = dir / "data";
  put_back(scene.after(), directory);
  {
    const TestStorage opened{config_in(directory), small_segments};
  }
  Image image = image_of(directory);
  image[first_segment].replace(5120, 512, 512, '\0');
  CHECK_THAT(scene.open(image).refusal, ContainsSubstring("a later flush proves that they were durable"));
}

TEST_CASE("opening a log again and again does not make it grow", "[recovery]") {
  Scene scene{{2}, 50};
  TempDir dir;
  put_back(scene.after(), dir / "data");
  {
    const TestStorage opened{config_in(dir / "data"), small_segments};
  }
  Image once = image_of(dir / "data");
  {
    const TestStorage opened{config_in(dir / "data"), small_segments};
  }
  Image twice = image_of(dir / "data");
  CHECK(once.erase("life") == 1);  // which tells each opening
  CHECK(twice.erase("life") == 1);
  CHECK(twice == once);
}

TEST_CASE("a segment that is missing, of another place, or of another log is refused", "[recovery]") {
  Scene scene{{10, 20, 20, 1}, 700};
  const std::string third_segment = "log-0000000000000003.paxos";
  REQUIRE(scene.after().contains(third_segment));
  const auto refusal_without = [&](const std::string& name) {
    Image image = scene.after();
    image.erase(name);
    return scene.open(image).refusal;
  };
  for (const std::string& name : {first_segment, second_segment, third_segment}) {
    const std::string refusal = refusal_without(name);
    CHECK_THAT(refusal, ContainsSubstring(name));
    CHECK_THAT(refusal, ContainsSubstring("missing"));
  }
  Image image = scene.after();
  image[second_segment] = image[third_segment];
  CHECK_THAT(scene.open(image).refusal, ContainsSubstring("belongs to another log or place (it says segment 3"));
  image = scene.after();
  image[third_segment] = std::string(image[third_segment].size(), '\0');
  CHECK_THAT(scene.open(image).refusal, ContainsSubstring("header is unreadable"));
  image = scene.after();
  image[first_segment] = Scene{{10, 20, 20, 1}, 700}.after().at(first_segment);
  CHECK(scene.open(image).refusal.empty());  // the same random numbers: the same log
}

TEST_CASE("a segment's header buys no memory that its file does not fill", "[recovery]") {
  Scene scene{{3}, 100};
  Image image = scene.after();
  std::string& file = image[first_segment];
  std::uint32_t seed = 0;
  auto header = detail::parse_segment_block(std::as_bytes(std::span{file}), seed);
  REQUIRE(header);
  header->size = 2 * segment_bytes_max;
  const Buffer block = detail::segment_block(*header, seed);
  std::memcpy(file.data(), block.data(), block.size());
  TempDir dir;
  put_back(image, dir / "data");
  auto control = std::make_shared<TestFiles::Control>();
  CHECK_THROWS_AS((TestStorage{config_in(dir / "data"), small_segments, TestFiles{control}}), StorageError);
  CHECK(control->largest_read > 0);
  CHECK(control->largest_read < file.size() + 2 * record_bytes_max);
}

TEST_CASE("an unfinished new segment is no segment", "[recovery]") {
  Scene scene{{3}, 100};
  Image image = scene.after();
  image["segment.tmp"] = std::string(5000, 'x');
  CHECK(scene.open(image).slots == 3);
}

TEST_CASE("records that were never flushed are synced before they are believed", "[recovery]") {
  Scene scene{{3}, 100};
  TempDir dir;
  put_back(scene.after(), dir / "data");
  auto control = std::make_shared<TestFiles::Control>();
  std::vector<Call> calls;
  control->fault = [&](Call call) {
    calls.push_back(call);
    return std::error_code{};
  };
  {
    const TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
  }
  // The identity was synced when it was made; then a life begins, and its file's name is synced.
  const auto first_read = std::ranges::find(calls, Call::read);
  const auto life_begun = std::find(first_read, calls.end(), Call::sync_directory);
  CHECK(std::find(life_begun, calls.end(), Call::sync) < std::find(life_begun, calls.end(), Call::read));
  CHECK(std::ranges::count(calls, Call::write) >= 3);  // the lock's pid, the life, and the last flush again

  for (int nth = 1;; ++nth) {
    CAPTURE(nth);
    put_back(scene.after(), dir / "data");
    bool met = false;
    control->fault = [&, left = nth](Call call) mutable {
      if (call != Call::sync && call != Call::sync_data) return std::error_code{};
      const bool now = --left == 0;
      met = met || now;
      return now ? eio : std::error_code{};
    };
    const auto open = [&] { const TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}}; };
    std::optional<std::string> refusal;
    try {
      open();
    } catch (const StorageError& error) {
      refusal = error.what();
    }
    CHECK(refusal.has_value() == met);
    if (!met) {
      CHECK(nth >= 3);
      break;
    }
  }
}

TEST_CASE("a repair that is interrupted anywhere is finished by the next start", "[recovery]") {
  Scene scene{{4, 16}, 700};
  Image torn = scene.after();
  torn[first_segment].replace(12 * 1024, 512, scene.before().at(first_segment), 12 * 1024, 512);
  const auto expected = scene.open(torn);
  REQUIRE(expected.refusal.empty());
  REQUIRE(expected.torn_bytes > 0);
  TempDir dir;
  for (int calls_left = 0;; ++calls_left) {
    CAPTURE(calls_left);
    put_back(torn, dir / "data");
    auto control = std::make_shared<TestFiles::Control>();
    bool met = false;
    control->fault = [&met, left = calls_left](Call call) mutable {
      if (call == Call::read || left-- > 0) return std::error_code{};
      met = true;
      return eio;
    };
    control->write_bytes_max = 600;
    try {
      const TestStorage store{config_in(dir / "data"), small_segments, TestFiles{control}};
    } catch (const StorageError&) {
    }
    CHECK(scene.open(image_of(dir / "data")).slots == expected.slots);
    if (!met) break;
  }
}

// What a power cut leaves of a sector that is being zeroed begins with zeros and ends with what was there: damage, if
// nobody had noted what goes on.
TEST_CASE("a repair that is itself torn is finished by the next start", "[recovery]") {
  Scene scene{{4, 9}, 700};
  Image torn = scene.after();
  const Range last = difference(scene.before().at(first_segment), scene.after().at(first_segment));
  const std::size_t lost = last.begin / 512 + 3;
  torn[first_segment].replace(lost * 512, 512, 512, '\0');
  const auto expected = scene.open(torn);
  REQUIRE(expected.refusal.empty());
  REQUIRE(expected.slots < scene.slots());

  TempDir dir;
  put_back(torn, dir / "data");
  auto control = std::make_shared<TestFiles::Control>();
  control->fault = [syncs = 0](Call call) mutable {
    return call == Call::sync && ++syncs == 3 ? eio : std::error_code{};  // the segment's, the note's, the zeros'
  };
  REQUIRE_THROWS_AS((TestStorage{config_in(dir / "data"), small_segments, TestFiles{control}}), StorageError);
  const Image zeroed = image_of(dir / "data");
  const std::string& old = torn.at(first_segment);
  REQUIRE(zeroed.at(first_segment) != old);
  for (std::size_t sector = last.begin / 512; sector * 512 < last.end; ++sector) {
    for (const std::size_t cut : {0U, 1U, 31U, 100U, 256U, 480U, 511U}) {
      CAPTURE(sector, cut);
      Image image = zeroed;
      const std::size_t begin = sector * 512 + cut;
      image[first_segment].replace(begin, 512 - cut, old, begin, 512 - cut);
      const auto outcome = scene.open(image);
      REQUIRE(outcome.refusal.empty());
      REQUIRE(outcome.slots == expected.slots);
    }
  }
  Image none_zeroed = zeroed;
  none_zeroed[first_segment].replace(last.begin, last.end - last.begin, old, last.begin, last.end - last.begin);
  CHECK(scene.open(none_zeroed).slots == expected.slots);
}

TEST_CASE("a note of a repair that is over cuts nothing", "[recovery]") {
  Scene scene{{2, 2}, 90};
  Image image = scene.after();
  const Range last = difference(scene.before().at(first_segment), scene.after().at(first_segment));
  std::uint32_t seed = 0;
  REQUIRE(detail::parse_segment_block(std::as_bytes(std::span{image.at(first_segment)}).first(4096), seed));
  const Buffer note = detail::repair_note({last.begin / 32 * 32, last.end, 3}, seed);
  image[first_segment].replace(512, note.size(), reinterpret_cast<const char*>(note.data()), note.size());
  const auto outcome = scene.open(image);
  CHECK(outcome.refusal.empty());
  CHECK(outcome.slots == scene.slots());
}
