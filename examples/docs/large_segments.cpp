// Copyright (c) the paxos authors. MIT licence.
//
// A storage whose log is in larger files: what docs/storage.md shows.
#include <cstddef>

#include <paxos/core/config.hpp>
#include <paxos/policy/storage.hpp>
#include <paxos/storage/file_storage.hpp>

// clang-format off
// [snippet: large_segments]
struct LargeSegments : paxos::FileStorage {
  explicit LargeSegments(const paxos::Config& config)
      : paxos::FileStorage{config, {.segment_bytes = std::size_t{256} << 20}} {}
};
// [end of snippet]
// clang-format on
static_assert(paxos::RemembersPeers<LargeSegments>);
