// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/lives_met.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/log_index.hpp>

#include "sqlite.hpp"
#include "sqlite_row.hpp"

namespace examples {

/// A Storage in an SQLite database, `log.sqlite` in Config::data_dir: to show what writing one takes.
///
/// The library's own parts do what is not SQLite's: DataDirectory locks the directory and binds it to its node,
/// LogIndex knows what the records mean, LivesMet which peers may come. The database has two tables of rows with a
/// checksum: `log`, one row for each record, and `facts`: row 0 is this directory's life, row N the newest life of node
/// N.
class SqliteStorage {
 public:
  /// Throws StorageError. `vfs` is for tests: SQLite's input and output layer, by name.
  explicit SqliteStorage(const paxos::Config& config, const char* vfs = nullptr)
      : directory_(files_, config), writer_(prepared_file(), open_flags(), vfs) {
    configure();
    make_durable();
    begin_life();
    read_log();
    if (directory_.is_new()) directory_.finish_creation();
    reader_.emplace(file(), SQLITE_OPEN_READWRITE, vfs);
    reader_->run("PRAGMA cache_size = 0");  // the system has a cache; another would hide a disk that fails
    select_.emplace(reader_->get(), "SELECT id, body, checksum FROM log WHERE id = ?1");
  }

  // [snippet: recover]
  [[nodiscard]] paxos::Recovered recover() {
    paxos::Recovered recovered{index_.promised(), index_.chosen_through(), {}};
    for (const auto& [slot, vote] : index_.accepted())
      recovered.accepted.push_back({slot, vote.ballot, value_in(stored(vote.location)).value()});
    return recovered;
  }
  // [end of snippet]

  // [snippet: append]
  paxos::WriteTicket append(const paxos::Record& record) {
    Row row{0, body_of(record)};
    const std::lock_guard lock{mutex_};
    appended_ = appended_.next();
    if (!failure_.ok()) return appended_;
    row.id = ++last_id_;
    const auto fault = index_.fold(record, row.id);
    paxos::ensure(!fault, [&] { return "SqliteStorage: " + fault->text(); });
    backlog_ += row.body.size();
    unflushed_.push_back(std::move(row));
    return appended_;
  }
  // [end of snippet]

  // [snippet: flush]
  paxos::Status flush() {
    const std::lock_guard writing{writer_mutex_};
    std::vector<const Row*> batch;
    {
      const std::lock_guard lock{mutex_};
      if (!failure_.ok()) return failure_;
      for (const Row& row : unflushed_) batch.push_back(&row);  // they stay where they are while others are appended
    }
    if (batch.empty()) return {};
    const paxos::Status status = commit("INSERT INTO log VALUES (?1, ?2, ?3)", batch);
    const std::lock_guard lock{mutex_};
    if (!status.ok()) return status;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      backlog_ -= unflushed_.front().body.size();
      unflushed_.pop_front();
    }
    durable_ = paxos::WriteTicket{durable_.value() + batch.size()};
    return {};
  }
  // [end of snippet]

  [[nodiscard]] paxos::WriteTicket durable() const {
    const std::lock_guard lock{mutex_};
    return durable_;
  }
  [[nodiscard]] std::size_t backlog() const {
    const std::lock_guard lock{mutex_};
    return backlog_;
  }

  // [snippet: read]
  [[nodiscard]] std::optional<paxos::Value> read(paxos::Slot slot) {
    std::int64_t id = 0;
    {
      const std::lock_guard lock{mutex_};
      const std::int64_t* chosen = index_.chosen(slot);
      if (chosen == nullptr) return std::nullopt;
      id = *chosen;
      if (!unflushed_.empty() && id >= unflushed_.front().id)
        return value_in(unflushed_[static_cast<std::size_t>(id - unflushed_.front().id)].body);
    }
    try {
      return value_in(stored(id)).value();  // by a connection of its own: it waits for no flush
    } catch (const SqliteError& error) {
      if (!is_passing(error.code)) fail("reading slot " + to_string(slot) + ": " + error.what());
    } catch (const std::exception& error) {
      fail("reading slot " + to_string(slot) + ": " + error.what());
    }
    return std::nullopt;
  }
  // [end of snippet]

  [[nodiscard]] const paxos::StoreLife& life() const { return own_.life; }

  // [snippet: peers]
  [[nodiscard]] paxos::Refusal refusal_of_peer(paxos::NodeId peer, const paxos::StoreLife& life) {
    {
      const std::lock_guard lock{mutex_};
      paxos::Refusal refusal = peers_.refusal_of(peer, life, "'" + file() + "'");
      if (!refusal.is_welcome() || peers_.has_met(peer, life)) return refusal;
    }
    const std::lock_guard writing{writer_mutex_};  // a new life is rare, and waits for the flush that runs
    if (const paxos::Status failed = failure(); !failed.ok()) throw paxos::StorageError(failed.text);
    put_fact(static_cast<std::int64_t>(peer.value()), life.newest());
    const std::lock_guard lock{mutex_};
    peers_.meet(peer, life.newest());
    return {};
  }
  /// Tries it on a disk that failed as well: at worst it is in vain.
  void mark_outdated(paxos::NodeId peer) {
    const std::lock_guard writing{writer_mutex_};
    own_.outdated_by = peer;
    put_fact(own_row, own_);
  }
  // [end of snippet]

 private:
  struct Own {
    paxos::StoreLife life;
    paxos::NodeId outdated_by;  ///< 0: nobody
    template <class Archive>
    void serialize(Archive& archive) {
      archive(life, outdated_by);
    }
  };
  static constexpr std::int64_t own_row = 0;

  [[nodiscard]] std::string file() const { return directory_.file("log.sqlite"); }
  [[nodiscard]] int open_flags() const {
    return SQLITE_OPEN_READWRITE | (directory_.is_new() ? SQLITE_OPEN_CREATE : 0);
  }

  /// The database's name, once nothing is left of a creation that was never finished.
  [[nodiscard]] std::string prepared_file() {
    if (!directory_.is_new() || !directory_.has("log.sqlite")) return file();
    if (!directory_.has("identity.tmp"))
      throw paxos::StorageError("'" + file() + "' is there and no file 'identity': nobody can say whose log it is");
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file() + suffix);
    return file();
  }

  /// WAL: a commit is one sync of one file, and a reader does not wait for it. FULL: that sync is in the commit; SQLite
  /// calls a commit done without it otherwise.
  void configure() {
    if (writer_.text_of("PRAGMA journal_mode = WAL") != "wal")
      throw paxos::StorageError("'" + file() + "' cannot have a write-ahead log");
    writer_.run("PRAGMA synchronous = FULL");
    writer_.run("PRAGMA fullfsync = ON");
    if (directory_.is_new()) {
      for (const char* table : {"log", "facts"})
        writer_.run(("CREATE TABLE " + std::string{table} +
                     " (id INTEGER PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER NOT NULL)")
                        .c_str());
      writer_.run("PRAGMA user_version = 1");
    } else if (const std::string format = writer_.text_of("PRAGMA user_version"); format != "1") {
      throw paxos::StorageError("'" + file() + "' has format " + format + ", and this program reads format 1");
    }
  }

  /// What a process left that died, or whose flush failed, may be in the system's cache and not on the disk. A whole
  /// checkpoint writes it anew and syncs it: nothing is believed before.
  void make_durable() {
    bool is_whole = false;
    Statement checkpoint{writer_.get(), "PRAGMA wal_checkpoint(TRUNCATE)"};
    checkpoint.run([&](Statement& row) { is_whole = row.integer(0) == 0; });
    if (!is_whole)
      throw paxos::StorageError("'" + file() +
                                "' is in use by another program (a reader, a backup), so that what its " +
                                "write-ahead log has cannot be made durable, and must not be believed; end that "
                                "program, and start the node again");
  }

  void begin_life() {
    own_.life.incarnation = directory_.identity().incarnation;
    Statement facts{writer_.get(), "SELECT id, body, checksum FROM facts ORDER BY id"};
    facts.run([&](Statement& row) {
      const auto [id, body] = row_of(row);
      paxos::MetLife met;
      const bool reads = id == own_row ? paxos::decode(body, own_) : paxos::decode(body, met);
      if (!reads) throw paxos::StorageError("'" + file() + "': a fact is damaged");
      if (id != own_row) peers_.meet(paxos::NodeId{static_cast<std::uint64_t>(id)}, met);
    });
    if (own_.life.incarnation != directory_.identity().incarnation || directory_.is_new() != (own_.life.number == 0))
      throw paxos::StorageError("'" + file() + "' is not the database of this directory");
    if (own_.outdated_by != paxos::NodeId{})
      throw paxos::StorageError("'" + file() + "' is an older copy: node " + to_string(own_.outdated_by) +
                                " has met a newer life of it; it must not be used again");
    own_.life = own_.life.next(files_.random());
    put_fact(own_row, own_);
  }

  void read_log() {
    Statement log{writer_.get(), "SELECT id, body, checksum FROM log ORDER BY id"};
    log.run([&](Statement& row) {
      const auto [id, body] = row_of(row);
      const auto record = record_in(body);
      if (id != last_id_ + 1 || !record || index_.fold(*record, id))
        throw paxos::StorageError("'" + file() + "': the log is damaged at row " + std::to_string(id));
      last_id_ = id;
    });
  }

  [[nodiscard]] paxos::Buffer stored(std::int64_t id) {
    paxos::Buffer body;
    select_->bind(1, id).run([&](Statement& row) { body = row_of(row).body; });
    return body;
  }

  // Writing. All of it is one transaction, and whoever calls has writer_mutex_, or is the constructor.

  [[nodiscard]] paxos::Status commit(const char* sql, const std::vector<const Row*>& rows) {
    try {
      writer_.run("BEGIN IMMEDIATE");
      Statement insert{writer_.get(), sql};
      for (const Row* row : rows) insert.bind(1, row->id).bind(2, row->body).bind(3, row->checksum()).run();
      writer_.run("COMMIT");
      return {};
    } catch (const SqliteError& error) {
      writer_.roll_back();
      if (is_passing(error.code)) return {paxos::Errc::storage_full, "'" + file() + "': " + error.what()};
      fail(error.what());
      return failure();
    }
  }
  template <class Fact>
  void put_fact(std::int64_t id, const Fact& fact) {
    Row row{id, {}};
    paxos::encode(row.body, fact);
    const paxos::Status status = commit("INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3)", {&row});
    if (!status.ok()) throw paxos::StorageError(status.text);
  }

  /// Want of space, memory or descriptors. SQLite undid the transaction, and every sync before it was well.
  [[nodiscard]] static bool is_passing(int code) {
    return code == SQLITE_FULL || code == SQLITE_NOMEM || (code & 0xff) == SQLITE_CANTOPEN;
  }
  [[nodiscard]] paxos::Status failure() const {
    const std::lock_guard lock{mutex_};
    return failure_;
  }
  /// For good: what the disk holds is unknown.
  void fail(const std::string& what) {
    const std::lock_guard lock{mutex_};
    if (failure_.ok())
      failure_ = {paxos::Errc::storage_failed, "'" + file() + "': " + what + "; this node confirms nothing any more"};
  }

  paxos::PosixFileSystem files_;
  paxos::DataDirectory<paxos::PosixFileSystem> directory_;

  std::mutex writer_mutex_;  ///< for these
  Connection writer_;
  Own own_;

  std::optional<Connection> reader_;  ///< the thread that reads
  std::optional<Statement> select_;

  mutable std::mutex mutex_;  ///< for all below; nobody does input or output under it
  paxos::LivesMet peers_;     ///< as the database has them
  paxos::LogIndex<std::int64_t> index_;
  std::deque<Row> unflushed_;  ///< rows behind the last one in the database, in order
  std::int64_t last_id_ = 0;
  paxos::WriteTicket appended_, durable_;
  std::size_t backlog_ = 0;
  paxos::Status failure_;
};

static_assert(paxos::RemembersPeers<SqliteStorage>);

}  // namespace examples
