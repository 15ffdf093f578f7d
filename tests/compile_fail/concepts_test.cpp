// Copyright (c) the paxos authors. MIT licence.
//
// A concept must also say no: each policy once as it should be, and once for each duty left out.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include <paxos/core.hpp>

namespace {

using namespace paxos;

struct GoodStore {
  Recovered recover();
  WriteTicket append(const Record&);
  Status flush();
  WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<Value> read(Slot);
};
static_assert(Storage<GoodStore>);

struct StoreWithoutRecover {
  WriteTicket append(const Record&);
  Status flush();
  WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<Value> read(Slot);
};
static_assert(!Storage<StoreWithoutRecover>);

struct StoreWithoutFlush : GoodStore {
  Status flush() = delete;
};
static_assert(!Storage<StoreWithoutFlush>);

// A flush that cannot fail hides a failed disk.
struct StoreThatCannotFail : GoodStore {
  void flush();
};
static_assert(!Storage<StoreThatCannotFail>);

// A boolean loses the reason, and takes a full disk for a broken one.
struct StoreWithABoolean : GoodStore {
  bool flush();
};
static_assert(!Storage<StoreWithABoolean>);

struct StoreWithoutTickets : GoodStore {
  void append(const Record&);
};
static_assert(!Storage<StoreWithoutTickets>);

struct StoreWithoutDurable : GoodStore {
  WriteTicket durable() const = delete;
};
static_assert(!Storage<StoreWithoutDurable>);

struct StoreWithoutBacklog : GoodStore {
  std::size_t backlog() const = delete;
};
static_assert(!Storage<StoreWithoutBacklog>);

struct StoreThatAlwaysKnows : GoodStore {
  Value read(Slot);
};
static_assert(!Storage<StoreThatAlwaysKnows>);

// What a Node asks of its storage beside that: who it is to its peers, and who they are to it.
struct GoodNodeStore : GoodStore {
  explicit GoodNodeStore(const Config&);
  StoreLife life() const;
  Refusal refusal_of_peer(NodeId, const StoreLife&);
  void mark_outdated(NodeId);
};
static_assert(RemembersPeers<GoodNodeStore>);
static_assert(!NodeStorage<GoodStore>);

struct StoreThatForgetsPeers : GoodStore {
  explicit StoreThatForgetsPeers(const Config&);
  StoreLife life() const;
};
static_assert(NodeStorage<StoreThatForgetsPeers> && !RemembersPeers<StoreThatForgetsPeers>);

// An incarnation alone is not enough: an older copy of the disk has the same.
struct StoreWithAnIncarnation : GoodNodeStore {
  std::uint64_t life() const;
};
static_assert(!NodeStorage<StoreWithAnIncarnation>);

// A boolean tells no outdated disk from a foreign one.
struct StoreThatSaysYesOrNo : GoodNodeStore {
  bool refusal_of_peer(NodeId, const StoreLife&);
};
static_assert(!RemembersPeers<StoreThatSaysYesOrNo>);

struct StoreThatLeavesNoMark : GoodNodeStore {
  void mark_outdated(NodeId) = delete;
};
static_assert(!RemembersPeers<StoreThatLeavesNoMark>);

struct GoodNet {
  void send(NodeId, Message);
  void send_after(WriteTicket, NodeId, Message);
};
static_assert(Transport<GoodNet> && DurableTransport<GoodNet>);

struct NetThatWaitsForNoDisk {
  void send(NodeId, Message);
};
static_assert(Transport<NetThatWaitsForNoDisk>);
static_assert(!DurableTransport<NetThatWaitsForNoDisk>);

struct NetWithoutSend {
  void send_after(WriteTicket, NodeId, Message);
};
static_assert(!Transport<NetWithoutSend> && !DurableTransport<NetWithoutSend>);

struct NetWithoutAddressee {
  void send(Message);
};
static_assert(!Transport<NetWithoutAddressee>);

struct GoodMachine {
  using Command = int;
  int value = 0;
  int apply(Command delta) { return value += delta; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};
static_assert(StateMachine<GoodMachine>);
static_assert(std::is_same_v<ResultOf<GoodMachine>, int>);

struct MachineThatAsksForThePosition : GoodMachine {
  void apply(Command, Position) {}
};
static_assert(StateMachine<MachineThatAsksForThePosition>);
static_assert(std::is_same_v<ResultOf<MachineThatAsksForThePosition>, Unit>);

struct MachineWithoutApply {
  using Command = int;
  template <class Archive>
  void serialize(Archive&) {}
};
static_assert(!StateMachine<MachineWithoutApply>);

struct MachineWithoutCommand {
  int apply(int);
  template <class Archive>
  void serialize(Archive&) {}
};
static_assert(!StateMachine<MachineWithoutCommand>);

// Its replica could start from nothing only.
struct MachineThatNeedsAnArgument : GoodMachine {
  explicit MachineThatNeedsAnArgument(int);
};
static_assert(!StateMachine<MachineThatNeedsAnArgument>);

static_assert(Observer<NullObserver>);

struct CountingObserver : NullObserver {
  int chosen = 0;
  void on_chosen(Slot, std::size_t) { ++chosen; }
};
static_assert(Observer<CountingObserver>);

struct ObserverLackingACall : NullObserver {
  void on_stopped(const Status&) = delete;
};
static_assert(!Observer<ObserverLackingACall>);

// Hiding a call with other parameters is a slip of the pen that must not pass in silence.
struct ObserverWithAWrongSignature : NullObserver {
  void on_chosen(std::string) {}
};
static_assert(!Observer<ObserverWithAWrongSignature>);

TEST_CASE("Machine: with two forms of apply() the one that takes the position is called", "[policy]") {
  struct Machine {
    using Command = int;
    std::uint64_t seen = 0;
    void apply(Command) { seen = 0; }
    void apply(Command, Position position) { seen = position.slot.value(); }
  } machine;
  detail::apply_to(machine, 1, Position{Slot{7}, 0});
  CHECK(machine.seen == 7);
}

TEST_CASE("Observer: what is not hidden does nothing", "[policy]") {
  CountingObserver observer;
  observer.on_chosen(Slot{1}, 10);
  observer.on_promised(Ballot{});
  CHECK(observer.chosen == 1);
}

}  // namespace
