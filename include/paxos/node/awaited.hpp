// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <paxos/core/error.hpp>

namespace paxos::detail {

/// What a blocking call waits for: the outcome of an operation whose handler this hands out.
template <class Value>
class Awaited {
 public:
  /// Its completion handler. One that is dropped uncalled ends the waiting too, with Errc::interrupted.
  class Handler {
   public:
    explicit Handler(Awaited& awaited) : awaited_(&awaited) {}
    Handler(Handler&& other) noexcept : awaited_(std::exchange(other.awaited_, nullptr)) {}
    ~Handler() {
      if (awaited_ != nullptr) awaited_->end(make_error_code(Errc::interrupted), [] {});
    }
    /// When the value throws as it is moved, the handler counts as uncalled.
    void operator()(std::error_code error, Value value = {}) {
      awaited_->end(error, [&] { awaited_->value_.emplace(std::move(value)); });
      awaited_ = nullptr;
    }

   private:
    Awaited* awaited_;
  };

  Awaited() = default;
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;

  /// Must be taken once, before get(), which does not return before it was called or dropped.
  [[nodiscard]] Handler handler() { return Handler{*this}; }
  /// Waits; `error` is the operation's.
  [[nodiscard]] Value get(std::error_code& error) {
    std::unique_lock lock{mutex_};
    while (!is_over_) over_.wait(lock);
    error = error_;
    return value_ ? std::move(*value_) : Value{};
  }

 private:
  /// Tells under the lock: whoever waits may be gone the moment that it is let go.
  template <class Keep>
  void end(std::error_code error, Keep&& keep_value) {
    const std::lock_guard lock{mutex_};
    keep_value();
    error_ = error;
    is_over_ = true;
    over_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::error_code error_;
  std::optional<Value> value_;
};

}  // namespace paxos::detail
