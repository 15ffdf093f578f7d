// Copyright (c) the paxos authors. MIT licence.
#include <paxos/transport/dialler.hpp>

#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <catch2/catch_test_macros.hpp>

namespace {

using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Dialler = paxos::detail::Dialler<Executor>;
using paxos::Address;

struct Rig {
  asio::io_context io;
  tcp::acceptor acceptor{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  std::shared_ptr<Dialler> dialler = std::make_shared<Dialler>(io.get_executor());
  int calls = 0;
  std::error_code error;
  std::optional<Dialler::Socket> socket;

  [[nodiscard]] std::uint16_t port() const { return acceptor.local_endpoint().port(); }
  void dial(const std::string& host, std::uint16_t to) {
    dialler->dial(Address{host, to}, [this](const std::error_code& outcome, Dialler::Socket connected) {
      ++calls;
      error = outcome;
      socket = std::move(connected);
    });
  }
};

TEST_CASE("Dialler: it connects to an address that is a number", "[dialler]") {
  Rig rig;
  rig.dial("127.0.0.1", rig.port());
  CHECK(rig.calls == 0);  // later, and not from inside
  rig.io.run();
  CHECK(rig.calls == 1);
  CHECK_FALSE(rig.error);
  CHECK(rig.socket->remote_endpoint().port() == rig.port());
}

// Where localhost is ::1 as well, that is refused first: the acceptor listens on 127.0.0.1 alone.
TEST_CASE("Dialler: it looks a name up, and tries what it finds until one answers", "[dialler]") {
  Rig rig;
  rig.dial("localhost", rig.port());
  rig.io.run();
  CHECK(rig.calls == 1);
  CHECK_FALSE(rig.error);
  CHECK(rig.socket->remote_endpoint().address().is_v4());
}

TEST_CASE("Dialler: when none answers it says why the last one did not", "[dialler]") {
  Rig rig;
  const std::uint16_t port = rig.port();
  rig.acceptor.close();
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    rig.dial(host, port);
    rig.io.run();
    rig.io.restart();
    CHECK(rig.error == asio::error::connection_refused);
  }
  CHECK(rig.calls == 2);
}

TEST_CASE("Dialler: cancelled at any moment it calls nobody, and lets go of the handler", "[dialler]") {
  Rig rig;
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    for (int handlers_before = 0; handlers_before < 3; ++handlers_before) {
      const auto watched = std::make_shared<int>(0);
      bool is_over = false;
      rig.dialler->dial(Address{host, rig.port()},
                        [&is_over, watched](const std::error_code&, Dialler::Socket) { is_over = true; });
      for (int i = 0; i < handlers_before && !is_over; ++i) rig.io.run_one();
      if (is_over) break;
      rig.dialler->cancel();
      CHECK(watched.use_count() == 1);
      rig.io.run();
      rig.io.restart();
      CHECK_FALSE(is_over);
    }
    rig.io.restart();
  }
}

TEST_CASE("Dialler: another dial takes the place of one that is under way", "[dialler]") {
  Rig rig;
  bool first_ended = false;
  rig.dialler->dial(Address{"127.0.0.1", rig.port()},
                    [&](const std::error_code&, Dialler::Socket) { first_ended = true; });
  rig.dial("127.0.0.1", rig.port());
  rig.io.run();
  CHECK_FALSE(first_ended);
  CHECK(rig.calls == 1);
  CHECK_FALSE(rig.error);
}

}  // namespace
