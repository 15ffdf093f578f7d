// Copyright (c) the paxos authors. MIT licence.
// expect: store.recover()
// expect: store.append(record)
// expect: store.flush()
// expect: read_only.durable()
// expect: read_only.backlog()
// expect: store.read(slot)
#include <paxos/policy/storage.hpp>

template <paxos::Storage Store>
struct Stores {};

struct Good {
  paxos::Recovered recover();
  paxos::WriteTicket append(const paxos::Record&);
  paxos::Status flush();
  paxos::WriteTicket durable() const;
  std::size_t backlog() const;
  std::optional<paxos::Value> read(paxos::Slot);
};
Stores<Good> good;

struct WithoutRecover : Good {
  paxos::Recovered recover() = delete;
};
struct AppendsNumbers : Good {
  paxos::WriteTicket append(int);
};
// Whoever could never say "durable" is no storage.
struct WithoutFlush : Good {
  paxos::Status flush() = delete;
};
struct DurableIsNotConst : Good {
  paxos::WriteTicket durable();
};
struct WithoutBacklog : Good {
  std::size_t backlog() const = delete;
};
struct ReadsByNumber : Good {
  std::optional<paxos::Value> read(int);
};
Stores<WithoutRecover> without_recover;
Stores<AppendsNumbers> appends_numbers;
Stores<WithoutFlush> without_flush;
Stores<DurableIsNotConst> durable_is_not_const;
Stores<WithoutBacklog> without_backlog;
Stores<ReadsByNumber> reads_by_number;
