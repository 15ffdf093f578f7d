// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace paxos::detail {

template <class Signature>
class UniqueFunction;

/// A function that is called once at most and may own what cannot be copied, as Asio's completion handlers do
/// (std::move_only_function is C++23).
template <class... Args>
class UniqueFunction<void(Args...)> {
 public:
  UniqueFunction() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, UniqueFunction> && std::invocable<F, Args...>)
  UniqueFunction(F function) : target_(new Target<F>(std::move(function))) {}

  explicit operator bool() const { return target_ != nullptr; }
  /// Calls the function and gives it up.
  void operator()(Args... args) {
    const auto target = std::move(target_);
    target->call(std::forward<Args>(args)...);
  }

 private:
  struct Base {
    Base() = default;
    Base(const Base&) = delete;
    Base& operator=(const Base&) = delete;
    virtual ~Base() = default;
    virtual void call(Args... args) = 0;
  };
  template <class F>
  struct Target final : Base {
    explicit Target(F f) : function(std::move(f)) {}
    void call(Args... args) override { std::move(function)(std::forward<Args>(args)...); }
    F function;
  };

  std::unique_ptr<Base> target_;
};

}  // namespace paxos::detail
