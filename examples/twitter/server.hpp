// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio.hpp>
#include <paxos/paxos.hpp>

#include "ask.hpp"
#include "journal.hpp"
#include "protocol.hpp"
#include "session.hpp"
#include "site_config.hpp"

namespace twitter {

struct ServerOptions {
  SiteConfig config;
  std::uint64_t site = 0;
  std::string data_dir = "twitter-data";          ///< the site's own files are in a folder of it
  std::chrono::milliseconds idle_timeout{60000};  ///< for a client to send a request, or to take an answer
  std::chrono::milliseconds request_timeout{5000};
  std::size_t clients_max = 128;
};

/// One site: its replica of the timeline, and the port where clients ask.
///
/// The replica has a thread of its own; clients are served on the executor of the caller, which runs it on one thread.
class Server {
 public:
  using Node = paxos::Node<Timeline, JournalObserver>;

  /// Throws UsageError, paxos::ConfigError, and what opening the log throws. Serves once start() is called.
  Server(asio::any_io_executor executor, ServerOptions options, std::shared_ptr<Journal> journal,
         std::function<void()> on_failure)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        site_(options_.config.site(options_.site)),
        journal_(journal),
        acceptor_(bound()),
        pause_(executor_),
        node_(opened(JournalObserver{std::move(journal), std::move(on_failure)})) {}

  void start() {
    listen();
    asio::co_spawn(executor_, accept_clients(), asio::detached);
    journal_->line(fmt::format("serves clients on {}, sites on {}", host_port(site_.addr, site_.client_port),
                               host_port(site_.addr, site_.port)));
  }

  /// Drops the clients and stops the replica. What is under way ends with "unknown" at the client.
  void stop() {
    is_stopped_ = true;
    std::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    for (const auto& [key, session] : *sessions_) {
      if (const auto held = session.lock()) held->close();
    }
    node_->stop();
  }

 private:
  using Sessions = std::map<std::uint64_t, std::weak_ptr<Session>>;

  [[nodiscard]] UsageError port_in_use(const char* field, std::uint16_t port) const {
    return UsageError(
        fmt::format("{} is in use by another program, perhaps a server that still runs; stop that, or change \"{}\" of "
                    "site {} in {}",
                    host_port(site_.addr, port), field, site_.id, options_.config.file));
  }

  /// The client port, taken but not listened on: nobody is let in before the replica is up.
  [[nodiscard]] asio::ip::tcp::acceptor bound() const {
    using asio::ip::tcp;
    asio::ip::tcp::acceptor acceptor{executor_};
    try {
      tcp::resolver resolver{executor_};
      const tcp::endpoint endpoint =
          *resolver.resolve(site_.addr, std::to_string(site_.client_port), tcp::resolver::passive).begin();
      acceptor.open(endpoint.protocol());
      acceptor.set_option(tcp::acceptor::reuse_address(true));
      acceptor.bind(endpoint);
    } catch (const std::system_error& error) {
      if (error.code() == asio::error::address_in_use) throw port_in_use("client_port", site_.client_port);
      throw UsageError(fmt::format(
          "cannot serve clients on {}: {}; correct \"addr\" and \"client_port\" of site {} in {}",
          host_port(site_.addr, site_.client_port), error.code().message(), site_.id, options_.config.file));
    }
    return acceptor;
  }

  void listen() {
    std::error_code error;
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
    // Two sockets may be bound to one port as long as neither listens.
    if (error == asio::error::address_in_use) throw port_in_use("client_port", site_.client_port);
    if (error) throw std::system_error(error, "listen");
  }

  [[nodiscard]] std::unique_ptr<Node> opened(JournalObserver observer) const {
    paxos::Config config;
    config.id = paxos::NodeId{site_.id};
    for (const Site& site : options_.config.sites)
      config.members.emplace_back(site.id, host_port(site.addr, site.port));
    config.data_dir = fmt::format("{}/site-{}", options_.data_dir, site_.id);
    config.cluster = options_.config.cluster;
    config.request_timeout = options_.request_timeout;
    try {
      return std::make_unique<Node>(std::move(config), std::move(observer));
    } catch (const std::system_error& error) {
      if (error.code() == asio::error::address_in_use) throw port_in_use("port", site_.port);
      throw;
    }
  }

  asio::awaitable<void> accept_clients() {
    for (std::uint64_t key = 0; acceptor_.is_open(); ++key) {
      std::error_code error;
      asio::ip::tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!acceptor_.is_open()) co_return;
      if (error) {
        // Out of descriptors, say: to try again at once would only spin.
        pause_.expires_after(std::chrono::milliseconds{100});
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      } else if (sessions_->size() >= options_.clients_max) {
        turn_away(socket);
      } else {
        welcome(key, std::move(socket));
      }
    }
  }

  void turn_away(asio::ip::tcp::socket& socket) {
    const Reply full{503, {{"outcome", "not applied"}, {"why", "not applied: too many clients at this site"}}, nullptr};
    std::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(full.line()), ignored);
  }

  void welcome(std::uint64_t key, asio::ip::tcp::socket socket) {
    std::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    const auto session = std::make_shared<Session>(std::move(socket), options_.idle_timeout,
                                                   [this](std::string message) { return answer(std::move(message)); });
    sessions_->emplace(key, session);
    asio::co_spawn(executor_, session->run(), [sessions = sessions_, session, key](const std::exception_ptr&) {
      session->close();
      sessions->erase(key);
    });
  }

  asio::awaitable<std::string> answer(std::string message) {
    auto parsed = parse_request(message);
    if (const Reply* reply = std::get_if<Reply>(&parsed)) co_return reply->line();
    if (is_stopped_) co_return unavailable(paxos::Errc::stopped).line();
    Request request = std::move(std::get<Request>(parsed));
    if (request.user.empty()) request.user = site_.name;
    Reply reply;
    if (is_write(request.head)) {
      reply = co_await write(std::move(request));
    } else if (request.head == Head::servers) {
      reply = co_await servers(request.self_only);
    } else {
      reply = co_await read(std::move(request));
    }
    co_return reply.line();
  }

  asio::awaitable<Reply> write(Request request) {
    const bool body_is_site = options_.config.has_name(request.body);
    Command command{static_cast<Verb>(request.head),
                    std::move(request.user),
                    std::move(request.body),
                    utc_now(),
                    body_is_site,
                    request.id.value_or(paxos::RequestId{})};
    std::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    // An earlier attempt that is still under way would be applied behind the back of a refusal by this look: only the
    // log can refuse a retry for good.
    if (command.verb != Verb::tweet && !request.is_retry) {
      // Refused here, it takes no slot; a retry of what was applied before must not be refused for having been applied.
      auto look = [command](const Timeline& timeline) {
        return timeline.answered(command.id).value_or(Applied{{}, 0, timeline.refusal_of(command)});
      };
      const Applied known = co_await node_->async_read(std::move(look), token);
      if (error) co_return unavailable(error);
      if (is_stopped_) co_return unavailable(paxos::Errc::stopped);
      if (known.refusal != Refusal::none || known.position != paxos::Position{}) co_return reply_of(known);
    }
    Applied applied;
    if (request.id) {
      applied = co_await node_->async_propose(*request.id, std::move(command), token);
    } else {
      applied = co_await node_->async_propose(std::move(command), token);
    }
    if (error == paxos::Errc::sequence_settled) co_return refused(400, why(Refusal::out_of_order));
    co_return error ? unavailable(error) : reply_of(applied);
  }

  asio::awaitable<Reply> read(Request request) {
    std::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    // Named functions: GCC 12 may destroy a temporary of a co_await twice.
    if (request.head == Head::log) {
      auto read_log = [request](const Timeline& timeline) { return timeline.log(request.log_from, request.limit); };
      const auto page = co_await node_->async_read(std::move(read_log), token);
      co_return error ? unavailable(error) : reply_of(page);
    }
    if (request.head == Head::view) {
      auto read_view = [request](const Timeline& timeline) {
        return timeline.view(request.user, request.view_from, request.limit);
      };
      const auto page = co_await node_->async_read(std::move(read_view), token);
      co_return error ? unavailable(error) : reply_of(page);
    }
    auto read_blocklist = [user = request.user](const Timeline& timeline) { return timeline.blocklist(user); };
    const auto blocked = co_await node_->async_read(std::move(read_blocklist), token);
    co_return error ? unavailable(error) : Reply{200, blocked, nullptr};
  }

  /// The sites that a `servers` request asks at once, and who waits for them.
  struct Roll {
    Roll(const asio::any_io_executor& executor, std::size_t sites)
        : lines(sites), missing(sites), done(executor, asio::steady_timer::time_point::max()) {}
    void put(std::size_t at, Json line) {
      lines[at] = std::move(line);
      if (--missing == 0) done.cancel();
    }
    std::vector<Json> lines;
    std::size_t missing;
    asio::steady_timer done;
  };

  asio::awaitable<Reply> servers(bool self_only) {
    Reply reply{200, Json::array(), nullptr};
    if (self_only) {
      reply.body.push_back(own_line());
      co_return reply;
    }
    const auto roll = std::make_shared<Roll>(executor_, options_.config.sites.size());
    for (std::size_t i = 0; i < options_.config.sites.size(); ++i) {
      const Site& site = options_.config.sites[i];
      if (site.id == site_.id) {
        roll->put(i, own_line());
      } else {
        asio::co_spawn(executor_, ask_site(roll, i, site), asio::detached);
      }
    }
    std::error_code ignored;
    if (roll->missing > 0) co_await roll->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    for (Json& line : roll->lines) reply.body.push_back(std::move(line));
    co_return reply;
  }

  static asio::awaitable<void> ask_site(std::shared_ptr<Roll> roll, std::size_t at, Site site) {
    Json line = line_of(site);
    std::error_code error;
    const std::string answer =
        co_await ask(site, "{\"head\":\"servers\",\"body\":\"self\"}\n", std::chrono::milliseconds{500}, error);
    const Json parsed = error ? Json{} : Json::parse(answer, nullptr, false);
    if (parsed.is_object() && parsed.value("stat", 0) == 200 && parsed["body"].is_array() &&
        parsed["body"].size() == 1 && parsed["body"][0].is_object() &&
        parsed["body"][0].value("id", Json{}) == site.id) {
      line = parsed["body"][0];
    } else {
      line.update({{"role", "unreachable"}, {"why", error ? error.message() : "it answers something else"}});
    }
    roll->put(at, std::move(line));
  }

  [[nodiscard]] static Json line_of(const Site& site) {
    return Json{{"id", site.id},
                {"name", site.name},
                {"addr", site.addr},
                {"port", site.port},
                {"client_port", site.client_port}};
  }

  [[nodiscard]] Json own_line() const {
    const paxos::NodeStatus status = node_->status();
    Json line = line_of(site_);
    line["role"] = status.failure.ok() ? paxos::to_string(status.standing) : "failed";
    line["leader"] = status.leader.value();
    line["ballot"] = paxos::to_string(status.ballot);
    line["promised"] = paxos::to_string(status.promised);
    line["chosen"] = status.chosen_through.value();
    line["applied"] = status.applied.value();
    if (!status.failure.ok()) line["why"] = status.failure.text;
    return line;
  }

  asio::any_io_executor executor_;
  ServerOptions options_;
  const Site& site_;
  std::shared_ptr<Journal> journal_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  // Held by the coroutines too: the last of them may end after the server.
  std::shared_ptr<Sessions> sessions_ = std::make_shared<Sessions>();
  std::unique_ptr<Node> node_;
  bool is_stopped_ = false;
};

}  // namespace twitter
