// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <paxos/node/awaited.hpp>
#include <paxos/node/executor.hpp>
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
/// Thread-safe, stop() included. Completion handlers without an executor of their own, and the functions given to read,
/// run on the node's executor and must not block: a blocking call there fails with Errc::would_deadlock. What they
/// throw ends the node, which tells Observer::on_stopped why; the process goes on.
template <StateMachine Machine, Observer Obs = NullObserver, NodeStorage Store = FileStorage,
          NodeTransport Net = TcpTransport>
class Node {
 public:
  using Command = typename Machine::Command;  ///< what apply() takes
  using Result = ResultOf<Machine>;           ///< what apply() returns; Unit for void
  using NetOptions = typename Net::Options;   ///< TcpOptions, unless Net is another

  /// Runs on a thread of its own. Recovers and listens before it returns, and joins the others meanwhile; throws
  /// ConfigError, StorageError (the data directory is damaged, locked, or another node's) or std::system_error (cannot
  /// listen).
  explicit Node(Config config, Obs observer = {}, NetOptions net_options = {}) : loop_(std::make_shared<Loop>()) {
    open(loop_->context.get_executor(), std::move(config), std::move(observer), std::move(net_options));
    thread_ = std::thread{[loop = loop_, core = std::weak_ptr{core_}] { loop->run(core); }};
  }

  /// Runs on the user's executor, from whichever threads run that. Its context must outlive this object. Blocking calls
  /// from handlers of that context fail, even if another thread runs it too.
  Node(asio::any_io_executor executor, Config config, Obs observer = {}, NetOptions net_options = {})
      : is_inside_(&detail::is_run_by_this_thread<>) {
    open(asio::make_strand(std::move(executor)), std::move(config), std::move(observer), std::move(net_options));
  }

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// As stop(), then lets go of the data directory. On a user's executor, and when a handler of the node's own destroys
  /// it, the last of that happens on the executor, after this returned; the observer lives until then.
  /// A handler that answers its failure with another request may go uncalled then.
  ~Node() {
    stop();
    if (!loop_) return;
    loop_->work.reset();
    if (is_own_thread()) {
      thread_.detach();  // it cannot wait for itself; it ends once it has run out of work, and owns what it needs
    } else {
      core_->abandon();
      thread_.join();
    }
  }

  /// Ends the node at any moment, from any thread, any number of times. What waits fails with Errc::interrupted or
  /// Errc::stopped, and so does what comes later. With a thread of its own the node has ended when this returns, unless
  /// that is the thread that called; on a user's executor it ends there.
  void stop() {
    core_->close();
    if (loop_ && !is_own_thread()) core_->wait_until_stopped();
  }

  /// Gets `command` chosen and applied here, and returns what apply() returned.
  Result propose(Command command) {
    return throwing([&](std::error_code& ec) { return propose(std::move(command), ec); });
  }
  /// The same; reports in `ec`, and gives Result{} then.
  Result propose(Command command, std::error_code& ec) {
    return blocking<Result>(ec, [&](auto handler) { async_propose(std::move(command), std::move(handler)); });
  }
  /// Completes with (std::error_code, Result).
  template <class Token>
  auto async_propose(Command command, Token&& token) {
    return submit(std::nullopt, encoded(command), std::forward<Token>(token));
  }

  /// The same for a command that names its session and sequence. A retry under the same id, at any node, runs at most
  /// once and gets the first answer, for as long as its session is remembered: until Config::sessions_max others were
  /// used after it. A sequence says that the lower ones of its session are settled: at most one of a session is under
  /// way. "Not applied" speaks of this submission alone, not of an earlier one whose outcome was unknown.
  Result propose(RequestId id, Command command) {
    return throwing([&](std::error_code& ec) { return propose(id, std::move(command), ec); });
  }
  /// The same; reports in `ec`, and gives Result{} then.
  Result propose(RequestId id, Command command, std::error_code& ec) {
    return blocking<Result>(ec, [&](auto handler) { async_propose(id, std::move(command), std::move(handler)); });
  }
  /// Completes with (std::error_code, Result).
  template <class Token>
  auto async_propose(RequestId id, Command command, Token&& token) {
    return submit(id, encoded(command), std::forward<Token>(token));
  }

  /// A linearizable read: `function(const Machine&)` runs on the node's executor, on a state that reflects every
  /// command acknowledged before this call. It costs a round of heartbeats, shared among the reads of a moment.
  /// What the function returns must be default-constructible (or void). What it throws reaches the caller.
  template <class F>
  auto read(F function) {
    return throwing([&](std::error_code& ec) { return read(std::move(function), ec); });
  }
  /// The same; reports in `ec`, and gives a default-constructed value then.
  template <class F>
  auto read(F function, std::error_code& ec) {
    using R = ReadResult<F>;
    std::exception_ptr thrown;
    const auto careful = [&](const Machine& machine) -> R {
      try {
        return std::invoke(function, machine);
      } catch (...) {
        thrown = std::current_exception();
        return R();
      }
    };
    const auto rethrow = [&] {
      if (thrown) std::rethrow_exception(thrown);
    };
    const auto start = [&](auto handler) { async_read(careful, std::move(handler)); };
    if constexpr (std::is_void_v<R>) {
      blocking<R>(ec, start);
      rethrow();
    } else {
      R result = blocking<R>(ec, start);
      rethrow();
      return result;
    }
  }
  /// Completes with (std::error_code, what the function returned), or (std::error_code) if it returns void. The
  /// function must not throw.
  template <class F, class Token>
  auto async_read(F function, Token&& token) {
    using R = ReadResult<F>;
    using Signature = typename SignatureOf<R>::type;
    return asio::async_initiate<Token, Signature>(
        [](auto handler, std::shared_ptr<Core> core, F read_function) {
          auto deliver = deliver_to(core, std::move(handler));
          core->push(detail::Read<Machine>{[deliver = std::move(deliver), read_function = std::move(read_function)](
                                               std::error_code ec, const Machine* machine) mutable {
            if constexpr (std::is_void_v<R>) {
              if (!ec) std::invoke(read_function, *machine);
              deliver(ec);
            } else {
              deliver(ec, ec ? R{} : std::invoke(read_function, *machine));
            }
          }});
        },
        token, core_, std::move(function));
  }

  /// As of the end of the last turn; after stop(), as it ended.
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

    /// Nothing that is thrown may end the process; the core lets nothing out, what is left is the transport's.
    void run(const std::weak_ptr<Core>& weak_core) noexcept {
      for (;;) {
        try {
          context.run();
          return;
        } catch (...) {
          if (const auto core = weak_core.lock()) core->fail_by_exception("the node's thread: ");
        }
      }
    }
  };

  [[nodiscard]] bool is_own_thread() const {
    return loop_ ? loop_->context.get_executor().running_in_this_thread() : is_inside_(core_->executor());
  }

  void open(asio::any_io_executor executor, Config config, Obs observer, NetOptions net_options) {
    core_ = std::make_shared<Core>(std::move(executor), std::move(config), std::move(observer), std::move(net_options));
    core_->start();
  }

  template <class Token>
  auto submit(std::optional<RequestId> id, Bytes payload, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, Result)>(
        [](auto handler, std::shared_ptr<Core> core, std::optional<RequestId> request, Bytes bytes) {
          auto deliver = deliver_to(core, std::move(handler));
          core->push(detail::Proposal{request, std::move(bytes),
                                      [deliver = std::move(deliver)](std::error_code ec, const Bytes& answer) mutable {
                                        Result result{};
                                        // It ran, so no code may say "not applied".
                                        if (!ec && !std::is_void_v<detail::RawResultOf<Machine>> &&
                                            !decode(answer.span(), result))
                                          ec = make_error_code(Errc::interrupted);
                                        deliver(ec, std::move(result));
                                      }});
        },
        token, core_, id, std::move(payload));
  }

  /// Calls a handler where it wants to be called, and keeps that place busy until then. It is delivered on the node's
  /// executor, so a handler without one of its own is called at once, and what it throws is the node's to catch.
  template <class Handler>
  static auto deliver_to(const std::shared_ptr<Core>& core, Handler handler) {
    const asio::any_io_executor& own = core->executor();
    auto executor = asio::get_associated_executor(handler, own);
    bool is_own = false;
    if constexpr (std::is_same_v<decltype(executor), asio::any_io_executor>) is_own = executor == own;
    return [handler = std::move(handler), work = asio::make_work_guard(executor), is_own](std::error_code ec,
                                                                                          auto... result) mutable {
      if (is_own) return std::move(handler)(ec, std::move(result)...);
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
    detail::Awaited<std::conditional_t<std::is_void_v<R>, Unit, R>> outcome;
    start(outcome.handler());
    auto result = outcome.get(ec);
    if constexpr (!std::is_void_v<R>) return result;
  }

  std::shared_ptr<Loop> loop_;  ///< nullptr on a user's executor; then there is `is_inside_`,
  bool (*is_inside_)(const asio::any_io_executor&) = nullptr;  ///< which looks for all that such a one may be
  std::thread thread_;
  std::shared_ptr<Core> core_;  ///< the same from the constructor on, so that any thread may use it
};

}  // namespace paxos
