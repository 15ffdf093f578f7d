// Copyright (c) the paxos authors. MIT licence.
#pragma once

// clang-format off
// [snippet: machine]
#include <cereal/types/map.hpp>        // one header for each kind of standard type that travels
#include <cereal/types/optional.hpp>
#include <map>
#include <optional>
#include <string>

struct KeyValue {
  struct Command {
    std::string key;
    std::optional<std::string> value;  // none: erase
    template <class Archive> void serialize(Archive& ar) { ar(key, value); }
  };

  std::map<std::string, std::string> pairs;

  std::optional<std::string> apply(const Command& command) {  // gives what the key had before
    std::optional<std::string> before = get(command.key);
    if (command.value) pairs[command.key] = *command.value;
    else pairs.erase(command.key);
    return before;
  }
  std::optional<std::string> get(const std::string& key) const {
    const auto found = pairs.find(key);
    return found == pairs.end() ? std::nullopt : std::optional{found->second};
  }
  template <class Archive> void serialize(Archive& ar) { ar(pairs); }
};
// [end of snippet]
// clang-format on
