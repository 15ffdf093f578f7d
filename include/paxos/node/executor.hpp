// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <type_traits>
#include <typeinfo>

namespace paxos::detail {

/// The executor within, if it is a Known. Asio 1.22 itself does not check the type that target() is asked for.
template <class Known>
[[nodiscard]] const Known* target_of(const asio::any_io_executor& executor) {
  return executor.target_type() == typeid(Known) ? executor.target<Known>() : nullptr;
}

/// Whether this thread is inside a handler of `executor`'s context, so that waiting for that executor may never end.
/// Knows the contexts of Asio and strands over them; of any other executor it says no.
template <class Executor = asio::any_io_executor>
[[nodiscard]] bool is_run_by_this_thread(const std::type_identity_t<Executor>& executor) {
  const auto runs = [](const auto* known) { return known != nullptr && known->running_in_this_thread(); };
  const auto runs_under = [](const auto* strand) {
    return strand != nullptr && is_run_by_this_thread(strand->get_inner_executor());
  };
  const auto* on_any = target_of<asio::strand<asio::any_io_executor>>(executor);
  return runs(target_of<asio::io_context::executor_type>(executor)) ||
         runs(target_of<asio::thread_pool::executor_type>(executor)) || runs(on_any) || runs_under(on_any) ||
         runs_under(target_of<asio::strand<asio::io_context::executor_type>>(executor)) ||
         runs_under(target_of<asio::strand<asio::thread_pool::executor_type>>(executor));
}

}  // namespace paxos::detail
