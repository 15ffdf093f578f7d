// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio.hpp>

#include "relay.hpp"

namespace chaos {

/// What a link does.
struct LinkWeather {
  Weather there{};       ///< from who dials to who is dialled
  Weather back{};        ///< the other way
  bool refuses = false;  ///< cuts every connection, old or new

  friend bool operator==(const LinkWeather&, const LinkWeather&) = default;
};

/// TCP proxies on 127.0.0.1, each before one port, with weather of their own. All run on one thread of the proxy's;
/// calls may come from any thread, and have taken effect when they return.
class Proxy {
 public:
  explicit Proxy(std::uint64_t seed) : random_(seed), thread_([this] { context_.run(); }) {}
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy() {
    run([this] {
      for (const auto& link : links_) link->close();
    });
    work_.reset();
    context_.stop();
    thread_.join();
  }

  /// A new link from `port` to `target`; the number that names it.
  std::size_t add(std::uint16_t port, std::uint16_t target) {
    std::size_t number = 0;
    run([&] {
      number = links_.size();
      links_.push_back(std::make_shared<Link>(context_, port, target, random_()));
      links_.back()->accept();
    });
    return number;
  }
  void set(std::size_t link, const LinkWeather& weather) {
    run([&] { links_.at(link)->set(weather); });
  }
  /// Cuts what is connected now; who dials again gets through.
  void reset(std::size_t link) {
    run([&] { links_.at(link)->reset(); });
  }
  [[nodiscard]] Counts counts(std::size_t link) {
    Counts counts;
    run([&] { counts = links_.at(link)->counts; });
    return counts;
  }

 private:
  using tcp = asio::ip::tcp;

  struct Link : std::enable_shared_from_this<Link> {
    Link(asio::io_context& context, std::uint16_t port, std::uint16_t to, std::uint64_t seed)
        : acceptor(context, tcp::endpoint{asio::ip::address_v4::loopback(), port}),
          target(asio::ip::address_v4::loopback(), to),
          random(seed) {}

    void accept() {
      acceptor.async_accept([self = shared_from_this()](const std::error_code& error, tcp::socket socket) {
        if (!self->acceptor.is_open()) return;
        if (!error) self->welcome(std::move(socket));
        self->accept();
      });
    }

    void welcome(tcp::socket socket) {
      if (weather.refuses || relays.size() + dialling >= connections_max) {
        ++counts.turned_away;
        return cut(socket);
      }
      ++dialling;
      const auto held = std::make_shared<std::pair<tcp::socket, tcp::socket>>(std::move(socket),
                                                                              tcp::socket{acceptor.get_executor()});
      held->second.async_connect(target, [self = shared_from_this(), held](const std::error_code& error) {
        --self->dialling;
        if (error || self->weather.refuses || !self->acceptor.is_open()) {
          ++self->counts.turned_away;
          return cut(held->first);
        }
        self->join(std::move(held->first), std::move(held->second));
      });
    }

    void join(tcp::socket dialler, tcp::socket dialled) {
      ++counts.connections;
      const std::uint64_t key = ++last_key;
      const auto relay = std::make_shared<Relay>(std::move(dialler), std::move(dialled), counts, random(),
                                                 [weak = weak_from_this(), key] {
                                                   if (const auto link = weak.lock()) link->relays.erase(key);
                                                 });
      relays.emplace(key, relay);
      relay->start({weather.there, weather.back});
    }

    void set(const LinkWeather& next) {
      weather = next;
      if (weather.refuses) return reset();
      const auto all = relays;
      for (const auto& [key, relay] : all) relay->set({weather.there, weather.back});
    }
    void reset() {
      const auto all = relays;
      for (const auto& [key, relay] : all) relay->reset();
    }
    void close() {
      std::error_code ignored;
      acceptor.close(ignored);
      const auto all = relays;
      for (const auto& [key, relay] : all) relay->end();
    }

    static void cut(tcp::socket& socket) {
      std::error_code ignored;
      socket.set_option(asio::socket_base::linger(true, 0), ignored);
      socket.close(ignored);
    }

    static constexpr std::size_t connections_max = 256;

    tcp::acceptor acceptor;
    tcp::endpoint target;
    std::mt19937_64 random;
    LinkWeather weather;
    Counts counts;
    std::map<std::uint64_t, std::shared_ptr<Relay>> relays;
    std::uint64_t last_key = 0;
    std::size_t dialling = 0;
  };

  template <class Work>
  void run(Work work) {
    // Shared: the task may still be on its way out when its result is there.
    const auto task = std::make_shared<std::packaged_task<void()>>(std::move(work));
    asio::post(context_, [task] { (*task)(); });
    task->get_future().get();
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::mt19937_64 random_;
  std::vector<std::shared_ptr<Link>> links_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace chaos
