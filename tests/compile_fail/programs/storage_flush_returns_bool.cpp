// Copyright (c) the paxos authors. MIT licence.
// expect GNU: store.flush()
// expect Clang: std::same_as<_Bool, Status>
#include <paxos/policy/storage.hpp>

template <paxos::Storage Store>
struct Stores {};

// A boolean loses the reason, and takes a full disk for a broken one.
struct StoreWithABoolean {
  paxos::Recovered recover();
  paxos::WriteTicket append(const paxos::Record&);
  bool flush();
  paxos::WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<paxos::Value> read(paxos::Slot);
};
Stores<StoreWithABoolean> must_not_compile;
