#include "augment/elastic.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace mlarray::augment {
namespace {

constexpr std::int64_t kTaps = 4;

}  // namespace

std::int64_t points_along(std::int64_t length, double spacing) {
  if (length == 1) return 1;
  const double cells = std::ceil(static_cast<double>(length - 1) / spacing);
  return static_cast<std::int64_t>(cells) + kTaps - 1;
}

// Points lie symmetrically around the patch. So a flip of the patch is one of the points, and
// exchanged axes exchange theirs. What moves along the patch's axes is turned as the patch is.
Field::Field(const Pipeline& pipeline, const Drawn& drawn) : size_(lift(pipeline.patch)) {
  const Drawn::Elastic& elastic = *drawn.elastic;
  const std::size_t axes = pipeline.patch.size();
  const Size drawn_points = lift(elastic.points);
  const Copy order = copy_of(pipeline, drawn);
  for (std::size_t a = 0; a < 3; ++a) points_[a] = drawn_points[order.axis[a]];
  const std::int64_t count = volume(points_);
  std::array<double, 9> matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  if (drawn.matrix) matrix = *drawn.matrix;
  const bool planar = axes == 3 && pipeline.spatial.planar;
  for (auto& one : offsets_) one.assign(static_cast<std::size_t>(count), 0.0F);
  std::size_t to = 0;
  Size at;
  for (at[0] = 0; at[0] < points_[0]; ++at[0]) {
    for (at[1] = 0; at[1] < points_[1]; ++at[1]) {
      for (at[2] = 0; at[2] < points_[2]; ++at[2], ++to) {
        Size from = {};
        for (std::size_t a = 0; a < 3; ++a) {
          from[order.axis[a]] = order.flips[a] ? points_[a] - 1 - at[a] : at[a];
        }
        const auto point = static_cast<std::size_t>(
            (from[0] * drawn_points[1] + from[1]) * drawn_points[2] + from[2]);
        for (std::size_t i = planar ? 1 : 3 - axes; i < 3; ++i) {
          double sum = 0;
          for (std::size_t j = planar ? 1 : 3 - axes; j < 3; ++j) {
            const std::size_t which = j - (3 - axes);
            sum += matrix[3 * i + j] *
                   elastic.offsets[which * static_cast<std::size_t>(count) + point];
          }
          offsets_[i][to] = static_cast<float>(sum);
        }
      }
    }
  }
  for (std::int64_t x = 0; x < size_[2]; ++x) {
    along_row_.push_back(weights(x, size_[2], points_[2]));
  }
  column_.resize(static_cast<std::size_t>(points_[2]));
}

Field::Weights Field::weights(std::int64_t voxel, std::int64_t length, std::int64_t points) {
  Weights result;
  if (points < kTaps) return result;
  const std::int64_t cells = points - (kTaps - 1);
  const double at = length == 1 ? 0
                                : static_cast<double>(voxel) * static_cast<double>(cells) /
                                      static_cast<double>(length - 1);
  result.first = std::min(static_cast<std::int64_t>(at), cells - 1);
  result.count = kTaps;
  const double t = at - static_cast<double>(result.first);
  const double s = 1 - t;
  result.weight[0] = static_cast<float>(s * s * s / 6);
  result.weight[1] = static_cast<float>((3 * t * t * t - 6 * t * t + 4) / 6);
  result.weight[2] = static_cast<float>((3 * s * s * s - 6 * s * s + 4) / 6);
  result.weight[3] = static_cast<float>(t * t * t / 6);
  return result;
}

void Field::add_row(std::int64_t z, std::int64_t y, std::array<float*, 3> out) {
  const Weights along_z = weights(z, size_[0], points_[0]);
  const Weights along_y = weights(y, size_[1], points_[1]);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::fill(column_.begin(), column_.end(), 0.0F);
    for (std::int64_t k = 0; k < along_z.count; ++k) {
      for (std::int64_t j = 0; j < along_y.count; ++j) {
        const float weight = along_z.weight[static_cast<std::size_t>(k)] *
                             along_y.weight[static_cast<std::size_t>(j)];
        const float* row = offsets_[axis].data() +
                           ((along_z.first + k) * points_[1] + along_y.first + j) * points_[2];
        for (std::size_t i = 0; i < column_.size(); ++i) column_[i] += weight * row[i];
      }
    }
    float* to = out[axis];
    for (std::size_t x = 0; x < along_row_.size(); ++x) {
      const Weights& at = along_row_[x];
      const float* points = column_.data() + at.first;
      float sum = 0;
      for (std::int64_t k = 0; k < at.count; ++k) {
        sum += at.weight[static_cast<std::size_t>(k)] * points[k];
      }
      to[x] += sum;
    }
  }
}

// In each cell between control points the displacement lies among those of its 64 points,
// because weights are from 0 to 1 and sum to 1.
void Field::bounds(const Warp& warp, const Size& patch, std::size_t axis, double& low,
                   double& high) const {
  std::vector<float> least = offsets_[axis];
  std::vector<float> most = least;
  const Size step = {points_[1] * points_[2], points_[2], 1};
  const std::int64_t count = volume(points_);
  for (std::size_t a = 0; a < 3; ++a) {
    if (points_[a] < kTaps) continue;
    for (std::int64_t i = 0; i < count; ++i) {
      if (i / step[a] % points_[a] > points_[a] - kTaps) continue;
      const auto here = static_cast<std::size_t>(i);
      for (std::int64_t k = 1; k < kTaps; ++k) {
        const auto next = static_cast<std::size_t>(i + k * step[a]);
        least[here] = std::min(least[here], least[next]);
        most[here] = std::max(most[here], most[next]);
      }
    }
  }
  Size cells;
  for (std::size_t a = 0; a < 3; ++a) cells[a] = std::max<std::int64_t>(points_[a] - 3, 1);
  low = 1e300;
  high = -1e300;
  Size cell;
  for (cell[0] = 0; cell[0] < cells[0]; ++cell[0]) {
    for (cell[1] = 0; cell[1] < cells[1]; ++cell[1]) {
      for (cell[2] = 0; cell[2] < cells[2]; ++cell[2]) {
        double from = warp.start[axis];
        double to = from;
        for (std::size_t j = 0; j < 3; ++j) {
          const double m = warp.matrix[3 * axis + j];
          const double span = static_cast<double>(patch[j] - 1) / static_cast<double>(cells[j]);
          const double a = m * span * static_cast<double>(cell[j]);
          const double b = m * span * static_cast<double>(cell[j] + 1);
          from += std::min(a, b);
          to += std::max(a, b);
        }
        const auto point =
            static_cast<std::size_t>((cell[0] * points_[1] + cell[1]) * points_[2] + cell[2]);
        low = std::min(low, from + static_cast<double>(least[point]));
        high = std::max(high, to + static_cast<double>(most[point]));
      }
    }
  }
}

}  // namespace mlarray::augment
