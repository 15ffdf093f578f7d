// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include <paxos/policy/storage.hpp>
#include <paxos/testing/storage_checks.hpp>
#include <paxos/testing/storage_fault_checks.hpp>
#include <paxos/testing/storage_harness.hpp>
#include <paxos/testing/storage_node_checks.hpp>

namespace paxos::testing {

/// One duty of a storage, and the function that looks whether it is done. That throws when it is not: DutyBroken, or
/// what the storage threw.
struct StorageCheck {
  std::string_view duty;
  void (*run)() = nullptr;  ///< nullptr when it cannot be run
  std::string_view lacks;   ///< what it needs and neither the harness nor the storage has; empty when it can be run
  bool has_threads = false;
};

namespace detail {

/// What a check needs, and whether it is there.
template <bool Has>
struct Need {
  std::string_view text;
};

template <StorageHarness Harness>
class StorageSuite {
 public:
  std::vector<StorageCheck> checks() && {
    add_plain();
    add_faults();
    add_threads();
    add_lives();
    add_peers();
    return std::move(all_);
  }

 private:
  using Store = typename Harness::Store;
  static constexpr bool persists = Harness::outlives_process, is_node = NodeStorage<Store>;
  static constexpr bool has_peers = RemembersPeers<Store>;
  static constexpr Need<true> nothing{};
  static constexpr Need<CutsPower<Harness>> power{"Harness::cut_power()"};

  template <bool Has, class Check>
  void add(std::string_view duty, Need<Has> need, Check, bool has_threads = false) {
    if constexpr (Has) {
      all_.push_back({duty, [] { Check{}.template operator()<Harness>(); }, {}, has_threads});
    } else {
      all_.push_back({duty, nullptr, need.text, has_threads});
    }
  }

  void add_plain() {
    add("an empty place holds nothing", nothing, []<class H>() { checks::is_born_empty<H>(); });
    add("the tickets of each life are 1, 2, 3 and so on", nothing, []<class H>() { checks::counts_tickets<H>(); });
    add("a flush makes durable all that was appended before it", nothing,
        []<class H>() { checks::flushes_groups<H>(); });
    add("backlog() grows with what is appended, and is 0 when all is flushed", nothing,
        []<class H>() { checks::counts_backlog<H>(); });
    add("a promise that was flushed is there after a restart", nothing,
        []<class H>() { checks::keeps_a_promise<H>(); });
    add("an older promise never lowers a newer one", nothing, []<class H>() { checks::never_lowers_a_promise<H>(); });
    add("an accepted ballot is promised as well", nothing, []<class H>() { checks::takes_a_vote_for_a_promise<H>(); });
    add("of the votes in a slot the newest ballot counts, and slots are told in order", nothing,
        []<class H>() { checks::keeps_the_newest_vote<H>(); });
    add("what is chosen can be read, flushed or not, and after a restart; nothing else can", nothing,
        []<class H>() { checks::keeps_what_is_chosen<H>(); });
    add("what was learned can be read, and is no vote", nothing,
        []<class H>() { checks::keeps_what_was_learned<H>(); });
    add("values of every size are kept to the byte", nothing, []<class H>() { checks::keeps_every_value<H>(); });
    add("many records are kept", nothing, []<class H>() { checks::keeps_many_records<H>(); });
    add("each life goes on where the last one ended", nothing,
        []<class H>() { checks::goes_on_in_the_next_life<H>(); });
    add("restarts change nothing", nothing, []<class H>() { checks::is_not_changed_by_restarts<H>(); });
    add("of what was not flushed a restart may lose the newest, and none before it", nothing,
        []<class H>() { checks::loses_the_newest_first<H>(); });
    add("random records and restarts agree with a plain model", nothing,
        []<class H>() { checks::agrees_with_the_model<H>(); });
  }

  void add_faults() {
    static constexpr Need<persists> outlives{"a storage that outlives its process (Harness::outlives_process)"};
    static constexpr Need<FillsDisk<Harness>> filling{"Harness::fill_disk() and heal()"};
    static constexpr Need<FailsWrites<Harness>> failing{"Harness::fail_writes() and heal()"};
    static constexpr Need<FailsWrites<Harness> && CutsPower<Harness>> failing_and_power{
        "Harness::fail_writes(), heal() and cut_power()"};
    static constexpr Need<FailsReads<Harness>> failing_reads{"Harness::fail_reads() and heal()"};
    static constexpr Need<Damages<Harness>> damaging{"Harness::damage(seed)"};
    add("a process that dies loses nothing that it flushed", outlives,
        []<class H>() { checks::survives_its_process<H>(); });
    add("what recover() gives is durable already", power,
        []<class H>() { checks::believes_only_what_is_durable<H>(); });
    static constexpr Need<Kills<Harness> && CutsPower<Harness>> killing{"Harness::kill() and cut_power()"};
    add("what recover() gives after a process died in a flush is durable already", killing,
        []<class H>() { checks::believes_no_cache<H>(); });
    add("random records and power cuts agree with a plain model", power,
        []<class H>() { checks::survives_power_cuts<H>(); });
    add("a full disk keeps the records waiting, and a later flush writes them", filling,
        []<class H>() { checks::waits_for_space<H>(); });
    add("a restart on a full disk loses nothing that was flushed", filling,
        []<class H>() { checks::loses_nothing_on_a_full_disk<H>(); });
    add("after a failed flush nothing is ever confirmed again, and the next life finds what was", failing,
        []<class H>() { checks::never_confirms_again<H>(); });
    add("after a failed flush the next life believes nothing that a power cut can take", failing_and_power,
        []<class H>() { checks::distrusts_the_cache_after_a_failure<H>(); });
    add("a read that fails gives nothing, and ends in a failed flush", failing_reads,
        []<class H>() { checks::tells_of_failed_reads<H>(); });
    add("damaged data are refused, or read as nothing, and never believed", damaging,
        []<class H>() { checks::does_not_believe_damage<H>(); });
  }

  void add_threads() {
    static constexpr Need<!SingleThreaded<Harness>> threads{"a storage for two threads (Harness::is_single_threaded)"};
    static constexpr Need<HoldsFlush<Harness>> holding{"Harness::hold_flush(), wait_until_held() and release_flush()"};
    add(
        "append(), read(), durable() and backlog() run beside a flush", threads,
        []<class H>() { checks::serves_two_threads<H>(); }, true);
    add(
        "nobody waits for a flush that hangs, and what comes meanwhile is in the next one", holding,
        []<class H>() { checks::does_not_wait_for_a_flush<H>(); }, true);
  }

  void add_lives() {
    static constexpr Need<is_node> lives{"a storage that models NodeStorage"};
    static constexpr Need<is_node && CutsPower<Harness>> lives_and_power{
        "a storage that models NodeStorage, and Harness::cut_power()"};
    static constexpr Need<persists> outlives{"a storage that outlives its process (Harness::outlives_process)"};
    static constexpr Need<OpensAsOther<Harness>> as_other{"Harness::open_as(cluster, node)"};
    add("each start is another life, and descends from those before it", lives,
        []<class H>() { checks::tells_its_lives_apart<H>(); });
    add("a life is durable once the storage is open", lives_and_power,
        []<class H>() { checks::remembers_its_life_at_once<H>(); });
    add("a place is open once at a time", outlives, []<class H>() { checks::is_opened_once<H>(); });
    add("a place belongs to one node of one cluster", as_other, []<class H>() { checks::belongs_to_one_node<H>(); });
  }

  void add_peers() {
    static constexpr Need<has_peers> peers{"a storage that models RemembersPeers"};
    static constexpr Need<has_peers && persists> peers_and_process{
        "a storage that models RemembersPeers and outlives its process"};
    static constexpr Need<has_peers && CutsPower<Harness>> peers_and_power{
        "a storage that models RemembersPeers, and Harness::cut_power()"};
    static constexpr Need<has_peers && FailsWrites<Harness>> peers_and_failing{
        "a storage that models RemembersPeers, and Harness::fail_writes() and heal()"};
    add("the newest life of a peer is remembered, and none before or beside it is let in", peers,
        []<class H>() { checks::remembers_peers<H>(); });
    add("a peer that was let in is remembered though the process dies", peers_and_process,
        []<class H>() { checks::remembers_peers_when_it_dies<H>(); });
    add("a peer that was let in is remembered though the power goes", peers_and_power,
        []<class H>() { checks::remembers_peers_without_power<H>(); });
    add("a peer that cannot be remembered is not let in", peers_and_failing,
        []<class H>() { checks::admits_nobody_whom_it_would_forget<H>(); });
    add("an outdated storage is never opened again", peers,
        []<class H>() { checks::is_never_opened_once_outdated<H>(); });
    add("an outdated storage is known as such though the process dies", peers_and_process,
        []<class H>() { checks::is_outdated_when_it_dies<H>(); });
  }

  std::vector<StorageCheck> all_;
};

}  // namespace detail

/// All duties that the suite knows, in an order to read. Needs no test framework; storage_conformance.hpp hands them to
/// Catch2.
template <StorageHarness Harness>
[[nodiscard]] std::vector<StorageCheck> storage_checks() {
  return detail::StorageSuite<Harness>{}.checks();
}

}  // namespace paxos::testing
