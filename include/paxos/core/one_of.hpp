// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include <paxos/core/ensure.hpp>

namespace paxos {

namespace detail {

template <class... Types>
consteval std::size_t largest_size() {
  std::size_t largest = 0;
  ((largest = sizeof(Types) > largest ? sizeof(Types) : largest), ...);
  return largest;
}

}  // namespace detail

/// A value of one of several types, as std::variant is, and never without a value. One function goes through all
/// alternatives to copy, one to move, one to compare, where std::variant has a dozen for each alternative: for the 17
/// kinds of a Message that was an eighth of what a Node takes to compile (docs/compile-time.md).
///
/// The types differ from each other; making one by default or by moving does not throw. Not constexpr.
template <class... Types>
class OneOf {
  static_assert(((std::is_nothrow_default_constructible_v<Types> && std::is_nothrow_move_constructible_v<Types>) &&
                 ...),
                "OneOf: an alternative that throws when it is made by default or moved would leave no value");

 public:
  static constexpr std::size_t alternatives = sizeof...(Types);  ///< how many types there are
  /// Whether T is one of the types.
  template <class T>
  static constexpr bool admits = (std::is_same_v<T, Types> || ...);

  /// A default value of the first type.
  OneOf() { make(0); }
  /// A copy of `value`, or what was moved out of it.
  template <class T>
    requires(admits<std::remove_cvref_t<T>>)
  OneOf(T&& value) : index_(place_of<std::remove_cvref_t<T>>()) {
    ::new (address()) std::remove_cvref_t<T>(std::forward<T>(value));
  }
  /// The same value.
  OneOf(const OneOf& other)
    requires(std::is_copy_constructible_v<Types> && ...)
      : index_(other.index_) {
    std::size_t i = 0;
    (void)((index_ == i++ && ::new (address()) Types(*static_cast<const Types*>(other.address()))) || ...);
  }
  /// Its value; what it leaves there is of the same type.
  OneOf(OneOf&& other) noexcept : index_(other.index_) { take(other); }
  OneOf& operator=(const OneOf& other)
    requires(std::is_copy_constructible_v<Types> && ...)
  {
    if (this != &other) *this = OneOf{other};
    return *this;
  }
  OneOf& operator=(OneOf&& other) noexcept {
    if (this == &other) return *this;
    destroy();
    index_ = other.index_;
    take(other);
    return *this;
  }
  ~OneOf() { destroy(); }

  [[nodiscard]] std::size_t index() const { return index_; }  ///< the place of the value's type in the list, from 0

  /// Gives the value up for a default one of the type in that place. False, and the value stays, if there is none.
  [[nodiscard]] bool reset(std::size_t index) {
    if (index >= alternatives) return false;
    destroy();
    make(index);
    return true;
  }

  /// Calls `visitor` with the value as what it is. The results are of one type, which is void or default-constructible.
  template <class Visitor>
  auto visit(Visitor&& visitor) {
    return visit_in<Types...>(*this, visitor);
  }
  /// The same for a value that must not change.
  template <class Visitor>
  auto visit(Visitor&& visitor) const {
    return visit_in<const Types...>(*this, visitor);
  }

  friend bool operator==(const OneOf& a, const OneOf& b) {
    std::size_t i = 0;
    return a.index_ == b.index_ &&
           ((a.index_ == i++ && *static_cast<const Types*>(a.address()) == *static_cast<const Types*>(b.address())) ||
            ...);
  }

  /// The value of `one`, if it is a T; else nullptr.
  template <class T>
    requires(admits<T>)
  friend T* get_if(OneOf* one) {
    return one->index_ == place_of<T>() ? static_cast<T*>(one->address()) : nullptr;
  }
  /// The value of `one`, if it is a T; else nullptr.
  template <class T>
    requires(admits<T>)
  friend const T* get_if(const OneOf* one) {
    return one->index_ == place_of<T>() ? static_cast<const T*>(one->address()) : nullptr;
  }
  /// Whether the value of `one` is a T.
  template <class T>
    requires(admits<T>)
  friend bool holds_alternative(const OneOf& one) {
    return one.index_ == place_of<T>();
  }
  /// The value of `one`, which must be a T.
  template <class T>
    requires(admits<T>)
  friend const T& get(const OneOf& one) {
    ensure(one.index_ == place_of<T>(), "OneOf: the value is not of the type that was asked for");
    return *static_cast<const T*>(one.address());
  }

 private:
  template <class T>
  static consteval std::uint8_t place_of() {
    std::uint8_t place = 0;
    (void)((std::is_same_v<T, Types> || (++place, false)) || ...);
    return place;
  }

  /// `As` are the types, const if Self is.
  template <class... As, class Self, class Visitor>
  static auto visit_in(Self& self, Visitor& visitor) {
    using Result = std::common_type_t<decltype(visitor(std::declval<As&>()))...>;
    std::size_t i = 0;
    if constexpr (std::is_void_v<Result>) {
      (void)((self.index_ == i++ && (visitor(*static_cast<As*>(self.address())), true)) || ...);
    } else {
      Result result{};
      (void)((self.index_ == i++ && (result = visitor(*static_cast<As*>(self.address())), true)) || ...);
      return result;
    }
  }

  void make(std::size_t index) {
    index_ = static_cast<std::uint8_t>(index);
    std::size_t i = 0;
    (void)((index_ == i++ && ::new (address()) Types()) || ...);
  }
  void take(OneOf& other) {
    std::size_t i = 0;
    (void)((index_ == i++ && ::new (address()) Types(std::move(*static_cast<Types*>(other.address())))) || ...);
  }
  void destroy() {
    std::size_t i = 0;
    (void)((index_ == i++ && (static_cast<Types*>(address())->~Types(), true)) || ...);
  }

  void* address() { return storage_; }
  const void* address() const { return storage_; }

  /// Zeroed, or g++ 12 warns wherever it loses track of which alternative it was that was never made.
  alignas(Types...) std::byte storage_[detail::largest_size<Types...>()]{};
  std::uint8_t index_ = 0;
};

}  // namespace paxos
