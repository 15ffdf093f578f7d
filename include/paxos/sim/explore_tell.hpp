// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include <paxos/core/command.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/record.hpp>
#include <paxos/sim/explore_node.hpp>

namespace paxos::sim {

/// "no-op", or which commands.
[[nodiscard]] inline std::string describe(const Value& value) {
  if (value.empty()) return "no-op";
  const auto commands = commands_of(value);
  if (!commands) return "bytes that are no batch";
  std::string text;
  for (const Command& command : *commands)
    text += (text.empty() ? "command " : " + command ") + std::to_string(command.id.session.low);
  return text;
}

/// For a person: its number.
[[nodiscard]] inline std::string describe(const Slot& slot) {
  return slot == Slot::infinity() ? "the end" : to_string(slot);
}

/// The name and what matters of it.
[[nodiscard]] inline std::string describe(const Message& message) {
  std::string text{name_of(message)};
  if (const auto* prepare = get_if<Prepare>(&message)) {
    text += " " + to_string(prepare->ballot) + " from slot " + describe(prepare->first_slot);
  } else if (const auto* promise = get_if<Promise>(&message)) {
    text += " " + to_string(promise->ballot) + " for slots " + describe(promise->first_slot) + " to " +
            describe(promise->next_slot) + ", chosen through " + to_string(promise->chosen_through) + ", accepted [";
    for (const AcceptedValue& accepted : promise->accepted)
      text += " slot " + to_string(accepted.slot) + " at " + to_string(accepted.ballot) + ": " +
              describe(accepted.value) + ";";
    text += "]";
  } else if (const auto* accept = get_if<Accept>(&message)) {
    text += " " + to_string(accept->ballot) + " slot " + to_string(accept->slot) + ": " + describe(accept->value) +
            ", chosen through " + to_string(accept->chosen_through);
  } else if (const auto* accepted = get_if<Accepted>(&message)) {
    text +=
        " " + to_string(accepted->ballot) + " slots " + to_string(accepted->first) + " to " + to_string(accepted->last);
  } else if (const auto* nack = get_if<Nack>(&message)) {
    text += " promised " + to_string(nack->promised);
  } else if (const auto* chosen = get_if<Chosen>(&message)) {
    text += " " + to_string(chosen->ballot) + " through " + to_string(chosen->through);
  } else if (const auto* reply = get_if<CatchUpReply>(&message)) {
    text += " from slot " + describe(reply->first_slot) + ":";
    for (const Value& value : reply->values) text += " " + describe(value) + ";";
  }
  return text;
}

/// For a person: one line.
[[nodiscard]] inline std::string describe(const Record& record) {
  if (const auto* promise = get_if<PromiseRecord>(&record)) return "promise " + to_string(promise->ballot);
  if (const auto* accept = get_if<AcceptRecord>(&record))
    return "vote at " + to_string(accept->ballot) + " in slot " + to_string(accept->slot) + ": " +
           describe(accept->value);
  if (const auto* chosen = get_if<ChosenRecord>(&record)) return "chosen through " + to_string(chosen->through);
  const auto& learnt = get<LearnRecord>(record);
  return "learnt slot " + to_string(learnt.slot) + ": " + describe(learnt.value);
}

/// One line: what happened to `node`, what it made durable, what it sent.
template <class Glossary>
[[nodiscard]] std::string describe(const Glossary& glossary, NodeId node, const NodeEvent& event,
                                   const NodeTurn& turn) {
  std::string text = "node " + to_string(node);
  switch (event.kind) {
    case NodeEvent::Kind::deliver: {
      const auto& letter = glossary.letters[event.argument];
      text += " hears from node " + to_string(letter.from) + ": " + describe(glossary.lexicon.message(letter.message));
      break;
    }
    case NodeEvent::Kind::flush: text += " has flushed"; break;
    case NodeEvent::Kind::crash:
      text += " crashes, keeps " + std::to_string(event.argument) + " unflushed records, and is back";
      break;
    case NodeEvent::Kind::stand: text += " stands for election"; break;
    case NodeEvent::Kind::command: text += " is given command " + std::to_string(event.argument + 1); break;
  }
  for (const Record& record : turn.hardened) text += "\n      durable: " + describe(record);
  for (const auto& [to, message] : turn.sent) text += "\n      to node " + to_string(to) + ": " + describe(message);
  return text;
}

}  // namespace paxos::sim
