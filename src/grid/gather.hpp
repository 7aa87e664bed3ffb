// Voxels of a caller's box into a padded chunk, block by block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "grid/geometry.hpp"
#include "mlarray/types.hpp"

namespace mlarray::grid {

// Copies the voxels of `part` (array coordinates, inside the chunk) from `voxels`, whose first
// element is the voxel `origin`, into a padded chunk. Other voxels are left as they are.
void gather(const Geometry& geometry, std::int64_t number, const Box& part,
            const ConstArrayView& voxels, const Shape& origin, std::span<std::byte> chunk);

// The same of one block that `part` meets, to `out` (exactly geometry.block_bytes()).
void gather_block(const Geometry& geometry, std::int64_t number, std::int64_t block,
                  const Box& part, const ConstArrayView& voxels, const Shape& origin,
                  std::span<std::byte> out);

// True if `part` and the chunk's own voxels fill the padded chunk completely.
bool fills_padding(const Geometry& geometry, const Box& part);

}  // namespace mlarray::grid
