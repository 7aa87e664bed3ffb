// Which chunk and which block a voxel is in: pure arithmetic, no IO.
//
// A chunk is stored padded to whole blocks. Its blocks lie one after another in C order of the
// block grid, the voxels of a block in C order. Chunks at the array's far edge are padded too.
#pragma once

#include <cstdint>
#include <vector>

#include "mlarray/types.hpp"

namespace mlarray::grid {

class Geometry {
 public:
  Geometry() = default;
  // Errors: unsupported if a padded chunk passes codec::kMaxChunkBytes or the number of
  // chunks passes what an index can hold.
  Geometry(Shape shape, Shape chunk, Shape block, std::int64_t itemsize);

  std::size_t ndim() const { return shape_.size(); }
  const Shape& shape() const { return shape_; }
  const Shape& chunk() const { return chunk_; }
  const Shape& block() const { return block_; }
  std::int64_t itemsize() const { return itemsize_; }

  std::int64_t chunk_count() const { return chunk_count_; }  // 0 for an empty array
  std::int64_t block_count() const { return block_count_; }  // per chunk
  std::int64_t block_bytes() const { return block_bytes_; }
  std::int64_t chunk_bytes() const { return chunk_bytes_; }  // padded
  const Shape& chunk_grid() const { return chunk_grid_; }    // chunks per axis
  const Shape& block_grid() const { return block_grid_; }    // blocks per axis of a chunk

  // The voxels of a chunk that are inside the array.
  Box chunk_box(std::int64_t chunk_number) const;
  // Those of one block of it; empty() for a block that is all padding.
  Box block_box(std::int64_t chunk_number, std::int64_t block_number) const;
  // Inverse of C-order numbering on a grid.
  static Shape unravel(std::int64_t number, const Shape& grid);
  static std::int64_t ravel(const Shape& position, const Shape& grid);
  // The grid cells that a non-empty box touches, as a box of cell positions.
  static Box cells(const Box& box, const Shape& cell);
  // The numbers, in a grid, of the cells that such a box has, in C order.
  static std::vector<std::int64_t> numbers(const Box& cells, const Shape& grid);

 private:
  Shape shape_, chunk_, block_, chunk_grid_, block_grid_;
  std::int64_t itemsize_ = 1;
  std::int64_t chunk_count_ = 0, block_count_ = 0, block_bytes_ = 0, chunk_bytes_ = 0;
};

// Overlap of two boxes of the same rank; empty() if there is none.
Box intersect(const Box& a, const Box& b);

using mlarray::c_strides;

}  // namespace mlarray::grid
