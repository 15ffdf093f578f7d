// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <paxos/core/time.hpp>

namespace paxos::sim {

/// One operation as its client saw it. All times are of one clock, which all clients share.
///
/// An operation without an answer may take effect at any time from `invoked` on, or never. One that is known not to
/// have been applied is no part of a history: leave it out, and whoever saw it is found out.
template <class Input, class Output>
struct Operation {
  Input input;                   ///< what was asked
  std::optional<Output> output;  ///< nullopt: nobody knows what became of it
  Time invoked{};                ///< before it was sent
  /// After the answer came. Without an answer: it takes effect before this, or never.
  Time returned = Time::max();
};

/// What the operations mean when they run one after the other.
///
/// `step` tells whether `input` may answer `*output` in `state`, and moves the state; what it leaves in there after
/// false does not matter. `output` is null where nobody heard the answer: then any will do. `is_read` is true only of
/// what changes no state whatever, a refusal say; the search is the shorter for each of these. `key` names the part of
/// the state that an operation concerns: parts must be independent of each other, and each begins as `State{}`.
template <class M>
concept SequentialModel =
    requires(const M model, typename M::State state, const typename M::Input& input, const typename M::Output* output) {
      { model.step(state, input, output) } -> std::same_as<bool>;
      { model.is_read(input, output) } -> std::same_as<bool>;
      { model.key(input) } -> std::totally_ordered;
      { model.hash(state) } -> std::convertible_to<std::size_t>;
      requires std::equality_comparable<typename M::State>;
      requires std::equality_comparable<typename M::Input>;
      requires std::default_initializable<typename M::State>;
    };

/// What was found.
enum class Judgement : std::uint8_t {
  linearizable,  ///< there is an order that explains it
  violated,      ///< no order explains what the clients saw
  undecided,     ///< the search ended at its bound
};

/// The answer, and where it is no, what proves it.
template <SequentialModel Model>
struct Verdict {
  /// What parts a history: each key has one of its own.
  using Key = std::remove_cvref_t<decltype(std::declval<const Model&>().key(std::declval<typename Model::Input>()))>;

  Judgement judgement = Judgement::linearizable;  ///< over all keys
  std::uint64_t states = 0;                       ///< visited, of all parts
  std::size_t parts = 0;                          ///< searched

  // Of the part that failed:
  std::optional<Key> key;                      ///< the first key whose history is not linearizable
  std::size_t placed = 0;                      ///< answered operations in the longest order that was found
  std::optional<typename Model::State> state;  ///< where that order ended
  std::vector<std::size_t> stuck;              ///< the operations that had to come next, and none could

  [[nodiscard]] bool ok() const { return judgement == Judgement::linearizable; }  ///< it is linearizable, for sure
};

/// When to give up: the problem is exponential in what is under way at once.
struct CheckLimits {
  /// Visited states of one part that are kept, each some 100 bytes and a State.
  std::size_t states_max = 1'000'000;
};

namespace detail {

/// One part of a history: the search for an order.
///
/// Depth first over pairs of (operations placed, state), each visited once. Two cuts keep it short, and lose nothing:
/// - An answered read that is legal now is placed at once: wherever else an order had it, it can be moved here. (Not so
///   a write that happens to change nothing now: it may be needed later.)
/// - An unanswered operation that would change nothing is not placed. Of two equal ones the older goes first.
template <SequentialModel Model>
class LinearizationSearch {
 public:
  using State = typename Model::State;
  using Op = Operation<typename Model::Input, typename Model::Output>;

  LinearizationSearch(const Model& model, std::span<const Op> history, const std::vector<std::size_t>& part)
      : model_(model), history_(history) {
    for (const std::size_t index : part) (history[index].output ? answered_ : unanswered_).push_back(index);
    const auto age = [&](std::size_t index) { return std::pair{history[index].invoked, index}; };
    std::ranges::sort(answered_, {}, age);
    std::ranges::sort(unanswered_, {}, age);
    next_.resize(answered_.size() + 1);
    previous_.resize(answered_.size() + 1);
    for (std::size_t i = 0; i <= answered_.size(); ++i) {
      next_[i] = i + 1 <= answered_.size() ? i + 1 : 0;
      previous_[i] = i > 0 ? i - 1 : answered_.size();
    }
    used_.resize((unanswered_.size() + 63) / 64);
  }

  [[nodiscard]] Judgement run(std::size_t states_max) {
    std::vector<Frame> stack;
    State state{};
    while (true) {
      if (first() == end()) return Judgement::linearizable;
      if (visited_.size() >= states_max) return Judgement::undecided;
      if (visited_.insert(Node{placed_set(), state, model_}).second) {
        stack.push_back(Frame{expand(state), 0, Option{}, latest_, last_});
      } else if (stack.empty()) {
        return Judgement::violated;
      } else {
        undo(stack.back());
      }
      while (stack.back().next == stack.back().options.size()) {
        remember(stack.back(), state);
        stack.pop_back();
        if (stack.empty()) return Judgement::violated;
        undo(stack.back());
      }
      state = take(stack.back());
    }
  }

  [[nodiscard]] std::size_t states() const { return visited_.size(); }
  [[nodiscard]] std::size_t placed_most() const { return placed_most_; }
  [[nodiscard]] const State& stuck_state() const { return stuck_state_; }
  [[nodiscard]] const std::vector<std::size_t>& stuck() const { return stuck_; }

 private:
  /// An operation that may come next, and the state after it.
  struct Option {
    std::size_t which = 0;  ///< in answered_, counted from 1, or in unanswered_
    bool is_answered = true;
    State after{};
  };
  struct Frame {
    std::vector<Option> options;
    std::size_t next = 0;
    Option taken;
    Time latest;
    std::size_t last = 0;
  };
  struct Node {
    Node(std::vector<std::uint64_t> placed_set, const State& after, const Model& model)
        : placed(std::move(placed_set)), state(after), hash(model.hash(after)) {
      for (const std::uint64_t word : placed) hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL + (hash >> 29);
    }
    friend bool operator==(const Node& a, const Node& b) {
      return a.hash == b.hash && a.placed == b.placed && a.state == b.state;
    }
    std::vector<std::uint64_t> placed;
    State state;
    std::size_t hash;
  };
  struct HashOfNode {
    std::size_t operator()(const Node& node) const { return node.hash; }
  };

  // The answered operations that are not placed yet, in the order of invocation: a ring around number 0.
  [[nodiscard]] std::size_t first() const { return next_[0]; }
  [[nodiscard]] static std::size_t end() { return 0; }
  [[nodiscard]] const Op& answered(std::size_t number) const { return history_[answered_[number - 1]]; }
  [[nodiscard]] const Op& unanswered(std::size_t number) const { return history_[unanswered_[number]]; }
  [[nodiscard]] bool is_used(std::size_t number) const { return (used_[number / 64] >> (number % 64) & 1) != 0; }

  /// All answered ones up to the last that is placed but for some, which are as few as there are clients; and which of
  /// the unanswered ones cannot come any more: whether they did makes no difference to what may follow.
  [[nodiscard]] std::vector<std::uint64_t> placed_set() const {
    std::vector<std::uint64_t> set{last_};
    for (std::size_t i = first(); i != end() && i < last_; i = next_[i]) set.push_back(i);
    set.push_back(0);
    set.insert(set.end(), used_.begin(), used_.end());
    const auto gone = set.end() - static_cast<std::ptrdiff_t>(used_.size());
    for (std::size_t i = 0; i < unanswered_.size() && unanswered(i).invoked <= latest_; ++i) {
      if (unanswered(i).returned < latest_) gone[static_cast<std::ptrdiff_t>(i / 64)] |= std::uint64_t{1} << (i % 64);
    }
    return set;
  }

  [[nodiscard]] std::vector<Option> expand(const State& state) const {
    std::vector<Option> options;
    Time bound = Time::max();
    for (std::size_t i = first(); i != end() && answered(i).invoked <= bound; i = next_[i]) {
      const Op& op = answered(i);
      bound = std::min(bound, op.returned);
      State after = state;
      if (!model_.step(after, op.input, &*op.output)) continue;
      const bool is_free = model_.is_read(op.input, &*op.output) && !shuts_out(op.invoked);
      if (is_free) options.clear();
      options.push_back(Option{i, true, std::move(after)});
      if (is_free) return options;
    }
    for (std::size_t i = 0; i < unanswered_.size() && unanswered(i).invoked <= bound; ++i) {
      const Op& op = unanswered(i);
      if (is_used(i) || op.returned < latest_) continue;
      State after = state;
      if (!model_.step(after, op.input, nullptr) || after == state) continue;
      const bool has_twin = std::ranges::any_of(options, [&](const Option& other) {
        return !other.is_answered && unanswered(other.which).returned <= op.returned &&
               unanswered(other.which).input == op.input;
      });
      if (!has_twin) options.push_back(Option{i, false, std::move(after)});
    }
    return options;
  }

  /// Placing something that was invoked then makes it too late for an unanswered operation.
  [[nodiscard]] bool shuts_out(Time invoked) const {
    if (invoked <= latest_) return false;
    for (std::size_t i = 0; i < unanswered_.size() && unanswered(i).invoked <= invoked; ++i) {
      if (!is_used(i) && unanswered(i).returned >= latest_ && unanswered(i).returned < invoked) return true;
    }
    return false;
  }

  [[nodiscard]] State take(Frame& frame) {
    Option& option = frame.options[frame.next++];
    frame.taken = Option{option.which, option.is_answered, State{}};
    if (option.is_answered) {
      next_[previous_[option.which]] = next_[option.which];
      previous_[next_[option.which]] = previous_[option.which];
      last_ = std::max(last_, option.which);
      latest_ = std::max(latest_, answered(option.which).invoked);
      ++placed_;
    } else {
      used_[option.which / 64] ^= std::uint64_t{1} << (option.which % 64);
      latest_ = std::max(latest_, unanswered(option.which).invoked);
    }
    return std::move(option.after);
  }

  void undo(const Frame& frame) {
    const Option& taken = frame.taken;
    if (taken.is_answered) {
      next_[previous_[taken.which]] = taken.which;
      previous_[next_[taken.which]] = taken.which;
      --placed_;
    } else {
      used_[taken.which / 64] ^= std::uint64_t{1} << (taken.which % 64);
    }
    latest_ = frame.latest;
    last_ = frame.last;
  }

  void remember(const Frame& frame, const State& state) {
    if (!frame.options.empty() || (placed_ <= placed_most_ && !stuck_.empty())) return;
    placed_most_ = placed_;
    stuck_state_ = state;
    stuck_.clear();
    Time bound = Time::max();
    for (std::size_t i = first(); i != end() && answered(i).invoked <= bound; i = next_[i]) {
      bound = std::min(bound, answered(i).returned);
      stuck_.push_back(answered_[i - 1]);
    }
  }

  const Model& model_;
  std::span<const Op> history_;
  std::vector<std::size_t> answered_;    ///< indices into history_, by invocation
  std::vector<std::size_t> unanswered_;  ///< the same
  std::vector<std::size_t> next_, previous_;
  std::vector<std::uint64_t> used_;  ///< bits: the unanswered ones that are placed
  std::size_t last_ = 0;             ///< the highest number in answered_ that is placed
  Time latest_ = Time::min();        ///< the latest invocation of all that are placed
  std::size_t placed_ = 0;
  std::unordered_set<Node, HashOfNode> visited_;
  std::size_t placed_most_ = 0;
  State stuck_state_{};
  std::vector<std::size_t> stuck_;
};

}  // namespace detail

/// Is there one order of all operations, each between its invocation and its answer, that explains every answer?
///
/// The search is that of Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of Lowe,
/// "Testing for Linearizability" (2017): a pair of (operations placed, state) is looked at once. Each key is searched
/// alone, as in Horn and Kroening, "Faster Linearizability Checking via P-Compositionality" (2015). With few clients
/// the time grows as the history does; many unanswered operations on one key that differ can double it each.
template <SequentialModel Model>
[[nodiscard]] Verdict<Model> check(const Model& model,
                                   std::span<const Operation<typename Model::Input, typename Model::Output>> history,
                                   const CheckLimits& limits = {}) {
  Verdict<Model> verdict;
  std::map<typename Verdict<Model>::Key, std::vector<std::size_t>> parts;
  for (std::size_t i = 0; i < history.size(); ++i) parts[model.key(history[i].input)].push_back(i);
  for (const auto& [key, part] : parts) {
    detail::LinearizationSearch<Model> search{model, history, part};
    const Judgement judgement = search.run(limits.states_max);
    ++verdict.parts;
    verdict.states += search.states();
    // A violation says more than a search that was given up.
    if (judgement == Judgement::linearizable || (judgement == Judgement::undecided && !verdict.ok())) continue;
    verdict.judgement = judgement;
    verdict.key = key;
    verdict.placed = search.placed_most();
    verdict.state = search.stuck_state();
    verdict.stuck = search.stuck();
    if (judgement == Judgement::violated) break;
  }
  return verdict;
}

/// An operation whose place in one order of all is known, or known to lie between two bounds.
struct PlacedOperation {
  Time invoked{};                 ///< when it began
  Time returned = Time::max();    ///< when it was answered; the end of time: never
  std::uint64_t first_place = 0;  ///< its place in that order, from
  std::uint64_t last_place = 0;   ///< to
};

/// Where the system itself numbers what it does, no search is needed: can every operation have a place between its
/// bounds such that whatever had its answer before another was invoked has no later place? Nullopt when so; otherwise
/// (earlier, later): what stands too late, and what was invoked after it and stands too early. Time: n log n.
///
/// Operations may share a place. Log entries, say, have the odd numbers, and a reader who saw n entries has 2n.
[[nodiscard]] inline std::optional<std::pair<std::size_t, std::size_t>> misplaced(
    std::span<const PlacedOperation> operations) {
  std::vector<std::size_t> by_invocation(operations.size());
  std::iota(by_invocation.begin(), by_invocation.end(), std::size_t{0});
  std::vector<std::size_t> by_return = by_invocation;
  std::ranges::sort(by_invocation, {}, [&](std::size_t i) { return operations[i].invoked; });
  std::ranges::sort(by_return, {}, [&](std::size_t i) { return operations[i].returned; });
  std::vector<std::uint64_t> places(operations.size());
  std::optional<std::size_t> latest;  // of all that have their answer, the one with the highest place
  auto done = by_return.begin();
  for (const std::size_t i : by_invocation) {
    for (; done != by_return.end() && operations[*done].returned < operations[i].invoked; ++done) {
      if (!latest || places[*done] > places[*latest]) latest = *done;
    }
    places[i] = std::max(operations[i].first_place, latest ? places[*latest] : 0);
    if (places[i] > operations[i].last_place) return std::pair{latest.value_or(i), i};
  }
  return std::nullopt;
}

}  // namespace paxos::sim
