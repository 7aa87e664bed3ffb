// Normalization: how voxels are scaled, in a batch of a loader or alone.
//
//   std::vector<float> scaled(voxels.size());
//   normalize(voxels, {.mean = 40, .std = 250}, scaled);  // voxels: std::vector<std::int16_t>
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mlarray/dtype.hpp"
#include "mlarray/export.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

// Per voxel: clip to [low, high], then (x - mean) / std. In float32, or in float64 where voxels
// are stored as float64 or integers of 4 bytes or more; rounded once to the type. A std of 0
// counts as 1, also one that float32 rounds to 0. All numbers are finite, but limits may be
// infinite; std is 0 or more.
struct Normalization {
  enum class From {
    none,
    constants,  // `channels`, one for each channel or one for all
    stats,  // "stats" of the metadata of each image: mean and std, clipped to its percentiles
    patch,  // mean and std of the patch itself, as far as it is in the image; else 0 and 1
    foreground,  // the same of its voxels whose label, in its first channel, is above 0
  };
  struct Channel {
    double mean = 0, std = 1;
    std::optional<double> low = {}, high = {};
  };
  From from = From::none;
  std::vector<Channel> channels = {};
  bool clip = false;  // of From::stats: clip to percentile_min and percentile_max
};

// Voxels of one channel as a loader's batch of float32 has them. `dtype` is that of the voxels,
// `out` has one place for each, in C order.
// Errors: invalid_type for elements that are no numbers, or in the byte order of other
// machines; invalid_value where `out` has another size, and for numbers as above.
MLARRAY_EXPORT void normalize(const ConstArrayView& voxels, const DType& dtype,
                              const Normalization::Channel& channel, std::span<float> out);
template <Elements R>
void normalize(const R& voxels, const Normalization::Channel& channel, std::span<float> out) {
  const std::span<const ElementOf<R>> all(voxels);
  const Shape shape{static_cast<std::int64_t>(all.size())};
  normalize(view_of(all, shape), DType::of<ElementOf<R>>(), channel, out);
}

// By the mean and standard deviation of these voxels, as From::patch; 0 and 1 of none.
// Errors: as above.
MLARRAY_EXPORT Normalization::Channel channel_of(const ConstArrayView& voxels,
                                                 const DType& dtype);

}  // namespace mlarray::training
