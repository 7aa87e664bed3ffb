// Where each chunk of one state of an array is, and the sums of its blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "frame/frame.hpp"
#include "store/block_offsets.hpp"
#include "store/checksums.hpp"

namespace mlarray::store {

// A chunk that lives in memory only.
using MemoryChunk = std::shared_ptr<const std::vector<std::byte>>;

// What stands for a chunk since the file was opened: bytes in memory, or a place in the file,
// the sums of its blocks there (4 bytes each as a table stores them, or none) and its head (see
// BlockPlaces; without sums none).
struct Replacement {
  MemoryChunk bytes;
  frame::IndexEntry entry;
  std::vector<std::byte> sums;
  std::vector<std::byte> head;
};

// A value: a copy shares what it has in common with the original, so that it costs a few
// pointers, and replace() copies some nodes of a tree, never the whole. Readers of one copy
// and a writer of another need no lock.
class ChunkIndex {
 public:
  // All chunks are zeros.
  explicit ChunkIndex(std::int64_t chunk_count);
  // As a file lists them.
  ChunkIndex(std::vector<frame::IndexEntry> entries, ChecksumTable sums,
             std::shared_ptr<const BlockOffsets> offsets = {});

  std::int64_t size() const { return size_; }
  // Where the chunk is in the file; without meaning for one in memory.
  frame::IndexEntry entry(std::int64_t number) const;
  // nullptr: the chunk is as the file listed it. Valid as long as this index is.
  const Replacement* replacement(std::int64_t number) const;
  ChunkSums sums(std::int64_t number) const;
  // Its first bytes, where they are at hand or in the record; see BlockPlaces. Else empty.
  std::span<const std::byte> head(std::int64_t number) const;
  // Of the file as it was opened.
  const ChecksumTable& table() const { return sums_; }
  const std::shared_ptr<const BlockOffsets>& offsets() const { return offsets_; }
  // Pages of both that are worth reading with chunks that are as the file listed them.
  std::vector<io::Range> pages_to_read(std::span<const std::int64_t> numbers) const;
  // Keeps those that lie in these bytes of the file.
  void take(std::uint64_t offset, const io::Bytes& bytes) const;

  void replace(std::int64_t number, Replacement replacement);

  // For writing a file. Precondition of both: no chunk is in memory.
  std::vector<frame::IndexEntry> entries() const;
  // Of the chunks that another replacement, or none, stands for in `older`, which this was
  // copied from. What they share is not looked at.
  void for_each_changed(const ChunkIndex& older,
                        const std::function<void(std::int64_t)>& body) const;
  // Whether the file has the sums that a commit of this one writes again, in the pages of what
  // changed: so that an edit is refused, and not the commit of all edits. `older` as before.
  // Errors: corruption, io.
  void check_kept_sums(const ChunkIndex& older) const;

 private:
  static constexpr int kBits = 5;
  static constexpr std::size_t kFanOut = std::size_t{1} << kBits;
  // Children are nodes, at the lowest level replacements.
  struct Node {
    std::array<std::shared_ptr<const void>, kFanOut> children;
  };
  static std::shared_ptr<const Node> replaced(const Node* node, int shift, std::int64_t number,
                                              std::shared_ptr<const Replacement> leaf);
  void for_each(const std::function<void(std::int64_t, const Replacement&)>& body) const;

  std::int64_t size_ = 0;
  int shift_ = 0;  // of the root: how many bits of a number lie below it
  std::shared_ptr<const std::vector<frame::IndexEntry>> base_;  // none: all zeros
  ChecksumTable sums_;
  std::shared_ptr<const BlockOffsets> offsets_;
  std::shared_ptr<const Node> root_;
};

}  // namespace mlarray::store
