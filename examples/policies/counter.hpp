// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

namespace examples {

struct Counter {
  using Command = std::int64_t;
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

/// One line of output.
template <class Node>
void answer(Node& node, const std::string& line) try {
  if (line == "?") {
    const std::int64_t value = node.read(&Counter::value);
    std::printf("counter %lld leader %llu\n", static_cast<long long>(value),
                static_cast<unsigned long long>(node.status().leader.value()));
  } else {
    std::printf("added %lld\n", static_cast<long long>(node.propose(std::stoll(line))));
  }
} catch (const std::exception& error) {
  std::printf("failed %s\n", error.what());
}

/// Until the input ends: each line is a number to add, or "?", and has one line of output.
template <class Node>
void serve(Node& node) {
  for (std::string line; std::getline(std::cin, line); std::fflush(stdout)) answer(node, line);
}

}  // namespace examples
