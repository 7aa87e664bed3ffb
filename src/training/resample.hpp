// Scores of one class, resampled linearly along each axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlarray/types.hpp"
#include "training/aggregator_plan.hpp"

namespace mlarray::training {

// The voxels of the image that the voxels of `out` (not empty, in the resampled grid) are made
// of.
inline Box support_of(const AggregatorPlan& plan, const Box& out) {
  Box box;
  for (std::size_t a = 0; a < plan.axes.size(); ++a) {
    const AxisPlan& axis = plan.axes[a];
    box.start.push_back(axis.low[static_cast<std::size_t>(out.start[a])]);
    box.stop.push_back(axis.high[static_cast<std::size_t>(out.stop[a] - 1)] + 1);
  }
  return box;
}

// Resamples `scores`, of `support`, to `out`: the last axis first, which is the dearest, when
// there is least of it. `spare`: memory to work in.
inline void resample(const AggregatorPlan& plan, const Box& support, const Box& out,
                     std::vector<float>& scores, std::vector<float>& spare) {
  Shape shape = support.shape();
  for (std::size_t a = shape.size(); a-- > 0;) {
    const AxisPlan& axis = plan.axes[a];
    if (axis.same) continue;
    std::size_t rows = 1, inner = 1;
    for (std::size_t b = 0; b < shape.size(); ++b) {
      if (b != a) (b < a ? rows : inner) *= static_cast<std::size_t>(shape[b]);
    }
    const auto from_count = static_cast<std::size_t>(shape[a]);
    const auto to_count = static_cast<std::size_t>(out.stop[a] - out.start[a]);
    spare.resize(rows * to_count * inner);
    const auto first = static_cast<std::size_t>(out.start[a]);
    const std::int64_t origin = support.start[a];
    for (std::size_t row = 0; row < rows; ++row) {
      const float* const from = scores.data() + row * from_count * inner;
      float* const to = spare.data() + row * to_count * inner;
      for (std::size_t o = 0; o < to_count; ++o) {
        const float* const low =
            from + static_cast<std::size_t>(axis.low[first + o] - origin) * inner;
        const float* const high =
            from + static_cast<std::size_t>(axis.high[first + o] - origin) * inner;
        const float part = axis.part[first + o];
        float* const row_out = to + o * inner;
        for (std::size_t i = 0; i < inner; ++i) {
          row_out[i] = low[i] + (high[i] - low[i]) * part;
        }
      }
    }
    std::swap(scores, spare);
    shape[a] = out.stop[a] - out.start[a];
  }
}

}  // namespace mlarray::training
