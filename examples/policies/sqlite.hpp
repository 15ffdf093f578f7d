// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <paxos/storage/storage_error.hpp>

namespace examples {

/// What SQLite answered: one of its result codes, and its text.
class SqliteError : public paxos::StorageError {
 public:
  SqliteError(int result, const std::string& text) : StorageError(text), code(result) {}
  int code;
};

/// One statement of a connection. Each call binds its values, steps, and leaves it ready for the next.
class Statement {
 public:
  Statement(sqlite3* connection, const char* sql) : connection_(connection) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr));
    statement_.reset(statement);
  }

  Statement& bind(int place, std::int64_t value) {
    check(sqlite3_bind_int64(statement_.get(), place, value));
    return *this;
  }
  /// The bytes must stay until the statement was run.
  Statement& bind(int place, std::span<const std::byte> bytes) {
    check(sqlite3_bind_blob64(statement_.get(), place, bytes.data(), bytes.size(), SQLITE_STATIC));
    return *this;
  }

  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  /// Valid inside the `on_row` that asks.
  [[nodiscard]] std::span<const std::byte> bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    return {static_cast<const std::byte*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }

  /// Calls `on_row(*this)` for each row. A read transaction ends when this returns, so that a checkpoint may pass.
  template <class OnRow>
  void run(OnRow&& on_row) {
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_reset)> end{statement_.get(), &sqlite3_reset};
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement_.get())) == SQLITE_ROW) on_row(*this);
    check(code == SQLITE_DONE ? SQLITE_OK : code);
  }
  void run() {
    run([](Statement&) {});
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw SqliteError(sqlite3_extended_errcode(connection_), sqlite3_errmsg(connection_));
  }

  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement_{nullptr, &sqlite3_finalize};
};

/// A connection to one database file, for one thread at a time.
class Connection {
 public:
  /// `vfs`: SQLite's name for the layer that does its input and output; nullptr is the usual one.
  Connection(const std::string& file, int flags, const char* vfs) {
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, vfs);
    connection_.reset(connection);
    if (code != SQLITE_OK) throw SqliteError(code, "cannot open '" + file + "': " + sqlite3_errstr(code));
    sqlite3_busy_timeout(connection, 10'000);
  }

  [[nodiscard]] sqlite3* get() const { return connection_.get(); }
  void run(const char* sql) { Statement{get(), sql}.run(); }
  [[nodiscard]] std::string text_of(const char* sql) {
    std::string text;
    Statement{get(), sql}.run([&](Statement& row) {
      const auto bytes = row.bytes(0);
      text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    return text;
  }
  /// Ends a transaction that failed, if SQLite has not done so itself.
  void roll_back() noexcept {
    if (sqlite3_get_autocommit(get()) == 0) sqlite3_exec(get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }

 private:
  std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> connection_{nullptr, &sqlite3_close_v2};
};

}  // namespace examples
