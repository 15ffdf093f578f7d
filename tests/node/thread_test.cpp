// Copyright (c) the paxos authors. MIT licence.
#include <atomic>
#include <string>
#include <system_error>

#include <asio/post.hpp>
#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

/// A transport with a defect: one of its own handlers throws.
class DefectiveNet : public LoopbackTransport {
 public:
  DefectiveNet(asio::any_io_executor serial, const Config& config, StoreLife life, TransportEvents events,
               Options network)
      : LoopbackTransport(serial, config, std::move(life), std::move(events), std::move(network)),
        serial_(std::move(serial)) {}

  void start() {
    LoopbackTransport::start();
    asio::post(serial_, [] { throw std::runtime_error("a defect"); });
  }

 private:
  asio::any_io_executor serial_;
};

/// Throws whenever it is told something.
struct BadWitness : Witness {
  void on_standing(Standing, const Ballot&) { throw std::runtime_error("I cannot look"); }
  void on_stopped(const Status& status) {
    Witness::on_stopped(status);
    throw 7;
  }
};

}  // namespace

TEST_CASE("an exception that reaches the node's thread ends the node, not the process", "[node][threads]") {
  Witness witness;
  Node<Ledger, Witness, NodeMemory, DefectiveNet> node{memory_config(), witness, std::make_shared<LoopbackNetwork>()};
  CHECK(eventually([&] { return witness.story->tells("stopped: the node's thread: a defect"); }));
  std::error_code ec;
  node.propose("x", ec);
  CHECK(ec == Errc::stopped);
}

TEST_CASE("an observer that throws ends the node, not the process", "[node][threads]") {
  BadWitness witness;
  Node<Ledger, BadWitness, NodeMemory, LoopbackTransport> node{memory_config(), witness,
                                                               std::make_shared<LoopbackNetwork>()};
  std::error_code ec;
  node.propose("x", ec);
  CHECK((ec == Errc::interrupted || ec == Errc::stopped));
  CHECK(witness.story->tells("stopped: I cannot look"));
}

TEST_CASE("a second node of one name in a network ends itself", "[node][threads]") {
  const auto network = std::make_shared<LoopbackNetwork>();
  MemoryNode first{memory_config(), Witness{}, network};
  CHECK(first.propose("x").count == 1);
  Witness witness;
  MemoryNode second{memory_config(), witness, network};
  CHECK(eventually([&] { return witness.story->tells("stopped: LoopbackNetwork"); }));
  CHECK(first.propose("y").count == 2);
}
