// The layout for callers who know nothing of later reads. Like python-blosc2's own choice,
// it follows the order of the voxels in memory: as many whole rows, then slices, as fit. It
// does not ask which caches this machine has, so that the same array is cut the same way
// everywhere: blocks suit a second-level cache, chunks a share of a third-level one.
#include <algorithm>
#include <cstddef>

#include "layout/limits.hpp"

namespace mlarray::layout {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{128} << 10;
constexpr std::int64_t kChunkBytes = std::int64_t{4} << 20;

// The largest equal parts of at most `most` that `length` can be cut into, so that the last
// part is not a sliver.
std::int64_t even_part(std::int64_t length, std::int64_t most) {
  return divide_up(length, divide_up(length, most));
}

// Fills `budget` units from the last axis to the first.
Shape fill_in_memory_order(const Shape& units, std::int64_t budget) {
  Shape parts(units.size(), 1);
  for (std::size_t axis = units.size(); axis-- > 0 && budget > 1;) {
    parts[axis] = even_part(units[axis], budget);
    budget /= parts[axis];
  }
  return parts;
}

}  // namespace

Layout automatic_layout(const Shape& shape, std::int64_t itemsize) {
  const Shape lengths = axis_lengths(shape);
  Layout result;
  result.block =
      fill_in_memory_order(lengths, std::max<std::int64_t>(kBlockBytes / itemsize, 1));

  Shape blocks = lengths;  // how many blocks the array has along each axis
  for (std::size_t axis = 0; axis < blocks.size(); ++axis) {
    blocks[axis] = divide_up(lengths[axis], result.block[axis]);
  }
  const std::int64_t block_bytes =
      saturating_multiply(saturating_product(result.block), itemsize);
  const Shape tiles =
      fill_in_memory_order(blocks, std::max<std::int64_t>(kChunkBytes / block_bytes, 1));
  result.chunk = result.block;
  for (std::size_t axis = 0; axis < tiles.size(); ++axis) {
    result.chunk[axis] =
        std::min(saturating_multiply(tiles[axis], result.block[axis]), lengths[axis]);
  }
  check_sizes(result, itemsize);
  return result;
}

}  // namespace mlarray::layout
