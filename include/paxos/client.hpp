// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <paxos/client/client_core.hpp>
#include <paxos/node/awaited.hpp>
#include <paxos/policy/state_machine.hpp>

namespace paxos {

/// Submits commands to a cluster from outside it, each exactly once: what was sent and not answered when a node dies
/// is sent to the next one under the same id. Many commands may be under way.
///
/// Thread-safe; runs a thread of its own. Failures are those of Node::propose. A handler must not throw.
template <StateMachine Machine>
class Client {
 public:
  using Command = typename Machine::Command;  ///< what apply() takes
  using Result = ResultOf<Machine>;           ///< what apply() returns; Unit for void

  /// Throws ConfigError. Connects in the background.
  explicit Client(ClientConfig config)
      : loop_(std::make_shared<Loop>()),
        core_(std::make_shared<Core>(loop_->context.get_executor(), std::move(config))) {
    core_->start();
    thread_ = std::thread{[loop = loop_] { loop->run(); }};
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// What waits fails with Errc::interrupted. A handler that answers its failure with another request may go uncalled.
  ~Client() {
    core_->stop();
    loop_->work.reset();
    if (is_own_thread()) {
      thread_.detach();  // it cannot wait for itself; it ends once it has run out of work, and owns what it needs
    } else {
      core_->abandon();
      thread_.join();
    }
  }

  /// Blocks; throws std::system_error.
  Result propose(Command command) {
    std::error_code ec;
    Result result = propose(std::move(command), ec);
    if (ec) throw std::system_error(ec);
    return result;
  }
  /// The same; reports in `ec`, and gives Result{} then.
  Result propose(Command command, std::error_code& ec) {
    if (is_own_thread()) {
      ec = make_error_code(Errc::would_deadlock);
      return Result{};
    }
    detail::Awaited<Result> outcome;
    async_propose(std::move(command), outcome.handler());
    return outcome.get(ec);
  }
  /// Completes with (std::error_code, Result); on the client's thread unless the handler has an executor of its own.
  template <class Token>
  auto async_propose(Command command, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, Result)>(
        [](auto handler, std::shared_ptr<Core> core, Bytes payload) {
          auto executor = asio::get_associated_executor(handler, core->executor());
          core->push(std::move(payload), [handler = std::move(handler), work = asio::make_work_guard(executor)](
                                             std::error_code ec, const Bytes& answer) mutable {
            Result result{};
            if (!ec && !std::is_void_v<detail::RawResultOf<Machine>> && !decode(answer.span(), result))
              ec = make_error_code(Errc::interrupted);  // it ran, so no code may say "not applied"
            asio::dispatch(work.get_executor(),
                           [handler = std::move(handler), ec, result = std::move(result)]() mutable {
                             std::move(handler)(ec, std::move(result));
                           });
          });
        },
        token, core_, encoded(command));
  }

 private:
  using Core = detail::ClientCore<asio::any_io_executor>;

  struct Loop {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};

    /// A handler that throws loses its own exception and nothing else: nobody is there to catch it.
    void run() noexcept {
      for (;;) {
        try {
          context.run();
          return;
        } catch (...) {
          continue;
        }
      }
    }
  };

  [[nodiscard]] bool is_own_thread() const { return loop_->context.get_executor().running_in_this_thread(); }

  std::shared_ptr<Loop> loop_;
  std::shared_ptr<Core> core_;
  std::thread thread_;
};

}  // namespace paxos
