// Copyright (c) the paxos authors. MIT licence.
//
// The conformance suite on transports that break one duty each: transports FAULT [CATCH2 ARGUMENT...]. Without a fault
// all of it passes.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch_session.hpp>

#include <paxos/testing/transport_conformance.hpp>

#include "transport/tcp_harness.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

constexpr std::string_view faults[] = {"none",
                                       "wrong_sender",
                                       "loses_a_kind",
                                       "alters_a_byte",
                                       "calls_back_in_send",
                                       "tells_after_stop",
                                       "tells_before_start",
                                       "unbounded_queue",
                                       "one_queue_for_all",
                                       "ignores_refusal",
                                       "lets_strangers_in",
                                       "forgets_the_turn",
                                       "sends_at_once",
                                       "bulk_first",
                                       "never_tells_down",
                                       "tells_up_twice",
                                       "tells_gone_twice",
                                       "remembers_no_disk",
                                       "serves_all_clients",
                                       "tells_on_another_thread",
                                       "drops_the_too_large_untold",
                                       "tells_a_refusal_twice",
                                       "is_never_reached_by_strangers"};
std::string_view fault = "none";

class BrokenTransport {
 public:
  using Options = TcpOptions;

  BrokenTransport(asio::any_io_executor serial, const Config& config, StoreLife life, TransportEvents events,
                  Options options)
      : events_(std::make_shared<TransportEvents>(events)),
        is_alive_(std::make_shared<bool>(true)),
        net_(serial, broken(config), std::move(life), broken(std::move(events)), broken(std::move(options))) {
    if (fault == "tells_before_start")
      asio::post(serial, [all = events_, alive = std::weak_ptr{is_alive_}] {
        if (!alive.expired()) all->on_refused("a word too early");
      });
  }

  void start() { net_.start(); }
  void send(NodeId to, Message message) {
    if (fault == "loses_a_kind" && holds_alternative<Nack>(message)) return;
    if (fault == "calls_back_in_send" && to == NodeId{77}) return events_->on_dropped(to, "nobody is there");
    if (fault == "one_queue_for_all" && is_any_queue_long()) return;
    if (fault == "bulk_first" && !is_bulk(message) && is_any_queue_long())
      return late_.emplace_back(to, message), void();
    if (auto* accept = get_if<Accept>(&message); fault == "alters_a_byte" && accept != nullptr) {
      Buffer bytes{accept->value.span().begin(), accept->value.span().end()};
      if (!bytes.empty()) bytes.back() ^= std::byte{1};
      accept->value = Bytes{bytes};
    }
    net_.send(to, message);
    if (fault == "sends_at_once") net_.end_turn();
  }
  void send_to_client(ClientId client, const Message& message) { net_.send_to_client(client, message); }
  void end_turn() {
    if (fault == "forgets_the_turn") return;
    for (; !late_.empty() && !is_any_queue_long(); late_.pop_front())
      net_.send(late_.front().first, late_.front().second);
    net_.end_turn();
  }
  void stop() {
    if (fault != "tells_after_stop") net_.stop();
  }
  [[nodiscard]] std::uint16_t port() const { return net_.port(); }

 private:
  static Config broken(Config config) {
    if (fault == "unbounded_queue") config.peer_queue_bytes_max = std::size_t{1} << 30;
    if (fault == "lets_strangers_in") config.cluster = "paxos";
    return config;
  }
  static Options broken(Options options) {
    if (fault == "serves_all_clients") options.clients_max = 1000;
    return options;
  }
  static TransportEvents broken(TransportEvents events) {
    if (fault == "wrong_sender")
      events.on_message = [tell = events.on_message](NodeId, Message&& message) {
        tell(NodeId{1}, std::move(message));
      };
    if (fault == "ignores_refusal") events.refusal_of_peer = nullptr;
    if (fault == "remembers_no_disk") events.refusal_of_peer = [](NodeId, const StoreLife&) { return Refusal{}; };
    if (fault == "tells_on_another_thread")
      events.on_message = [tell = events.on_message](NodeId from, Message&& message) {
        std::thread{[&] { tell(from, std::move(message)); }}.join();
      };
    if (fault == "never_tells_down") events.on_peer_down = nullptr;
    if (fault == "drops_the_too_large_untold") events.on_dropped = nullptr;
    if (fault == "tells_up_twice")
      events.on_peer_up = [tell = events.on_peer_up](NodeId peer) {
        tell(peer);
        tell(peer);
      };
    if (fault == "tells_a_refusal_twice")
      events.on_refused = [tell = events.on_refused](std::string_view text) {
        tell(text);
        tell(text);
      };
    if (fault == "tells_gone_twice")
      events.on_client_gone = [tell = events.on_client_gone](ClientId client) {
        tell(client);
        tell(client);
      };
    return events;
  }
  [[nodiscard]] bool is_any_queue_long() const {
    return std::max({net_.queued_bytes(NodeId{1}), net_.queued_bytes(NodeId{2}), net_.queued_bytes(NodeId{3})}) >
           (std::size_t{1} << 20);
  }

  std::shared_ptr<TransportEvents> events_;
  std::shared_ptr<bool> is_alive_;
  std::deque<std::pair<NodeId, Message>> late_;
  TcpTransport net_;
};

struct BrokenHarness : TcpHarnessOf<BrokenTransport> {
  static inline std::chrono::milliseconds patience{1'000};  // most of these never do what is waited for

  using TcpHarnessOf::TcpHarnessOf;
  void inject(const std::string& address, std::span<const std::byte> bytes) {
    if (fault != "is_never_reached_by_strangers") TcpHarnessOf::inject(address, bytes);
  }
};

const testing::TransportConformance<BrokenHarness> tests{"Broken"};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::ranges::count(faults, std::string_view{argv[1]}) == 0) {
    std::puts("usage: transports FAULT [CATCH2 ARGUMENT...], FAULT being one of");
    for (const std::string_view one : faults) std::printf("  %.*s\n", static_cast<int>(one.size()), one.data());
    return 2;
  }
  fault = argv[1];
  if (fault == "none") BrokenHarness::patience = testing::TransportDuties::patience;
  argv[1] = argv[0];
  return Catch::Session().run(argc - 1, argv + 1);
}
