// Noise, filters and boxes, each on one channel of the patch. Internal.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "augment/geometry.hpp"

namespace mlarray::augment {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// `keys`: three of each normal number.
void rician_noise(float* voxels, std::int64_t count, double sigma, const std::uint32_t keys[6],
                  bool keep_stats, Workspace::Impl& work);
void sharpen(float* voxels, const Size& size, double strength, bool keep_range,
             Workspace::Impl& work);
// `box`: start, then stop, of as many axes as the patch has.
void blank_rectangle(float* voxels, const Size& size, const std::vector<std::int64_t>& box,
                     double value, bool mean);

}  // namespace mlarray::augment
