// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace paxos {

/// An immutable run of bytes, shared between its copies: a payload is copied into it once and never again.
class Bytes {
 public:
  Bytes() = default;
  /// Copies them: the one copy that is made.
  explicit Bytes(std::span<const std::byte> bytes) : size_(bytes.size()) {
    if (bytes.empty()) return;
    auto copy = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    data_ = std::move(copy);
  }
  explicit Bytes(std::string_view text) : Bytes(std::as_bytes(std::span{text})) {}  ///< copies it

  [[nodiscard]] const std::byte* data() const { return data_.get(); }  ///< the same for all copies of one Bytes
  [[nodiscard]] std::size_t size() const { return size_; }             ///< in bytes
  [[nodiscard]] bool empty() const { return size_ == 0; }              ///< a no-op, where it is a Value
  /// Valid while any copy lives.
  [[nodiscard]] std::span<const std::byte> span() const { return {data_.get(), size_}; }
  /// Valid while any copy lives.
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(data_.get()), size_}; }

  friend bool operator==(const Bytes& a, const Bytes& b) {
    return a.size_ == b.size_ && (a.data_ == b.data_ || std::memcmp(a.data(), b.data(), a.size_) == 0);
  }

 private:
  std::shared_ptr<const std::byte[]> data_;
  std::size_t size_ = 0;
};

}  // namespace paxos
