// What an Aggregator computes, with everything in memory and in float64, voxel by voxel.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mlarray/training/aggregator.hpp"
#include "mlarray/types.hpp"
#include "support/voxels.hpp"

namespace mlarray::test {

// Scores of all classes in one grid, C order.
struct WholeScores {
  Shape shape;
  std::int64_t classes = 0;
  std::vector<double> values;

  WholeScores(Shape s, std::int64_t c)
      : shape(std::move(s)),
        classes(c),
        values(static_cast<std::size_t>(c * element_count(shape)), 0.0) {}
  double& at(std::int64_t label, const Shape& voxel) {
    std::int64_t offset = label;
    for (std::size_t a = 0; a < shape.size(); ++a) offset = offset * shape[a] + voxel[a];
    return values[static_cast<std::size_t>(offset)];
  }
};

inline double plain_weight(const Shape& in_patch, const Shape& patch, training::Blend blend) {
  if (blend == training::Blend::constant) return 1;
  double exponent = 0;
  for (std::size_t a = 0; a < patch.size(); ++a) {
    const double sigma = static_cast<double>(patch[a]) / 8;
    const auto d = static_cast<double>(in_patch[a] - patch[a] / 2);
    exponent += d * d / (2 * sigma * sigma);
  }
  return std::exp(-exponent);
}

// `scores[k]`: of boxes[k], (classes, *patch).
inline WholeScores plain_blend(const Shape& shape, std::int64_t classes,
                               const std::vector<Box>& boxes,
                               const std::vector<std::vector<float>>& scores,
                               training::Blend blend) {
  WholeScores sum(shape, classes);
  WholeScores weights(shape, 1);
  for (std::size_t k = 0; k < boxes.size(); ++k) {
    const Shape patch = boxes[k].shape();
    const auto count = static_cast<std::size_t>(element_count(patch));
    std::size_t i = 0;
    Voxels::for_each(boxes[k], [&](const Shape& voxel) {
      const std::size_t here = i++;
      Shape in_patch = voxel;
      for (std::size_t a = 0; a < shape.size(); ++a) {
        in_patch[a] -= boxes[k].start[a];
        if (voxel[a] < 0 || voxel[a] >= shape[a]) return;
      }
      const double weight = plain_weight(in_patch, patch, blend);
      weights.at(0, voxel) += weight;
      for (std::int64_t c = 0; c < classes; ++c) {
        sum.at(c, voxel) +=
            weight * static_cast<double>(scores[k][static_cast<std::size_t>(c) * count + here]);
      }
    });
  }
  Voxels::for_each(Box::whole(shape), [&](const Shape& voxel) {
    for (std::int64_t c = 0; c < classes; ++c) sum.at(c, voxel) /= weights.at(0, voxel);
  });
  return sum;
}

// Linear along each axis, centres of voxels, edges repeated: from all corners at once.
inline WholeScores plain_resample(WholeScores& from, const Shape& to) {
  WholeScores out(to, from.classes);
  const std::size_t n = to.size();
  Voxels::for_each(Box::whole(to), [&](const Shape& voxel) {
    Shape low(n), high(n);
    std::vector<double> part(n);
    for (std::size_t a = 0; a < n; ++a) {
      const double scale = static_cast<double>(from.shape[a]) / static_cast<double>(to[a]);
      const double at = std::clamp((static_cast<double>(voxel[a]) + 0.5) * scale - 0.5, 0.0,
                                   static_cast<double>(from.shape[a] - 1));
      low[a] = static_cast<std::int64_t>(at);
      high[a] = std::min(low[a] + 1, from.shape[a] - 1);
      part[a] = at - static_cast<double>(low[a]);
    }
    for (std::size_t corner = 0; corner < std::size_t{1} << n; ++corner) {
      double weight = 1;
      Shape at = low;
      for (std::size_t a = 0; a < n; ++a) {
        const bool upper = (corner >> a & 1) != 0;
        weight *= upper ? part[a] : 1 - part[a];
        if (upper) at[a] = high[a];
      }
      for (std::int64_t c = 0; c < from.classes; ++c) {
        out.at(c, voxel) += weight * from.at(c, at);
      }
    }
  });
  return out;
}

}  // namespace mlarray::test
