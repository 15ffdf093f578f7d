// Copyright (c) the paxos authors. MIT licence.
//
// A replicated counter. Start three of them, each in a terminal of its own: counter 1, counter 2, counter 3.
#include <cstdio>

// clang-format off
// [snippet: counter]
#include <paxos/paxos.hpp>

struct Counter {                                       // a plain struct: no base class, no buffers
  using Command = std::int64_t;                        // anything cereal can serialise
  std::int64_t value = 0;
  std::int64_t apply(Command delta) { return value += delta; }            // in slot order, exactly once
  template <class Archive> void serialize(Archive& ar) { ar(value); }     // snapshot, transfer, digest
};

int main(int argc, char** argv) {
  if (argc != 2) return std::puts("usage: counter 1|2|3"), 1;
  paxos::Node<Counter> node{{
      .id = paxos::NodeId{std::stoull(argv[1])},
      .members = {{1, "127.0.0.1:7001"}, {2, "127.0.0.1:7002"}, {3, "127.0.0.1:7003"}},
      .data_dir = std::string{"counter-"} + argv[1]}};                    // file log; fsync is on
  node.propose(5);                                       // from any node; blocks, throws std::system_error
  node.async_propose(7, asio::use_future);               // or any Asio completion token: callback, coroutine
  node.read([](const Counter& c) { return c.value; });   // linearizable, on any node
  std::printf("the counter is at %lld; Enter ends this node\n", static_cast<long long>(node.read(&Counter::value)));
  std::getchar();
}
// [end of snippet]
// clang-format on
