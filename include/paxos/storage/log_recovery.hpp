// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/record.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/log_index.hpp>
#include <paxos/storage/segment.hpp>
#include <paxos/storage/segment_files.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::detail {

/// Where a record's frame stands.
struct FrameLocation {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t payload_bytes = 0;
};

/// What a log holds, and where it goes on.
struct RecoveredLog {
  LogIndex<FrameLocation> index;
  std::vector<SegmentHeader> segments;  ///< entry i is segment i + 1
  std::uint64_t next_sequence = 1;
  std::uint64_t next_offset = segment_header_bytes;  ///< in the last segment
  std::uint64_t torn_bytes = 0;                      ///< of an unfinished last flush, cut
  bool needs_mark = false;                           ///< something was read that no later frame proves
};

/// Reads a log as a power cut, or worse, left it; repairs what is provably an unfinished last write and throws
/// StorageError for all else.
///
/// The log ends at the first frame that cannot be read. That is the tail of an unfinished flush only if
///   - no readable frame or segment behind it states, by its flush_first, that the unreadable one was durable; and
///   - what stands there looks as a write leaves it that was cut short (looks_torn), or a note says that an earlier
///     start was about to cut the log there.
/// Behind a torn frame there may be whole ones, of the same flush: sectors reach a disk in any order. They are cut too.
template <FileSystem Files>
class LogRecovery {
 public:
  LogRecovery(Files& files, DataDirectory<Files>& directory, SegmentFiles<Files>& segments)
      : files_(files), directory_(directory), segments_(segments) {}

  [[nodiscard]] RecoveredLog run() {
    open_all();
    bool goes_on = true;
    for (std::uint64_t number = 1; goes_on; ++number) goes_on = scan(number);
    rewrite_last_flush();
    return std::move(log_);
  }

 private:
  [[nodiscard]] std::string name(std::uint64_t number) const { return "'" + segments_.path(number) + "'"; }

  [[noreturn]] void refuse(std::uint64_t number, std::uint64_t offset, const std::string& what) const {
    throw StorageError("the log is damaged: " + name(number) + ", offset " + std::to_string(offset) + ": " + what +
                       " " + damage_cure);
  }

  /// What the damage may touch, from what is known before it.
  [[nodiscard]] std::string slots_affected(Slot highest_behind) const {
    const Slot known = log_.index.chosen_through();
    std::string text = "Affected may be the promise and every slot above " + to_string(known) + ", the last one that " +
                       "the log knows as chosen up to there";
    if (highest_behind > known) text += "; records behind the damage name slots up to " + to_string(highest_behind);
    return text + ".";
  }

  void open_all() {
    std::uint64_t last = 0;
    std::uint64_t count = 0;
    for (const std::string& entry : directory_.names()) {
      if (entry == "segment.tmp")
        throw_on(files_.remove(segments_.next_path()), "cannot remove '" + segments_.next_path() + "'");
      if (!DataDirectory<Files>::is_segment_name(entry)) continue;
      const std::uint64_t number = std::strtoull(entry.c_str() + 4, nullptr, 10);
      if (entry != segment_name(number)) continue;
      if (number != last + 1) refuse_missing(last + 1);
      last = number;
      ++count;
    }
    if (count == 0) refuse_missing(1);
    for (std::uint64_t number = 1; number <= last; ++number) open_one(number);
  }

  [[noreturn]] void refuse_missing(std::uint64_t number) const {
    refuse(number, 0, "this segment file is missing, and all records that it held. " + slots_affected({}));
  }

  /// Syncs before anything is read: a process that died may have left bytes that never reached the disk.
  void open_one(std::uint64_t number) {
    typename SegmentFiles<Files>::Handle file;
    throw_on(segments_.open(number, file), "cannot open " + name(number));
    throw_on(files_.sync(*file), "cannot sync " + name(number));
    Buffer block(segment_header_bytes);
    const IoResult read = read_fully(files_, *file, block, 0);
    throw_on(read.error, "cannot read " + name(number));
    std::uint32_t seed = 0;
    const auto header = parse_segment_block(block, seed);
    const Identity& identity = directory_.identity();
    if (!header) refuse(number, 0, "the segment's header is unreadable, so none of its records can be believed.");
    require_readable(header->format, segments_.path(number));
    if (header->number != number || header->incarnation != identity.incarnation || header->node != identity.node ||
        header->cluster != identity.common.fingerprint() || header->size > 2 * segment_bytes_max ||
        header->size < 2 * segment_header_bytes)
      refuse(number, 0,
             "the segment belongs to another log or place (it says segment " + std::to_string(header->number) +
                 " of node " + to_string(header->node) + ").");
    log_.segments.push_back(*header);
    seeds_.push_back(seed);
  }

  /// What a file lacks of its segment reads as zeros, as far as a frame that it holds the beginning of may go: what its
  /// header claims buys no memory.
  void load(std::uint64_t number, Buffer& bytes) {
    typename SegmentFiles<Files>::Handle file;
    throw_on(segments_.open(number, file), "cannot open " + name(number));
    std::uint64_t size = 0;
    throw_on(files_.size(*file, size), "cannot inspect " + name(number));
    bytes.clear();
    bytes.resize(static_cast<std::size_t>(std::min(header_of(number).size, size + frame_bytes(record_bytes_max, 0))));
    throw_on(read_fully(files_, *file, bytes, 0).error, "cannot read " + name(number));
  }

  [[nodiscard]] const SegmentHeader& header_of(std::uint64_t number) const { return log_.segments[number - 1]; }

  /// True when the log goes on in the next segment.
  [[nodiscard]] bool scan(std::uint64_t number) {
    load(number, bytes_);
    if (header_of(number).first_sequence != log_.next_sequence || header_of(number).flush_first > log_.next_sequence)
      refuse(number, 0,
             "the segment begins with record " + std::to_string(header_of(number).first_sequence) + ", but record " +
                 std::to_string(log_.next_sequence) + " is next: records between are lost. " + slots_affected({}));
    std::uint64_t offset = segment_header_bytes;
    for (;;) {
      const ParsedFrame frame = parse_frame(bytes_, offset, seeds_[number - 1]);
      if (!frame.valid) {
        end_at(number, offset, frame);
        return false;
      }
      take(number, offset, frame);
      offset += frame_bytes(frame.header.payload_bytes, offset);
      if (frame.header.kind == static_cast<std::uint8_t>(LogFrameKind::end)) break;
    }
    if (number == log_.segments.size())
      refuse(number + 1, 0,
             "this segment file is missing; the one before it says that it was there. " + slots_affected({}));
    return true;
  }

  void take(std::uint64_t number, std::uint64_t offset, const ParsedFrame& frame) {
    const LogFrameHeader& header = frame.header;
    const bool begins_flush = header.flush_first == header.sequence;
    if (header.sequence != log_.next_sequence || (!begins_flush && header.flush_first != flush_first_))
      refuse(number, offset,
             "record " + std::to_string(header.sequence) + " of flush " + std::to_string(header.flush_first) +
                 " stands where record " + std::to_string(log_.next_sequence) + " is next. " + slots_affected({}));
    if (begins_flush) last_flush_ = {number, static_cast<std::uint32_t>(offset), 0};
    flush_first_ = header.flush_first;
    ++log_.next_sequence;
    log_.needs_mark = header.kind != static_cast<std::uint8_t>(LogFrameKind::mark);
    if (header.kind >= 0x80 && header.kind <= 0x81) return;
    const auto record = decode_record(header.kind, frame.payload());
    if (!record)
      refuse(number, offset,
             "record " + std::to_string(header.sequence) + " is whole but of no known kind (" +
                 std::to_string(header.kind) + "); a newer version may have written it. " + slots_affected({}));
    const auto fault = log_.index.fold(*record, {number, static_cast<std::uint32_t>(offset), header.payload_bytes});
    if (fault)
      refuse(number, offset,
             "record " + std::to_string(header.sequence) + ": " + fault->text() + ". " + slots_affected({}));
  }

  /// What the frames and segments behind an unreadable frame tell.
  struct Behind {
    std::uint64_t proof = 0;  ///< the highest flush_first
    std::uint64_t next_readable = std::numeric_limits<std::uint64_t>::max();
    Slot highest_slot;
    std::uint64_t bytes = 0;  ///< not zero, up to the last such one of each segment
  };

  void look_at(std::uint64_t number, const Buffer& bytes, std::uint64_t from, Behind& behind) const {
    for (std::uint64_t at = from; at + log_frame_header_bytes <= bytes.size(); at += log_frame_header_bytes) {
      const ParsedFrame frame = parse_frame(bytes, at, seeds_[number - 1]);
      if (!frame.header_valid) continue;
      behind.proof = std::max(behind.proof, frame.header.flush_first);
      if (!frame.valid || frame.header.sequence <= log_.next_sequence) continue;
      behind.next_readable = std::min(behind.next_readable, frame.header.sequence);
      const auto record = decode_record(frame.header.kind, frame.payload());
      if (!record) continue;
      if (const auto* accept = get_if<AcceptRecord>(&*record))
        behind.highest_slot = std::max(behind.highest_slot, accept->slot);
      if (const auto* chosen = get_if<ChosenRecord>(&*record))
        behind.highest_slot = std::max(behind.highest_slot, chosen->through);
      if (const auto* learn = get_if<LearnRecord>(&*record))
        behind.highest_slot = std::max(behind.highest_slot, learn->slot);
    }
    behind.bytes += used_end(bytes, from) - from;
  }

  [[nodiscard]] static std::uint64_t used_end(const Buffer& bytes, std::uint64_t from) {
    std::uint64_t end = bytes.size();
    while (end > from && bytes[static_cast<std::size_t>(end - 1)] == std::byte{0}) --end;
    return end;
  }

  /// The log ends here; or it is damaged here.
  void end_at(std::uint64_t number, std::uint64_t offset, const ParsedFrame& frame) {
    Behind behind;
    look_at(number, bytes_, offset, behind);
    Buffer later;
    for (std::uint64_t next = number + 1; next <= log_.segments.size(); ++next) {
      behind.proof = std::max(behind.proof, header_of(next).flush_first);
      load(next, later);
      look_at(next, later, segment_header_bytes, behind);
    }
    const std::string first = std::to_string(log_.next_sequence);
    if (behind.proof > log_.next_sequence) {
      const std::uint64_t last = std::min(behind.next_readable, behind.proof) - 1;
      refuse(number, offset,
             "records " + first + " to " + std::to_string(std::max(last, log_.next_sequence)) +
                 " cannot be read, though a later flush proves that they were durable. " +
                 slots_affected(behind.highest_slot));
    }
    const auto note = parse_repair_note(bytes_, seeds_[number - 1], header_of(number).size);
    const bool was_being_cut = note && note->offset == offset && note->sequence == log_.next_sequence;
    if (!was_being_cut && !looks_torn(bytes_, static_cast<std::size_t>(offset), frame))
      refuse(number, offset,
             "record " + first + " cannot be read, and no unfinished write leaves what stands there. " +
                 slots_affected(behind.highest_slot));
    log_.torn_bytes = behind.bytes;
    log_.next_offset = offset;
    cut(number, offset, was_being_cut ? note->end : offset);
  }

  /// Later segments go first, from the last: whenever this is interrupted, the next start finds the same tail. What
  /// must be zeros goes up to `begun_end` at least.
  void cut(std::uint64_t number, std::uint64_t offset, std::uint64_t begun_end) {
    for (std::uint64_t next = log_.segments.size(); next > number; --next) {
      throw_on(files_.remove(segments_.path(next)), "cannot remove " + name(next));
      directory_.sync();
      segments_.forget(next);
      log_.segments.pop_back();
    }
    typename SegmentFiles<Files>::Handle file;
    throw_on(segments_.open(number, file), "cannot open " + name(number));
    std::uint64_t size = 0;
    throw_on(files_.size(*file, size), "cannot inspect " + name(number));
    const std::uint64_t full = header_of(number).size;
    const std::uint64_t used = std::max(used_end(bytes_, offset), begun_end);
    if (used == offset && size >= full) return;
    // A sector that is torn while it is zeroed looks like damage; and zeros whose sync failed stand in the cache alone.
    // The note makes the next start zero it all again.
    const std::uint64_t end = size < full ? full : used;
    const auto write_and_sync = [&](std::span<const std::byte> bytes) {
      throw_on(write_fully(files_, *file, bytes, repair_note_offset), "cannot repair " + name(number));
      throw_on(files_.sync(*file), "cannot sync " + name(number));
    };
    const Buffer note = repair_note({offset, end, log_.next_sequence}, seeds_[number - 1]);
    write_and_sync(note);
    throw_on(write_zeros(files_, *file, offset, end), "cannot repair " + name(number));
    throw_on(files_.sync(*file), "cannot sync " + name(number));
    write_and_sync(Buffer(note.size()));
  }

  /// A process whose last sync failed may have left pages that the kernel calls clean and the disk does not hold; a
  /// sync alone would then report well. Writing the bytes again makes them dirty.
  void rewrite_last_flush() {
    if (last_flush_.segment == 0) return;
    for (std::uint64_t number = last_flush_.segment; number <= log_.segments.size(); ++number) {
      const bool is_last = number == log_.segments.size();
      const std::uint64_t begin = number == last_flush_.segment ? last_flush_.offset : segment_header_bytes;
      load(number, bytes_);
      const std::uint64_t end = is_last ? log_.next_offset : used_end(bytes_, begin);
      typename SegmentFiles<Files>::Handle file;
      throw_on(segments_.open(number, file), "cannot open " + name(number));
      const auto part =
          std::span{bytes_}.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      throw_on(write_fully(files_, *file, part, begin), "cannot write " + name(number));
      throw_on(files_.sync(*file), "cannot sync " + name(number));
    }
  }

  Files& files_;
  DataDirectory<Files>& directory_;
  SegmentFiles<Files>& segments_;
  RecoveredLog log_;
  std::vector<std::uint32_t> seeds_;
  Buffer bytes_;
  std::uint64_t flush_first_ = 0;
  FrameLocation last_flush_;
};

}  // namespace paxos::detail
