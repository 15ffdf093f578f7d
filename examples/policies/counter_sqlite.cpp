// Copyright (c) the paxos authors. MIT licence.
//
// The replicated counter with its logs in SQLite: counter_sqlite ID DIRECTORY ADDRESS ADDRESS ADDRESS, the addresses
// being those of nodes 1, 2 and 3. Each line of input is a number to add, or "?".
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include <paxos/paxos.hpp>

#include "examples/policies/counter.hpp"
#include "examples/policies/sqlite_storage.hpp"

// [snippet: counter_sqlite]
using SqliteNode = paxos::Node<examples::Counter, paxos::NullObserver, examples::SqliteStorage>;
// [end of snippet]

int main(int argc, char** argv) try {
  if (argc < 4) return std::puts("usage: counter_sqlite ID DIRECTORY ADDRESS..."), 2;
  paxos::Config config{.id = paxos::NodeId{std::stoull(argv[1])}, .members = {}, .data_dir = argv[2]};
  for (int i = 3; i < argc; ++i) config.members.emplace_back(static_cast<std::uint64_t>(i - 2), argv[i]);
  SqliteNode node{config};
  examples::serve(node);
} catch (const std::exception& error) {
  return std::fprintf(stderr, "counter_sqlite: %s\n", error.what()), 1;
}
