// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/refusal.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/life_file.hpp>
#include <paxos/storage/log_recovery.hpp>
#include <paxos/storage/peer_book.hpp>
#include <paxos/storage/segment.hpp>
#include <paxos/storage/segment_files.hpp>
#include <paxos/storage/storage_error.hpp>
#include <paxos/storage/write_batch.hpp>

namespace paxos {

/// What a FileStorage can be told besides the Config.
struct FileStorageOptions {
  /// Size of a segment file; 16 KiB to 1 GiB, a multiple of 4096. The first ones of a log are smaller (1 MiB, then
  /// twice the one before), so that a new node starts at once; a segment grows for a record that needs more.
  std::size_t segment_bytes = std::size_t{64} << 20;
};

/// A Storage in files: a write-ahead log in Config::data_dir, whose format segment.hpp gives. Knows no protocol.
///
/// append(), read(), durable() and backlog() may be called on one thread while flush() or prepare() runs on another.
/// A flush that fails for any reason but want of space, memory or file descriptors is final: all later ones answer the
/// same. On a full disk the records stay in memory, their places are kept, and the next flush() writes them there
/// again. A disk sector of 512 bytes is taken to be written whole or in a first part, without harm to sectors beside
/// it.
template <FileSystem Files>
class BasicFileStorage {
 public:
  /// Opens the directory, or creates it. Throws StorageError, or ConfigError for the options.
  explicit BasicFileStorage(const Config& config, FileStorageOptions options = {}, Files files = {})
      : options_(checked(options)),
        files_(std::move(files)),
        directory_(files_, config),
        life_(files_, directory_),
        segments_(files_, directory_),
        peers_(files_, directory_) {
    if (directory_.is_new()) {
      create_log();
    } else {
      open_log();
    }
  }
  BasicFileStorage(const BasicFileStorage&) = delete;
  BasicFileStorage& operator=(const BasicFileStorage&) = delete;

  /// Throws StorageError when an accepted value cannot be read, or was damaged since the log was opened.
  [[nodiscard]] Recovered recover() {
    const std::lock_guard lock{mutex_};
    Recovered recovered{index_.promised(), index_.chosen_through(), {}};
    for (const auto& [slot, accepted] : index_.accepted()) {
      std::error_code error;
      auto value = read_from_disk(accepted.location, seed_of(accepted.location.segment), error);
      detail::throw_on(error, "cannot read '" + segments_.path(accepted.location.segment) + "'");
      if (!value)
        throw StorageError("'" + segments_.path(accepted.location.segment) + "', offset " +
                           std::to_string(accepted.location.offset) + ": the value accepted in slot " +
                           to_string(slot) + " became unreadable. " + detail::damage_cure);
      recovered.accepted.push_back({slot, accepted.ballot, *std::move(value)});
    }
    return recovered;
  }

  /// The record must be able to follow those before it (see LogFault), and fit into record_bytes_max.
  WriteTicket append(const Record& record) {
    const std::lock_guard lock{mutex_};
    const std::size_t payload_bytes = detail::encoded_bytes(record);
    ensure(payload_bytes <= record_bytes_max, "FileStorage: a record exceeds record_bytes_max (64 MiB)");
    if (!failure_.ok()) return last_ticket_ = last_ticket_.next();
    make_room(payload_bytes);
    const auto fault = index_.fold(
        record, {layout_.number, static_cast<std::uint32_t>(offset_), static_cast<std::uint32_t>(payload_bytes)});
    ensure(!fault, [&] { return "FileStorage: " + fault->text(); });
    put_frame(static_cast<LogFrameKind>(record.index() + 1), &record, payload_bytes);
    last_ticket_ = last_ticket_.next();
    pending_.last_ticket = last_ticket_;
    return last_ticket_;
  }

  Status flush() {
    const std::lock_guard flushing{flush_mutex_};
    for (bool swapped = false;;) {
      {
        const std::lock_guard lock{mutex_};
        if (!failure_.ok()) return failure_;
        if (writing_.empty()) {
          if (swapped || pending_.empty()) return {};
          std::swap(writing_, pending_);
          swapped = true;
        }
      }
      // Without the lock: only this thread changes writing_ while it is not empty.
      Status status = write_batch();
      const std::lock_guard lock{mutex_};
      if (!status.ok()) {
        if (status.code != Errc::storage_full) failure_ = status;
        return status;
      }
      durable_.store(writing_.last_ticket.value(), std::memory_order_release);
      backlog_.fetch_sub(writing_.bytes, std::memory_order_relaxed);
      owed_zeros_ += 3 * writing_.bytes;
      writing_.clear();
    }
  }

  /// Prepares the next segment a little, in proportion to what was flushed, so that no flush has to wait for a whole
  /// one. Costs some 50 µs at most. Call it between flushes; without it flush() does all at once.
  void prepare() {
    constexpr std::uint64_t step = std::uint64_t{64} << 10;
    const std::lock_guard flushing{flush_mutex_};
    if (owed_zeros_ < step) return;
    const std::uint64_t bytes = std::min(owed_zeros_, 4 * step);
    owed_zeros_ -= bytes;
    segments_.prepare(next_size(written_size_), bytes);
  }

  [[nodiscard]] WriteTicket durable() const { return WriteTicket{durable_.load(std::memory_order_acquire)}; }
  [[nodiscard]] std::size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }

  /// A disk that fails a read, or has damaged what it held, is not trusted with another flush: who said that it knows a
  /// slot as chosen, and cannot give it, keeps the others from finding it again. Want of memory or file descriptors is
  /// not the disk's.
  [[nodiscard]] std::optional<Value> read(Slot slot) {
    detail::FrameLocation location;
    std::error_code error;
    auto value = find(slot, location, error);
    if (value || location.segment == 0 || detail::is_passing(error)) return value;
    const std::string where = "at offset " + std::to_string(location.offset);
    const std::lock_guard lock{mutex_};
    if (failure_.ok())
      failure_ = error ? failed(location.segment, "cannot be read " + where, error, true)
                       : Status{Errc::storage_failed,
                                "'" + segments_.path(location.segment) + "', " + where + ": the value of slot " +
                                    to_string(slot) + " was damaged since the log was opened. " + detail::damage_cure};
    return std::nullopt;
  }
  /// The same without consequences, for who looks on.
  [[nodiscard]] std::optional<Value> inspect(Slot slot) {
    detail::FrameLocation location;
    std::error_code error;
    return find(slot, location, error);
  }

  // Who this node is to its peers, and they to it (NodeStorage). These belong to the thread that appends.

  [[nodiscard]] const StoreLife& life() const { return life_.life(); }
  [[nodiscard]] Refusal refusal_of_peer(NodeId peer, const StoreLife& life) { return peers_.refusal_of(peer, life); }
  void mark_outdated(NodeId peer) { life_.mark_outdated(peer); }
  /// Bytes of an unfinished last flush that opening cut off. None of them was ever confirmed.
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  /// `location`: where the disk should have it.
  [[nodiscard]] std::optional<Value> find(Slot slot, detail::FrameLocation& location, std::error_code& error) {
    std::uint32_t seed = 0;
    {
      const std::lock_guard lock{mutex_};
      const auto* chosen = index_.chosen(slot);
      if (chosen == nullptr) return std::nullopt;
      location = *chosen;
      for (const auto* batch : {&pending_, &writing_}) {
        const auto payload = batch->payload_at(location);
        if (!payload.empty()) return value_in(batch->kind_at(location), payload);
      }
      seed = seed_of(location.segment);
    }
    return read_from_disk(location, seed, error);
  }

  static FileStorageOptions checked(const FileStorageOptions& options) {
    const std::size_t bytes = options.segment_bytes;
    if (bytes < 4 * segment_header_bytes || bytes > segment_bytes_max || bytes % segment_header_bytes != 0)
      throw ConfigError("FileStorageOptions: segment_bytes (" + std::to_string(bytes) +
                        ") must be 16 KiB to 1 GiB and a multiple of 4096; try 64 MiB");
    return options;
  }

  void create_log() {
    layout_ = header_after(0, std::min(options_.segment_bytes, first_segment_bytes));
    bool sync_failed = false;
    detail::throw_on(segments_.create(layout_, sync_failed), "cannot create '" + segments_.path(1) + "'");
    directory_.finish_creation();
    seeds_.push_back(layout_seed());
    written_size_ = layout_.size;
  }

  void open_log() {
    detail::RecoveredLog log = detail::LogRecovery<Files>{files_, directory_, segments_}.run();
    index_ = std::move(log.index);
    torn_bytes_ = log.torn_bytes;
    for (const SegmentHeader& header : log.segments) {
      layout_ = header;
      seeds_.push_back(layout_seed());
    }
    next_sequence_ = log.next_sequence;
    offset_ = log.next_offset;
    written_size_ = layout_.size;
    if (!log.needs_mark || offset_ + 2 * log_frame_header_bytes > layout_.size) return;
    put_frame(LogFrameKind::mark, nullptr, 0);
    // On a full disk the mark goes with the first records.
    if (const Status status = flush(); !status.ok() && status.code != Errc::storage_full)
      throw StorageError(status.text);
  }

  [[nodiscard]] std::uint64_t next_size(std::uint64_t size) const {
    return std::min<std::uint64_t>(options_.segment_bytes, 2 * size);
  }

  [[nodiscard]] SegmentHeader header_after(std::uint64_t number, std::uint64_t size) {
    const Identity& identity = directory_.identity();
    SegmentHeader header;
    header.cluster = identity.common.fingerprint();
    header.node = identity.node;
    header.incarnation = identity.incarnation;
    header.number = number + 1;
    header.size = size;
    header.first_sequence = next_sequence_;
    header.flush_first = pending_.empty() ? next_sequence_ : pending_.first_sequence;
    header.salt = files_.random();
    return header;
  }

  [[nodiscard]] std::uint32_t layout_seed() const {
    std::uint32_t seed = 0;
    static_cast<void>(detail::segment_block(layout_, seed));
    return seed;
  }
  [[nodiscard]] std::uint32_t seed_of(std::uint64_t segment) const {
    return seeds_[static_cast<std::size_t>(segment - 1)];
  }

  /// Where a record goes is settled when it is appended, so that a flush which must be tried again writes the same
  /// bytes to the same places. Every segment keeps room for its end.
  void make_room(std::size_t payload_bytes) {
    const std::uint64_t needed = detail::frame_bytes(payload_bytes, offset_) + log_frame_header_bytes;
    if (offset_ + needed <= layout_.size) return;
    put_frame(LogFrameKind::end, nullptr, 0);
    const std::uint64_t frame = detail::frame_bytes(payload_bytes, segment_header_bytes);
    const std::uint64_t whole = (segment_header_bytes + frame + log_frame_header_bytes + 4095) / 4096 * 4096;
    layout_ = header_after(layout_.number, std::max(next_size(layout_.size), whole));
    seeds_.push_back(layout_seed());
    offset_ = segment_header_bytes;
    pending_.chunks.push_back({layout_, true, offset_, {}});
  }

  void put_frame(LogFrameKind kind, const Record* record, std::size_t payload_bytes) {
    if (pending_.empty()) {
      pending_.first_sequence = next_sequence_;
      pending_.last_ticket = last_ticket_;
    }
    Buffer& out = pending_.bytes_for(layout_, offset_);
    LogFrameHeader header;
    header.sequence = next_sequence_++;
    header.flush_first = pending_.first_sequence;
    header.kind = static_cast<std::uint8_t>(kind);
    const std::size_t before = out.size();
    detail::append_frame(out, header, record, offset_, seeds_.back());
    const std::size_t frame = out.size() - before;
    ensure(frame == detail::frame_bytes(payload_bytes, offset_), "FileStorage: a record's size was foretold wrongly");
    offset_ += frame;
    pending_.bytes += frame;
    backlog_.fetch_add(frame, std::memory_order_relaxed);
  }

  [[nodiscard]] Status write_batch() {
    try {
      for (auto& chunk : writing_.chunks) {
        if (!chunk.creates) continue;
        bool sync_failed = false;
        if (const auto error = segments_.create(chunk.segment, sync_failed))
          return failed(chunk.segment.number, "cannot be created", error, sync_failed);
        chunk.creates = false;
        written_size_ = chunk.segment.size;
        owed_zeros_ = 0;
      }
      return write_chunks();
    } catch (const std::exception& error) {
      return {Errc::storage_failed, "flush of '" + directory_.path() + "': " + error.what()};
    }
  }

  [[nodiscard]] Status write_chunks() {
    std::vector<typename detail::SegmentFiles<Files>::Handle> written;
    for (const auto& chunk : writing_.chunks) {
      auto& file = written.emplace_back();
      if (const auto error = segments_.open(chunk.segment.number, file))
        return failed(chunk.segment.number, "cannot be opened", error, false);
      if (const auto error = detail::write_fully(files_, *file, chunk.bytes, chunk.offset))
        return failed(chunk.segment.number, "cannot be written at offset " + std::to_string(chunk.offset), error,
                      false);
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (const auto error = files_.sync_data(*written[i]))
        return failed(writing_.chunks[i].segment.number, "cannot be synced", error, true);
    }
    return {};
  }

  /// After a failed sync the kernel may hold pages for clean that the disk never got: no later success means anything.
  [[nodiscard]] Status failed(std::uint64_t segment, const std::string& what, const std::error_code& error,
                              bool is_final) const {
    const std::string text = "'" + segments_.path(segment) + "' " + what + ": " + error.message();
    if (!is_final && detail::is_out_of_space(error))
      return {Errc::storage_full, text + "; the records wait in memory until there is space"};
    if (!is_final && detail::is_passing(error))
      return {Errc::storage_full, text + "; the records wait in memory until that has passed"};
    return {Errc::storage_failed,
            text +
                "; what the disk holds is unknown, so this node confirms nothing any more. Check the disk, then "
                "start the node again: it reads its log and finds out"};
  }

  [[nodiscard]] static std::optional<Value> value_in(std::uint8_t kind, std::span<const std::byte> payload) {
    const auto record = detail::decode_record(kind, payload);
    const Value* value = record ? detail::value_of(*record) : nullptr;
    return value != nullptr ? std::optional{*value} : std::nullopt;
  }

  /// nullopt without an error: the bytes are damaged.
  [[nodiscard]] std::optional<Value> read_from_disk(const detail::FrameLocation& location, std::uint32_t seed,
                                                    std::error_code& error) {
    typename detail::SegmentFiles<Files>::Handle file;
    if ((error = segments_.open(location.segment, file))) return std::nullopt;
    Buffer bytes(detail::frame_bytes(location.payload_bytes, location.offset));
    const IoResult read = detail::read_fully(files_, *file, bytes, location.offset);
    error = read.error;
    if (error || read.bytes < bytes.size()) return std::nullopt;
    const auto frame = detail::parse_frame(bytes, location.offset, seed, location.offset);
    if (!frame.valid) return std::nullopt;
    return value_in(frame.header.kind, frame.payload());
  }

  static constexpr std::size_t first_segment_bytes = std::size_t{1} << 20;

  FileStorageOptions options_;
  Files files_;
  DataDirectory<Files> directory_;
  detail::LifeFile<Files> life_;
  detail::SegmentFiles<Files> segments_;
  detail::PeerBook<Files> peers_;
  std::uint64_t torn_bytes_ = 0;

  // The thread that flushes.
  std::mutex flush_mutex_;
  std::uint64_t owed_zeros_ = 0;
  std::uint64_t written_size_ = 0;  ///< of the last segment that has a file

  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::size_t> backlog_{0};

  std::mutex mutex_;  ///< for all below
  LogIndex<detail::FrameLocation> index_;
  std::vector<std::uint32_t> seeds_;  ///< entry i is segment i + 1
  SegmentHeader layout_;              ///< the segment that the next record goes to
  std::uint64_t offset_ = segment_header_bytes;
  std::uint64_t next_sequence_ = 1;
  WriteTicket last_ticket_;
  detail::WriteBatch pending_;  ///< goes into the next flush
  detail::WriteBatch writing_;  ///< is being flushed, or waits for space
  Status failure_;
};

using FileStorage = BasicFileStorage<PosixFileSystem>;  ///< the one that a Node uses unless told otherwise

static_assert(Storage<FileStorage>);

}  // namespace paxos
