#include "grid/gather.hpp"

#include <algorithm>

#include "grid/strided.hpp"

namespace mlarray::grid {

void gather(const Geometry& geometry, std::int64_t number, const Box& part,
            const ConstArrayView& voxels, const Shape& origin, std::span<std::byte> chunk) {
  const std::size_t ndim = geometry.ndim();
  const std::vector<std::int64_t> strides = c_strides(geometry.block(), geometry.itemsize());
  const Shape corner = geometry.chunk_box(number).start;
  Box local;
  for (std::size_t i = 0; i < ndim; ++i) {
    local.start.push_back(part.start[i] - corner[i]);
    local.stop.push_back(part.stop[i] - corner[i]);
  }
  const Box blocks = Geometry::cells(local, geometry.block());
  const Shape grid = blocks.shape();
  const std::int64_t count = element_count(grid);
  for (std::int64_t n = 0; n < count; ++n) {
    Shape block = Geometry::unravel(n, grid);
    Shape shape(ndim);
    const std::byte* source = voxels.data;
    std::int64_t inside = 0;
    for (std::size_t i = 0; i < ndim; ++i) {
      block[i] += blocks.start[i];
      const std::int64_t block_corner = block[i] * geometry.block()[i];
      const std::int64_t start = std::max(block_corner, local.start[i]);
      const std::int64_t stop = std::min(block_corner + geometry.block()[i], local.stop[i]);
      shape[i] = stop - start;
      inside += (start - block_corner) * strides[i];
      source += (corner[i] + start - origin[i]) * voxels.strides[i];
    }
    std::byte* target = chunk.data() +
                        Geometry::ravel(block, geometry.block_grid()) * geometry.block_bytes() +
                        inside;
    copy_box(target, strides, source, voxels.strides, shape, geometry.itemsize());
  }
}

bool fills_padding(const Geometry& geometry, const Box& part) {
  return element_count(part.shape()) * geometry.itemsize() == geometry.chunk_bytes();
}

}  // namespace mlarray::grid
