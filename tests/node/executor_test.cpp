// Copyright (c) the paxos authors. MIT licence.
#include <paxos/node/executor.hpp>

#include <future>

#include <asio/post.hpp>
#include <asio/system_executor.hpp>
#include <catch2/catch_test_macros.hpp>

using paxos::detail::is_run_by_this_thread;

namespace {

/// What a handler of `executor` is told about `asked`.
bool inside(const asio::any_io_executor& executor, const asio::any_io_executor& asked) {
  std::promise<bool> told;
  auto answer = told.get_future();
  asio::post(executor, [&] { told.set_value(is_run_by_this_thread(asked)); });
  return answer.get();
}

}  // namespace

TEST_CASE("a thread knows whether it runs an executor", "[executor]") {
  asio::thread_pool pool{1}, other{1};
  const asio::any_io_executor plain = pool.get_executor();
  const asio::any_io_executor strand = asio::make_strand(pool.get_executor());
  const asio::any_io_executor nested = asio::make_strand(strand);
  for (const auto& asked : {plain, strand, nested}) {
    CHECK_FALSE(is_run_by_this_thread(asked));
    CHECK(inside(plain, asked));
    CHECK(inside(nested, asked));
    CHECK_FALSE(inside(other.get_executor(), asked));
  }
  asio::io_context io;
  const asio::any_io_executor on_io = asio::make_strand(io);
  CHECK_FALSE(is_run_by_this_thread(on_io));
  bool told = false;
  asio::post(io, [&] { told = is_run_by_this_thread(on_io) && is_run_by_this_thread(io.get_executor()); });
  io.run();
  CHECK(told);
  CHECK_FALSE(is_run_by_this_thread(asio::system_executor{}));
}
