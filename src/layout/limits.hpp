// Arithmetic and checks that the layout heuristics share. Pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/chunk_limits.hpp"
#include "mlarray/layout.hpp"
#include "mlarray/types.hpp"

namespace mlarray::layout {

using base::kMaxBlockBytes;
using base::kMaxChunkBytes;

inline constexpr std::int64_t kSaturated = std::numeric_limits<std::int64_t>::max();

// For factors and terms >= 0. Results past 2^63 - 1 become 2^63 - 1, which every limit
// that they are compared with refuses.
std::int64_t saturating_multiply(std::int64_t a, std::int64_t b);
std::int64_t saturating_add(std::int64_t a, std::int64_t b);
std::int64_t saturating_product(const Shape& lengths);
// How many parts of `b` >= 1 hold `a` >= 0.
std::int64_t divide_up(std::int64_t a, std::int64_t b);

// The lengths that layouts are made for: an empty axis counts as one voxel, because a chunk
// or block has at least one.
Shape axis_lengths(const Shape& shape);

// Elements of `itemsize` bytes that fit the share of a cache, at least one. However large a
// cache is claimed, a block or chunk has no more than the format allows.
std::int64_t block_budget(const CacheSizes& caches, std::int64_t itemsize);
std::int64_t chunk_budget(const CacheSizes& caches, std::int64_t itemsize);

// Errors: invalid_value for a negative length, itemsize < 1; unsupported past kMaxDims axes.
void check_array(const Shape& shape, std::int64_t itemsize);
// An empty mask means that every axis is one of space.
// Errors: invalid_value for a mask of another length than the shape.
std::vector<bool> complete_mask(const Shape& shape, const std::vector<bool>& spatial_axes);
// Errors: invalid_value for a length < 1, and for a count other than `spatial_ndim`.
void check_patch(const std::vector<std::int64_t>& patch, std::size_t spatial_ndim);
// Errors: invalid_value for sizes below 1 and a share that is not in (0, 1].
void check_caches(const CacheSizes& caches);
// Errors: unsupported for a block, or a chunk rounded up to whole blocks, beyond the limits.
void check_sizes(const Layout& layout, std::int64_t itemsize);

// The layout for callers that give neither patch nor sizes.
Layout automatic_layout(const Shape& shape, std::int64_t itemsize);

// Voxels of at most so many bytes are cut by rows_layout. Larger ones gain nothing by it.
inline constexpr std::int64_t kMostRowsItemsize = 8;
// Our layout for a patch, which has a length >= 1 for each axis of `spatial`, at least one.
// 1 <= itemsize <= kMostRowsItemsize.
Layout rows_layout(const Shape& shape, const std::vector<std::int64_t>& patch,
                   const std::vector<bool>& spatial, std::int64_t itemsize);

}  // namespace mlarray::layout
