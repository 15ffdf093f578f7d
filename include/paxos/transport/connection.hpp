// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>

#include <paxos/detail/platform.hpp>
#include <paxos/transport/frame.hpp>
#include <paxos/transport/write_queue.hpp>

namespace paxos::detail {

template <class Executor>
class Connection;

/// Who owns a connection and understands its frames. Not called after Connection::close(), nor from inside a call
/// to the connection.
template <class Executor>
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void on_frame(Connection<Executor>& connection, const Frame& frame) = 0;
  /// The connection is closed already.
  virtual void on_lost(Connection<Executor>& connection, std::string_view why) = 0;
};

/// One TCP connection: cuts what arrives into frames, writes what waits. Knows no handshake and no peer.
/// Lives as long as one of its operations is under way; all of it runs on the socket's executor.
template <class Executor>
class Connection : public std::enable_shared_from_this<Connection<Executor>> {
 public:
  using Owner = ConnectionOwner<Executor>;
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

  Connection(Socket socket, std::weak_ptr<Owner> owner, FrameReader reader, WriteQueue queue)
      : socket_(std::move(socket)), owner_(std::move(owner)), reader_(std::move(reader)), queue_(std::move(queue)) {
    tune();
  }

  /// Begins to read; once.
  void start() { read(); }

  [[nodiscard]] FrameReader& reader() { return reader_; }
  [[nodiscard]] WriteQueue& queue() { return queue_; }
  [[nodiscard]] bool is_closed() const { return closed_; }

  /// Writes what waits. A write under way is not disturbed; what waits follows it.
  void flush() {
    if (closed_ || is_writing_ || !queue_.has_pending()) return;
    is_writing_ = true;
    buffers_.clear();
    written_ = 0;
    for (const std::span<const std::byte> part : queue_.begin_write()) buffers_.emplace_back(part.data(), part.size());
    write();
  }

  /// Closes once all that waits is written.
  void finish() {
    is_finishing_ = true;
    flush();
    if (!is_writing_) close();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  /// A peer that vanished without a word is given up after this, in milliseconds and seconds.
  static constexpr unsigned unacknowledged_ms_max = 10'000;
  static constexpr int silence_seconds_before_probe = 15;

  void tune() {
    std::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
    socket_.set_option(asio::socket_base::keep_alive{true}, ignored);
    bound_silence(socket_.native_handle(), unacknowledged_ms_max, silence_seconds_before_probe);
  }

  /// The handler of both directions: Asio compiles its operations anew for each type of handler.
  struct Done {
    std::shared_ptr<Connection> self;
    void (Connection::*step)(const std::error_code&, std::size_t);
    void operator()(const std::error_code& error, std::size_t bytes) const { ((*self).*step)(error, bytes); }
  };

  void read() {
    const std::span<std::byte> room = reader_.room();
    socket_.async_read_some(asio::buffer(room.data(), room.size()),
                            Done{this->shared_from_this(), &Connection::on_read});
  }

  void write() {
    socket_.async_write_some(std::span<const asio::const_buffer>{buffers_}.subspan(written_),
                             Done{this->shared_from_this(), &Connection::on_written});
  }

  void on_read(const std::error_code& error, std::size_t bytes) {
    if (closed_) return;
    const std::shared_ptr<Owner> owner = owner_.lock();
    if (!owner) return close();
    if (error) return lose(*owner, error.message());
    reader_.arrived(bytes);
    while (const auto frame = reader_.next()) {
      owner->on_frame(*this, *frame);
      if (closed_) return;
    }
    if (reader_.error() != FrameError::none) return lose(*owner, to_string(reader_.error()));
    read();
  }

  void on_written(const std::error_code& error, std::size_t bytes) {
    if (closed_) return;
    for (; written_ < buffers_.size() && bytes >= buffers_[written_].size(); ++written_)
      bytes -= buffers_[written_].size();
    if (!error && written_ < buffers_.size()) {  // also for an owner who is gone: a last word goes out whole
      buffers_[written_] += bytes;
      return write();
    }
    const std::shared_ptr<Owner> owner = owner_.lock();
    if (!owner) return close();
    if (error) return lose(*owner, error.message());
    is_writing_ = false;
    queue_.end_write();
    if (is_finishing_ && !queue_.has_pending()) return close();
    flush();
  }

  void lose(Owner& owner, std::string_view why) {
    close();
    owner.on_lost(*this, why);
  }

  Socket socket_;
  std::weak_ptr<Owner> owner_;
  FrameReader reader_;
  WriteQueue queue_;
  std::vector<asio::const_buffer> buffers_;  ///< what is being written,
  std::size_t written_ = 0;                  ///< and how many of them are
  bool is_writing_ = false;
  bool is_finishing_ = false;
  bool closed_ = false;
};

}  // namespace paxos::detail
