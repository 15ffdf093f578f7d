// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <paxos/core/ballot.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/one_of.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// The acceptor promised `ballot`: it refuses every lower one, for good.
struct PromiseRecord {
  Ballot ballot;  ///< no lower one is accepted any more

  friend bool operator==(const PromiseRecord&, const PromiseRecord&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot);
  }
};

/// The acceptor accepted `value` in `slot` at `ballot`; that promises the ballot as well.
struct AcceptRecord {
  Ballot ballot;  ///< promised with it
  Slot slot;      ///< where
  Value value;    ///< the vote

  friend bool operator==(const AcceptRecord&, const AcceptRecord&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, slot, value);
  }
};

/// Every slot up to `through` is chosen, and the newest AcceptRecord of each holds the chosen value.
struct ChosenRecord {
  Slot through;  ///< each slot up to here is chosen, with the newest value accepted there

  friend bool operator==(const ChosenRecord&, const ChosenRecord&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(through);
  }
};

/// `slot`, the first that the log did not know as chosen, is chosen with `value`, fetched from another node.
/// It is no vote: the acceptor did not accept it.
struct LearnRecord {
  Slot slot;    ///< the first that was not known as chosen
  Value value;  ///< fetched; no vote

  friend bool operator==(const LearnRecord&, const LearnRecord&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(slot, value);
  }
};

/// Everything that a node writes. The index in this list is the kind on the disk: only ever append.
struct Record : OneOf<PromiseRecord, AcceptRecord, ChosenRecord, LearnRecord> {
  using OneOf::OneOf;
};

}  // namespace paxos
