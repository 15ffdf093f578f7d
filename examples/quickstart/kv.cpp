// Copyright (c) the paxos authors. MIT licence.
//
// One node of a replicated map, with a prompt.
// clang-format off
// [snippet: kv]
#include "key_value.hpp"

#include <paxos/paxos.hpp>

#include <iostream>
#include <sstream>

int main(int argc, char** argv) {
  if (argc < 3) return std::cerr << "usage: kv ID ADDRESS...\n", 1;
  paxos::Config config{.id = paxos::NodeId{std::stoull(argv[1])}, .members = {}, .data_dir = std::string{"kv-"} + argv[1]};
  for (int i = 2; i < argc; ++i) config.members.emplace_back(i - 1, argv[i]);
  paxos::Node<KeyValue> node{config};

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words{line};
    std::string verb, key, value;
    words >> verb >> key >> value;
    std::error_code ec;
    if (verb == "put") {
      const auto before = node.propose({key, value}, ec);
      if (!ec) std::cout << "put; before: " << before.value_or("nothing") << std::endl;
    } else if (verb == "get") {
      const auto found = node.read([&](const KeyValue& machine) { return machine.get(key); }, ec);
      if (!ec) std::cout << found.value_or("nothing") << std::endl;
    } else if (verb == "status") {
      const paxos::NodeStatus status = node.status();
      std::cout << to_string(status.standing) << ", leader " << to_string(status.leader) << ", applied "
                << to_string(status.applied) << std::endl;
    } else {
      std::cout << "put KEY VALUE | get KEY | status" << std::endl;
    }
    if (ec) std::cout << ec.message() << std::endl;
  }
}
// [end of snippet]
// clang-format on
