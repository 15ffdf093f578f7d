// Copyright (c) the paxos authors. MIT licence.
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <asio.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "proxy.hpp"
#include "small_disk.hpp"
#include "tests/examples/cluster.hpp"

using namespace chaos;
using namespace std::chrono_literals;
using examples::Socket;

namespace {

/// A server that sends back what it gets; bytes that reach it are counted.
class Echo {
 public:
  Echo() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread_ = std::thread{[this] { context_.run(); }};
  }
  ~Echo() {
    context_.stop();
    thread_.join();
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::atomic<std::size_t> heard = 0;

 private:
  struct Guest {
    explicit Guest(asio::ip::tcp::socket accepted) : socket(std::move(accepted)) {}
    asio::ip::tcp::socket socket;
    std::array<char, 65536> bytes{};
  };
  void accept() {
    acceptor_.async_accept([this](const std::error_code& error, asio::ip::tcp::socket socket) {
      if (error) return;
      echo(std::make_shared<Guest>(std::move(socket)));
      accept();
    });
  }
  void echo(const std::shared_ptr<Guest>& guest) {
    guest->socket.async_read_some(asio::buffer(guest->bytes),
                                  [this, guest](const std::error_code& error, std::size_t size) {
                                    if (error) return;
                                    heard += size;
                                    std::error_code ignored;
                                    asio::write(guest->socket, asio::buffer(guest->bytes, size), ignored);
                                    echo(guest);
                                  });
  }

  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

struct Rig {
  Echo echo;
  Proxy proxy{1};
  std::uint16_t port = examples::free_port();
  std::size_t link = proxy.add(port, echo.port());
};

}  // namespace

TEST_CASE("Fair weather: bytes pass both ways, in order, and ends are passed on", "[proxy]") {
  Rig rig;
  Socket socket{rig.port};
  const std::string large(300'000, 'x');
  CHECK(socket.ask("one") == "one");
  CHECK(socket.ask(large) == large);
  socket.end_of_sending();
  CHECK(socket.ends());
  const Counts counts = rig.proxy.counts(rig.link);
  CHECK(counts.connections == 1);
  CHECK(counts.bytes == 2 * (4 + large.size() + 1));
  CHECK(counts.bytes_lost + counts.bytes_late + counts.resets == 0);
}

TEST_CASE("Delay, jitter and a narrow link keep every byte and its place", "[proxy]") {
  Rig rig;
  const Weather slow{.delay = 5ms, .jitter = 10ms, .bytes_per_second = 400'000};
  rig.proxy.set(rig.link, {.there = slow, .back = slow});
  Socket socket{rig.port};
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ' ';
  for (int i = 0; i < 3; ++i) CHECK(socket.ask(text) == text);
  CHECK(rig.proxy.counts(rig.link).bytes_late > 3 * text.size());
}

TEST_CASE("What waits behind a narrow link passes at once when it is wide again", "[proxy]") {
  Rig rig;
  Socket socket{rig.port};
  // Half an hour's worth.
  rig.proxy.set(rig.link, {.there = {.bytes_per_second = 1}});
  REQUIRE(socket.send(std::string(1800, 'x') + '\n'));
  REQUIRE(socket.send("more\n"));
  rig.proxy.set(rig.link, {});
  CHECK(socket.line() == std::string(1800, 'x'));
  CHECK(socket.line() == "more");
  CHECK(socket.ask("after") == "after");
}

TEST_CASE("What holds delivers all of it later", "[proxy]") {
  Rig rig;
  Socket socket{rig.port};
  REQUIRE(socket.ask("before") == "before");
  rig.proxy.set(rig.link, {.there = {.holds = true}});
  REQUIRE(socket.send("during\n"));
  // By another link there is time for it to arrive.
  const std::uint16_t other = examples::free_port();
  static_cast<void>(rig.proxy.add(other, rig.echo.port()));
  REQUIRE(Socket{other}.ask("beside") == "beside");
  CHECK(rig.echo.heard == 14);
  rig.proxy.set(rig.link, {});
  CHECK(socket.line() == "during");
}

TEST_CASE("What loses tells nobody, and cuts the connection once it is over", "[proxy]") {
  Rig rig;
  Socket hit{rig.port};
  Socket idle{rig.port};
  REQUIRE(hit.ask("before") == "before");
  REQUIRE(idle.ask("before") == "before");
  const bool loses_there = GENERATE(true, false);
  CAPTURE(loses_there);
  rig.proxy.set(rig.link, {.there = {.loses = loses_there}, .back = {.loses = !loses_there}});
  REQUIRE(hit.send("during\n"));
  CHECK(examples::eventually(10s, [&] { return rig.proxy.counts(rig.link).bytes_lost == 7; }));
  CHECK(rig.echo.heard == (loses_there ? 14 : 21));
  CHECK(rig.proxy.counts(rig.link).resets == 0);
  rig.proxy.set(rig.link, {});
  CHECK(hit.ends());
  CHECK(rig.proxy.counts(rig.link).resets == 1);
  CHECK(idle.ask("after") == "after");
  CHECK(Socket{rig.port}.ask("after") == "after");
}

TEST_CASE("Reset and refusal", "[proxy]") {
  Rig rig;
  Socket socket{rig.port};
  REQUIRE(socket.ask("before") == "before");
  rig.proxy.reset(rig.link);
  CHECK(socket.ends());
  Socket second{rig.port};
  CHECK(second.ask("again") == "again");
  rig.proxy.set(rig.link, {.refuses = true});
  CHECK(second.ends());
  CHECK_FALSE(Socket{rig.port}.ask("refused"));
  CHECK(rig.proxy.counts(rig.link).resets == 2);
  CHECK(rig.proxy.counts(rig.link).turned_away == 1);
  rig.proxy.set(rig.link, {});
  CHECK(Socket{rig.port}.ask("after") == "after");
}

TEST_CASE("Nobody behind the link: whoever dials is cut off", "[proxy]") {
  Proxy proxy{1};
  const std::uint16_t port = examples::free_port();
  const std::size_t link = proxy.add(port, examples::free_port());
  CHECK_FALSE(Socket{port}.ask("anyone"));
  CHECK(proxy.counts(link).turned_away == 1);
}

TEST_CASE("A small disk fills up and is empty again", "[disk]") {
  SmallDisk disk{std::size_t{1} << 20};
  if (!disk.is_usable()) SKIP("no file system of our own: " + disk.why_not());
  const auto write = [&] {
    std::ofstream file{disk.path() + "/file", std::ios::binary};
    return static_cast<bool>((file << std::string(64 << 10, 'x')).flush());
  };
  CHECK(write());
  REQUIRE(std::filesystem::remove(disk.path() + "/file"));
  disk.fill();
  CHECK_FALSE(write());
  disk.free();
  CHECK(write());
}
