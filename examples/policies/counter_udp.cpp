// Copyright (c) the paxos authors. MIT licence.
//
// The replicated counter with UdpTransport in place of TCP: counter_udp ID DIRECTORY ADDRESS ADDRESS ADDRESS, the
// addresses being those of nodes 1, 2 and 3. Each line of input is a number to add, or "?".
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include <paxos/paxos.hpp>

#include "examples/policies/counter.hpp"
#include "examples/policies/udp_transport.hpp"

namespace {

// [snippet: counter_udp]
using UdpNode = paxos::Node<examples::Counter, paxos::NullObserver, paxos::FileStorage, examples::UdpTransport>;

paxos::Config config_of(int argc, char** argv) {
  paxos::Config config{.id = paxos::NodeId{std::stoull(argv[1])}, .members = {}, .data_dir = argv[2]};
  for (int i = 3; i < argc; ++i) config.members.emplace_back(static_cast<std::uint64_t>(i - 2), argv[i]);
  // A message must fit a datagram.
  config.batch_bytes_max = config.command_bytes_max = config.promise_bytes_max = config.catch_up_bytes_max = 8192;
  return config;
}
// [end of snippet]

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) return std::puts("usage: counter_udp ID DIRECTORY ADDRESS..."), 2;
  UdpNode node{config_of(argc, argv)};
  examples::serve(node);
} catch (const std::exception& error) {
  return std::fprintf(stderr, "counter_udp: %s\n", error.what()), 1;
}
