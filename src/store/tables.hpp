// The tables that a file keeps of the blocks of its chunks, checksums and offsets, as a new
// state of it writes them: all of them for a new file, what changed for a commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "store/checksums.hpp"
#include "store/chunk_index.hpp"
#include "store/pages.hpp"

namespace mlarray::store {

// What a state has of them in pages.
struct WrittenTables {
  // Empty: they are in the metalayer, or are to be written as a whole.
  PageList sums;
  PageList offsets;
  // Pages of offsets that could be there, and were not worth their space yet.
  std::vector<std::int64_t> left_out;
};
WrittenTables tables_of_opened(const ChunkIndex& index, std::int64_t block_count);

struct NewTables {
  std::vector<std::byte> pages;       // to be put where they were said to be
  std::vector<std::byte> sums_layer;  // the metalayer's chunk; empty if there is none
  WrittenTables written;
  bool has_offsets() const { return written.offsets.stored_bytes() > 0; }
};

// For a new file. Not synchronised.
class TableMaker {
 public:
  TableMaker(std::int64_t chunk_count, std::int64_t block_count);

  // `sums` as stored, or none: then nothing is recorded of the chunk.
  void set(std::int64_t number, std::span<const std::byte> sums,
           std::span<const std::byte> chunk);
  void forget(std::int64_t number);
  // `position`: where the pages will stand, behind all chunks.
  NewTables finish(std::uint64_t position);

 private:
  ChecksumBuilder sums_;
  PageList offset_form_;
  PageMaker offsets_;
  std::size_t head_bytes_;
  std::uint64_t stored_bytes_ = 0;  // of all chunks
  bool worth_it_ = true;
  std::int64_t chunk_count_, block_count_;
};

// For a commit of `now` after `before`, which has `written`. What it takes from the file is
// verified. Errors: corruption, io.
NewTables tables_to_commit(const ChunkIndex& now, const ChunkIndex& before,
                           const WrittenTables& written, std::int64_t block_count,
                           std::uint64_t position);

}  // namespace mlarray::store
