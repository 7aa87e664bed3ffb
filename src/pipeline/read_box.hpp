// The read path: one flat list of blocks, decoded by all threads, each scattered straight into
// the caller's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "grid/geometry.hpp"
#include "mlarray/types.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::pipeline {

struct ReadOptions {
  int threads = 0;
  bool verify = true;  // every block's checksum, before it is first decoded
  // Also of blocks that were found whole before: for who writes the voxels under new checksums.
  bool again = false;
};

// Copies `box` (inside the array) into `out` (of the box's shape).
// Errors: corruption, unsupported, io; `out` is then partly filled.
void read_box(const store::ChunkStore& store, const grid::Geometry& geometry, const Box& box,
              const ArrayView& out, const ReadOptions& options);

// The same of several boxes, each into its own view: all their blocks are one list, so that
// small boxes keep all threads busy. A block that two boxes meet is decoded for each.
void read_boxes(const store::ChunkStore& store, const grid::Geometry& geometry,
                std::span<const Box> boxes, std::span<const ArrayView> out,
                const ReadOptions& options);

// A whole padded chunk, block by block, into `out` (exactly geometry.chunk_bytes()). Verified
// also where it was found whole before.
void read_chunk(const store::ChunkStore& store, const grid::Geometry& geometry,
                std::int64_t number, std::span<std::byte> out, bool verify);

}  // namespace mlarray::pipeline
