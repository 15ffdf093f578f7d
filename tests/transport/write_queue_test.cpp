// Copyright (c) the paxos authors. MIT licence.
#include <algorithm>
#include <cstring>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <paxos/transport/write_queue.hpp>

#include "samples.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

constexpr std::uint64_t cluster = 0x0102030405060708;
constexpr std::size_t frame_max = 100'000;
using Pushed = WriteQueue::Pushed;

struct Rig {
  WriteQueue queue{cluster, frame_max, 300'000};
  AcceptFrameCache cache;

  Pushed push(const Message& message) { return queue.push(message, cache); }
  /// The bytes of the next write, in one run.
  Buffer write() {
    Buffer bytes;
    for (const auto part : queue.begin_write()) bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes;
  }
};

std::vector<Message> messages_in(const Buffer& bytes) {
  FrameReader reader{frame_max};
  reader.expect(cluster, frame_max, 4096);
  std::vector<Message> messages;
  std::size_t offered = 0;
  while (offered < bytes.size()) {
    const auto room = reader.room();
    const std::size_t size = std::min(room.size(), bytes.size() - offered);
    std::memcpy(room.data(), bytes.data() + offered, size);
    reader.arrived(size);
    offered += size;
    while (const auto frame = reader.next()) REQUIRE(decode_message(frame->payload, messages.emplace_back()));
  }
  CHECK(reader.error() == FrameError::none);
  return messages;
}

Message large_accept(std::uint64_t slot) { return Accept{{4, NodeId{2}}, Slot{slot}, Slot{8}, filled(50'000, 'v')}; }
Message bulk(char with, std::size_t size = 20'000) { return CatchUpReply{Slot{1}, Slot{9}, {filled(size, with)}}; }

}  // namespace

TEST_CASE("all that waits goes in one write, in order, large values shared", "[write_queue]") {
  Rig rig;
  std::vector<Message> sent;
  for (const Message& message : samples())
    if (!is_bulk(message)) sent.push_back(message);
  sent.insert(sent.begin() + 3, large_accept(1));
  sent.push_back(Forward{{{{1, 2}, 3}, 3, Slot{8}, filled(9'000, 'f')}});
  sent.push_back(ForwardReply{{{1, 2}, 3}, 0, Slot{8}, filled(9'000, 'r')});
  sent.push_back(large_accept(2));
  for (const Message& message : sent) REQUIRE(rig.push(message) == Pushed::queued);

  const auto parts = rig.queue.begin_write();
  Buffer bytes;
  for (const auto part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  CHECK(messages_in(bytes) == sent);
  CHECK(bytes.size() == rig.queue.bytes());
  const auto is_shared = [&](const Message& message) {
    const std::byte* const data = get<Accept>(message).value.data();
    return std::ranges::any_of(parts, [&](const auto part) { return part.data() == data; });
  };
  CHECK(is_shared(sent[3]));
  CHECK(is_shared(sent.back()));
  rig.queue.end_write();
  CHECK(rig.queue.bytes() == 0);
  CHECK(!rig.queue.has_pending());
}

TEST_CASE("a shared value makes the same bytes as a copied one", "[write_queue]") {
  for (const Message& message : {large_accept(1), Message{Forward{{{{1, 2}, 3}, 3, Slot{8}, filled(9'000, 'f')}}},
                                 Message{ForwardReply{{{1, 2}, 3}, 10, Slot{8}, filled(9'000, 'r')}}}) {
    Rig rig;
    REQUIRE(rig.push(message) == Pushed::queued);
    Buffer copied;
    append_message_frame(copied, cluster, message);
    CHECK(rig.write() == copied);
  }
}

TEST_CASE("the cached frame of an Accept serves that Accept only", "[write_queue]") {
  AcceptFrameCache cache;
  const Value value = filled(50'000, 'v');
  const Accept first{{4, NodeId{2}}, Slot{9}, Slot{8}, value};
  std::vector<Accept> others(5, first);
  others[1].ballot.round = 5;
  others[2].slot = Slot{10};
  others[3].chosen_through = Slot{9};
  others[4].value = filled(50'000, 'w');
  for (const Accept& accept : others) {
    for (int peer = 0; peer < 2; ++peer) {
      WriteQueue queue{cluster, frame_max, 300'000};
      REQUIRE(queue.push(accept, cache) == Pushed::queued);
      Buffer bytes;
      for (const auto part : queue.begin_write()) bytes.insert(bytes.end(), part.begin(), part.end());
      CHECK(messages_in(bytes) == std::vector<Message>{accept});
    }
    CHECK(cache.find(accept) != nullptr);
  }
  CHECK(cache.find(first) == nullptr);
}

TEST_CASE("what is queued during a write goes with the next one", "[write_queue]") {
  Rig rig;
  REQUIRE(rig.push(ReadIndex{1}) == Pushed::queued);
  const Buffer first = rig.write();
  REQUIRE(rig.push(ReadIndex{2}) == Pushed::queued);
  REQUIRE(rig.push(large_accept(3)) == Pushed::queued);
  CHECK(messages_in(first) == std::vector<Message>{ReadIndex{1}});
  rig.queue.end_write();
  CHECK(messages_in(rig.write()) == std::vector<Message>{ReadIndex{2}, large_accept(3)});
}

TEST_CASE("bulk messages go one at a time, and only when nothing else waits", "[write_queue]") {
  Rig rig;
  REQUIRE(rig.push(bulk('a')) == Pushed::queued);
  REQUIRE(rig.push(bulk('b')) == Pushed::queued);
  REQUIRE(rig.push(ReadIndex{1}) == Pushed::queued);
  CHECK(messages_in(rig.write()) == std::vector<Message>{ReadIndex{1}});
  rig.queue.end_write();
  CHECK(messages_in(rig.write()) == std::vector<Message>{bulk('a')});
  REQUIRE(rig.push(ReadIndex{2}) == Pushed::queued);
  REQUIRE(rig.push(ReadIndex{3}) == Pushed::queued);
  rig.queue.end_write();
  CHECK(messages_in(rig.write()) == std::vector<Message>{ReadIndex{2}, ReadIndex{3}});
  rig.queue.end_write();
  CHECK(messages_in(rig.write()) == std::vector<Message>{bulk('b')});
  rig.queue.end_write();
  CHECK(!rig.queue.has_pending());
  CHECK(rig.queue.bytes() == 0);
}

TEST_CASE("beyond its bound a queue drops, and what it holds stays whole", "[write_queue]") {
  Rig rig;
  std::vector<Message> kept;
  Pushed outcome = Pushed::queued;
  for (std::uint64_t slot = 1; outcome == Pushed::queued; ++slot) {
    outcome = rig.push(large_accept(slot));
    if (outcome == Pushed::queued) kept.push_back(large_accept(slot));
    REQUIRE(slot < 100);
  }
  CHECK(outcome == Pushed::full);
  CHECK(kept.size() == 5);
  CHECK(rig.queue.bytes() <= 300'000);
  CHECK(messages_in(rig.write()) == kept);
}

TEST_CASE("a message that no reader would take is not queued", "[write_queue]") {
  Rig rig;
  CHECK(rig.push(Accept{{4, NodeId{2}}, Slot{1}, Slot{}, filled(frame_max, 'v')}) == Pushed::too_large);
  CHECK(rig.push(bulk('a', frame_max)) == Pushed::too_large);
  CHECK(rig.queue.bytes() == 0);
  CHECK(!rig.queue.has_pending());
}

TEST_CASE("bulk messages have a share of the queue, and make room for the others", "[write_queue]") {
  Rig rig;
  std::size_t queued = 0;
  while (rig.push(bulk('a')) == Pushed::queued) ++queued;
  CHECK(queued == 3);
  std::size_t accepts = 0;
  while (rig.push(large_accept(accepts + 1)) == Pushed::queued) ++accepts;
  CHECK(accepts == 5);
  CHECK(rig.queue.bytes() <= 300'000);
}

TEST_CASE("what waited for a connection goes behind its hello", "[write_queue]") {
  Rig waiting;
  REQUIRE(waiting.push(bulk('a')) == Pushed::queued);
  REQUIRE(waiting.push(large_accept(1)) == Pushed::queued);
  Rig open;
  REQUIRE(open.push(ReadIndex{1}) == Pushed::queued);
  open.queue.append(std::move(waiting.queue));
  CHECK(waiting.queue.bytes() == 0);
  CHECK(messages_in(open.write()) == std::vector<Message>{ReadIndex{1}, large_accept(1)});
  open.queue.end_write();
  CHECK(messages_in(open.write()) == std::vector<Message>{bulk('a')});
  open.queue.end_write();
  CHECK(open.queue.bytes() == 0);
}
