// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include <asio.hpp>

namespace chaos {

using Clock = std::chrono::steady_clock;

/// What becomes of the bytes that go one way.
struct Weather {
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds jitter{0};  ///< up to this much is added to the delay of each piece; order is kept
  std::size_t bytes_per_second = 0;     ///< 0: no bound
  bool holds = false;                   ///< nothing moves and nothing is lost: all of it comes later
  bool loses = false;                   ///< what is sent is gone, and nobody is told

  friend bool operator==(const Weather&, const Weather&) = default;
};

/// What a link did, to tell whether a fault hit anything.
struct Counts {
  std::uint64_t connections = 0;
  std::uint64_t turned_away = 0;  ///< connections that were refused
  std::uint64_t resets = 0;       ///< connections that were cut by force
  std::uint64_t bytes = 0;        ///< passed on
  std::uint64_t bytes_lost = 0;
  std::uint64_t bytes_late = 0;  ///< passed on later than they came, on purpose

  Counts& operator+=(const Counts& other) {
    connections += other.connections;
    turned_away += other.turned_away;
    resets += other.resets;
    bytes += other.bytes;
    bytes_lost += other.bytes_lost;
    bytes_late += other.bytes_late;
    return *this;
  }
};

/// One connection through a link: two sockets, and the bytes between them. Runs on the thread of its sockets.
/// Knows nothing of what the bytes mean. Each way holds at most `queue_bytes_max`, and then reads no more.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  /// `on_end` is called once, when either side is gone. `counts` must outlive the relay.
  Relay(asio::ip::tcp::socket dialler, asio::ip::tcp::socket target, Counts& counts, std::uint64_t seed,
        std::function<void()> on_end)
      : sockets_{std::move(dialler), std::move(target)},
        ways_{Way{asio::steady_timer{sockets_[0].get_executor()}}, Way{asio::steady_timer{sockets_[0].get_executor()}}},
        counts_(counts),
        random_(seed),
        on_end_(std::move(on_end)) {}

  void start(const std::array<Weather, 2>& weather) {
    for (std::size_t way : {0U, 1U}) {
      std::error_code ignored;
      sockets_[way].set_option(asio::ip::tcp::no_delay(true), ignored);
      ways_[way].weather = weather[way];
      read(way);
    }
  }

  /// A stream that lost bytes is none: once its weather is fair again, it is cut.
  void set(const std::array<Weather, 2>& weather) {
    for (std::size_t way : {0U, 1U}) {
      if (ways_[way].has_lost && !weather[way].loses) return reset();
    }
    for (std::size_t way : {0U, 1U}) {
      ways_[way].weather = weather[way];
      const auto latest = Clock::now() + longest(weather[way]);
      for (Piece& piece : ways_[way].pieces) piece.due = std::min(piece.due, latest);
      ways_[way].last_due = std::min(ways_[way].last_due, latest);
      ways_[way].timer.cancel();
      read(way);
      write(way);
    }
  }

  /// Cuts the connection so that both sides hear of it at once, and what was under way is lost.
  void reset() {
    if (has_ended_) return;
    ++counts_.resets;
    for (auto& socket : sockets_) {
      std::error_code ignored;
      socket.set_option(asio::socket_base::linger(true, 0), ignored);
    }
    end();
  }

  void end() {
    if (std::exchange(has_ended_, true)) return;
    for (std::size_t way : {0U, 1U}) {
      std::error_code ignored;
      ways_[way].timer.cancel();
      sockets_[way].close(ignored);
    }
    on_end_();
  }

 private:
  static constexpr std::size_t queue_bytes_max = std::size_t{256} << 10;

  struct Piece {
    std::vector<char> bytes;
    Clock::time_point due;
  };
  /// From socket `way` to the other one.
  struct Way {
    explicit Way(asio::steady_timer wait) : timer(std::move(wait)) {}
    Weather weather{};
    asio::steady_timer timer;
    std::array<char, 16384> chunk{};
    std::deque<Piece> pieces;
    std::size_t queued = 0;
    Clock::time_point last_due{};
    bool is_reading = false;
    bool is_writing = false;
    bool has_lost = false;
    bool has_ended = false;  ///< nothing more will come
  };

  static Clock::duration longest(const Weather& weather) { return weather.delay + weather.jitter; }

  void read(std::size_t index) {
    Way& way = ways_[index];
    if (has_ended_ || way.is_reading || way.has_ended || way.queued >= queue_bytes_max || way.weather.holds) return;
    way.is_reading = true;
    sockets_[index].async_read_some(asio::buffer(way.chunk),
                                    [self = shared_from_this(), index](const std::error_code& error, std::size_t size) {
                                      self->ways_[index].is_reading = false;
                                      if (self->has_ended_) return;
                                      if (error) return self->on_no_more(index, error);
                                      self->on_bytes(index, size);
                                      self->read(index);
                                    });
  }

  void on_bytes(std::size_t index, std::size_t size) {
    Way& way = ways_[index];
    if (way.weather.loses || way.has_lost) {
      way.has_lost = true;
      counts_.bytes_lost += size;
      return;
    }
    const auto now = Clock::now();
    auto due = now + way.weather.delay;
    if (way.weather.jitter.count() > 0) {
      due += std::chrono::milliseconds{random_() % static_cast<std::uint64_t>(way.weather.jitter.count() + 1)};
    }
    due = std::max(due, way.last_due);
    if (way.weather.bytes_per_second > 0) {
      due += std::chrono::microseconds{std::uint64_t{1'000'000} * size / way.weather.bytes_per_second};
    }
    way.last_due = due;
    way.queued += size;
    way.pieces.push_back(Piece{{way.chunk.data(), way.chunk.data() + size}, due});
    write(index);
  }

  /// The end of one way is passed on behind what is still queued; anything else ends both.
  void on_no_more(std::size_t index, const std::error_code& error) {
    if (error != asio::error::eof) return end();
    ways_[index].has_ended = true;
    write(index);
  }

  void write(std::size_t index) {
    Way& way = ways_[index];
    if (has_ended_ || way.is_writing || way.weather.holds) return;
    if (way.pieces.empty()) return pass_end(index);
    if (way.weather.loses) {
      for (const Piece& piece : way.pieces) counts_.bytes_lost += piece.bytes.size();
      way.has_lost = true;
      way.queued = 0;
      return way.pieces.clear();
    }
    way.is_writing = true;
    const auto due = way.pieces.front().due;
    if (due <= Clock::now()) return write_now(index, false);
    way.timer.expires_at(due);
    way.timer.async_wait([self = shared_from_this(), index](const std::error_code& changed) {
      if (!changed) return self->write_now(index, true);
      self->ways_[index].is_writing = false;
      self->write(index);
    });
  }

  void write_now(std::size_t index, bool is_late) {
    Way& way = ways_[index];
    way.is_writing = false;
    if (has_ended_ || way.pieces.empty()) return;
    if (way.weather.holds || way.weather.loses) return write(index);
    way.is_writing = true;
    const auto piece = std::make_shared<Piece>(std::move(way.pieces.front()));
    way.pieces.pop_front();
    asio::async_write(
        sockets_[1 - index], asio::buffer(piece->bytes),
        [self = shared_from_this(), index, piece, is_late](const std::error_code& error, std::size_t size) {
          Way& done = self->ways_[index];
          done.is_writing = false;
          if (self->has_ended_) return;
          if (error) return self->end();
          done.queued -= std::min(done.queued, size);
          self->counts_.bytes += size;
          if (is_late) self->counts_.bytes_late += size;
          self->read(index);
          self->write(index);
        });
  }

  void pass_end(std::size_t index) {
    if (!ways_[index].has_ended || ways_[index].weather.loses || ways_[index].has_lost) return;
    std::error_code ignored;
    sockets_[1 - index].shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (ways_[1 - index].has_ended && ways_[1 - index].pieces.empty()) end();
  }

  std::array<asio::ip::tcp::socket, 2> sockets_;
  std::array<Way, 2> ways_;
  Counts& counts_;
  std::mt19937_64 random_;
  std::function<void()> on_end_;
  bool has_ended_ = false;
};

}  // namespace chaos
