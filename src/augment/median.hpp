// The median filter, whose cost grows slowly with its size. Internal.
#pragma once

#include <array>
#include <cstdint>

#include "augment/geometry.hpp"

namespace mlarray::augment {

inline constexpr std::int64_t kLargestMedian = 15;

// The median of `length` voxels along each axis, from length / 2 before; along flipped axes
// from so many after. Reflected with the border twice.
void median_filter(float* voxels, const Size& size, const Size& length,
                   const std::array<bool, 3>& flips, Workspace::Impl& work);

}  // namespace mlarray::augment
