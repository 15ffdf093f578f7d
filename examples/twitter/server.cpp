// Copyright (c) the paxos authors. MIT licence.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <asio.hpp>

#include "server.hpp"

namespace {

struct Arguments {
  std::string config_file;
  std::optional<std::uint64_t> site;
  std::string data_dir = "twitter-data";
  double idle_timeout_seconds = 60;
  double request_timeout_seconds = 5;
  std::size_t clients_max = 128;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--config", arguments.config_file, "JSON file that lists the sites")->required();
  app.add_option("--site", arguments.site, "which of them this is: its id; PAXOS_SID stands in for it")
      ->envname("PAXOS_SID");
  app.add_option("--data-dir", arguments.data_dir, "where the sites' logs are; this one's is in its folder site-ID")
      ->capture_default_str();
  app.add_option("--idle-timeout", arguments.idle_timeout_seconds,
                 "seconds in which a client must send a request or take an answer, or is dropped")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--request-timeout", arguments.request_timeout_seconds, "seconds after which a request gets 503")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--max-clients", arguments.clients_max, "connections of clients at one time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
}

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>{seconds});
}

twitter::ServerOptions options_of(const Arguments& arguments) {
  twitter::ServerOptions options;
  options.config = twitter::load_site_config(arguments.config_file);
  if (!arguments.site) {
    std::string known;
    for (const auto& site : options.config.sites) {
      known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", site.id, site.name);
    }
    throw twitter::UsageError(fmt::format("say which site this is: --site ID, or PAXOS_SID; known are {}", known));
  }
  options.site = options.config.site(*arguments.site).id;
  options.data_dir = arguments.data_dir;
  options.idle_timeout = milliseconds_of(arguments.idle_timeout_seconds);
  options.request_timeout = milliseconds_of(arguments.request_timeout_seconds);
  options.clients_max = arguments.clients_max;
  std::error_code error;
  std::filesystem::create_directories(options.data_dir, error);
  if (error) {
    throw twitter::UsageError(fmt::format("--data-dir {}: {}; name a directory that can be made and written to",
                                          options.data_dir, error.message()));
  }
  return options;
}

/// Serves until SIGINT or SIGTERM (status 0), or until the replica stops itself (status 1).
int serve(const twitter::ServerOptions& options) {
  // Before the other threads, so that a closed terminal ends none of them.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a disk error, which the replica reports
  const auto journal = std::make_shared<twitter::Journal>(
      fmt::format("site {} ({})", options.site, options.config.site(options.site).name));
  asio::io_context context{1};
  int status = 0;
  asio::signal_set signals{context, SIGINT, SIGTERM};
  const auto on_failure = [&context, &signals, &status] {
    asio::post(context, [&signals, &status] {
      status = 1;
      signals.cancel();
    });
  };
  twitter::Server server{context.get_executor(), options, journal, on_failure};
  server.start();
  signals.async_wait([&server, &journal](const std::error_code& cancelled, int signal) {
    journal->line(cancelled ? std::string{"shuts down: the replica failed"}
                            : fmt::format("shuts down: {}", signal == SIGINT ? "SIGINT" : "SIGTERM"));
    server.stop();
  });
  context.run();
  journal->line("is down");
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"One site of the replicated Twitter."};
  Arguments arguments;
  declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  try {
    return serve(options_of(arguments));
  } catch (const std::exception& error) {
    fmt::print(stderr, "twitter-server: {}\n", error.what());
    return 1;
  }
}
