#include "grid/geometry.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "base/chunk_limits.hpp"
#include "mlarray/error.hpp"

namespace mlarray::grid {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a == 0 ? 0 : (a - 1) / b + 1; }

// a * b, or `limit` + 1 if that is more than `limit`.
std::int64_t capped_product(std::int64_t a, std::int64_t b, std::int64_t limit) {
  if (a == 0 || b == 0) return 0;
  return a > limit / b ? limit + 1 : a * b;
}

}  // namespace

Geometry::Geometry(Shape shape, Shape chunk, Shape block, std::int64_t itemsize)
    : shape_(std::move(shape)),
      chunk_(std::move(chunk)),
      block_(std::move(block)),
      itemsize_(itemsize) {
  chunk_count_ = 1;
  block_count_ = 1;
  block_bytes_ = itemsize;
  chunk_bytes_ = itemsize;
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    const bool empty = shape_[i] == 0;
    chunk_grid_.push_back(empty ? 0 : ceil_div(shape_[i], chunk_[i]));
    block_grid_.push_back(chunk_[i] == 0 ? 0 : ceil_div(chunk_[i], block_[i]));
    const std::int64_t padded = capped_product(block_grid_[i], block_[i], base::kMaxChunkBytes);
    chunk_count_ = capped_product(chunk_count_, chunk_grid_[i], base::kMaxChunks);
    block_count_ = capped_product(block_count_, block_grid_[i], base::kMaxChunkBytes);
    block_bytes_ = capped_product(block_bytes_, block_[i], base::kMaxChunkBytes);
    chunk_bytes_ = capped_product(chunk_bytes_, padded, base::kMaxChunkBytes);
  }
  if (chunk_count_ > 0 && chunk_bytes_ > base::kMaxChunkBytes) {
    throw Error(ErrorKind::unsupported,
                "a chunk of " + to_string(chunk_) + " elements of " + std::to_string(itemsize) +
                    " bytes, rounded up to whole blocks of " + to_string(block_) +
                    ", passes the limit of " + std::to_string(base::kMaxChunkBytes) +
                    " bytes: choose smaller chunks");
  }
  if (chunk_count_ > base::kMaxChunks) {
    throw Error(ErrorKind::unsupported, "an array of " + to_string(shape_) + " in chunks of " +
                                            to_string(chunk_) + " has more than " +
                                            std::to_string(base::kMaxChunks) +
                                            " chunks: choose larger chunks");
  }
  // The byte offsets of voxels in a caller's buffer must fit 64 bits.
  std::int64_t total = itemsize;
  for (const std::int64_t length : shape_) {
    total = capped_product(total, length, std::numeric_limits<std::int64_t>::max() - 1);
  }
  if (total == std::numeric_limits<std::int64_t>::max()) {
    throw Error(ErrorKind::unsupported, "an array of " + to_string(shape_) + " elements of " +
                                            std::to_string(itemsize) +
                                            " bytes passes 2^63 - 1 bytes");
  }
}

Box Geometry::chunk_box(std::int64_t chunk_number) const {
  Box box;
  const Shape position = unravel(chunk_number, chunk_grid_);
  for (std::size_t i = 0; i < ndim(); ++i) {
    const std::int64_t start = position[i] * chunk_[i];
    box.start.push_back(start);
    box.stop.push_back(start + std::min(chunk_[i], shape_[i] - start));
  }
  return box;
}

Box Geometry::block_box(std::int64_t chunk_number, std::int64_t block_number) const {
  Box box = chunk_box(chunk_number);
  const Shape position = unravel(block_number, block_grid_);
  for (std::size_t i = 0; i < ndim(); ++i) {
    const std::int64_t start = box.start[i] + position[i] * block_[i];
    box.stop[i] = std::min(box.stop[i], start + block_[i]);
    box.start[i] = start;
  }
  return box;
}

Shape Geometry::unravel(std::int64_t number, const Shape& grid) {
  Shape position(grid.size());
  for (std::size_t i = grid.size(); i-- > 0;) {
    position[i] = number % grid[i];
    number /= grid[i];
  }
  return position;
}

std::int64_t Geometry::ravel(const Shape& position, const Shape& grid) {
  std::int64_t number = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) number = number * grid[i] + position[i];
  return number;
}

Box Geometry::cells(const Box& box, const Shape& cell) {
  Box out;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    out.start.push_back(box.start[i] / cell[i]);
    out.stop.push_back((box.stop[i] - 1) / cell[i] + 1);
  }
  return out;
}

Box intersect(const Box& a, const Box& b) {
  Box out;
  for (std::size_t i = 0; i < a.start.size(); ++i) {
    out.start.push_back(std::max(a.start[i], b.start[i]));
    out.stop.push_back(std::min(a.stop[i], b.stop[i]));
  }
  return out;
}

std::vector<std::int64_t> Geometry::numbers(const Box& cells, const Shape& grid) {
  const Shape shape = cells.shape();
  std::vector<std::int64_t> found(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    Shape position = unravel(static_cast<std::int64_t>(i), shape);
    for (std::size_t a = 0; a < position.size(); ++a) position[a] += cells.start[a];
    found[i] = ravel(position, grid);
  }
  return found;
}

}  // namespace mlarray::grid
