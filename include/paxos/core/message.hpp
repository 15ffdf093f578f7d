// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/ballot.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/one_of.hpp>
#include <paxos/core/slot.hpp>

namespace paxos {

/// What an acceptor accepted in one slot: the newest ballot, and its value.
struct AcceptedValue {
  Slot slot;      ///< where it was accepted
  Ballot ballot;  ///< at which it was accepted, last
  Value value;    ///< what was accepted

  friend bool operator==(const AcceptedValue&, const AcceptedValue&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(slot, ballot, value);
  }
};

/// 1a, candidate → acceptors: "promise me every slot from first_slot on, and tell what you accepted there".
struct Prepare {
  Ballot ballot;    ///< the candidate's; its own acceptor's promise of it is durable
  Slot first_slot;  ///< asks about this slot and all above it

  friend bool operator==(const Prepare&, const Prepare&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, first_slot);
  }
};

/// 1b, acceptor → candidate. Speaks for the slots in [first_slot, next_slot); `next_slot` is Slot::infinity() in the
/// last part. The candidate asks for the next part with Prepare{ballot, next_slot}; a part lost is asked for again.
struct Promise {
  Ballot ballot;                        ///< that is promised
  Slot first_slot;                      ///< this part tells of the slots from here on,
  Slot next_slot;                       ///< up to, not including, this one; what was asked next
  Slot chosen_through;                  ///< these slots are chosen and not listed: fetch them
  std::vector<AcceptedValue> accepted;  ///< in slot order, above chosen_through

  friend bool operator==(const Promise&, const Promise&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, first_slot, next_slot, chosen_through, accepted);
  }
};

/// 2a, leader → acceptors.
struct Accept {
  Ballot ballot;        ///< the leader's
  Slot slot;            ///< where
  Slot chosen_through;  ///< as in Chosen, so that a busy leader needs no message for it
  Value value;          ///< what; empty is a no-op

  friend bool operator==(const Accept&, const Accept&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, slot, chosen_through, value);
  }
};

/// 2b, acceptor → leader: accepted, durably, in every slot of [first, last].
struct Accepted {
  Ballot ballot;  ///< at which it accepted
  Slot first;     ///< each slot from here
  Slot last;      ///< through here

  friend bool operator==(const Accepted&, const Accepted&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, first, last);
  }
};

/// Acceptor → proposer: "I promised this ballot and must refuse yours".
struct Nack {
  Ballot promised;  ///< higher than the ballot that is refused

  friend bool operator==(const Nack&, const Nack&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(promised);
  }
};

/// Leader → all: every slot up to `through` is chosen. It gives a node the value of a slot only if that node accepted
/// the slot at this very ballot; what it accepted at another, or not at all, it fetches (CatchUpRequest).
struct Chosen {
  Ballot ballot;  ///< of the reign that chose
  Slot through;   ///< each slot up to here is chosen

  friend bool operator==(const Chosen&, const Chosen&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, through);
  }
};

/// Leader → all: alive. `round` rises with every broadcast, so that an answer proves leadership after it.
struct Heartbeat {
  Ballot ballot;            ///< of the reign
  std::uint64_t round = 0;  ///< counts up in a reign; answers to one confirm the reads that began before it
  Slot chosen_through;      ///< as in Chosen
  bool is_heard = true;     ///< the leader hears the receiver; one that it does not hear reaches it through others

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, round, chosen_through, is_heard);
  }
};

/// All → leader: "I have promised no higher ballot", and how far this node has come.
struct HeartbeatAck {
  Ballot ballot;            ///< as in the Heartbeat
  std::uint64_t round = 0;  ///< as in the Heartbeat
  Slot chosen_through;      ///< the sender's: how far it lags

  friend bool operator==(const HeartbeatAck&, const HeartbeatAck&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot, round, chosen_through);
  }
};

/// Would-be candidate → all: "would you support me?" Promises nothing, changes nothing.
struct PreVote {
  std::uint64_t nonce = 0;  ///< tells the answers to this poll from those to an older one
  Slot chosen_through;      ///< the sender's: a voter that knows more tells it

  friend bool operator==(const PreVote&, const PreVote&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(nonce, chosen_through);
  }
};

/// Granted only by a node that hears no leader. `promised` tells the candidate which ballot to stand above.
struct PreVoteReply {
  std::uint64_t nonce = 0;  ///< as in the PreVote
  bool granted = false;     ///< the sender hears no leader, and would support the asker
  Ballot promised;          ///< the highest ballot that the sender's acceptor promised
  Slot chosen_through;      ///< the sender's
  NodeId leader{};          ///< whom the sender passes commands and reads on to, or nobody

  friend bool operator==(const PreVoteReply&, const PreVoteReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(nonce, granted, promised, chosen_through, leader);
  }
};

/// Leader of `ballot` → a preferred and caught-up node: "stand now, I make way".
struct HandOver {
  Ballot ballot;  ///< of the reign that ends

  friend bool operator==(const HandOver&, const HandOver&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballot);
  }
};

/// Any → any: "send me the chosen values from first_slot on". Also asks, without hurry, whether there are any.
struct CatchUpRequest {
  Slot first_slot;  ///< the first that the sender lacks

  friend bool operator==(const CatchUpRequest&, const CatchUpRequest&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(first_slot);
  }
};

/// The chosen values of first_slot, first_slot + 1, …, as many as fit (Config::catch_up_bytes_max), and how far the
/// sender's knowledge reaches.
struct CatchUpReply {
  Slot first_slot;            ///< that of `values`' first
  Slot chosen_through;        ///< the sender's: how much more there is
  std::vector<Value> values;  ///< of consecutive slots, chosen each

  friend bool operator==(const CatchUpReply&, const CatchUpReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(first_slot, chosen_through, values);
  }
};

/// Node or client → node: submit this command. A node that does not lead passes it on to the leader that it follows,
/// once.
struct Forward {
  Command command;          ///< as it is to be proposed
  bool is_relayed = false;  ///< by a node that does not lead, once: the receiver does not pass it on again

  friend bool operator==(const Forward&, const Forward&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(is_relayed, command);  // the payload ends the encoding
  }
};

/// What became of a forwarded command. A node that forwards learns of success by applying the command itself; it
/// hears only refusals. A client hears everything.
struct ForwardReply {
  RequestId id;             ///< of the command
  std::uint32_t error = 0;  ///< an Errc, or 0: applied
  Slot applied;             ///< how far the answering node has applied
  Bytes result;             ///< what Machine::apply returned, encoded

  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id, error, applied, result);
  }
};

/// Node → leader: "from which slot on may I serve a read that begins now?" A node that does not lead asks the leader
/// that it follows, once.
struct ReadIndex {
  std::uint64_t nonce = 0;  ///< the asker's own; comes back in the answer
  bool is_relayed = false;  ///< by a node that does not lead, once: the receiver does not pass it on again

  friend bool operator==(const ReadIndex&, const ReadIndex&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(nonce, is_relayed);
  }
};

/// Leader → node: the answer to a ReadIndex.
struct ReadIndexReply {
  std::uint64_t nonce = 0;  ///< as in the ReadIndex
  bool confirmed = false;   ///< false: not the leader (any more); ask another
  Slot index;               ///< serve once this slot is applied

  friend bool operator==(const ReadIndexReply&, const ReadIndexReply&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(nonce, confirmed, index);
  }
};

/// Everything that nodes say to each other. The index in this list is the kind on the wire: only ever append.
/// Which one it is: get_if<Accept>(&message), message.visit(…).
struct Message : OneOf<Prepare, Promise, Accept, Accepted, Nack, Chosen, Heartbeat, HeartbeatAck, PreVote, PreVoteReply,
                       HandOver, CatchUpRequest, CatchUpReply, Forward, ForwardReply, ReadIndex, ReadIndexReply> {
  using OneOf::OneOf;
};

/// Of each kind, in the order of Message.
inline constexpr std::string_view message_names[] = {
    "Prepare",      "Promise",      "Accept",       "Accepted",     "Nack",          "Chosen",
    "Heartbeat",    "HeartbeatAck", "PreVote",      "PreVoteReply", "HandOver",      "CatchUpRequest",
    "CatchUpReply", "Forward",      "ForwardReply", "ReadIndex",    "ReadIndexReply"};
static_assert(std::size(message_names) == Message::alternatives);

/// "Prepare", "Promise", …
[[nodiscard]] inline std::string_view name_of(const Message& message) { return message_names[message.index()]; }

/// Large and patient messages, which must never delay the others.
[[nodiscard]] inline bool is_bulk(const Message& message) { return holds_alternative<CatchUpReply>(message); }

// Functions that look into a Message are templates, though of one type only: the compiler goes through all alternatives
// where such a function is called, and not in every file that includes this.

/// Appends `message` to `out`: one byte of kind, then its fields.
template <class Archive = Encoder>
void encode_message(Buffer& out, const Message& message) {
  Archive encoder{out};
  encoder.number(static_cast<std::uint8_t>(message.index()));
  message.visit([&](const auto& fields) { encoder(fields); });
}

/// False when `bytes` are not exactly one message: unknown kind, a length beyond the bytes, bytes left over.
[[nodiscard]] bool decode_message(std::span<const std::byte> bytes, std::same_as<Message> auto& message) {
  Decoder decoder{bytes};
  std::uint8_t kind = 0;
  decoder.number(kind);
  if (!decoder.ok() || !message.reset(kind)) return false;
  message.visit([&](auto& fields) { decoder(fields); });
  return decoder.finished();
}

namespace detail {

/// Goes through the fields of a message, down to the last: is every slot that it names below 2^62?
class SlotCheck {
 public:
  template <class... T>
  void operator()(const T&... fields) {
    (check(fields), ...);
  }
  [[nodiscard]] bool passes() const { return passes_; }

 private:
  static constexpr Slot end{std::uint64_t{1} << 62};

  void check(Slot slot) { passes_ = passes_ && slot < end; }
  template <class T>
  void check(const std::vector<T>& elements) {
    for (const T& element : elements) check(element);
  }
  template <class T>
  void check(const T& field) {
    if constexpr (requires { const_cast<T&>(field).serialize(*this); }) const_cast<T&>(field).serialize(*this);
  }

  bool passes_ = true;
};

}  // namespace detail

/// Whether the slots of a message could be those of a log: no log comes near 2^62 by counting, and above any slot that
/// is believed there must be room to count on. "To the end" is Slot::infinity() in Promise::next_slot, and nowhere
/// else.
[[nodiscard]] bool is_well_formed(const std::same_as<Message> auto& message) {
  detail::SlotCheck check;
  const Promise* promise = get_if<Promise>(&message);
  if (promise != nullptr && promise->next_slot == Slot::infinity()) {
    check(promise->first_slot, promise->chosen_through, promise->accepted);
  } else {
    message.visit(check);
  }
  return check.passes();
}

}  // namespace paxos
