// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include <paxos/core/archive.hpp>
#include <paxos/core/crc32c.hpp>
#include <paxos/core/membership.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::detail {

/// Which data directory each peer had when this node first met it: so that a peer whose disk was wiped is told from the
/// voter that it was, even after every node was started again.
///
/// The content of the file `peers`: eight bytes "PAXOSPR1", a 32-bit count, as many pairs of a node's id and its
/// incarnation, 64 bits each, and the CRC-32C of all that stands before it. Written beside and renamed.
template <FileSystem Files>
class PeerBook {
 public:
  /// Throws StorageError when the file is there and cannot be read.
  PeerBook(Files& files, DataDirectory<Files>& directory) : files_(files), directory_(directory) {
    if (std::ranges::binary_search(directory_.names(), "peers")) read();
  }

  /// Whether `incarnation` is the one of the peer's that this node knows. The first one is remembered, durably, before
  /// the answer is given; throws StorageError when that fails.
  [[nodiscard]] bool admits(NodeId peer, std::uint64_t incarnation) {
    if (const auto known = peers_.find(peer); known != peers_.end()) return known->second == incarnation;
    auto more = peers_;
    more.emplace(peer, incarnation);
    ensure(more.size() <= members_max, "PeerBook: more peers than a cluster has members");
    write(more);
    peers_ = std::move(more);
    return true;
  }

 private:
  static constexpr std::array<char, 8> magic{'P', 'A', 'X', 'O', 'S', 'P', 'R', '1'};

  void read() {
    const std::string name = directory_.file("peers");
    typename Files::File source;
    throw_on(files_.open(name, OpenMode::existing, source), "cannot open '" + name + "'");
    std::array<std::byte, 1024> bytes{};
    const IoResult read = read_fully(files_, source, bytes, 0);
    throw_on(read.error, "cannot read '" + name + "'");
    if (!parse(std::span{bytes}.first(read.bytes)))
      throw StorageError(
          "'" + name +
          "' is damaged (its checksum does not hold), so this node cannot tell a peer that was wiped from "
          "one that was not. The log is not concerned: if no peer's disk was replaced, remove this file, "
          "and the node will remember its peers anew");
  }

  [[nodiscard]] bool parse(std::span<const std::byte> bytes) {
    if (bytes.size() < magic.size() + 4 ||
        !std::ranges::equal(bytes.first(magic.size()), std::as_bytes(std::span{magic})))
      return false;
    const auto body = bytes.first(bytes.size() - 4);
    std::uint32_t crc = 0;
    if (!decode(bytes.last(4), crc) || crc != crc32c(body)) return false;
    Decoder decoder{body.subspan(magic.size())};
    for (std::uint32_t left = decoder.length(); left > 0 && decoder.ok(); --left) {
      NodeId peer;
      std::uint64_t incarnation = 0;
      decoder(peer, incarnation);
      peers_[peer] = incarnation;
    }
    return decoder.finished();
  }

  void write(const std::map<NodeId, std::uint64_t>& peers) {
    Buffer bytes;
    Encoder encoder{bytes};
    encoder.raw(magic.data(), magic.size());
    encoder(static_cast<std::uint32_t>(peers.size()));
    for (const auto& [peer, incarnation] : peers) encoder(peer, incarnation);
    encoder(crc32c(bytes));
    const std::string name = directory_.file("peers"), next = directory_.file("peers.tmp");
    typename Files::File target;
    auto error = files_.open(next, OpenMode::create_or_empty, target);
    if (!error) error = write_fully(files_, target, bytes, 0);
    if (!error) error = files_.sync(target);
    if (!error) error = files_.rename(next, name);
    throw_on(error, "cannot write '" + name + "'");
    directory_.sync();
  }

  Files& files_;
  DataDirectory<Files>& directory_;
  std::map<NodeId, std::uint64_t> peers_;
};

}  // namespace paxos::detail
