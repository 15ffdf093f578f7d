// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <paxos/node/node_core.hpp>
#include <paxos/storage/file_storage.hpp>
#include <paxos/transport/tcp_transport.hpp>

namespace paxos {

/// One member of a cluster that replicates a Machine: durable, linearizable and exactly-once.
///
/// Any node takes any request. Every verb comes in three forms: propose(x) blocks and throws std::system_error,
/// propose(x, ec) blocks and reports, async_propose(x, token) takes any Asio completion token. A failure compares equal
/// to Outcome::not_applied or to Outcome::unknown (core/error.hpp).
///
/// Thread-safe. A blocking call from the node's own thread fails with Errc::would_deadlock. Completion handlers without
/// an executor of their own, and the functions given to read, run on the node's executor and must not block.
template <StateMachine Machine, Observer Obs = NullObserver, class Store = FileStorage, class Net = TcpTransport>
class Node {
 public:
  using Command = typename Machine::Command;
  using Result = ResultOf<Machine>;

  /// Runs on a thread of its own. Recovers, listens and joins the others before it returns control; throws ConfigError,
  /// StorageError (the data directory is damaged, locked, or another node's) or std::system_error (cannot listen).
  explicit Node(Config config, Obs observer = {}) : loop_(std::make_shared<Loop>()) {
    open(loop_->context.get_executor(), std::move(config), std::move(observer));
    thread_ = std::thread{[loop = loop_] { loop->context.run(); }};
  }

  /// Runs on the user's executor, from whichever threads run that.
  Node(asio::any_io_executor executor, Config config, Obs observer = {}) {
    open(asio::make_strand(std::move(executor)), std::move(config), std::move(observer));
  }

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() { stop(); }

  /// Ends the node at any moment, from any thread; once. What waits fails with Errc::interrupted or Errc::stopped. On a
  /// thread of its own everything is over when this returns; on a user's executor the rest happens there.
  void stop() {
    if (core_ == nullptr) return;
    const auto core = std::exchange(core_, nullptr);
    asio::post(core->executor(), [core] { core->stop(); });
    if (!loop_) return;
    loop_->work.reset();
    if (is_own_thread()) {
      thread_.detach();  // it cannot wait for itself; it ends once it has run out of work, and owns what it needs
    } else {
      thread_.join();
    }
  }

  /// Gets `command` chosen and applied here, and returns what apply() returned.
  Result propose(Command command) {
    return throwing([&](std::error_code& ec) { return propose(std::move(command), ec); });
  }
  Result propose(Command command, std::error_code& ec) {
    return blocking<Result>(ec, [&](auto handler) { async_propose(std::move(command), std::move(handler)); });
  }
  /// Completes with (std::error_code, Result).
  template <class Token>
  auto async_propose(Command command, Token&& token) {
    return submit(std::nullopt, encoded(command), std::forward<Token>(token));
  }

  /// The same for a command that names its session and sequence. A retry under the same id, at any node, runs at most
  /// once and gets the first answer. A sequence says that the lower ones of its session are settled: at most one of a
  /// session is under way.
  Result propose(RequestId id, Command command) {
    return throwing([&](std::error_code& ec) { return propose(id, std::move(command), ec); });
  }
  Result propose(RequestId id, Command command, std::error_code& ec) {
    return blocking<Result>(ec, [&](auto handler) { async_propose(id, std::move(command), std::move(handler)); });
  }
  template <class Token>
  auto async_propose(RequestId id, Command command, Token&& token) {
    return submit(id, encoded(command), std::forward<Token>(token));
  }

  /// A linearizable read: `function(const Machine&)` runs on the node's executor, on a state that reflects every
  /// command acknowledged before this call. It costs a round of heartbeats, shared among the reads of a moment.
  /// The function must not throw and its result must be default-constructible (or void).
  template <class F>
  auto read(F function) {
    return throwing([&](std::error_code& ec) { return read(std::move(function), ec); });
  }
  template <class F>
  auto read(F function, std::error_code& ec) {
    return blocking<ReadResult<F>>(ec, [&](auto handler) { async_read(std::move(function), std::move(handler)); });
  }
  /// Completes with (std::error_code, what the function returned), or (std::error_code) if it returns void.
  template <class F, class Token>
  auto async_read(F function, Token&& token) {
    using R = ReadResult<F>;
    using Signature = typename SignatureOf<R>::type;
    return asio::async_initiate<Token, Signature>(
        [](auto handler, std::shared_ptr<Core> core, F read_function) {
          auto deliver = deliver_to<R>(core, std::move(handler));
          core->push(typename Core::Read{[deliver = std::move(deliver), read_function = std::move(read_function)](
                                             std::error_code ec, const Machine* machine) mutable {
            if constexpr (std::is_void_v<R>) {
              if (!ec) read_function(*machine);
              deliver(ec);
            } else {
              deliver(ec, ec ? R{} : read_function(*machine));
            }
          }});
        },
        token, core_, std::move(function));
  }

  [[nodiscard]] NodeStatus status() const { return core_->status(); }
  /// Where this node listens for peers and clients.
  [[nodiscard]] std::uint16_t port() const { return core_->port(); }

 private:
  using Core = detail::NodeCore<Machine, Obs, Store, Net>;
  template <class F>
  using ReadResult = std::decay_t<std::invoke_result_t<F&, const Machine&>>;
  template <class R>
  struct SignatureOf {
    using type = void(std::error_code, R);
  };
  template <class R>
    requires std::is_void_v<R>
  struct SignatureOf<R> {
    using type = void(std::error_code);
  };

  struct Loop {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  };

  [[nodiscard]] bool is_own_thread() const { return thread_.get_id() == std::this_thread::get_id(); }

  void open(asio::any_io_executor executor, Config config, Obs observer) {
    core_ = std::make_shared<Core>(std::move(executor), std::move(config), std::move(observer));
    core_->start();
  }

  template <class Token>
  auto submit(std::optional<RequestId> id, Bytes payload, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, Result)>(
        [](auto handler, std::shared_ptr<Core> core, std::optional<RequestId> request, Bytes bytes) {
          auto deliver = deliver_to<Result>(core, std::move(handler));
          core->push(typename Core::Proposal{
              request, std::move(bytes),
              [deliver = std::move(deliver)](std::error_code ec, const Bytes& answer) mutable {
                Result result{};
                if (!ec && !std::is_void_v<detail::RawResultOf<Machine>> && !decode(answer.span(), result))
                  ec = make_error_code(Errc::undecodable);
                deliver(ec, std::move(result));
              }});
        },
        token, core_, id, std::move(payload));
  }

  /// Runs a handler where it wants to be run, and keeps that place busy until then.
  template <class R, class Handler>
  static auto deliver_to(const std::shared_ptr<Core>& core, Handler handler) {
    auto executor = asio::get_associated_executor(handler, core->executor());
    return [handler = std::move(handler), work = asio::make_work_guard(executor)](std::error_code ec,
                                                                                  auto... result) mutable {
      asio::dispatch(work.get_executor(), [handler = std::move(handler), ec, ... result = std::move(result)]() mutable {
        std::move(handler)(ec, std::move(result)...);
      });
    };
  }

  template <class F>
  static auto throwing(F&& call) {
    std::error_code ec;
    if constexpr (std::is_void_v<decltype(call(ec))>) {
      call(ec);
      if (ec) throw std::system_error(ec);
    } else {
      auto result = call(ec);
      if (ec) throw std::system_error(ec);
      return result;
    }
  }

  /// Starts an operation and waits for it. From the node's own thread the answer could never come.
  template <class R, class Start>
  R blocking(std::error_code& ec, Start&& start) {
    if (is_own_thread()) {
      ec = make_error_code(Errc::would_deadlock);
      return R();
    }
    if constexpr (std::is_void_v<R>) {
      std::promise<std::error_code> done;
      start([&](std::error_code error) { done.set_value(error); });
      ec = done.get_future().get();
    } else {
      std::promise<std::pair<std::error_code, R>> done;
      start([&](std::error_code error, R result) { done.set_value({error, std::move(result)}); });
      auto [error, result] = done.get_future().get();
      ec = error;
      return std::move(result);
    }
  }

  std::shared_ptr<Loop> loop_;  ///< nullptr on a user's executor
  std::thread thread_;
  std::shared_ptr<Core> core_;
};

}  // namespace paxos
