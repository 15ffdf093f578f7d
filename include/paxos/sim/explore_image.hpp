// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/command.hpp>
#include <paxos/core/ensure.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/slot_window.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/replica.hpp>
#include <paxos/storage/log_index.hpp>

namespace paxos::sim {

namespace detail {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Arguments>
inline constexpr bool is_a<Template<Arguments...>, Template> = true;

}  // namespace detail

/// Gives small numbers, for good, to things that are large and few: values, messages, states of the machine.
template <StateMachine Machine>
class Lexicon {
 public:
  using State = ReplicatedState<Machine>;  ///< what is replicated

  /// A new one, if it was not met yet.
  [[nodiscard]] std::uint32_t number_of(const Value& value) {
    return values_.number_of(std::string{value.text()}, value);
  }
  /// A new one, if it was not met yet.
  [[nodiscard]] std::uint32_t number_of(const Message& message) {
    Buffer bytes;
    encode_message(bytes, message);
    return messages_.number_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, message);
  }
  /// A new one, if it was not met yet.
  [[nodiscard]] std::uint32_t number_of(const State& state) {
    if (state.applied() == Slot{} && states_.size() > 0) return 0;
    return states_.number_of(std::to_string(state.digest()), state);
  }

  /// The number must have been given.
  [[nodiscard]] const Value& value(std::uint32_t number) const { return values_[number]; }
  /// The number must have been given.
  [[nodiscard]] const Message& message(std::uint32_t number) const { return messages_[number]; }
  /// The number must have been given.
  [[nodiscard]] const State& state(std::uint32_t number) const { return states_[number]; }

 private:
  template <class T>
  class Entries {
   public:
    std::uint32_t number_of(const std::string& bytes, const T& thing) {
      const auto [entry, is_new] = numbers_.try_emplace(bytes, static_cast<std::uint32_t>(things_.size()));
      if (is_new) things_.push_back(thing);
      return entry->second;
    }
    [[nodiscard]] const T& operator[](std::uint32_t number) const { return things_[number]; }
    [[nodiscard]] std::size_t size() const { return things_.size(); }

   private:
    std::unordered_map<std::string, std::uint32_t> numbers_;
    std::deque<T> things_;
  };

  Entries<Value> values_;
  Entries<Message> messages_;
  Entries<State> states_;
};

/// Cuts off what a message says of slots above `last`. False when nothing is left of it.
[[nodiscard]] inline bool cut_to(Slot last, Message& message) {
  if (auto* accept = get_if<Accept>(&message)) {
    accept->chosen_through = std::min(accept->chosen_through, last);
    return accept->slot <= last;
  }
  if (auto* accepted = get_if<Accepted>(&message)) {
    accepted->last = std::min(accepted->last, last);
    return accepted->first <= last;
  }
  if (auto* promise = get_if<Promise>(&message))
    std::erase_if(promise->accepted, [&](const AcceptedValue& accepted) { return accepted.slot > last; });
  if (auto* chosen = get_if<Chosen>(&message)) chosen->through = std::min(chosen->through, last);
  return true;
}

/// Whether a part of the replica is left out of images: what cannot matter to safety while the messages that it lives
/// on are lost. The tests compare steps of replicas with and without.
template <class Part>
inline constexpr bool is_hint = false;
template <Transport Net>
inline constexpr bool is_hint<LeaderElection<Net>> = true;  ///< who leads
template <Transport Net, Storage Store>
inline constexpr bool is_hint<CatchUp<Net, Store>> = true;  ///< whom to fetch from
template <Transport Net>
inline constexpr bool is_hint<Submitter<Net>> = true;  ///< who waits for a command
template <Transport Net>
inline constexpr bool is_hint<Reader<Net>> = true;  ///< who waits for a read

/// What of a replica is looked at.
struct Frame {
  NodeId self;              ///< whose replica it is
  Slot last_slot{2};        ///< the log ends here: what stands above is cut off, as an acceptor may forget it
  bool with_hints = false;  ///< see is_hint
  std::uint32_t kinds = 0;  ///< bit i: messages of index i in Message are delivered; the others are lost

  /// Whether messages of that kind are delivered at all.
  [[nodiscard]] bool delivers(const Message& message) const { return ((kinds >> message.index()) & 1) != 0; }
};

/// Writes a replica as bytes: equal bytes, equal future. One that is loaded with ImageReader goes on as the original.
///
/// Tickets are written relative to what is durable.
template <StateMachine Machine>
class ImageWriter {
 public:
  static constexpr bool is_loading = false;  ///< for image(): it writes
  using State = ReplicatedState<Machine>;    ///< what is replicated

  /// Tickets are written relative to `durable`. All arguments must outlive it.
  ImageWriter(Lexicon<Machine>& lexicon, std::string& out, WriteTicket durable, const Frame& frame)
      : lexicon_(lexicon), out_(out), durable_(durable), frame_(frame) {}

  template <class... T>
  void operator()(const T&... fields) {
    (field(fields), ...);
  }

  /// Something was cut off: the next turn may do what had to wait for it.
  [[nodiscard]] bool has_cut() const { return has_cut_; }

 private:
  /// One byte for what is below 127; infinity (all ones) is 0.
  void number(std::uint64_t value) {
    for (++value; value >= 128; value >>= 7) out_.push_back(static_cast<char>(value | 128));
    out_.push_back(static_cast<char>(value));
  }
  template <class Container>
  void elements(const Container& container) {
    number(container.size());
    for (const auto& element : container) field(element);
  }

  template <class T>
  void field(const T& value) {
    if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      number(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_same_v<T, WriteTicket>) {
      number(value > durable_ ? value.value() - durable_.value() : 0);
    } else if constexpr (std::is_same_v<T, Value> || std::is_same_v<T, Message>) {
      number(lexicon_.number_of(value));
    } else if constexpr (std::is_same_v<T, State>) {
      number(lexicon_.number_of(value));
    } else if constexpr (std::is_same_v<T, BatchBuilder>) {
      number(lexicon_.number_of(BatchBuilder{value}.take()));
    } else if constexpr (std::is_same_v<T, Votes>) {
      std::uint64_t bits = 0;
      for (std::size_t member = 0; member < members_max; ++member) bits = bits * 2 + (value.has(member) ? 1 : 0);
      number(bits);
    } else if constexpr (detail::is_a<T, SlotWindow>) {
      window(value);
    } else if constexpr (detail::is_a<T, std::optional>) {
      number(value ? 1 : 0);
      if (value) field(*value);
    } else if constexpr (detail::is_a<T, std::pair>) {
      (*this)(value.first, value.second);
    } else if constexpr (detail::is_a<T, std::vector> || detail::is_a<T, std::map>) {
      elements(value);
    } else if constexpr (detail::is_a<T, std::deque>) {
      queue(value);
    } else if constexpr (requires { const_cast<T&>(value).image(*this); }) {
      if (is_hint<T> && !frame_.with_hints) return;
      const_cast<T&>(value).image(*this);
    } else {
      const_cast<T&>(value).serialize(*this);
    }
  }

  template <class T>
  void window(const SlotWindow<T>& window) {
    (*this)(window.base(), window.limit());
    for (Slot slot = window.base().next(); slot <= window.last(); slot = slot.next()) {
      const T* entry = window.find(slot);
      if (entry == nullptr) continue;
      has_cut_ |= slot > frame_.last_slot;
      if (slot > frame_.last_slot) break;
      (*this)(slot, *entry);
    }
    number(0);
  }

  /// What waits for the disk: a message that waits already says nothing new, as sent messages stay for good.
  template <class T>
  void queue(const std::deque<T>& queue) {
    if constexpr (requires(T element) { element.message; }) {
      std::vector<T> left;
      for (T element : queue) {
        const auto says_the_same = [&](const T& earlier) {
          return earlier.to == element.to && earlier.ticket <= element.ticket && earlier.message == element.message;
        };
        if (cut_to(frame_.last_slot, element.message) &&
            (element.to == frame_.self || frame_.delivers(element.message)) &&
            std::ranges::none_of(left, says_the_same))
          left.push_back(std::move(element));
      }
      elements(left);
    } else {
      elements(queue);
    }
  }

  Lexicon<Machine>& lexicon_;
  std::string& out_;
  WriteTicket durable_;
  const Frame& frame_;
  bool has_cut_ = false;
};

/// Puts the image that an ImageWriter wrote into a replica of the same Config.
template <StateMachine Machine>
class ImageReader {
 public:
  static constexpr bool is_loading = true;  ///< for image(): it reads
  using State = ReplicatedState<Machine>;   ///< what is replicated

  /// `with_hints`: as the writer had them. Lexicon and image must outlive it.
  ImageReader(const Lexicon<Machine>& lexicon, const std::string& image, bool with_hints)
      : lexicon_(lexicon), next_(image.data()), end_(image.data() + image.size()), with_hints_(with_hints) {}

  template <class... T>
  void operator()(T&... fields) {
    (field(fields), ...);
  }

  [[nodiscard]] bool is_finished() const { return next_ == end_; }  ///< every byte was read

 private:
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      ensure(next_ != end_, "ImageReader: the image ends too soon");
      const auto byte = static_cast<unsigned char>(*next_++);
      value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value - 1;
    }
  }
  template <class T>
  [[nodiscard]] T take() {
    T value{};
    field(value);
    return value;
  }
  [[nodiscard]] std::uint32_t index() { return static_cast<std::uint32_t>(number()); }

  template <class T>
  void field(T& value) {
    if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      value = static_cast<T>(number());
    } else if constexpr (std::is_same_v<T, WriteTicket>) {
      value = WriteTicket{number()};
    } else if constexpr (std::is_same_v<T, Value>) {
      value = lexicon_.value(index());
    } else if constexpr (std::is_same_v<T, Message>) {
      value = lexicon_.message(index());
    } else if constexpr (std::is_same_v<T, State>) {
      value = lexicon_.state(index());
    } else if constexpr (std::is_same_v<T, BatchBuilder>) {
      value = {};
      const auto commands = commands_of(lexicon_.value(index()));
      for (const Command& command : commands.value()) value.add(command);
    } else if constexpr (std::is_same_v<T, Votes>) {
      value = {};
      const std::uint64_t bits = number();
      for (std::size_t member = 0; member < members_max; ++member)
        if ((bits >> (members_max - 1 - member)) & 1) (void)value.insert(member);
    } else if constexpr (detail::is_a<T, SlotWindow>) {
      window(value);
    } else if constexpr (detail::is_a<T, std::optional>) {
      value.reset();
      if (number() != 0) field(value.emplace());
    } else if constexpr (detail::is_a<T, std::map>) {
      value.clear();
      for (std::uint64_t left = number(); left > 0; --left) {
        const auto key = take<typename T::key_type>();
        field(value[key]);
      }
    } else if constexpr (detail::is_a<T, std::vector> || detail::is_a<T, std::deque>) {
      value.clear();
      for (std::uint64_t left = number(); left > 0; --left) field(value.emplace_back());
    } else if constexpr (requires { value.image(*this); }) {
      if (is_hint<T> && !with_hints_) return;
      value.image(*this);
    } else {
      value.serialize(*this);
    }
  }

  template <class T>
  void window(SlotWindow<T>& window) {
    const auto base = take<Slot>();
    window = SlotWindow<T>{static_cast<std::size_t>(number())};
    window.advance(base);
    for (auto slot = take<Slot>(); slot != Slot{}; slot = take<Slot>()) field(window.put(slot, T{}));
  }

  const Lexicon<Machine>& lexicon_;
  const char* next_;
  const char* end_;
  bool with_hints_;
};

}  // namespace paxos::sim
