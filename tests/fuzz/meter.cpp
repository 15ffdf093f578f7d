// Copyright (c) the paxos authors. MIT licence.
#include "meter.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define PAXOS_FUZZ_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAXOS_FUZZ_HOOKS 1
#endif
#endif

#ifdef PAXOS_FUZZ_HOOKS

#include <cstddef>

// As in sanitizer/allocator_interface.h, which GCC does not bring along with its sanitizers.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                              void (*on_free)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void* place);
}

namespace {

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t bytes) { paxos::fuzz::Meter::on_allocated(bytes); },
    [](const volatile void* freed) { paxos::fuzz::Meter::on_freed(__sanitizer_get_allocated_size(freed)); });

}  // namespace

#else

#include <malloc.h>
#include <cstdlib>
#include <new>

void* operator new(std::size_t bytes) {
  void* const place = std::malloc(bytes > 0 ? bytes : 1);
  if (place == nullptr) throw std::bad_alloc{};
  paxos::fuzz::Meter::on_allocated(::malloc_usable_size(place));
  return place;
}
void operator delete(void* place) noexcept {
  if (place != nullptr) paxos::fuzz::Meter::on_freed(::malloc_usable_size(place));
  std::free(place);
}
void operator delete(void* place, std::size_t) noexcept { operator delete(place); }

#endif
