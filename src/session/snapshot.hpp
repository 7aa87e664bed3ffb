// One state of an array, as readers see it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/spin_lock.hpp"
#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "mlarray/verify.hpp"
#include "store/array_header.hpp"
#include "store/chunk_store.hpp"
#include "store/records.hpp"
#include "store/stored_layers.hpp"

namespace mlarray::session {

// Never changed once it is published: who holds it reads the same voxels and metadata for as
// long, whatever is edited, committed, compacted or closed meanwhile.
struct Snapshot {
  std::shared_ptr<const store::ArrayHeader> array;
  std::shared_ptr<const store::StoredLayers> layers;
  // Of these voxels, in the file; those of the blocks' places not among them.
  std::shared_ptr<const std::vector<store::Record>> records;
  std::shared_ptr<const store::ChunkStore> chunks;  // nullptr: the array is closed
  Seal seal = Seal::absent;                         // as found when the file was opened
  std::uint64_t file_bytes = 0;  // of the newest committed state; 0 in memory
  // Snapshots of one array with the same number have the same voxels.
  std::uint64_t voxel_edits = 0;

  const grid::Geometry& geometry() const { return array->geometry; }
  Metadata metadata() const { return layers->metadata(geometry().ndim()); }
  // False if the metadata says that the array is a placeholder; true if it cannot be read.
  bool has_array() const;
};

// A committed state. Errors: corruption, unsupported, naming the source.
Snapshot snapshot_of(frame::State state, std::shared_ptr<io::ByteSource> source);

// The snapshot that an array shows now. Thread safe, and nobody waits in it.
class SnapshotCell {
 public:
  std::shared_ptr<const Snapshot> get() const {
    const std::scoped_lock lock(lock_);
    return shown_;
  }
  void set(std::shared_ptr<const Snapshot> snapshot) {
    {
      const std::scoped_lock lock(lock_);
      shown_.swap(snapshot);
    }
    // The old one goes here, without the lock: a map may be unmapped with it.
  }

 private:
  mutable base::SpinLock lock_;
  std::shared_ptr<const Snapshot> shown_;
};

}  // namespace mlarray::session
