// Copyright (c) the paxos authors. MIT licence.
#include <paxos/transport/alarm.hpp>

#include <chrono>
#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

namespace {

using namespace std::chrono_literals;
using Executor = asio::io_context::executor_type;
using paxos::detail::Alarm;

TEST_CASE("Alarm: it runs what it was set to, once, and what it was set to before not at all", "[alarm]") {
  asio::io_context io;
  Alarm<Executor> alarm{io.get_executor()};
  std::string ran;
  alarm.set(1h, [&] { ran += "early "; });
  alarm.set(1ms, [&] { ran += "late"; });
  io.run();
  CHECK(ran == "late");
}

TEST_CASE("Alarm: cancelled, it lets go of its task uncalled", "[alarm]") {
  asio::io_context io;
  Alarm<Executor> alarm{io.get_executor()};
  const auto watched = std::make_shared<bool>(false);
  alarm.set(1h, [watched] { *watched = true; });
  alarm.cancel();
  io.run();
  CHECK_FALSE(*watched);
  CHECK(watched.use_count() == 1);
}

// Both are over, and wait for their turn, when the first of them runs.
TEST_CASE("Alarm: cancelled or set anew it runs nothing that it was set to before, not even what is over", "[alarm]") {
  for (const bool sets : {false, true}) {
    asio::io_context io;
    Alarm<Executor> one{io.get_executor()};
    Alarm<Executor> other{io.get_executor()};
    int ran = 0;
    int ran_anew = 0;
    const auto silence = [&](Alarm<Executor>& alarm) {
      ++ran;
      if (sets) {
        alarm.set(1ms, [&] { ++ran_anew; });
      } else {
        alarm.cancel();
      }
    };
    const auto over = std::chrono::steady_clock::now() + 2ms;
    one.set(1ms, [&] { silence(other); });
    other.set(1ms, [&] { silence(one); });
    while (std::chrono::steady_clock::now() < over) continue;
    io.run();
    CHECK(ran == 1);
    CHECK(ran_anew == (sets ? 1 : 0));
  }
}

TEST_CASE("Alarm: a task may set it anew", "[alarm]") {
  asio::io_context io;
  Alarm<Executor> alarm{io.get_executor()};
  int rounds = 0;
  const auto again = [&](const auto& self) -> void {
    if (++rounds < 3) alarm.set(1ms, [&] { self(self); });
  };
  alarm.set(1ms, [&] { again(again); });
  io.run();
  CHECK(rounds == 3);
}

TEST_CASE("post_task: the task runs on the executor, later", "[alarm]") {
  asio::io_context io;
  bool ran = false;
  paxos::detail::post_task(io.get_executor(), [&, owned = std::make_unique<int>(1)] { ran = *owned == 1; });
  CHECK_FALSE(ran);
  io.run();
  CHECK(ran);
}

}  // namespace
