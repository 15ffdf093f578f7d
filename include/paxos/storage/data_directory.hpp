// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <paxos/core/archive.hpp>
#include <paxos/core/config.hpp>
#include <paxos/core/node_id.hpp>
#include <paxos/detail/platform.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/seal.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos {

/// Whose directory it is. The content of the file `identity`, sealed as "PAXOSIDT".
struct Identity {
  NodeId node;                    ///< Config::id
  std::uint64_t incarnation = 0;  ///< random, made with the directory: tells a wiped node from the one that it was
  CommonTerms common;             ///< of the cluster whose log this is

  friend bool operator==(const Identity&, const Identity&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(node, incarnation, common);
  }
};

/// One node's data directory: locked to this process, bound for good to one node, its cluster, and what all nodes of
/// that have in common. Knows no record.
///
/// A new directory becomes valid in one step, finish_creation(), once the first segment is in it; until then
/// `identity.tmp` marks what is there as unfinished, and a crash leaves nothing that counts.
template <FileSystem Files>
class DataDirectory {
 public:
  /// Throws StorageError when another process holds it, when it is of a newer format, or when it was made for another
  /// node or cluster, or for other Config::members or session limits.
  DataDirectory(Files& files, const Config& config) : files_(files), path_(config.data_dir) {
    if (path_.empty()) throw StorageError("Config: data_dir is empty; name a directory for this node alone");
    detail::throw_on(files_.create_directories(path_), "cannot create data_dir '" + path_ + "'");
    take_lock();
    list_names();
    if (has("identity")) {
      // A process that died may have left names that only the cache knows. Were they believed, a power cut could take
      // them later, and all that was acknowledged meanwhile.
      sync();
      sync_parents();
      read_identity(config);
    } else {
      refuse_orphans();
      identity_ = Identity{config.id, files_.random(), config.common()};
      is_new_ = true;
      begin_creation();
    }
  }

  [[nodiscard]] const Identity& identity() const { return identity_; }  ///< as on the disk
  /// The first segment does not exist yet; finish_creation() is still to come.
  [[nodiscard]] bool is_new() const { return is_new_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }  ///< its path
  [[nodiscard]] const std::string& path() const { return path_; }                               ///< Config::data_dir
  /// The entries at the time of opening.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// As it was found.
  [[nodiscard]] bool has(const std::string& name) const {
    return std::binary_search(names_.begin(), names_.end(), name);
  }

  /// The last step of making a new one: from now on it is one.
  void finish_creation() {
    detail::throw_on(files_.rename(file("identity.tmp"), file("identity")), "cannot create '" + file("identity") + "'");
    sync();
    sync_parents();
  }

  /// Makes names durable; throws StorageError.
  void sync() { detail::throw_on(files_.sync_directory(path_), "cannot sync the directory '" + path_ + "'"); }

  /// Whether that is how a file of the log is called.
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
    const std::string pid = std::to_string(detail::process_id()) + "\n                    ";
    // The pid only serves the message above, so a full disk is no reason to refuse here.
    static_cast<void>(files_.write_at(lock_, std::as_bytes(std::span{pid}).first(20), 0));
  }

  /// Any of them may have been made just now. Only the nearest must let itself be synced: others need not be ours.
  void sync_parents() {
    std::string path = path_;
    std::size_t steps_back = 0;  // of "..": as many names above are not those of parents
    for (bool is_nearest = true; path != "/" && path != ".";) {
      while (path.size() > 1 && path.ends_with('/')) path.pop_back();
      const std::size_t slash = path.rfind('/');
      const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
      path = slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
      const auto error = files_.sync_directory(path);
      if (is_nearest) detail::throw_on(error, "cannot sync '" + path + "', the parent of data_dir");
      if (name == "..") ++steps_back;
      if (name == ".." || name == ".") continue;
      if (steps_back > 0) {
        --steps_back;
      } else {
        is_nearest = false;
      }
    }
  }

  void list_names() {
    detail::throw_on(files_.list(path_, names_), "cannot list data_dir '" + path_ + "'");
    std::sort(names_.begin(), names_.end());
  }

  void read_identity(const Config& config) {
    const std::string name = file("identity");
    typename Files::File source;
    detail::throw_on(files_.open(name, OpenMode::existing, source), "cannot open '" + name + "'");
    std::array<std::byte, 1024> bytes{};
    const IoResult read = detail::read_fully(files_, source, bytes, 0);
    detail::throw_on(read.error, "cannot read '" + name + "'");
    if (!detail::unseal(std::span{bytes}.first(read.bytes), magic, name, identity_))
      throw StorageError("'" + name +
                         "' is damaged (its checksum does not hold), so nobody can say whose log this is. " +
                         detail::damage_cure);
    if (identity_.node != config.id || identity_.common != config.common())
      throw StorageError("data_dir '" + path_ + "' was made for node " + to_string(identity_.node) + " of {" +
                         identity_.common.text() + "}, but Config says node " + to_string(config.id) + " of {" +
                         config.common().text() +
                         "}; correct Config: a node must never run on another one's log, and members, sessions_max and "
                         "session_window stay what they were when the cluster was made, or its nodes would count other "
                         "quorums and forget other sessions");
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

  static constexpr std::string_view magic = "PAXOSIDT";

  Files& files_;
  std::string path_;
  typename Files::File lock_;
  std::vector<std::string> names_;
  Identity identity_;
  bool is_new_ = false;
};

}  // namespace paxos
