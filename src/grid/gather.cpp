#include "grid/gather.hpp"

#include <algorithm>

#include "grid/strided.hpp"

namespace mlarray::grid {

void gather(const Geometry& geometry, std::int64_t number, const Box& part,
            const ConstArrayView& voxels, const Shape& origin, std::span<std::byte> chunk) {
  const Shape corner = geometry.chunk_box(number).start;
  Box local;
  for (std::size_t i = 0; i < geometry.ndim(); ++i) {
    local.start.push_back(part.start[i] - corner[i]);
    local.stop.push_back(part.stop[i] - corner[i]);
  }
  const Box blocks = Geometry::cells(local, geometry.block());
  const Shape grid = blocks.shape();
  const std::int64_t count = element_count(grid);
  for (std::int64_t n = 0; n < count; ++n) {
    Shape position = Geometry::unravel(n, grid);
    for (std::size_t i = 0; i < position.size(); ++i) position[i] += blocks.start[i];
    const std::int64_t block = Geometry::ravel(position, geometry.block_grid());
    gather_block(geometry, number, block, part, voxels, origin,
                 chunk.subspan(static_cast<std::size_t>(block * geometry.block_bytes()),
                               static_cast<std::size_t>(geometry.block_bytes())));
  }
}

void gather_block(const Geometry& geometry, std::int64_t number, std::int64_t block,
                  const Box& part, const ConstArrayView& voxels, const Shape& origin,
                  std::span<std::byte> out) {
  const std::size_t ndim = geometry.ndim();
  const std::vector<std::int64_t> strides = c_strides(geometry.block(), geometry.itemsize());
  const Box own = geometry.block_box(number, block);
  const Box wanted = intersect(own, part);
  const std::byte* source = voxels.data;
  std::byte* target = out.data();
  for (std::size_t i = 0; i < ndim; ++i) {
    target += (wanted.start[i] - own.start[i]) * strides[i];
    source += (wanted.start[i] - origin[i]) * voxels.strides[i];
  }
  copy_box(target, strides, source, voxels.strides, wanted.shape(), geometry.itemsize());
}

bool fills_padding(const Geometry& geometry, const Box& part) {
  return element_count(part.shape()) * geometry.itemsize() == geometry.chunk_bytes();
}

}  // namespace mlarray::grid
