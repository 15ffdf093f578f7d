// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/config.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/message.hpp>
#include <paxos/policy/observer.hpp>
#include <paxos/replica.hpp>
#include <paxos/sim/explore_disk.hpp>
#include <paxos/sim/explore_image.hpp>

namespace paxos::sim {

/// How soon the writes of a turn are durable.
enum class Pace : std::uint8_t {
  prompt,  ///< when the turn ends
  lazy,    ///< then too, if the turn could say nothing before; else not within the turn
  slow,    ///< not within the turn
};

/// What may happen to one node.
struct NodeEvent {
  /// What happens.
  enum class Kind : std::uint8_t {
    deliver,  ///< a letter comes
    flush,    ///< what it appended becomes durable
    crash,    ///< it starts again from its disk
    stand,    ///< it stands for election
    command,  ///< it is asked to propose
  };
  Kind kind = Kind::deliver;   ///< which
  Pace pace = Pace::prompt;    ///< how soon timers run out
  std::uint32_t argument = 0;  ///< deliver: the letter; crash: unflushed records that stay; command: which one
};

/// What a node did in one turn.
struct NodeTurn {
  std::string image;                             ///< of the node after it
  std::vector<std::pair<NodeId, Message>> sent;  ///< to whom, and what
  std::vector<Record> hardened;                  ///< records that became durable
  std::string breach;                            ///< the invariant that the node itself saw broken; empty: none
};

/// A look at a replica's proposer from outside: an Archive for Replica::image that touches nothing.
struct ProposerGlance {
  static constexpr bool is_loading = false;  ///< for image(): it writes
  bool is_leading = false;                   ///< it may propose
  bool is_idle = true;                       ///< it has no ballot of its own
  Ballot ballot;                             ///< its own; the last one, if it is idle
  Slot decided;                              ///< each slot up to here is chosen, by its count

  template <class... Part>
  void operator()(Part&... parts) {
    (look(parts), ...);
  }

 private:
  template <class Part>
  void look(const Part&) {}
  template <DurableTransport Net>
  void look(const Proposer<Net>& proposer) {
    is_leading = proposer.is_leading();
    is_idle = proposer.phase() == Proposer<Net>::Phase::idle;
    ballot = proposer.ballot();
    decided = proposer.decided();
  }
};

/// What one needs to know of a node's state without taking it apart.
struct NodeFacts {
  Ballot promised;            ///< durably
  Slot chosen_through;        ///< durably
  std::vector<Ballot> voted;  ///< durably, above chosen_through; in slot order
  std::vector<Value> learnt;  ///< chosen, as this node believes; from slot 1 on
  std::uint64_t digest = 0;   ///< of the machine
  std::size_t unflushed = 0;  ///< records
  bool wants_flush = false;   ///< something waits for the disk
  ProposerGlance proposer;    ///< what its proposer is at
};

/// One shipping Replica and its disk on a bench: set to any state, made to take one turn, and written down again. Time
/// stands still, and on_tick() is never called: whatever time could do is an event of its own.
///
/// A flush that is part of the turn loses nothing where nobody hears of the turn before the flush: a slow flush is then
/// a slow message, and a crash before the flush is one before the turn. It is different for a leader: its Accepts leave
/// before its own disk confirms anything, and it may find a quorum without its own vote.
template <StateMachine Machine>
class Workbench {
 public:
  /// What the same is for every state.
  struct Options {
    Frame frame;                    ///< what images leave out
    std::vector<Command> commands;  ///< what it may be asked to propose, by number
  };

  /// The lexicon must outlive it.
  Workbench(const Config& config, Lexicon<Machine>& lexicon, const Options& options)
      : config_(config), lexicon_(lexicon), options_(options), disk_(options.frame.last_slot) {
    options_.frame.self = config.id;
    net_.frame = &options_.frame;
    restart();
  }
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

  /// A node that never ran.
  [[nodiscard]] std::string blank() {
    disk_ = ExploredDisk{options_.frame.last_slot};
    restart();
    return settled({});
  }

  /// Puts a replica together from its image.
  void load(const std::string& image) {
    ImageReader<Machine> reader{lexicon_, image, options_.frame.with_hints};
    reader(disk_, *replica_);
    ensure(reader.is_finished(), "Workbench: the image is too long");
  }

  /// Of the replica that was loaded.
  [[nodiscard]] NodeFacts facts() {
    const LogIndex<Value>& platter = disk_.on_platter();
    NodeFacts facts{platter.promised(), platter.chosen_through(), {},      {}, replica_->state().digest(),
                    disk_.pending(),    replica_->wants_flush(),  glance()};
    for (const auto& [slot, vote] : platter.accepted()) facts.voted.push_back(vote.ballot);
    for (Slot slot; slot < replica_->state().applied();) {
      slot = slot.next();
      const auto value = disk_.read(slot);
      ensure(value.has_value(), "an applied slot is not in the log");
      facts.learnt.push_back(*value);
    }
    return facts;
  }

  /// One turn from the state that the bench is in. `from` and `message`: what is delivered.
  [[nodiscard]] NodeTurn take(const NodeEvent& event, NodeId from, const Message& message) {
    NodeTurn turn;
    try {
      net_.sent.clear();
      (void)disk_.take_hardened();
      const Before before{event.pace, replica_->wants_flush(), disk_.pending()};
      happen(event, from, message);
      turn.image = settled(before);
    } catch (const InvariantViolation& breach) {
      turn.breach = breach.what();
      disk_ = ExploredDisk{options_.frame.last_slot};
      restart();
    }
    turn.sent = std::move(net_.sent);
    turn.hardened = disk_.take_hardened();
    return turn;
  }

 private:
  struct Net {
    const Frame* frame = nullptr;
    std::vector<std::pair<NodeId, Message>> sent;
    void send(NodeId to, Message message) {
      if (frame->delivers(message) && cut_to(frame->last_slot, message)) sent.emplace_back(to, std::move(message));
    }
  };
  using ReplicaType = Replica<Machine, Net, ExploredDisk>;

  void restart() {
    const typename ReplicaType::Life life{1, SessionId{~std::uint64_t{0}, config_.id.value()}};
    replica_.emplace(config_, net_, disk_, observer_, life, Time{});
  }

  void happen(const NodeEvent& event, NodeId from, const Message& message) {
    switch (event.kind) {
      case NodeEvent::Kind::deliver: replica_->on_message(from, message, Time{}); break;
      case NodeEvent::Kind::flush: replica_->on_flushed(disk_.flush(), Time{}); break;
      case NodeEvent::Kind::stand: replica_->stand(Time{}); break;
      case NodeEvent::Kind::crash:
        disk_.crash(event.argument);
        restart();
        break;
      case NodeEvent::Kind::command:
        if (options_.frame.with_hints) {
          (void)replica_->submit(options_.commands[event.argument], Time{});
        } else {
          replica_->on_message(other_member(), Forward{options_.commands[event.argument]}, Time{});
        }
        break;
    }
  }

  [[nodiscard]] ProposerGlance glance() {
    ProposerGlance glance;
    replica_->image(glance);
    return glance;
  }

  /// What was so before the turn.
  struct Before {
    Pace pace = Pace::prompt;
    bool flush_was_due = false;
    std::size_t pending = 0;
  };
  [[nodiscard]] bool flushes_now(const Before& before) {
    if (!replica_->wants_flush() || before.pace == Pace::slow) return false;
    if (before.pace == Pace::prompt) return true;
    const bool may_lack_own_vote = before.flush_was_due && glance().is_leading;
    return net_.sent.empty() && disk_.pending() > before.pending && !may_lack_own_vote;
  }

  /// Ends turns until nothing more comes of it, and writes the state down.
  [[nodiscard]] std::string settled(const Before& before) {
    std::string image;
    for (bool has_cut = true; has_cut;) {
      replica_->end_turn(Time{});
      for (int flushes = 0; flushes_now(before); ++flushes) {
        ensure(flushes < 1000, "Workbench: a message waits for a write that was never made");
        replica_->on_flushed(disk_.flush(), Time{});
        replica_->end_turn(Time{});
      }
      if (before.pace == Pace::prompt) (void)disk_.flush();  // what nobody waits for
      check_answers();
      std::string next;
      ImageWriter<Machine> writer{lexicon_, next, disk_.durable(), options_.frame};
      writer(disk_, *replica_);
      has_cut = writer.has_cut() && next != image;
      image = std::move(next);
      if (has_cut) load(image);
    }
    return image;
  }

  /// Who is told that a command ran has it in a slot that this node learnt; whether that is chosen, others check.
  void check_answers() {
    for (const Answer& answer : replica_->take_answers()) {
      if (answer.error) continue;
      bool is_learnt = false;
      for (Slot slot; slot < replica_->state().applied();) {
        const auto commands = commands_of(disk_.read(slot = slot.next()).value_or(Value{}));
        is_learnt |= commands && std::ranges::any_of(*commands, [&](const auto& one) { return one.id == answer.id; });
      }
      ensure(is_learnt, "a command was acknowledged that stands in no slot known as chosen");
    }
  }

  [[nodiscard]] NodeId other_member() const {
    return config_.members.front().id == config_.id ? config_.members.back().id : config_.members.front().id;
  }

  Config config_;
  Lexicon<Machine>& lexicon_;
  Options options_;
  Net net_;
  ExploredDisk disk_;
  NullObserver observer_;
  std::optional<ReplicaType> replica_;
};

}  // namespace paxos::sim
