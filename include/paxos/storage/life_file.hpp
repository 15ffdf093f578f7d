// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <string>

#include <paxos/core/node_id.hpp>
#include <paxos/core/store_life.hpp>
#include <paxos/storage/data_directory.hpp>
#include <paxos/storage/file_system.hpp>
#include <paxos/storage/sealed_file.hpp>
#include <paxos/storage/storage_error.hpp>

namespace paxos::detail {

/// Counts the lives of a data directory, and keeps its death sentence: once a peer found that the directory is an older
/// copy, it is never opened again.
///
/// The file `life` is a SealedFile, "PAXOSLIF": a StoreLife, and the peer that found it outdated (0: none did).
template <FileSystem Files>
class LifeFile {
 public:
  /// Begins a life: it is durable before anything else of it happens. Throws StorageError.
  LifeFile(Files& files, DataDirectory<Files>& directory) : file_(files, directory, "life", "PAXOSLIF") {
    content_.life.incarnation = directory.identity().incarnation;
    if (!directory.is_new()) read(directory);
    content_.life = content_.life.next(files.random());
    file_.write(content_);
  }

  [[nodiscard]] const StoreLife& life() const { return content_.life; }

  /// `peer` has met a newer life of this directory. Throws StorageError when that cannot be written down.
  void mark_outdated(NodeId peer) {
    content_.outdated_by = peer;
    file_.write(content_);
  }

 private:
  struct Content {
    StoreLife life;
    NodeId outdated_by;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(life, outdated_by);
    }
  };

  void read(const DataDirectory<Files>& directory) {
    if (!file_.is_there())
      throw StorageError("'" + file_.path() + "' is missing, so nobody can say whether this directory is the newest. " +
                         damage_cure);
    if (!file_.read(content_) || content_.life.incarnation != directory.identity().incarnation ||
        !content_.life.is_well_formed())
      throw StorageError("'" + file_.path() +
                         "' is damaged (its checksum does not hold, it is another directory's, or no life is like "
                         "that), so nobody can say " +
                         "whether this directory is the newest. " + damage_cure);
    if (content_.outdated_by != NodeId{})
      throw StorageError("data_dir '" + directory.path() + "' is an older copy: node " +
                         to_string(content_.outdated_by) + " has met a newer life of it (noted in '" + file_.path() +
                         "'). " + outdated_cure);
  }

  SealedFile<Files, Content> file_;
  Content content_;
};

}  // namespace paxos::detail
