// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace paxos {

/// An immutable run of bytes, shared between its copies, on any thread: a payload is copied into it once and never
/// again.
class Bytes {
 public:
  Bytes() = default;
  /// Copies them: the one copy that is made.
  explicit Bytes(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    void* const memory = ::operator new(sizeof(Block) + bytes.size());
    block_ = ::new (memory) Block{1, bytes.size()};
    std::memcpy(block_->bytes(), bytes.data(), bytes.size());
  }
  explicit Bytes(std::string_view text) : Bytes(std::as_bytes(std::span{text})) {}  ///< copies it
  /// Shares them.
  Bytes(const Bytes& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->add_owner();
  }
  /// `other` is empty then.
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Bytes& operator=(const Bytes& other) noexcept { return *this = Bytes{other}; }
  Bytes& operator=(Bytes&& other) noexcept {
    Bytes taken{std::move(other)};  // so that `other` ends empty, and what was here is let go now
    std::swap(block_, taken.block_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr && block_->drop_owner()) ::operator delete(block_);
  }

  /// The same for all copies of one Bytes; nullptr when there are none.
  [[nodiscard]] const std::byte* data() const { return block_ == nullptr ? nullptr : block_->bytes(); }
  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }  ///< in bytes
  [[nodiscard]] bool empty() const { return block_ == nullptr; }  ///< a no-op, where it is a Value
  /// Valid while any copy lives.
  [[nodiscard]] std::span<const std::byte> span() const { return {data(), size()}; }
  /// Valid while any copy lives.
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(data()), size()}; }

  friend bool operator==(const Bytes& a, const Bytes& b) {
    return a.block_ == b.block_ || (a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0);
  }

 private:
  /// One allocation: this, and behind it the bytes. Counted by what g++ and clang make std::atomic of, whose header
  /// costs each file that includes it 0.03 s.
  struct Block {
    std::size_t owners;
    std::size_t size;

    void add_owner() { __atomic_fetch_add(&owners, 1, __ATOMIC_RELAXED); }
    /// True for the last one, who has then seen all that the others did with the bytes.
    [[nodiscard]] bool drop_owner() { return __atomic_fetch_sub(&owners, 1, __ATOMIC_ACQ_REL) == 1; }

    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  };

  Block* block_ = nullptr;
};

}  // namespace paxos
