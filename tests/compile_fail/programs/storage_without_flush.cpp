// Copyright (c) the paxos authors. MIT licence.
// expect: Storage
#include <paxos/core.hpp>

// Everything but flush(): whoever could never say "durable" is no storage.
struct StoreWithoutFlush {
  paxos::Recovered recover();
  paxos::WriteTicket append(const paxos::Record&);
  paxos::WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<paxos::Value> read(paxos::Slot);
};

template <paxos::Storage Store>
void use(Store&);

void must_not_compile(StoreWithoutFlush& store) { use(store); }
