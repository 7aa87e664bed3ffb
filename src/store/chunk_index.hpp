// Where each chunk of one state of an array is, and the sums of its blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "frame/frame.hpp"
#include "store/checksums.hpp"

namespace mlarray::store {

// A chunk that lives in memory only.
using MemoryChunk = std::shared_ptr<const std::vector<std::byte>>;

// What stands for a chunk since the file was opened: bytes in memory, or a place in the file
// and the sums of its blocks there (4 bytes each as a table stores them, or none).
struct Replacement {
  MemoryChunk bytes;
  frame::IndexEntry entry;
  std::vector<std::byte> sums;
};

// A value: a copy shares what it has in common with the original, so that it costs a few
// pointers, and replace() copies some nodes of a tree, never the whole. Readers of one copy
// and a writer of another need no lock.
class ChunkIndex {
 public:
  // All chunks are zeros.
  explicit ChunkIndex(std::int64_t chunk_count);
  // As a file lists them.
  ChunkIndex(std::vector<frame::IndexEntry> entries, ChecksumTable sums);

  std::int64_t size() const { return size_; }
  // Where the chunk is in the file; without meaning for one in memory.
  frame::IndexEntry entry(std::int64_t number) const;
  // nullptr: the chunk is as the file listed it. Valid as long as this index is.
  const Replacement* replacement(std::int64_t number) const;
  // Of a chunk that is as the file listed it.
  ChunkSums sums(std::int64_t number) const { return sums_.of_chunk(number); }

  void replace(std::int64_t number, Replacement replacement);

  // For writing a file. Precondition of both: no chunk is in memory.
  std::vector<frame::IndexEntry> entries() const;
  // The metalayer of all sums; empty if there is none.
  std::vector<std::byte> checksum_layer(std::int64_t block_count) const;

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
  std::shared_ptr<const Node> root_;
};

}  // namespace mlarray::store
