// Copyright (c) the paxos authors. MIT licence.
//
// The write-ahead log on a disk that does as it likes. Of a log that was really written and then damaged, opening
// either refuses, naming the place, or recovers exactly a prefix of what was written; and all of it, as long as what
// proves it is untouched. Of bytes that nobody ever wrote it may believe what it likes, but not break.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/core/random.hpp>

#include "check.hpp"
#include "input.hpp"
#include "log_model.hpp"

namespace paxos::fuzz {

namespace {

constexpr std::size_t sector_bytes = 512;

/// Writes a log as an acceptor and a learner would.
class Writer {
 public:
  Writer(std::uint64_t seed, std::size_t value_bytes_max) : random_(seed), value_bytes_max_(value_bytes_max) { open(); }

  /// A restart: the log is read again, and marked.
  void open() {
    store_.reset();
    before_ = files_.content();
    store_ = std::make_unique<Store>(config_of_log(), small_segments, files_);
    log_.flushed.push_back(log_.records.size());
  }
  void flush() {
    before_ = files_.content();
    check(store_->flush().ok(), "a disk without faults takes a flush");
    log_.flushed.push_back(log_.records.size());
  }
  void write(std::size_t records) {
    for (std::size_t i = 0; i < records; ++i) {
      append(next());
      if (random_.chance(30)) flush();
    }
    flush();
  }

  /// What was on the disk before the last flush or mark.
  [[nodiscard]] const Directory& before() const { return before_; }
  [[nodiscard]] WrittenLog take() {
    log_.files = files_.content();
    return log_;
  }

 private:
  void append(Record record) {
    store_->append(record);
    log_.records.push_back(std::move(record));
  }

  [[nodiscard]] Value some_value() {
    std::string text(random_.below(value_bytes_max_), '\0');
    for (char& c : text) c = static_cast<char>(random_.chance(20) ? 0 : random_.below(256));
    return Value{text};
  }

  [[nodiscard]] Record next() {
    const Ballot ballot{round_, NodeId{1 + random_.below(3)}};
    switch (random_.below(6)) {
      case 0: return PromiseRecord{Ballot{++round_, NodeId{2}}};
      case 1:
        if (accepted_ == chosen_) {
          accepted_ = ++chosen_;
          return LearnRecord{Slot{chosen_}, some_value()};
        }
        chosen_ += 1 + random_.below(accepted_ - chosen_);
        return ChosenRecord{Slot{chosen_}};
      case 2:
        if (accepted_ > chosen_)
          return AcceptRecord{Ballot{++round_, NodeId{3}}, Slot{chosen_ + 1 + random_.below(accepted_ - chosen_)},
                              some_value()};
        [[fallthrough]];
      default: return AcceptRecord{ballot, Slot{++accepted_}, some_value()};
    }
  }

  Random random_;
  std::size_t value_bytes_max_;
  MemoryFiles files_;
  std::unique_ptr<Store> store_;
  Directory before_;
  WrittenLog log_;
  std::uint64_t round_ = 1;
  std::uint64_t accepted_ = 0;
  std::uint64_t chosen_ = 0;
};

/// Bytes of a file, and where they stand.
struct Run {
  std::string name;
  std::size_t at = 0;
  std::vector<std::byte> bytes;

  [[nodiscard]] bool is_in(const Directory& files) const {
    const auto found = files.find(name);
    return found != files.end() && found->second.size() >= at + bytes.size() &&
           std::equal(bytes.begin(), bytes.end(), found->second.begin() + static_cast<std::ptrdiff_t>(at));
  }
};

/// A log to be damaged, and what its prefixes say.
struct Sample {
  WrittenLog log;
  Directory before;  ///< the last flush
  std::vector<LogState> prefixes;
  std::vector<Run> proof;  ///< as long as these stand, all that was written is proven durable

  [[nodiscard]] bool is_proven_by(const Directory& files) const {
    return std::ranges::all_of(proof, [&](const Run& run) { return run.is_in(files); });
  }
};

/// The identity, what the last flush wrote, and the headers of the segments that it wrote to.
std::vector<Run> proof_of(const Directory& before, const Directory& after) {
  std::vector<Run> proof{{"identity", 0, after.at("identity")}};
  for (const auto& [name, bytes] : after) {
    const auto old = before.find(name);
    if (!name.starts_with("log-") || (old != before.end() && old->second == bytes)) continue;
    const bool is_new = old == before.end() || old->second.size() != bytes.size();
    const auto header_end = bytes.begin() + segment_header_bytes;
    proof.push_back({name, 0, {bytes.begin(), is_new ? bytes.end() : header_end}});
    if (is_new) continue;
    std::size_t begin = segment_header_bytes;
    std::size_t end = bytes.size();
    while (begin < end && bytes[begin] == old->second[begin]) ++begin;
    while (end > begin && bytes[end - 1] == old->second[end - 1]) --end;
    proof.push_back(
        {name,
         begin,
         {bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.begin() + static_cast<std::ptrdiff_t>(end)}});
  }
  return proof;
}

Sample make_sample(std::uint64_t seed, std::size_t value_bytes_max, std::size_t records, bool reopens) {
  Writer writer{seed, value_bytes_max};
  writer.write(records);
  if (reopens) {
    writer.open();
    writer.write(records / 4);
    writer.open();
  }
  Sample sample{writer.take(), writer.before(), {}, {}};
  sample.proof = proof_of(sample.before, sample.log.files);
  for (std::size_t count = 0; count <= sample.log.records.size(); ++count)
    sample.prefixes.push_back(folded(sample.log.records, count));
  return sample;
}

const Sample& sample(std::size_t which) {
  static const std::array<Sample, 4> samples{make_sample(1, 40, 30, false), make_sample(2, 1200, 40, false),
                                             make_sample(3, 60, 40, true), make_sample(4, 3000, 20, true)};
  return samples[which % samples.size()];
}

/// A sector as the disk holds it; files may end within one.
void put_sector(std::vector<std::byte>& file, std::size_t sector, std::span<const std::byte> bytes) {
  const std::size_t at = sector * sector_bytes;
  if (at >= file.size()) return;
  std::copy_n(bytes.begin(), std::min({bytes.size(), file.size() - at, sector_bytes}),
              file.begin() + static_cast<std::ptrdiff_t>(at));
}
std::vector<std::byte> get_sector(const std::vector<std::byte>& file, std::size_t sector) {
  const std::size_t at = std::min(sector * sector_bytes, file.size());
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at);
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(sector_bytes, file.size() - at))};
}

std::string some_name(Input& input) {
  static constexpr std::array<const char*, 8> names{"log-0000000000000004.paxos",
                                                    "log-0000000000000000.paxos",
                                                    "log-1.paxos",
                                                    "log-99999999999999999999999999.paxos",
                                                    "log-.paxos",
                                                    "identity.tmp",
                                                    "segment.tmp",
                                                    "identity"};
  return names[static_cast<std::size_t>(input.below(names.size()))];
}

void damage(Directory& files, const Directory& before, Input& input) {
  if (files.empty()) return;
  const auto pick = [&] { return std::next(files.begin(), static_cast<std::ptrdiff_t>(input.below(files.size()))); };
  const auto kind = input.below(11);
  const auto chosen = pick();
  std::vector<std::byte>& file = chosen->second;
  const std::size_t sectors = (file.size() + sector_bytes - 1) / sector_bytes;
  const auto some_offset = [&] { return static_cast<std::size_t>(input.below(file.size())); };
  const auto some_sector = [&] { return static_cast<std::size_t>(input.below(sectors)); };
  switch (kind) {
    case 0:
      if (!file.empty()) file[some_offset()] ^= std::byte{input.byte()};
      break;
    case 1: put_sector(file, some_sector(), std::vector<std::byte>(sector_bytes)); break;
    case 2: put_sector(file, some_sector(), std::vector<std::byte>(sector_bytes, std::byte{input.byte()})); break;
    case 3: {  // a write that went to the wrong place
      const std::size_t to = some_sector();
      const auto& source = pick()->second;
      put_sector(file, to, get_sector(source, static_cast<std::size_t>(input.below(source.size() / sector_bytes + 1))));
      break;
    }
    case 4: file.resize(some_offset()); break;
    case 5: file.resize(file.size() + static_cast<std::size_t>(input.below(65536))); break;
    case 6: files.erase(chosen); break;
    case 7: std::swap(file, pick()->second); break;
    case 8: files[some_name(input)] = file; break;
    case 9: {
      const std::size_t at = file.empty() ? 0 : some_offset();
      const auto bytes = input.take(static_cast<std::size_t>(input.below(64)));
      std::copy_n(bytes.begin(), std::min(bytes.size(), file.size() - at),
                  file.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    }
    default:  // a write that never reached the disk
      if (const auto old = before.find(chosen->first); old != before.end()) {
        const std::size_t sector = some_sector();
        put_sector(file, sector, get_sector(old->second, sector));
      }
      break;
  }
}

/// What was recovered serves as any other log: it takes records, and has them after the next start.
void check_goes_on(const MemoryFiles& disk, LogState state) {
  const Ballot higher{state.promised.round + 1, NodeId{1}};
  {
    Store store{config_of_log(), small_segments, disk};
    check(told_by(store) == state, "opened again, the log says the same");
    store.append(PromiseRecord{higher});
    store.append(LearnRecord{Slot{state.chosen.size() + 1}, Value{std::string(700, 'n')}});
    check(store.flush().ok(), "a log that was opened takes records");
  }
  state.promised = higher;
  state.accepted.erase(state.chosen.size() + 1);
  state.chosen[state.chosen.size() + 1] = std::string(700, 'n');
  Store store{config_of_log(), small_segments, disk};
  check(told_by(store) == state, "what was written after a repair is there after the next start");
}

void open_damaged(Input& input) {
  const Sample& chosen = sample(input.byte());
  Directory files = chosen.log.files;
  for (int count = 0; count < 16 && !input.empty(); ++count) damage(files, chosen.before, input);
  const bool is_proven = chosen.is_proven_by(files);
  const MemoryFiles disk{files};
  std::optional<LogState> state;
  try {
    Store store{config_of_log(), small_segments, disk};
    state = told_by(store);
  } catch (const StorageError& error) {
    check(std::string_view{error.what()}.find("/data") != std::string_view::npos, "a refusal names the place");
    return;
  }
  check(state.has_value(), "what a log knows as chosen it can read");
  check(std::ranges::find(chosen.prefixes, *state) != chosen.prefixes.end(), "only a prefix of the log is recovered");
  check(!is_proven || *state == chosen.prefixes.back(), "what is proven durable is recovered, or start is refused");
  check_goes_on(disk, *state);
}

/// A frame with a checksum that holds and fields that the input likes.
void forge_frame(std::vector<std::byte>& segment, std::size_t& at, std::uint32_t seed, std::uint64_t& sequence,
                 Input& input) {
  static constexpr std::array<std::uint8_t, 7> kinds{1, 2, 3, 4, 0x80, 0x81, 5};
  const std::uint8_t form = input.byte();
  LogFrameHeader header;
  header.sequence = (form & 8U) == 0 ? sequence : input.number(8);
  header.flush_first = (form & 16U) == 0 ? header.sequence : input.number(8);
  header.kind = kinds[form % 7U];
  Buffer frame(log_frame_header_bytes);
  if ((form & 32U) == 0 && header.kind <= 4) {  // fields as they should be, of small numbers
    const Ballot ballot{input.byte(), NodeId{1}};
    const Slot slot{input.byte()};
    if (header.kind == 1) encode(frame, PromiseRecord{ballot});
    if (header.kind == 2) encode(frame, AcceptRecord{ballot, slot, Value{input.take(input.byte())}});
    if (header.kind == 3) encode(frame, ChosenRecord{slot});
    if (header.kind == 4) encode(frame, LearnRecord{slot, Value{input.take(input.byte())}});
  } else {
    const auto payload = input.take(input.byte());
    frame.insert(frame.end(), payload.begin(), payload.end());
  }
  detail::seal_frame(frame, 0, header, at, seed);
  ++sequence;
  if (at + frame.size() > segment.size()) return;
  std::ranges::copy(frame, segment.begin() + static_cast<std::ptrdiff_t>(at));
  at += frame.size();
}

/// A directory of a node that exists, with segments that it never wrote.
void open_forged(Input& input, bool is_raw) {
  Directory files = sample(0).log.files;
  std::erase_if(files, [](const auto& entry) { return entry.first.starts_with("log-"); });
  const auto own_header = [] {
    std::uint32_t seed = 0;
    return *detail::parse_segment_block(sample(0).log.files.at(detail::segment_name(1)), seed);
  }();
  std::uint64_t sequence = 1;
  for (std::uint64_t number = 1; number <= 3 && !input.empty(); ++number) {
    const std::uint8_t form = input.byte();
    SegmentHeader header = own_header;
    header.number = number;
    header.first_sequence = header.flush_first = sequence;
    header.size = (form & 1U) == 0 ? 8192 : input.below(32768);
    if ((form & 2U) != 0) header.first_sequence = input.number(8);
    if ((form & 4U) != 0) header.flush_first = input.number(8);
    std::uint32_t seed = 0;
    std::vector<std::byte> segment = detail::segment_block(header, seed);
    segment.resize(static_cast<std::size_t>((form & 8U) == 0 ? 8192 : input.below(12288)));
    if (is_raw) {
      const auto bytes = input.take(static_cast<std::size_t>(input.below(8192)));
      const std::size_t at = std::min<std::size_t>((form & 16U) != 0 ? 0 : segment_header_bytes, segment.size());
      std::copy_n(bytes.begin(), std::min(bytes.size(), segment.size() - at),
                  segment.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      std::size_t at = segment_header_bytes;
      for (unsigned frames = input.byte(); frames > 0; --frames) forge_frame(segment, at, seed, sequence, input);
    }
    files[detail::segment_name(number)] = std::move(segment);
  }
  try {
    Store store{config_of_log(), small_segments, MemoryFiles{files}};
    check(told_by(store).has_value(), "what a log knows as chosen it can read");
  } catch (const StorageError& error) {
    check(std::string_view{error.what()}.find("/data") != std::string_view::npos, "a refusal names the place");
  }
}

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos::fuzz;
  Input input{data, size};
  switch (input.below(4)) {
    case 0: open_forged(input, true); break;
    case 1: open_forged(input, false); break;
    default: open_damaged(input); break;
  }
  return 0;
}
