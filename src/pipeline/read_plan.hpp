// From boxes to chunks and their blocks, and to the stored bytes of these. Internal.
//
// A source that is mapped or in memory has them where they lie. Of one that is read by position
// each thread copies them as it decodes. Of one that is remote all are read before the first is
// decoded: the heads of all chunks by one call, since they say where the blocks are, and all
// blocks by a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "grid/geometry.hpp"
#include "io/coalesce.hpp"
#include "mlarray/types.hpp"
#include "pipeline/block_places.hpp"
#include "pipeline/decode_job.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::pipeline {

// One of the boxes that are read, and the chunks it meets.
struct Target {
  const Box* box = nullptr;
  const ArrayView* out = nullptr;
  Box cells;               // the chunks, in the chunk grid
  std::int64_t first = 0;  // its first chunk, in the list of the chunks of all boxes
  std::int64_t stop = 0;
};

// What is wanted of one chunk.
struct ChunkTask {
  const ArrayView* out = nullptr;
  DecodeJob job;
  Box box;     // the voxels wanted, counted from the chunk's corner
  Shape base;  // where that box starts in the caller's box
  Box blocks;  // the blocks that box touches
  Shape block_grid;
  std::size_t block_count = 0;
  bool whole = false;  // one unit of work, as DecodeJob::is_whole() says
  std::size_t first_unit = 0;
  BlockPlaces places;
  // Of each block, where fetch() has read them one by one.
  std::span<const std::span<const std::byte>> stored;

  // Where in the chunk's block grid the i-th block of the task stands; its number there; its
  // bytes in the source.
  Shape block_position(std::int64_t i) const;
  std::int32_t block_number(const grid::Geometry& geometry, std::size_t i) const;
  io::Range block_range(const grid::Geometry& geometry, std::size_t i) const;
};

// So many chunks are planned at once. A plan takes some hundred bytes for each chunk, a chunk
// of one voxel as well, and for each block of a remote one; and what is requested from the disk
// must not push out of memory what was requested first.
std::int64_t most_planned(const store::ChunkStore& store, const grid::Geometry& geometry);

// The chunks `first` to `stop` of those that the boxes meet, box by box, each in C order.
// Errors: corruption, unsupported, io.
std::vector<ChunkTask> plan(const store::ChunkStore& store, const grid::Geometry& geometry,
                            std::span<const Target> targets, std::int64_t first,
                            std::int64_t stop, Verify verify);

// Reads what of the stored bytes must be there before the first block is decoded, by one call,
// and lets the disk know of the rest. `tasks` refer to what it returns. Errors: io, corruption.
io::Gathered fetch(const store::ChunkStore& store, const grid::Geometry& geometry,
                   std::vector<ChunkTask>& tasks);

}  // namespace mlarray::pipeline
