// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <paxos/core/config.hpp>
#include <paxos/core/random.hpp>
#include <paxos/core/time.hpp>
#include <paxos/detail/platform.hpp>
#include <paxos/transport/alarm.hpp>
#include <paxos/transport/hello.hpp>
#include <paxos/transport/node_transport.hpp>
#include <paxos/transport/write_queue.hpp>

namespace paxos {

/// What a TcpTransport can be told besides the Config. The defaults suit a cluster in one or a few data centres.
struct TcpOptions {
  std::string listen;  ///< "host:port" to listen on, where it is not this node's address in Config::members

  Duration hello_timeout = std::chrono::seconds{5};    ///< for who connects and says nothing, or never answers a hello
  Duration connect_timeout = std::chrono::seconds{3};  ///< for one dial, the look-up of the name included
  /// The pause before another dial doubles from `backoff_min` to `backoff_max`, each up to half shorter by chance.
  Duration backoff_min = std::chrono::milliseconds{50};
  Duration backoff_max = std::chrono::seconds{1};          ///< and no more than this
  Duration refused_backoff_max = std::chrono::seconds{5};  ///< where the other side refused us
  /// Messages for a peer that is down wait for this long in all; after that they are dropped until it is up again.
  Duration patience = std::chrono::seconds{1};

  std::size_t ungreeted_max = 64;                             ///< connections without a hello; the oldest gives way
  std::size_t clients_max = 1024;                             ///< connections of remote clients; more are refused
  std::size_t client_queue_bytes_max = std::size_t{8} << 20;  ///< answers that wait for one client; beyond: closed

  /// Throws ConfigError at the first field that breaks a rule. TcpTransport does it when it is made.
  void validate() const {
    const auto require = [](bool holds, const std::string& text) {
      if (!holds) throw ConfigError("TcpOptions: " + text);
    };
    struct Field {
      const char* name;
      Duration value;
      Duration least;
      const char* cure;
    };
    const Duration positive{1};
    for (const Field& field :
         {Field{"hello_timeout", hello_timeout, positive, "5 s"},
          Field{"connect_timeout", connect_timeout, positive, "3 s"},
          Field{"backoff_min", backoff_min, positive, "50 ms"}, Field{"backoff_max", backoff_max, positive, "1 s"},
          Field{"refused_backoff_max", refused_backoff_max, positive, "5 s"},
          Field{"patience", patience, Duration::zero(), "1 s"}})
      require(field.value >= field.least && field.value <= std::chrono::hours{24},
              std::string{field.name} + " must be " + (field.least == positive ? "positive" : "0") +
                  " to a day, or no connection is made for long, or all the time; try " + field.cure);
    require(backoff_max >= backoff_min, "backoff_max must be at least backoff_min, from which it doubles; try 1 s");
    require(ungreeted_max >= 1, "ungreeted_max must be at least 1, or nobody can say hello; try 64");
    require(client_queue_bytes_max >= 4096,
            "client_queue_bytes_max must be at least 4 KiB, or an answer closes the client that it is for; try 8 MiB");
  }
};

namespace detail {

/// What the parts of one TcpTransport have in common. Lives as long as any of them, or of their operations.
template <class Executor>
struct TcpShared : std::enable_shared_from_this<TcpShared<Executor>> {
  TcpShared(Executor executor, const Config& node_config, StoreLife life, TransportEvents node_events,
            TcpOptions tcp_options)
      : serial(std::move(executor)),
        config(node_config),
        fingerprint(config.fingerprint()),
        events(std::move(node_events)),
        options(std::move(tcp_options)),
        greeter(config, std::move(life), events.refusal_of_peer),
        random(entropy()) {
    options.validate();
  }

  /// Calls one of `events`, now: never from inside a call of the node's.
  template <class... Parameters, class... Arguments>
  void tell(const std::function<void(Parameters...)>& event, Arguments&&... arguments) {
    if (!is_stopped && event) event(std::forward<Arguments>(arguments)...);
  }

  /// Later, unless the transport is stopped by then.
  void post(Task task) {
    post_task(serial, [self = this->shared_from_this(), task = std::move(task)]() mutable {
      if (!self->is_stopped) task();
    });
  }

  /// Strangers decide how often this is called; so of many refusals in one second only the first are told, and the
  /// rest as a number.
  void refused(const std::string& text) {
    const Time now = std::chrono::steady_clock::now();
    if (now - refusals_since >= std::chrono::seconds{1}) {
      const std::size_t untold = refusals > refusals_told_max ? refusals - refusals_told_max : 0;
      refusals_since = now;
      refusals = 0;
      if (untold > 0) tell(events.on_refused, std::to_string(untold) + " more refusals before this one");
    }
    if (++refusals <= refusals_told_max) tell(events.on_refused, text);
  }

  /// Up to half shorter, so that nodes which failed together do not return together.
  [[nodiscard]] Duration jittered(Duration pause) { return random.between(pause / 2, pause); }

  static constexpr std::size_t refusals_told_max = 20;

  Executor serial;
  Config config;
  std::uint64_t fingerprint;
  TransportEvents events;
  TcpOptions options;
  Greeter greeter;
  AcceptFrameCache accept_cache;
  Random random;
  Time refusals_since{};
  std::size_t refusals = 0;
  bool is_stopped = false;
};

}  // namespace detail

}  // namespace paxos
