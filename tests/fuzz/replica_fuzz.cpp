// Copyright (c) the paxos authors. MIT licence.
//
// A stream of events into one replica among members who say whatever they like: messages of all kinds, time, flushes
// that succeed, fail and find no space, commands, reads, power cuts. See replica_rig.hpp for what must hold.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "input.hpp"
#include "replica_rig.hpp"

namespace paxos::fuzz {

namespace {

/// Small numbers collide with those of the replica; large ones come near the ends of their ranges.
std::uint64_t some_number(Input& input) {
  const std::uint8_t form = input.byte();
  if (form < 240) return form % 24;
  if (form < 248) return (std::uint64_t{1} << (input.byte() % 62)) + input.byte();
  return input.number(8);
}
Slot some_slot(Input& input) { return Slot{some_number(input)}; }

class Stranger {
 public:
  Stranger(Input& input, ReplicaRig& rig) : input_(input), rig_(rig) {}

  /// The ballot that is in force here, the sender's own next one, or any.
  [[nodiscard]] Ballot ballot(NodeId from) {
    const std::uint8_t form = input_.byte();
    if (form % 4 == 0) return rig_.status().ballot;
    if (form % 4 == 1) return rig_.status().promised;
    if (form % 4 == 2) return Ballot{rig_.status().promised.round + form / 64U, from};
    return Ballot{some_number(input_), NodeId{form / 4U % 5U}};
  }
  [[nodiscard]] Slot slot() {
    const std::uint8_t form = input_.byte();
    if (form < 192) return Slot{rig_.status().chosen_through.value() + form % 8U};
    return some_slot(input_);
  }
  [[nodiscard]] Value value() {
    const std::uint8_t form = input_.byte();
    if (form < 64) return {};
    if (form < 128) return Value{std::string(1, static_cast<char>(form))};
    if (form == 255) return Value{input_.take(input_.byte())};
    BatchBuilder batch;
    for (unsigned i = 0; i <= form % 3U; ++i) batch.add(command());
    return batch.take();
  }
  [[nodiscard]] Command command() {
    const std::uint8_t form = input_.byte();
    const RequestId id{{form % 4U, 9}, some_number(input_)};
    const std::uint64_t settled = (form & 4U) != 0 ? some_number(input_) : 0;
    if ((form & 8U) != 0) return Command{id, settled, some_slot(input_), Bytes{input_.take(form / 16U)}};
    return Command{id, settled, Slot{}, encoded(std::uint64_t{form})};
  }

  [[nodiscard]] Message message(NodeId from) {
    switch (input_.byte() % 18) {
      case 0: return Prepare{ballot(from), slot()};
      case 1: return promise(from);
      case 2: return Accept{ballot(from), slot(), slot(), value()};
      case 3: return Accepted{ballot(from), slot(), slot()};
      case 4: return Nack{ballot(from)};
      case 5: return Chosen{ballot(from), slot()};
      case 6: return with_reach(Heartbeat{ballot(from), some_number(input_), slot()});
      case 7: return HeartbeatAck{ballot(from), number_like(rig_.seen().round), slot()};
      case 8: return PreVote{some_number(input_), slot()};
      case 9: return with_reach(PreVoteReply{number_like(rig_.seen().poll), input_.flag(), ballot(from), slot()});
      case 10: return HandOver{ballot(from)};
      case 11: return CatchUpRequest{slot()};
      case 12: return catch_up_reply();
      case 13: return with_reach(Forward{command()});
      case 14: return ForwardReply{rig_.some_outstanding(input_.byte()), input_.byte() % 20U, slot(), value()};
      case 15: return with_reach(ReadIndex{some_number(input_)});
      case 16: return ReadIndexReply{number_like(rig_.seen().read), input_.flag(), slot()};
      default: {
        Message message;
        const auto bytes = input_.take(input_.byte());
        return decode_message(bytes, message) ? message : Message{Nack{}};
      }
    }
  }

 private:
  /// Who reaches whom hangs on the other fields: it takes no input, so that the kept inputs mean what they meant.
  static Message with_reach(Heartbeat message) {
    message.is_heard = message.round % 2 == 0;
    return message;
  }
  static Message with_reach(PreVoteReply message) {
    message.leader = NodeId{message.chosen_through.value() % 5};
    return message;
  }
  static Message with_reach(Forward message) {
    message.is_relayed = message.command.id.sequence % 2 == 0;
    return message;
  }
  static Message with_reach(ReadIndex message) {
    message.is_relayed = message.nonce % 2 == 0;
    return message;
  }
  /// What an honest peer would answer, or something else.
  [[nodiscard]] std::uint64_t number_like(std::uint64_t seen) {
    const std::uint8_t form = input_.byte();
    return form < 192 ? seen : some_number(input_);
  }
  [[nodiscard]] Promise promise(NodeId from) {
    const bool answers = input_.byte() < 192;
    Promise promise{answers ? rig_.seen().prepare.ballot : ballot(from),
                    answers ? rig_.seen().prepare.first_slot : slot(),
                    Slot::infinity(),
                    slot(),
                    {}};
    if (const std::uint8_t parts = input_.byte(); parts >= 128) promise.next_slot = slot();
    for (unsigned count = input_.byte() % 6U; count > 0; --count)
      promise.accepted.push_back({slot(), ballot(NodeId{1 + count % 3U}), value()});
    return promise;
  }
  [[nodiscard]] CatchUpReply catch_up_reply() {
    CatchUpReply reply{input_.flag() ? rig_.seen().asked : slot(), slot(), {}};
    for (unsigned count = input_.byte() % 6U; count > 0; --count) reply.values.push_back(value());
    return reply;
  }

  Input& input_;
  ReplicaRig& rig_;
};

Duration some_time(Input& input) {
  static constexpr std::int64_t units[] = {1'000, 1'000'000, 12'500'000, 300'000'000, 3'600'000'000'000};
  const std::uint8_t form = input.byte();
  return std::chrono::nanoseconds{units[form % 5U] * (form / 5 + 1)};
}

/// A message again and again, as a link or a peer gone wild would send it, the slots of values moving on.
void repeat(ReplicaRig& rig, NodeId from, Message message, unsigned times) {
  for (; times > 0 && rig.is_running(); --times) {
    if (auto* accept = get_if<Accept>(&message)) accept->slot = Slot{accept->slot.value() + 1};
    if (auto* promise = get_if<Promise>(&message)) {
      promise->first_slot = promise->next_slot;
      if (promise->next_slot < Slot::infinity()) promise->next_slot = Slot{promise->next_slot.value() + 3};
      for (AcceptedValue& accepted : promise->accepted) accepted.slot = promise->first_slot;
    }
    if (auto* forward = get_if<Forward>(&message)) ++forward->command.id.sequence;
    rig.deliver(from, message);
  }
}

void step(Input& input, ReplicaRig& rig) {
  Stranger stranger{input, rig};
  const std::uint8_t what = input.byte();
  if (what < 128) {
    const NodeId from{what % 8U == 7 ? 9U : 2U + what % 2U};
    const Message message = stranger.message(from);
    rig.deliver(from, message);
    if (what % 16 == 15) repeat(rig, NodeId{2}, message, input.byte());
    return rig.end_turn();
  }
  switch (what % 16) {
    case 0:
    case 1:
    case 2: rig.tick(some_time(input)); break;
    case 3:
    case 4:
    case 5: rig.flush(); break;
    case 6: rig.flush_part(input.byte()); break;
    case 7: rig.fail_flush(input.byte() % 4 == 0 ? Errc::storage_failed : Errc::storage_full); break;
    case 8: rig.submit_own(Bytes{input.take(input.byte() % 64U)}); break;
    case 9: rig.submit(stranger.command()); break;
    case 10:
      for (unsigned times = input.byte(); times > 0; --times) rig.submit_own(Bytes{});
      break;
    case 11: rig.read(); break;
    case 12: rig.peer_down(NodeId{2U + input.byte() % 2U}); break;
    case 13: rig.crash(input.byte()); break;
    case 14: {  // as many clients, with one command each
      Command command = stranger.command();
      for (unsigned times = input.byte(); times > 0; --times, ++command.id.session.high) rig.submit(command);
      break;
    }
    default:
      for (unsigned times = input.byte(); times > 0; --times) rig.read();
      break;
  }
  rig.end_turn();
}

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos::fuzz;
  Input input{data, size};
  ReplicaRig rig{input.byte()};
  while (!input.empty() && rig.is_running()) step(input, rig);
  rig.finish();
  return 0;
}
