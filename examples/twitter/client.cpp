// Copyright (c) the paxos authors. MIT licence.
#include <unistd.h>

#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "link.hpp"
#include "prompt.hpp"
#include "site_config.hpp"

namespace {

struct Arguments {
  std::string config_file;
  std::optional<std::uint64_t> site;
  std::string user;
  bool is_json = false;
  double timeout_seconds = 15;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--config", arguments.config_file, "JSON file that lists the sites")->required();
  app.add_option(
         "--site", arguments.site,
         "the site to ask first, by id; PAXOS_SID stands in for it; the first of the file when neither is given")
      ->envname("PAXOS_SID");
  app.add_option("--user", arguments.user, "who speaks; the name of that site when absent");
  app.add_flag("--json", arguments.is_json, "print each answer as one line of JSON");
  app.add_option("--timeout", arguments.timeout_seconds, "seconds to look for a site that answers")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.footer(twitter::usage() + "Without a command, commands are read from the terminal or from standard input.");
  app.prefix_command();  // what follows the first word belongs to the command, dashes and all
}

/// Runs commands and prints what comes back.
class Client {
 public:
  Client(const Arguments& arguments, twitter::SiteConfig config, const twitter::Site& first)
      : user_(arguments.user.empty() ? first.name : arguments.user),
        is_json_(arguments.is_json),
        style_{::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr},
        sites_(std::move(config), first.id,
               std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>{arguments.timeout_seconds}),
               [](const std::string& notice) { fmt::print(stderr, "{}\n", notice); }) {}

  /// False when the command was wrong, refused or not carried out; nullopt when it asks to leave.
  std::optional<bool> run(const std::string& line) {
    const twitter::Typed typed = twitter::parse_command(line);
    if (std::holds_alternative<twitter::Exit>(typed)) return std::nullopt;
    if (std::holds_alternative<twitter::Help>(typed)) {
      fmt::print("{}", twitter::usage());
      return true;
    }
    if (const auto* wrong = std::get_if<twitter::Wrong>(&typed)) {
      fmt::print(stderr, "{}\n{}", wrong->what, twitter::usage());
      return false;
    }
    twitter::Json request = std::get<twitter::Json>(typed);
    const std::string head = request["head"];
    // Named even when it is the site's own name: another site would put its own.
    if (head != "servers" && head != "log") request["user"] = user_;
    const twitter::Json reply = sites_.ask(std::move(request));
    const bool is_done = twitter::is_ok(reply);
    print(head, reply, is_done);
    if (is_done && head == "view" && on_author) {
      for (const auto& tweet : reply["body"]) {
        const std::string author = twitter::detail::field(tweet, "author");
        if (twitter::is_name(author)) on_author(author);
      }
    }
    return is_done;
  }

  [[nodiscard]] const std::string& user() const { return user_; }
  std::function<void(const std::string&)> on_author;  ///< whose tweets were seen

 private:
  void print(const std::string& head, const twitter::Json& reply, bool is_done) {
    if (is_json_) {
      fmt::print("{}\n", reply.dump(-1, ' ', false, twitter::Json::error_handler_t::replace));
    } else {
      const bool is_terminal = is_done ? style_.has_colour : style_.has_colour && ::isatty(STDERR_FILENO) == 1;
      fmt::print(is_done ? stdout : stderr, "{}", twitter::rendered(head, reply, twitter::Style{is_terminal}));
    }
    std::fflush(stdout);
  }

  std::string user_;
  bool is_json_;
  twitter::Style style_;
  twitter::Sites sites_;
};

int run_prompt(Client& client, const twitter::SiteConfig& config) {
  std::set<std::string> users;
  for (const auto& site : config.sites) users.insert(site.name);
  twitter::Prompt prompt{std::move(users)};
  client.on_author = [&prompt](const std::string& user) { prompt.saw_user(user); };
  fmt::print("Speaking as {}. help lists the commands, exit leaves.\n", client.user());
  std::fflush(stdout);
  while (const auto line = prompt.line(client.user() + "> ")) {
    if (line->find_first_not_of(" \t") == std::string::npos) continue;
    if (!client.run(*line)) return 0;
  }
  fmt::print("\n");
  return 0;
}

int run_lines(Client& client, std::istream& in) {
  int status = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto done = client.run(line);
    if (!done) break;
    if (!*done) status = 1;
  }
  return status;
}

int run(const Arguments& arguments, const std::vector<std::string>& words) {
  const twitter::SiteConfig config = twitter::load_site_config(arguments.config_file);
  const twitter::Site& first = arguments.site ? config.site(*arguments.site) : config.sites.front();
  if (!arguments.user.empty() && !twitter::is_name(arguments.user)) {
    throw twitter::UsageError(
        "--user: a name is 1 to 64 bytes of UTF-8 without spaces, control or invisible characters");
  }
  Client client{arguments, config, first};
  if (!words.empty()) return client.run(fmt::format("{}", fmt::join(words, " "))).value_or(true) ? 0 : 1;
  return ::isatty(STDIN_FILENO) == 1 ? run_prompt(client, config) : run_lines(client, std::cin);
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, "");
  CLI::App app{"Talks to the replicated Twitter."};
  Arguments arguments;
  declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  try {
    return run(arguments, app.remaining());
  } catch (const std::exception& error) {
    fmt::print(stderr, "twitter-client: {}\n", error.what());
    return 1;
  }
}
