// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/seal.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos {

/// Whose directory it is. The content of the file `identity`: eight bytes "PAXOSID1", the fields, and the CRC-32C of
/// all that stands before it.
struct Identity {
  std::uint32_t format = 1;
  std::string cluster;
  NodeId node;
  std::uint64_t incarnation = 0;  ///< random, made with the directory: tells a wiped node from the one that it was

  friend bool operator==(const Identity&, const Identity&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(format, cluster, node, incarnation);
  }
};

/// One node's data directory: locked to this process, bound to one cluster and node for good. Knows no record.
///
/// A new directory becomes valid in one step, finish_creation(), once the first segment is in it; until then
/// `identity.tmp` marks what is there as unfinished, and a crash leaves nothing that counts.
template <FileSystem Files>
class DataDirectory {
 public:
  /// Throws StorageError when another process holds it, or it belongs to another node or cluster.
  DataDirectory(Files& files, std::string path, const std::string& cluster, NodeId node)
      : files_(files), path_(std::move(path)) {
    if (path_.empty()) throw StorageError("Config: data_dir is empty; name a directory for this node alone");
    detail::throw_on(files_.create_directories(path_), "cannot create data_dir '" + path_ + "'");
    take_lock();
    list_names();
    if (has("identity")) {
      // A process that died may have left names that only the cache knows. Were they believed, a power cut could take
      // them later, and all that was acknowledged meanwhile.
      sync();
      sync_parents();
      read_identity(cluster, node);
    } else {
      refuse_orphans();
      identity_ = Identity{1, cluster, node, files_.random()};
      is_new_ = true;
      begin_creation();
    }
  }

  [[nodiscard]] const Identity& identity() const { return identity_; }
  /// The first segment does not exist yet; finish_creation() is still to come.
  [[nodiscard]] bool is_new() const { return is_new_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The entries at the time of opening.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool has(const std::string& name) const { return std::ranges::binary_search(names_, name); }

  void finish_creation() {
    detail::throw_on(files_.rename(file("identity.tmp"), file("identity")), "cannot create '" + file("identity") + "'");
    sync();
    sync_parents();
  }

  void sync() { detail::throw_on(files_.sync_directory(path_), "cannot sync the directory '" + path_ + "'"); }

  [[nodiscard]] static bool is_segment_name(const std::string& name) {
    return name.starts_with("log-") && name.ends_with(".paxos");
  }

 private:
  void take_lock() {
    detail::throw_on(files_.open(file("lock"), OpenMode::create, lock_), "cannot open '" + file("lock") + "'");
    if (!files_.try_lock(lock_)) {
      std::array<std::byte, 20> pid{};
      const IoResult read = detail::read_fully(files_, lock_, pid, 0);
      std::string holder;
      for (std::size_t i = 0; i < read.bytes && pid[i] >= std::byte{'0'} && pid[i] <= std::byte{'9'}; ++i)
        holder += static_cast<char>(pid[i]);
      throw StorageError(
          "data_dir '" + path_ + "' is in use by " + (holder.empty() ? "another process" : "process " + holder) +
          "; two nodes on one log would ruin it: stop that one, or give this node a directory of its own");
    }
    const std::string pid = std::to_string(::getpid()) + "\n                    ";
    // The pid only serves the message above, so a full disk is no reason to refuse here.
    static_cast<void>(files_.write_at(lock_, std::as_bytes(std::span{pid}).first(20), 0));
  }

  /// Any of them may have been made just now. Only the nearest must let itself be synced: others need not be ours.
  void sync_parents() {
    auto parent = (std::filesystem::absolute(path_) / ".").lexically_normal().parent_path();
    bool is_nearest = true;
    while (parent.has_relative_path()) {
      parent = parent.parent_path();
      const auto error = files_.sync_directory(parent.string());
      if (is_nearest) detail::throw_on(error, "cannot sync '" + parent.string() + "', the parent of data_dir");
      is_nearest = false;
    }
  }

  void list_names() {
    detail::throw_on(files_.list(path_, names_), "cannot list data_dir '" + path_ + "'");
    std::ranges::sort(names_);
  }

  void read_identity(const std::string& cluster, NodeId node) {
    const std::string name = file("identity");
    typename Files::File source;
    detail::throw_on(files_.open(name, OpenMode::existing, source), "cannot open '" + name + "'");
    std::array<std::byte, 1024> bytes{};
    const IoResult read = detail::read_fully(files_, source, bytes, 0);
    detail::throw_on(read.error, "cannot read '" + name + "'");
    if (!detail::unseal(std::span{bytes}.first(read.bytes), magic, identity_))
      throw StorageError("'" + name +
                         "' is damaged (its checksum does not hold), so nobody can say whose log this is. " +
                         detail::damage_cure);
    if (identity_.format != 1)
      throw StorageError("'" + name + "' has format " + std::to_string(identity_.format) +
                         ", this program knows only format 1; start it with the version that wrote it, or a newer one");
    if (identity_.cluster != cluster || identity_.node != node)
      throw StorageError("data_dir '" + path_ + "' belongs to node " + to_string(identity_.node) + " of cluster '" +
                         identity_.cluster + "', but this is node " + to_string(node) + " of cluster '" + cluster +
                         "'; correct Config::data_dir, id or cluster: a node must never run on another one's log");
  }

  /// Segments without an identity are nobody's log, unless the creation of this directory was never finished.
  void refuse_orphans() {
    for (const std::string& name : names_) {
      if (!is_segment_name(name)) continue;
      if (!has("identity.tmp"))
        throw StorageError("data_dir '" + path_ + "' holds log segments ('" + name + "') but no file 'identity'. " +
                           detail::damage_cure);
      detail::throw_on(files_.remove(file(name)), "cannot remove '" + file(name) + "'");
    }
    sync();
  }

  void begin_creation() {
    const Buffer bytes = detail::sealed(magic, identity_);
    const std::string name = file("identity.tmp");
    typename Files::File target;
    auto error = files_.open(name, OpenMode::create_or_empty, target);
    if (!error) error = detail::write_fully(files_, target, bytes, 0);
    if (!error) error = files_.sync(target);
    detail::throw_on(error, "cannot create '" + name + "'");
    sync();
  }

  static constexpr std::string_view magic = "PAXOSID1";

  Files& files_;
  std::string path_;
  typename Files::File lock_;
  std::vector<std::string> names_;
  Identity identity_;
  bool is_new_ = false;
};

}  // namespace paxos
