// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <editline/readline.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"

namespace twitter {

/// A line from the terminal, with editing, history, and completion of commands and of the users that were seen.
/// There is one terminal, and libedit keeps its state in globals: one Prompt at a time.
class Prompt {
 public:
  explicit Prompt(std::set<std::string> users) {
    known_users() = std::move(users);
    rl_readline_name = "twitter";
    rl_attempted_completion_function = complete;
    using_history();
    stifle_history(1000);
  }
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;
  ~Prompt() { rl_attempted_completion_function = nullptr; }

  void saw_user(const std::string& user) {
    if (known_users().size() < users_max) known_users().insert(user);
  }

  /// nullopt at the end of the input.
  std::optional<std::string> line(const std::string& prompt) {
    const std::unique_ptr<char, decltype(&std::free)> typed{::readline(prompt.c_str()), &std::free};
    if (!typed) return std::nullopt;
    std::string text{typed.get()};
    if (text.find_first_not_of(" \t") != std::string::npos) add_history(text.c_str());
    return text;
  }

 private:
  static constexpr std::size_t users_max = 1000;

  static std::set<std::string>& known_users() {
    static std::set<std::string> users;
    return users;
  }
  static std::vector<std::string>& offered() {
    static std::vector<std::string> words;
    return words;
  }
  static char** complete(const char* word, int start, int) {
    rl_attempted_completion_over = 1;  // no file names
    const std::string_view line{rl_line_buffer};
    offered() = completions(line, std::min(static_cast<std::size_t>(start), line.size()), word, known_users());
    return rl_completion_matches(word, next_offered);
  }
  static char* next_offered(const char*, int state) {
    static std::size_t next = 0;
    if (state == 0) next = 0;
    return next < offered().size() ? ::strdup(offered()[next++].c_str()) : nullptr;
  }
};

}  // namespace twitter
