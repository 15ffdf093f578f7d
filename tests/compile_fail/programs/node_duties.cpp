// Copyright (c) the paxos authors. MIT licence.
// expect: read_only.port()
// expect: net.end_turn()
// expect: store.life()
// expect GNU: store.flush()
// expect Clang: std::same_as<void, Status>
// expect: RemembersPeers: refusal_of_peer(NodeId, const StoreLife&) must return Refusal
// expect: StateMachine_has_apply_callable_with_a_Command<
#include <paxos/node.hpp>

struct Machine {
  using Command = int;
  void apply(Command) {}
  template <class Archive>
  void serialize(Archive&) {}
};
struct WithoutApply {
  using Command = int;
  template <class Archive>
  void serialize(Archive&) {}
};
using Misnamed = paxos::Node<WithoutApply>;

struct Plain {
  explicit Plain(const paxos::Config&);
  paxos::Recovered recover();
  paxos::WriteTicket append(const paxos::Record&);
  paxos::Status flush();
  paxos::WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<paxos::Value> read(paxos::Slot);
};
// A Storage, but none whose lives peers could tell apart.
using Lifeless = paxos::Node<Machine, paxos::NullObserver, Plain>;

struct Unsafe : Plain {
  paxos::StoreLife life() const;
  void flush();
};
using Careless = paxos::Node<Machine, paxos::NullObserver, Unsafe>;

struct SaysYesOrNo : Plain {
  using Plain::Plain;
  paxos::StoreLife life() const;
  bool refusal_of_peer(paxos::NodeId, const paxos::StoreLife&);
  void mark_outdated(paxos::NodeId);
};
paxos::Node<Machine, paxos::NullObserver, SaysYesOrNo>* forgetful(paxos::Config config) {
  return new paxos::Node<Machine, paxos::NullObserver, SaysYesOrNo>{config};
}

struct Deaf : paxos::TcpTransport {
  using paxos::TcpTransport::TcpTransport;
  std::uint16_t port() const = delete;
};
using NoPort = paxos::Node<Machine, paxos::NullObserver, paxos::FileStorage, Deaf>;

struct NeverSends : paxos::TcpTransport {
  using paxos::TcpTransport::TcpTransport;
  void end_turn() = delete;
};
using NoEndOfTurn = paxos::Node<Machine, paxos::NullObserver, paxos::FileStorage, NeverSends>;
