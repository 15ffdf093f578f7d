// Copyright (c) the paxos authors. MIT licence.
//
// The remote client before a server that says whatever it likes, over a real connection on the loopback: every command
// is answered exactly once, whatever came, and well only with a result that was sent for its session; what the client
// sends is frames and messages; nothing is thrown.
#include <sys/socket.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include <paxos/client/client_core.hpp>

#include "check.hpp"
#include "input.hpp"

namespace paxos::fuzz {

namespace {

using asio::ip::tcp;

constexpr std::uint64_t fingerprint = 77;

/// One client and one hostile server on one thread. The listener outlives them: a port is opened once.
class Rig {
 public:
  explicit Rig(Input& input) : input_(input) {
    ClientConfig config;
    // Many names of one server: a client is quick to try the next node, and slow to try the first one again.
    config.addresses.assign(64, "127.0.0.1:" + std::to_string(listener().local_endpoint().port()));
    config.pending_max = 4;
    config.pending_bytes_max = 4096;
    config.command_bytes_max = 1024;
    core_ = std::make_shared<detail::ClientCore<asio::any_io_executor>>(context().get_executor(), config);
    core_->start();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void run() {
    while (!input_.empty()) {
      meet();
      talk();
    }
    push();
    core_->stop();
    hang_up();
    core_.reset();
    // What is left ends by itself: cancelled waits, and handlers of a closed socket.
    poll();
    drop_unmet();
    check(answered_ == pushed_, "after stop() every command has had its answer");
  }

 private:
  /// One context for all runs: what is left of one must not disturb the next.
  static asio::io_context& context() {
    static asio::io_context context{1};
    return context;
  }
  static tcp::acceptor& listener() {
    static tcp::acceptor listener{context(), tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
    return listener;
  }

  void poll() {
    context().restart();
    for (int rounds = 0; rounds < 64 && context().poll() > 0; ++rounds) {
    }
  }

  /// Waits until the client is connected.
  void meet() {
    if (peer_) return;
    std::optional<bool> outcome;
    peer_.emplace(context());
    listener().async_accept(*peer_, [&](std::error_code error) { outcome = !error; });
    context().restart();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (!outcome && std::chrono::steady_clock::now() < end) context().run_one_for(std::chrono::milliseconds{50});
    check(outcome == true, "a client whose server went comes back");
    // A reset leaves no port behind that waits for late packets.
    peer_->set_option(asio::socket_base::linger{true, 0});
    peer_->non_blocking(true);
    reader_.emplace(std::size_t{1} << 16);
    sent_ = 0;
  }

  /// Connections that nobody accepted would be met by the next run.
  static void drop_unmet() {
    listener().non_blocking(true);
    for (std::error_code error; !error;) {
      tcp::socket unmet{context()};
      listener().accept(unmet, error);
      std::error_code ignored;
      if (!error) unmet.set_option(asio::socket_base::linger{true, 0}, ignored);
    }
  }

  void hang_up() {
    if (!peer_) return;
    std::error_code ignored;
    peer_->close(ignored);
    peer_.reset();
  }

  void push() {
    ++pushed_;
    core_->push(Bytes{input_.take(input_.byte() % 32U)},
                [this, is_over = std::make_shared<bool>(false)](std::error_code error, const Bytes& result) {
                  check(!std::exchange(*is_over, true), "a command is answered once");
                  check(error || told_.contains(std::string{result.text()}), "a result is one that was sent for it");
                  ++answered_;
                });
  }

  void talk() {
    Buffer out;
    switch (input_.byte() % 10) {
      case 0: push(); break;
      case 1:
      case 2: append_hello_reply_frame(out, fingerprint, HelloReply{true, {}, NodeId{1}, {1, 1, {1}}}); break;
      case 3:
        append_frame(out, FrameKind::hello_reply, input_.byte(), [&](Buffer& payload) {
          const auto bytes = input_.take(input_.byte());
          payload.insert(payload.end(), bytes.begin(), bytes.end());
        });
        break;
      case 4: append_message_frame(out, fingerprint, ReadIndexReply{1, true, Slot{input_.byte()}}); break;
      case 5: tell(out, reply()); break;
      case 6: {
        Message message;
        if (decode_message(input_.take(input_.byte()), message)) tell(out, message);
        break;
      }
      case 7: {
        const auto bytes = input_.take(input_.byte());
        out.assign(bytes.begin(), bytes.end());
        break;
      }
      case 8: listen(); break;
      default: return hang_up();
    }
    std::error_code error;
    if (!out.empty()) asio::write(*peer_, asio::buffer(out), error);
    poll();
    listen();
    if (error || is_gone_) {
      is_gone_ = false;
      hang_up();
    }
  }

  void tell(Buffer& out, const Message& message) {
    append_message_frame(out, fingerprint, message);
    const auto* reply = get_if<ForwardReply>(&message);
    if (reply != nullptr && reply->error == 0 && reply->id.session == last_.session)
      told_.emplace(reply->result.text());
  }

  /// Takes what the client sent: it must be understood, and the commands are remembered.
  void listen() {
    for (;;) {
      const auto room = reader_->room();
      std::error_code error;
      const std::size_t bytes = peer_->read_some(asio::buffer(room.data(), room.size()), error);
      if (error) {
        is_gone_ = error != asio::error::would_block;
        return;
      }
      reader_->arrived(bytes);
      while (const auto frame = reader_->next()) hear(*frame);
      check(reader_->error() == FrameError::none, "a client sends frames");
    }
  }

  void hear(const Frame& frame) {
    check((frame.kind == FrameKind::hello) == (sent_ == 0), "the hello comes first, and once");
    ++sent_;
    if (frame.kind == FrameKind::hello) {
      Hello hello;
      check(decode_hello(frame.payload, hello) && hello.role == Role::client, "a client says that it is one");
      return;
    }
    Message message;
    check(decode_message(frame.payload, message), "a client sends messages");
    if (const auto* forward = get_if<Forward>(&message)) {
      check(forward->command.settled_below <= forward->command.id.sequence, "what is asked is not settled");
      last_ = forward->command.id;
    }
  }

  [[nodiscard]] ForwardReply reply() {
    const std::uint8_t form = input_.byte();
    ForwardReply reply{last_, form % 20U, Slot{input_.byte()}, Bytes{input_.take(form / 16U)}};
    const std::uint8_t alteration = input_.byte();
    if (alteration % 8 == 1) reply.id.session.high += alteration;
    if (alteration % 8 == 2) reply.id.sequence = input_.number(1 + alteration / 32U);
    return reply;
  }

  Input& input_;
  std::shared_ptr<detail::ClientCore<asio::any_io_executor>> core_;
  std::optional<tcp::socket> peer_;
  std::optional<FrameReader> reader_;
  std::size_t sent_ = 0;
  bool is_gone_ = false;
  RequestId last_;              ///< of the newest command that the client sent
  std::set<std::string> told_;  ///< results that were sent for its session
  std::size_t pushed_ = 0;
  std::size_t answered_ = 0;
};

}  // namespace

}  // namespace paxos::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paxos::fuzz;
  Input input{data, size};
  Rig{input}.run();
  return 0;
}
