// Copyright (c) the paxos authors. MIT licence.
//
// The client protocol of the timeline, both ways: any stream of bytes is cut into messages as a plain search cuts it;
// every message is answered by one line of JSON; a request that is read, printed and read again is the same; any
// answer of any server, and any typed line, can be shown.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include <commands.hpp>
#include <protocol.hpp>

#include "check.hpp"
#include "input.hpp"

namespace twitter::fuzz {

namespace {

using paxos::fuzz::check;
using paxos::fuzz::Input;
using paxos::fuzz::text_of;

auto fields_of(const Request& request) {
  return std::tuple{request.head,      request.user,        request.body,
                    request.id,        request.limit.items, request.limit.text_bytes,
                    request.view_from, request.log_from,    request.self_only};
}

void check_line(const Reply& reply) {
  const std::string line = reply.line();
  check(line.ends_with('\n') && std::ranges::count(line, '\n') == 1, "an answer is one line");
  check(line.find('\0') == std::string::npos, "an answer has no terminator inside");
  const Json read = Json::parse(line, nullptr, false);
  check(read.is_object() && read.value("stat", 0) == reply.stat && read.contains("body"), "an answer is JSON");
}

/// A page of a timeline on which the request was carried out, if it changes anything.
void carry_out(const Request& request) {
  Timeline timeline;
  const paxos::Position position{paxos::Slot{5}, 2};
  const Utc utc = request.view_from ? request.view_from->utc : 42;
  if (is_write(request.head)) {
    Command command{
        static_cast<Verb>(request.head),        request.user.empty() ? "site" : request.user, request.body, utc, true,
        request.id.value_or(paxos::RequestId{})};
    const Applied applied = timeline.apply(command, position);
    check(applied.refusal != Refusal::malformed, "a request that is let through is well formed");
    check_line(reply_of(applied));
    if (request.id)
      check(timeline.apply(command, {paxos::Slot{6}, 0}) == applied, "a repetition gets the first answer");
  }
  check_line(reply_of(timeline.view("reader", request.view_from, request.limit)));
  check_line(reply_of(timeline.log(request.log_from, request.limit)));
}

void check_request(std::string_view message) {
  const auto first = parse_request(message);
  if (const auto* refusal = std::get_if<Reply>(&first)) {
    check(refusal->stat == 400 || refusal->stat == 404, "what is not understood is a 400 or a 404");
    return check_line(*refusal);
  }
  const Request& request = std::get<Request>(first);
  const Json object = Json::parse(message, nullptr, false);
  for (const std::string& printed : {object.dump(), object.dump(2, ' ', true)}) {
    const auto again = parse_request(printed);
    check(std::holds_alternative<Request>(again), "a request that was understood is printed as one");
    check(fields_of(std::get<Request>(again)) == fields_of(request), "and means the same");
  }
  carry_out(request);
}

/// The pieces between terminators, blank ones left out, up to the first that is too long.
std::vector<std::string> cut(std::string_view stream, std::size_t bytes_max, bool& too_long) {
  std::vector<std::string> messages;
  std::string piece;
  for (const char c : stream) {
    if (c != '\n' && c != '\0') {
      piece += c;
    } else {
      if (piece.size() >= bytes_max) break;
      if (piece.find_first_not_of(" \t\r") != std::string::npos) messages.push_back(piece);
      piece.clear();
    }
  }
  too_long = piece.size() >= bytes_max;
  return messages;
}

void check_stream(Input& input) {
  const std::size_t bytes_max = input.flag() ? message_bytes_max : 16;
  const auto splits = input.take(3);
  const std::string_view stream = text_of(input.rest());
  bool too_long = false;
  const std::vector<std::string> expected = cut(stream, bytes_max, too_long);

  MessageSplitter splitter{bytes_max};
  std::vector<std::string> messages;
  for (std::size_t at = 0, turn = 0; at < stream.size() && !splitter.is_too_long(); ++turn) {
    std::size_t size = stream.size() - at;
    if (!splits.empty()) size = std::min(size, 1 + std::to_integer<std::size_t>(splits[turn % splits.size()]));
    splitter.feed(stream.substr(at, size));
    at += size;
    while (const auto message = splitter.next()) messages.emplace_back(*message);
  }
  check(messages == expected, "a stream is cut into messages at its terminators");
  check(splitter.is_too_long() == too_long, "a message that is too long is seen");
  for (const std::string& message : messages) check_request(message);
}

/// Nothing that a server or another user says may reach the terminal as a control character.
void check_shown(const std::string& text) {
  const auto is_harmless = [](char32_t point) { return !is_control(point) || point == '\n' || point == '\t'; };
  check(each_code_point(text, is_harmless), "what is shown is UTF-8, and drives no terminal");
}

void check_answer(Input& input) {
  const Head head = static_cast<Head>(input.below(std::size(head_names)));
  const std::string_view line = text_of(input.rest());
  if (detail::is_deeper_than(line, 16)) return;
  const Json reply = Json::parse(line, nullptr, false);
  if (reply.is_discarded()) return;
  const std::string text = rendered(to_string(head), reply, Style{false});
  check_shown(text);
  check(text.ends_with('\n'), "what is shown ends its line");
  check(rendered(to_string(head), reply, Style{true}).size() >= text.size(), "colours add to it");
}

void check_typed(Input& input) {
  const std::string_view line = text_of(input.rest());
  const Typed typed = parse_command(line);
  if (const auto* request = std::get_if<Json>(&typed)) {
    const auto understood = parse_request(request->dump());
    if (const auto* refusal = std::get_if<Reply>(&understood))
      check((*request)["body"].get<std::string>().size() > text_bytes_max,
            "a typed line is a request: " + refusal->line());
  }
  if (const auto* wrong = std::get_if<Wrong>(&typed)) check(is_utf8(wrong->what), "a complaint is UTF-8");
  const std::size_t start = line.empty() ? 0 : line.size() / 2;
  (void)completions(line, start, line.substr(start), {"anna", "bert"});
}

}  // namespace

}  // namespace twitter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twitter::fuzz;
  Input input{data, size};
  switch (input.byte()) {
    case 'a': check_answer(input); break;
    case 't': check_typed(input); break;
    case 's': check_stream(input); break;
    default: check_request(text_of(input.rest())); break;
  }
  return 0;
}
