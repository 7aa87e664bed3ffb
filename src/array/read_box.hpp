// The read path: one flat list of blocks, decoded by all threads, each scattered straight into
// the caller's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "array/chunk_store.hpp"
#include "array/geometry.hpp"
#include "mlarray/array.hpp"

namespace mlarray::array {

struct ReadOptions {
  int threads = 0;
  bool verify = true;  // every block's checksum, before it is decoded
};

// Copies `box` (inside the array) into `out` (of the box's shape).
// Errors: corruption, unsupported, io; `out` is then partly filled.
void read_box(const ChunkStore& store, const Geometry& geometry, const Box& box,
              const ArrayView& out, const ReadOptions& options);

// A whole padded chunk, block by block, into `out` (exactly geometry.chunk_bytes()).
void read_chunk(const ChunkStore& store, const Geometry& geometry, std::int64_t number,
                std::span<std::byte> out, bool verify);

}  // namespace mlarray::array
