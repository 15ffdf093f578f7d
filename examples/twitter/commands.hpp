// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "protocol.hpp"

namespace twitter {

/// What a user can type.
struct CommandForm {
  std::string_view name;
  std::string_view argument;  ///< what must follow; empty: nothing may
  std::string_view meaning;
};

inline constexpr CommandForm command_forms[] = {
    {"tweet", "TEXT", "say something, up to 5,000 bytes"},
    {"view", "", "the timeline, newest first"},
    {"follow", "USER", "see USER's tweets again; at first everyone follows everyone"},
    {"unfollow", "USER", "do not see USER's tweets"},
    {"block", "USER", "hide all own tweets, old and new, from USER"},
    {"unblock", "USER", "show them to USER again"},
    {"blocklist", "", "whom you have blocked"},
    {"log", "", "the replicated log: slot.place, and the command"},
    {"servers", "", "the sites, and how they are"},
    {"help", "", "this list"},
    {"exit", "", "leave (also: quit, or the end of the input)"},
};

[[nodiscard]] inline std::string usage() {
  std::string text = "commands:\n";
  for (const CommandForm& form : command_forms) {
    text += fmt::format("  {:<15} {}\n", fmt::format("{} {}", form.name, form.argument), form.meaning);
  }
  return text;
}

struct Help {};
struct Exit {};
/// What is wrong with a typed line; the list of commands follows it.
struct Wrong {
  std::string what;
};

/// What a typed line asks for; a Json is the request to send.
using Typed = std::variant<Json, Help, Exit, Wrong>;

[[nodiscard]] inline Typed parse_command(std::string_view line) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return Wrong{"nothing to do"};
  line = line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
  const std::size_t end = std::min(line.find_first_of(blanks), line.size());
  const std::string_view name = line.substr(0, end);
  const std::string_view rest = line.substr(std::min(line.find_first_not_of(blanks, end), line.size()));
  if (name == "quit" && rest.empty()) return Exit{};
  for (const CommandForm& form : command_forms) {
    if (form.name != name) continue;
    if (form.argument.empty() != rest.empty()) {
      return Wrong{form.argument.empty() ? fmt::format("{} stands alone", name)
                                         : fmt::format("{} needs {}", name, form.argument)};
    }
    if (name == "help") return Help{};
    if (name == "exit") return Exit{};
    if (!is_utf8(rest)) return Wrong{"the text is not UTF-8"};
    if (form.argument == "USER" && !is_name(rest)) return Wrong{fmt::format("{} needs one USER", name)};
    Json request{{"head", name}};
    if (!rest.empty()) request["body"] = rest;
    return request;
  }
  return Wrong{fmt::format("there is no command {}", is_utf8(name) ? name : "of that name")};
}

/// What the word that begins at `start` of `line` may become.
[[nodiscard]] inline std::vector<std::string> completions(std::string_view line, std::size_t start,
                                                          std::string_view word, const std::set<std::string>& users) {
  std::vector<std::string> found;
  const std::string_view before = line.substr(0, start);
  const std::size_t first = before.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    for (const CommandForm& form : command_forms) {
      if (form.name.starts_with(word)) found.emplace_back(form.name);
    }
    return found;
  }
  const std::string_view command = before.substr(first, before.find_first_of(" \t", first) - first);
  for (const CommandForm& form : command_forms) {
    if (form.name != command || form.argument != "USER") continue;
    for (const std::string& user : users) {
      if (user.starts_with(word)) found.push_back(user);
    }
  }
  return found;
}

/// How an answer is printed.
struct Style {
  bool has_colour = false;

  [[nodiscard]] std::string author(std::string_view text) const { return paint("1;36", text); }
  [[nodiscard]] std::string faint(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string error(std::string_view text) const { return paint("31", text); }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const {
    return has_colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string{text};
  }
};

/// Text of other users, safe to show: control characters, which could drive the terminal, and marks that turn the
/// writing direction are shown as \u{…}. Lines after the first are indented, so that none passes for another tweet.
[[nodiscard]] inline std::string shown(std::string_view text, std::string_view indent) {
  std::string safe;
  std::size_t at = 0;
  const bool is_valid = each_code_point(text, [&](char32_t point) {
    const std::size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    const bool turns = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    if (point == '\n') {
      safe += '\n';
      safe += indent;
    } else if ((is_control(point) && point != '\t') || turns) {
      safe += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(point));
    } else {
      safe += text.substr(at, length);
    }
    at += length;
    return true;
  });
  return is_valid ? safe : "(not UTF-8)";
}

namespace detail {

/// A field of an answer as text; answers of another program may lack it.
[[nodiscard]] inline std::string field(const Json& object, const char* name, std::string_view indent = {}) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return shown(found->template get<std::string>(), indent);
  return shown(found->dump(-1, ' ', false, Json::error_handler_t::replace), indent);
}

[[nodiscard]] inline std::string tweet_lines(const Json& tweet, const Style& style) {
  const std::string slot = field(tweet, "slot") + "." + field(tweet, "index");
  return fmt::format("{} {}\n  {}\n", style.author(field(tweet, "author")),
                     style.faint(fmt::format("{} slot {}", field(tweet, "utc"), slot)), field(tweet, "text", "  "));
}

[[nodiscard]] inline std::string log_line(const Json& entry, const Style& style) {
  const std::string slot = field(entry, "slot") + "." + field(entry, "index");
  const std::string refusal =
      entry.is_object() && entry.contains("refused") ? " (refused: " + field(entry, "refused") + ")" : "";
  return fmt::format("{:<8} {} {} {} {}{}\n", slot, style.faint(field(entry, "utc")),
                     style.author(field(entry, "user")), field(entry, "head"), field(entry, "body", "         "),
                     refusal);
}

[[nodiscard]] inline std::string server_line(const Json& site) {
  const std::string why = site.is_object() && site.contains("why") ? "  " + field(site, "why") : "";
  return fmt::format("{:>3}  {:<10} {:<21} {:<11} {:>8} {:>8} {:>8}{}\n", field(site, "id"), field(site, "name"),
                     field(site, "addr") + ":" + field(site, "client_port"), field(site, "role"), field(site, "ballot"),
                     field(site, "chosen"), field(site, "applied"), why);
}

}  // namespace detail

[[nodiscard]] inline bool is_ok(const Json& reply) { return reply.is_object() && reply.value("stat", Json{}) == 200; }

/// An answer for a person; `head` is what was asked. Ends with a line feed.
[[nodiscard]] inline std::string rendered(std::string_view head, const Json& reply, const Style& style) {
  using namespace detail;
  const Json& body = reply.contains("body") ? reply["body"] : reply;
  if (!is_ok(reply)) {
    const std::string outcome =
        body.is_object() && body.contains("outcome") ? field(body, "outcome") + ": " : std::string{};
    const std::string reason = field(body, "why");
    return style.error(reason.starts_with(outcome) ? reason : outcome + reason) + '\n';
  }
  if (!body.is_array()) {
    return fmt::format(
        "{} {}\n", head,
        style.faint(fmt::format("{} slot {}.{}", field(body, "utc"), field(body, "slot"), field(body, "index"))));
  }
  std::string text;
  if (head == "servers") {
    text = style.faint(fmt::format("{:>3}  {:<10} {:<21} {:<11} {:>8} {:>8} {:>8}", "id", "name", "clients at", "role",
                                   "ballot", "chosen", "applied")) +
           '\n';
  }
  for (const Json& item : body) {
    if (head == "view") text += tweet_lines(item, style);
    if (head == "log") text += log_line(item, style);
    if (head == "servers") text += server_line(item);
    if (head == "blocklist") text += item.is_string() ? shown(item.get<std::string>(), "") + '\n' : "-\n";
  }
  if (text.empty() && !body.empty()) text = field(reply, "body") + '\n';
  if (body.empty()) text += style.faint(head == "blocklist" ? "nobody is blocked" : "nothing yet") + '\n';
  return text;
}

}  // namespace twitter
