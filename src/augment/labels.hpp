// Labels that lie in the patch. Internal.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "augment/geometry.hpp"

namespace mlarray::augment {

// The length of an axis at a factor, and which voxel is kept for each.
std::int64_t scaled_length(std::int64_t length, double factor);

// Nearest voxels of `labels` at a resolution.
void scale_labels(const std::int16_t* labels, const Size& size,
                  const std::vector<double>& factors, std::int16_t* out);
// 1 where a label is any of these, else 0. T: float or int16.
template <class T>
void mark_labels(const std::int16_t* labels, std::int64_t count,
                 std::span<const std::int64_t> which, T* out);

}  // namespace mlarray::augment
