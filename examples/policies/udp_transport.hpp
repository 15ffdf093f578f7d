// Copyright (c) the paxos authors. MIT licence.
//
// A transport of one's own, to learn from: messages as UDP datagrams. It shows what a Transport may do, which is little
// more than to lose messages, and what it must do all the same: bound what waits, keep strangers and outdated disks
// out, never call back from inside a call, and outlive none of its handlers.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/udp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <paxos/core/archive.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/message.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/core/time.hpp>
#include <paxos/transport/address.hpp>
#include <paxos/transport/frame.hpp>
#include <paxos/transport/hello.hpp>
#include <paxos/transport/node_transport.hpp>

#include "examples/policies/udp_peer.hpp"

namespace examples {

using asio::ip::udp;

struct UdpOptions {
  paxos::Duration greet_interval = std::chrono::milliseconds{100};  ///< every peer is greeted so often, up or down
  paxos::Duration silence_max = std::chrono::seconds{1};            ///< whose greetings go unanswered is down
};

/// What a UdpTransport and its handlers share. It lives as long as one of these does, on one executor.
class UdpWire : public std::enable_shared_from_this<UdpWire> {
 public:
  UdpWire(asio::any_io_executor serial, const paxos::Config& config, paxos::StoreLife life,
          paxos::TransportEvents events, UdpOptions options)
      : serial_(std::move(serial)),
        config_(config),
        fingerprint_(config.fingerprint()),
        events_(std::move(events)),
        options_(options),
        greeter_(config, std::move(life), events_.refusal_of_peer),
        socket_(serial_),
        timer_(serial_) {
    if (options.greet_interval <= paxos::Duration::zero() || options.silence_max <= options.greet_interval)
      throw paxos::ConfigError("UdpOptions: greet_interval must be positive and below silence_max, or every peer is " +
                               std::string{"down between two greetings; try 100 ms and 1 s"});
    if (config.frame_bytes_max() > datagram_bytes_max - overhead)
      throw paxos::ConfigError("Config: the largest message (frame_bytes_max(), " +
                               std::to_string(config.frame_bytes_max()) + " bytes) must fit a datagram (" +
                               std::to_string(datagram_bytes_max - overhead) +
                               " bytes), as UdpTransport cuts no message in pieces; set batch_bytes_max, " +
                               "command_bytes_max, promise_bytes_max and catch_up_bytes_max to 8 KiB each");
    udp::endpoint own;
    for (const paxos::Member& member : config.members) {
      const udp::endpoint place = place_of(member);
      if (member.id == config.id) {
        own = place;
      } else {
        peers_.emplace(place, UdpPeer{member.id, random_number()});
      }
    }
    open(own);
  }

  void start() {
    receive();
    greet_all();
  }
  void stop() {
    is_stopped_ = true;
    std::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    for (auto& [place, peer] : peers_) peer.clear();
  }

  /// Queues. Nothing waits for a peer that is down: what matters is said again by then.
  void send(paxos::NodeId to, const paxos::Message& message) {
    const auto found =
        std::find_if(peers_.begin(), peers_.end(), [&](const auto& entry) { return entry.second.id == to; });
    if (is_stopped_ || found == peers_.end() || found->second.ticket == 0) return;
    UdpPeer& peer = found->second;
    paxos::Buffer datagram;
    paxos::append_frame(datagram, paxos::FrameKind::message, fingerprint_, [&](paxos::Buffer& out) {
      paxos::encode(out, peer.ticket);
      paxos::encode_message(out, message);
    });
    const bool is_too_large = datagram.size() > config_.frame_bytes_max() + overhead;
    if (is_too_large) return report_drop(peer, "larger than any message may be (Config::frame_bytes_max())");
    if (!peer.push(std::move(datagram), paxos::is_bulk(message), config_.peer_queue_bytes_max))
      report_drop(peer, "its queue is full (Config::peer_queue_bytes_max)");
  }

  /// Gives the kernel what it takes; the rest goes when it takes more.
  void flush() {
    if (is_stopped_ || is_blocked_) return;
    for (const auto queue : {&UdpPeer::urgent, &UdpPeer::bulk})
      for (auto& [place, peer] : peers_)
        for (auto& waiting = peer.*queue; !waiting.empty(); waiting.pop_front()) {
          if (!write(place, waiting.front())) return wait_for_room();
          peer.bytes -= waiting.front().size();
        }
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  static constexpr std::size_t overhead = paxos::frame_header_bytes + sizeof(std::uint64_t);
  static constexpr std::size_t greeting_bytes = 1200;  ///< fits every MTU
  static constexpr std::size_t reason_bytes_max = 400;
  static constexpr int reports_per_second = 20;

  static udp::endpoint place_of(const paxos::Member& member) {
    const std::string field = "address of member " + paxos::to_string(member.id);
    const paxos::Address address = paxos::parse_address(member.address, field);
    std::error_code error;
    const auto host = asio::ip::make_address(address.host, error);
    if (error || address.port == 0)
      throw paxos::ConfigError("Config: " + field + " (\"" + member.address +
                               "\") must be an IP address and a port other than 0, as UdpTransport knows a peer by " +
                               "where its datagrams come from; write, say, 127.0.0.1:7001");
    return {host, address.port};
  }
  void open(const udp::endpoint& place) try {
    socket_.open(place.protocol());
    socket_.bind(place);
    socket_.non_blocking(true);
    port_ = place.port();
    std::error_code ignored;  // the kernel may grant less: then more is lost, and said again
    socket_.set_option(asio::socket_base::receive_buffer_size{4 << 20}, ignored);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "UdpTransport: node " + paxos::to_string(config_.id) + " cannot have port " +
                                              std::to_string(place.port()) + " of " + place.address().to_string() +
                                              "; stop the process that has it, or name another");
  }

  // --- greeting

  void greet_all() {
    for (auto& [place, peer] : peers_) {
      if (peer.ticket != 0 && std::chrono::steady_clock::now() - peer.answered > options_.silence_max)
        go_down(peer, "it answers no more");
      if (is_stopped_) return;
      greet(place, peer);
    }
    timer_.expires_after(options_.greet_interval);
    timer_.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (!error && !self->is_stopped_) self->greet_all();
    });
  }
  void greet(const udp::endpoint& to, UdpPeer& peer) {
    UdpGreeting greeting{paxos::encoded(greeter_.hello_to(peer.id)), ++peer.asked};
    paxos::Buffer bare;
    paxos::encode(bare, greeting);
    greeting.padding.resize(greeting_bytes - std::min(greeting_bytes, bare.size()));
    send_frame(to, paxos::FrameKind::hello, greeting);
  }

  void on_greeting(UdpPeer& peer, std::span<const std::byte> payload) {
    UdpGreeting greeting;
    paxos::Hello hello;
    if (payload.size() < greeting_bytes || !paxos::decode(payload, greeting) ||
        !paxos::decode_hello(greeting.hello.span(), hello))
      return on_malformed(peer, "a malformed greeting");
    // A life that was let in need not be judged again each time that it says it is there.
    const bool is_known = peer.given != 0 && hello == known_hello(peer);
    paxos::Refusal refusal;
    if (hello.from != peer.id || hello.role != paxos::Role::peer) {
      refusal = {"only node " + paxos::to_string(peer.id) + " may speak from its address; correct Config::members"};
    } else if (!is_known) {
      refusal = greeter_.refusal_of(hello);
    }
    const bool is_new = refusal.is_welcome() && !is_known;
    if (is_new) {
      peer.given = random_number();
      peer.life_here = hello.life;
    }
    const std::string text = refusal.text;
    paxos::HelloReply reply = greeter_.reply(hello, std::move(refusal));
    reply.reason.resize(std::min(reply.reason.size(), reason_bytes_max));
    send_frame(sender_, paxos::FrameKind::hello_reply,
               UdpAnswer{paxos::encoded(reply), greeting.question, text.empty() ? peer.given : 0});
    if (is_new && peer.ticket == 0) greet(sender_, peer);  // it is there: do not let it wait for us
    if (std::exchange(peer.refusal_here, text) != text)
      refused("refused node " + paxos::to_string(peer.id) + ": " + text);
  }
  [[nodiscard]] paxos::Hello known_hello(const UdpPeer& peer) const {
    paxos::Hello hello = greeter_.hello_to(config_.id);
    hello.from = peer.id;
    hello.life = peer.life_here;
    return hello;
  }

  void on_answer(UdpPeer& peer, const paxos::Frame& frame) {
    UdpAnswer answer;
    paxos::HelloReply reply;
    if (!paxos::decode(frame.payload, answer) || !paxos::decode_hello(answer.reply.span(), reply))
      return on_malformed(peer, "a malformed answer");
    if (!peer.take_answer_to(answer.question)) return;
    const bool is_known = peer.ticket != 0 && reply.accepted && reply.life == peer.life_there && reply.node == peer.id;
    const paxos::Refusal ours = is_known ? paxos::Refusal{} : greeter_.refusal_of(peer.id, reply);
    if (reply.accepted && ours.is_welcome() && answer.ticket != 0) return go_up(peer, answer.ticket, reply.life);
    const std::string name = "node " + paxos::to_string(peer.id);
    const std::string text = reply.accepted ? "this node refuses " + name + ": " + ours.text
                                            : name + " refuses this node: " + paxos::detail::printable(reply.reason);
    go_down(peer, text);
    if (std::exchange(peer.refusal_there, text) != text) refused(text);
    // That its disk is outdated ends this node: believed of a member of this cluster on a disk that it would let in.
    if (reply.code == paxos::RefusalCode::outdated && ours.is_welcome() && frame.fingerprint == fingerprint_)
      tell(events_.on_outdated, peer.id, text);
  }

  void go_up(UdpPeer& peer, std::uint64_t ticket, const paxos::StoreLife& life) {
    const bool was_up = std::exchange(peer.ticket, ticket) != 0;
    peer.life_there = life;
    peer.answered = std::chrono::steady_clock::now();
    peer.is_down_told = false;
    peer.refusal_there.clear();
    if (!was_up) tell(events_.on_peer_up, peer.id);
  }
  void go_down(UdpPeer& peer, const std::string& why) {
    peer.ticket = 0;
    peer.clear();
    if (!std::exchange(peer.is_down_told, true)) tell(events_.on_peer_down, peer.id, why);
  }

  // --- datagrams

  void receive() {
    socket_.async_receive_from(asio::buffer(arrived_), sender_,
                               [self = shared_from_this()](const std::error_code& error, std::size_t bytes) {
                                 if (self->is_stopped_) return;
                                 if (!error) self->on_datagram(std::span{self->arrived_}.first(bytes));
                                 if (!self->is_stopped_) self->receive();
                               });
  }

  /// Whoever is no member costs one look at a map, and is never answered.
  void on_datagram(std::span<const std::byte> bytes) {
    const auto found = peers_.find(sender_);
    if (found == peers_.end())
      return refused("a datagram from " + sender_.address().to_string() + ", who is no member");
    UdpPeer& peer = found->second;
    for (auto rest = bytes; !rest.empty();) {
      const std::span<std::byte> room = reader_.room();
      const std::size_t size = std::min(room.size(), rest.size());
      std::copy_n(rest.begin(), size, room.begin());
      reader_.arrived(size);
      rest = rest.subspan(size);
    }
    const auto frame = reader_.next();
    if (frame && frame->payload.size() + paxos::frame_header_bytes == bytes.size()) {
      on_frame(peer, *frame);
    } else {
      reader_ = paxos::FrameReader{datagram_bytes_max};  // each datagram is a stream of its own
      on_malformed(peer, "malformed bytes");
    }
  }
  void on_frame(UdpPeer& peer, const paxos::Frame& frame) {
    if (frame.kind == paxos::FrameKind::hello) return on_greeting(peer, frame.payload);
    if (frame.kind == paxos::FrameKind::hello_reply) return on_answer(peer, frame);
    std::uint64_t ticket = 0;
    paxos::Message message;
    if (frame.payload.size() <= sizeof ticket) return on_malformed(peer, "a malformed message");
    if (!paxos::decode(frame.payload.first(sizeof ticket), ticket) || ticket != peer.given || ticket == 0) return;
    if (frame.fingerprint != fingerprint_ || !paxos::decode_message(frame.payload.subspan(sizeof ticket), message))
      return on_malformed(peer, "a malformed message");
    tell(events_.on_message, peer.id, std::move(message));
  }

  template <class Content>
  void send_frame(const udp::endpoint& to, paxos::FrameKind kind, const Content& content) {
    paxos::Buffer datagram;
    paxos::append_frame(datagram, kind, fingerprint_, [&](paxos::Buffer& out) { paxos::encode(out, content); });
    static_cast<void>(write(to, datagram));
  }
  /// False when the kernel takes no more for now. Any other error loses the message, as a network may.
  [[nodiscard]] bool write(const udp::endpoint& to, const paxos::Buffer& datagram) {
    std::error_code error;
    socket_.send_to(asio::buffer(datagram), to, 0, error);
    return error != asio::error::would_block && error != asio::error::no_buffer_space;
  }
  void wait_for_room() {
    is_blocked_ = true;
    socket_.async_wait(udp::socket::wait_write, [self = shared_from_this()](const std::error_code&) {
      self->is_blocked_ = false;
      self->flush();
    });
  }

  // --- telling

  /// Never from inside a call of the node's: its callers are handlers.
  template <class... Parameters, class... Arguments>
  void tell(const std::function<void(Parameters...)>& event, Arguments&&... arguments) {
    if (!is_stopped_ && event) event(std::forward<Arguments>(arguments)...);
  }
  /// From inside send(), so it is told later; at most one report of a peer is under way.
  void report_drop(UdpPeer& peer, std::string_view why) {
    if (peer.dropped++ > 0) return;
    asio::post(serial_, [self = shared_from_this(), &peer, why] {
      const std::string count = std::to_string(std::exchange(peer.dropped, 0));
      self->tell(self->events_.on_dropped, peer.id, "dropped " + count + " messages to it: " + std::string{why});
    });
  }
  void on_malformed(UdpPeer& peer, std::string_view what) {
    if (may_report()) tell(events_.on_dropped, peer.id, what);
  }
  void refused(const std::string& text) {
    if (may_report()) tell(events_.on_refused, text);
  }
  /// Strangers decide how often there is something to report.
  [[nodiscard]] bool may_report() {
    const auto now = std::chrono::steady_clock::now();
    if (now - reports_since_ >= std::chrono::seconds{1}) {
      reports_since_ = now;
      reports_ = 0;
    }
    return reports_++ < reports_per_second;
  }

  [[nodiscard]] static std::uint64_t random_number() {
    std::random_device entropy;
    return (std::uint64_t{entropy()} << 32 | entropy()) | 1;  // never 0
  }

  asio::any_io_executor serial_;
  paxos::Config config_;
  std::uint64_t fingerprint_;
  paxos::TransportEvents events_;
  UdpOptions options_;
  paxos::Greeter greeter_;
  udp::socket socket_;
  asio::steady_timer timer_;
  std::uint16_t port_ = 0;
  std::map<udp::endpoint, UdpPeer> peers_;
  std::array<std::byte, datagram_bytes_max> arrived_{};
  udp::endpoint sender_;
  paxos::FrameReader reader_{datagram_bytes_max};
  paxos::Time reports_since_{};
  int reports_ = 0;
  bool is_blocked_ = false;
  bool is_stopped_ = false;
};

// [snippet: udp_transport]
/// Carries messages between nodes as UDP datagrams, one each. Lost ones are not sent again: the protocol does that.
/// Remote clients are not served. Peers have numeric addresses, and are up while they answer greetings.
class UdpTransport {
 public:
  using Options = UdpOptions;

  /// Binds at once. Throws ConfigError when the largest message does not fit a datagram, or an address is not numeric;
  /// std::system_error when it cannot have its port.
  UdpTransport(asio::any_io_executor serial, const paxos::Config& config, paxos::StoreLife life,
               paxos::TransportEvents events, UdpOptions options = {})
      : wire_(std::make_shared<UdpWire>(std::move(serial), config, std::move(life), std::move(events), options)) {}
  UdpTransport(const UdpTransport&) = delete;
  UdpTransport& operator=(const UdpTransport&) = delete;
  ~UdpTransport() { stop(); }

  void start() { wire_->start(); }
  void send(paxos::NodeId to, const paxos::Message& message) { wire_->send(to, message); }
  void send_to_client(paxos::ClientId, const paxos::Message&) {}
  void end_turn() { wire_->flush(); }
  void stop() { wire_->stop(); }
  [[nodiscard]] std::uint16_t port() const { return wire_->port(); }

 private:
  std::shared_ptr<UdpWire> wire_;  // handlers that are still out when this is gone hold on to it
};

static_assert(paxos::NodeTransport<UdpTransport>);
// [end of snippet]

}  // namespace examples
