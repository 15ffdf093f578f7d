// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <paxos/core/error.hpp>
#include <paxos/core/record.hpp>
#include <paxos/core/write_ticket.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/testing/storage_harness.hpp>
#include <paxos/testing/storage_model.hpp>

namespace paxos::testing {

/// One storage under test, beside a model of what it must know: whatever a test makes it do, the duties that always
/// hold are looked at as well. Throws DutyBroken.
template <StorageHarness Harness>
class StorageSubject {
 public:
  using Store = typename Harness::Store;

  StorageSubject() { open(); }
  StorageSubject(const StorageSubject&) = delete;
  StorageSubject& operator=(const StorageSubject&) = delete;

  Harness harness;

  [[nodiscard]] Store& store() { return **handle_; }
  [[nodiscard]] const StorageState& state() const { return state_; }

  void close() { handle_.reset(); }

  /// Opens the place again. What was flushed must be there, and of what was not, nothing but a first part may.
  void open() {
    close();
    handle_.emplace(harness.open());
    last_ticket_ = WriteTicket{};
    has_failed_ = false;
    const Recovered recovered = store().recover();
    demand(store().durable() == WriteTicket{}, "a life begins with durable() at WriteTicket{}");
    StorageState found = durable_state_;
    for (const Record& record : unflushed_) {
      if (is_sum(recovered, found)) break;
      found.add(record);
    }
    demand(is_sum(recovered, found), [&] {
      return "recover() gives " + text_of(recovered) + "; it must be the sum of what was flushed, " +
             durable_state_.text() +
             (unflushed_.empty() ? "" : ", or with more that was appended, up to " + found.text());
    });
    state_ = durable_state_ = std::move(found);
    unflushed_.clear();
    expect_reads();
  }
  void restart() {
    close();
    open();
  }
  void cut_power()
    requires CutsPower<Harness>
  {
    harness.cut_power();
    open();
  }

  void kill()
    requires Kills<Harness>
  {
    harness.kill();
    open();
  }

  WriteTicket append(const Record& record) {
    const WriteTicket durable_before = store().durable();
    const WriteTicket ticket = store().append(record);
    demand(ticket == last_ticket_.next(), [&] {
      return "append() answers ticket " + std::to_string(ticket.value()) + ", and must answer " +
             std::to_string(last_ticket_.next().value()) + ": a life's tickets are 1, 2, 3 and so on";
    });
    last_ticket_ = ticket;
    demand(store().durable() == durable_before, "durable() changes in an append(): only a flush makes durable");
    demand(store().backlog() > 0, "backlog() is 0 though a record waits for its flush");
    note(record);
    return ticket;
  }
  void append_all(const std::vector<Record>& records) {
    for (const Record& record : records) append(record);
  }
  /// The storage was given the record by somebody else, and did not flush it.
  void note(const Record& record) {
    state_.add(record);
    unflushed_.push_back(record);
  }
  void note_flush() {
    durable_state_ = state_;
    unflushed_.clear();
  }

  Status try_flush() {
    const WriteTicket durable_before = store().durable();
    Status status = store().flush();
    if (!status.ok()) {
      has_failed_ |= status.code != Errc::storage_full;
      demand(store().durable() == durable_before, "durable() changes in a flush that did not answer ok");
      return status;
    }
    demand(!has_failed_, "flush() answers ok after one that failed: what the disk holds is unknown for good");
    demand(store().durable() == last_ticket_, [&] {
      return "after flush() durable() is " + std::to_string(store().durable().value()) + ", and must be " +
             std::to_string(last_ticket_.value()) + ", the last ticket that was given before it";
    });
    demand(store().backlog() == 0, "backlog() is not 0 though all is flushed");
    note_flush();
    return status;
  }
  void flush() {
    const Status status = try_flush();
    demand(status.ok(), [&] { return "flush() fails, and nothing is wrong with the disk: " + describe(status); });
  }

  [[nodiscard]] static std::string describe(const Status& status) {
    return status.code.message() + " (" + status.text + ")";
  }

  /// read() gives each value that is known as chosen, and nothing else.
  void expect_reads() {
    for (std::size_t i = 0; i < state_.chosen.size(); ++i) expect_read(Slot{i + 1});
    for (const auto& [slot, vote] : state_.accepted) expect_nothing(slot);
    expect_nothing(Slot{});
    expect_nothing(state_.chosen_through().next());
    expect_nothing(Slot{state_.chosen_through().value() + 1000});
  }
  void expect_read(Slot slot) {
    const Value& value = state_.chosen[static_cast<std::size_t>(slot.value() - 1)];
    const auto read = store().read(slot);
    demand(read.has_value(), [&] { return "read() gives nothing for slot " + to_string(slot) + ", which is chosen"; });
    demand(*read == value, [&] {
      return "read() gives another value for slot " + to_string(slot) + " (" + std::to_string(read->size()) +
             " bytes) than the one that is chosen (" + std::to_string(value.size()) + " bytes)";
    });
  }
  void expect_nothing(Slot slot) {
    demand(!store().read(slot).has_value(),
           [&] { return "read() gives a value for slot " + to_string(slot) + ", which is not known as chosen"; });
  }

 private:
  [[nodiscard]] static bool is_sum(const Recovered& recovered, const StorageState& state) {
    if (recovered.promised != state.promised || recovered.chosen_through != state.chosen_through() ||
        recovered.accepted.size() != state.accepted.size())
      return false;
    auto vote = state.accepted.begin();
    for (const AcceptedValue& accepted : recovered.accepted) {
      if (accepted.slot != vote->first || accepted.ballot != vote->second.ballot ||
          accepted.value != vote->second.value)
        return false;
      ++vote;
    }
    return true;
  }

  [[nodiscard]] static std::string text_of(const Recovered& recovered) {
    StorageState state;
    state.promised = recovered.promised;
    std::string text;
    Slot last = recovered.chosen_through;
    for (const AcceptedValue& accepted : recovered.accepted) {
      if (accepted.slot <= last) text = " (not in slot order, or not above chosen_through)";
      last = accepted.slot;
      state.accepted[accepted.slot] = {accepted.ballot, accepted.value};
    }
    return "promised " + to_string(recovered.promised) + ", chosen through " + to_string(recovered.chosen_through) +
           state.text().substr(state.text().find(", accepted")) + text;
  }

  std::optional<decltype(std::declval<Harness&>().open())> handle_;
  StorageState state_;          ///< the sum of all that was appended
  StorageState durable_state_;  ///< of what was flushed
  std::vector<Record> unflushed_;
  WriteTicket last_ticket_;
  bool has_failed_ = false;
};

}  // namespace paxos::testing
