// Where the voxels of a patch come from, and which of them are needed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "augment/checks.hpp"
#include "augment/elastic.hpp"
#include "augment/geometry.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

// Of the voxels from `start` to `stop`, those that the initial patch has, and those that stand
// for the others.
std::pair<std::int64_t, std::int64_t> covered(std::int64_t start, std::int64_t stop,
                                              std::int64_t length, Padding padding) {
  const std::int64_t first = std::clamp<std::int64_t>(start, 0, length);
  const std::int64_t last = std::clamp<std::int64_t>(stop, first, length);
  if (padding == Padding::constant || (start >= 0 && stop <= length)) return {first, last};
  if (padding == Padding::reflect && stop - start >= 2 * length) return {0, length};
  std::int64_t low = length;
  std::int64_t high = 0;
  const auto see = [&](std::int64_t index) {
    const std::int64_t at = padded_index(index, length, padding);
    low = std::min(low, at);
    high = std::max(high, at + 1);
  };
  if (padding == Padding::edge) {
    see(start);
    see(stop - 1);
  } else {
    for (std::int64_t i = start; i < stop; ++i) see(i);
  }
  return {low, high};
}

// The axis of three that each axis of three is exchanged with.
std::array<std::size_t, 3> order_of(const Pipeline& pipeline, const Drawn& drawn) {
  std::array<std::size_t, 3> order = {0, 1, 2};
  const std::size_t skipped = 3 - pipeline.patch.size();
  for (std::size_t i = 0; i < drawn.axes.size(); ++i) {
    order[skipped + i] = skipped + static_cast<std::size_t>(drawn.axes[i]);
  }
  return order;
}

}  // namespace

std::array<bool, 3> flips_of(const Pipeline& pipeline, const Drawn& drawn) {
  std::array<bool, 3> flips{};
  const auto axes = static_cast<std::int64_t>(pipeline.patch.size());
  for (const std::int64_t axis : drawn.flips) {
    flips[static_cast<std::size_t>(3 - axes + axis)] = true;
  }
  return flips;
}

bool copies(const Drawn& drawn) {
  return !drawn.matrix && !drawn.elastic &&
         std::all_of(drawn.shift.begin(), drawn.shift.end(),
                     [](double shift) { return shift == std::floor(shift); });
}

Copy copy_of(const Pipeline& pipeline, const Drawn& drawn) {
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  Copy copy;
  copy.axis = order_of(pipeline, drawn);
  copy.flips = flips_of(pipeline, drawn);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    copy.start[axis] = initial[axis] / 2 - patch[axis] / 2 +
                       static_cast<std::int64_t>(std::floor(drawn.shift[axis]));
  }
  return copy;
}

Warp warp_of(const Pipeline& pipeline, const Drawn& drawn) {
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  const std::array<bool, 3> flips = flips_of(pipeline, drawn);
  const std::array<std::size_t, 3> order = order_of(pipeline, drawn);
  std::array<double, 9> matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  if (drawn.matrix) matrix = *drawn.matrix;
  if (pipeline.patch.size() == 2) {  // of which the lower right four count
    for (const std::size_t i : {1U, 2U, 3U, 6U}) matrix[i] = 0;
    matrix[0] = 1;
  }
  Warp warp;
  warp.planar = pipeline.patch.size() == 2 || pipeline.spatial.planar;
  for (std::size_t i = 0; i < 3; ++i) {
    warp.start[i] = static_cast<double>(initial[i] - 1) / 2 + drawn.shift[i];
    for (std::size_t j = 0; j < 3; ++j) {
      double m = matrix[3 * i + order[j]];
      if (flips[j]) m = -m;
      warp.matrix[3 * i + j] = m;
      warp.start[i] -= m * static_cast<double>(patch[j] - 1) / 2;
    }
  }
  return warp;
}

std::array<double, 12> placement(const Pipeline& pipeline, const Drawn& drawn) {
  check_place(pipeline, drawn);
  Warp warp;
  if (copies(drawn)) {
    const Copy copy = copy_of(pipeline, drawn);
    const Size patch = lift(pipeline.patch);
    for (std::size_t a = 0; a < 3; ++a) {
      const std::size_t i = copy.axis[a];
      warp.matrix[3 * i + a] = copy.flips[a] ? -1 : 1;
      warp.start[i] = static_cast<double>(copy.start[i] + (copy.flips[a] ? patch[a] - 1 : 0));
    }
  } else {
    warp = warp_of(pipeline, drawn);
  }
  std::array<double, 12> rows{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) rows[4 * i + j] = warp.matrix[3 * i + j];
    rows[4 * i + 3] = warp.start[i];
  }
  return rows;
}

Box support(const Pipeline& pipeline, const Drawn& drawn) {
  check(pipeline);
  check_place(pipeline, drawn);
  const Spatial& spatial = pipeline.spatial;
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  Size start = copy_of(pipeline, drawn).start;
  Size stop;
  for (std::size_t axis = 0; axis < 3; ++axis) stop[axis] = start[axis] + patch[axis];
  if (!copies(drawn)) {
    const Warp warp = warp_of(pipeline, drawn);
    std::optional<Field> field;
    if (drawn.elastic) field.emplace(pipeline, drawn);
    // What cubic interpolation takes more than linear.
    const std::int64_t more = spatial.interpolation == Interpolation::cubic ? 1 : 0;
    for (std::size_t i = warp.planar ? 1 : 0; i < 3; ++i) {
      double low = warp.start[i];
      double high = warp.start[i];
      if (field) {
        field->bounds(warp, patch, i, low, high);
      } else {
        for (std::size_t j = 0; j < 3; ++j) {
          const double span = warp.matrix[3 * i + j] * static_cast<double>(patch[j] - 1);
          (span < 0 ? low : high) += span;
        }
      }
      constexpr double kFurthest = 1 << 22;
      if (!(low > -kFurthest && high < kFurthest)) {
        throw Error(ErrorKind::invalid_value,
                    "the matrix leads to voxel " +
                        std::to_string(low < -kFurthest ? low : high) + "; the limit is " +
                        std::to_string(kFurthest));
      }
      // What rounding to float32 may add.
      constexpr double kSlack = 1e-3;
      start[i] = static_cast<std::int64_t>(std::floor(low - kSlack)) - more;
      stop[i] = static_cast<std::int64_t>(std::floor(high + kSlack)) + 2 + more;
    }
  }
  Box box;
  for (std::size_t axis = 3 - pipeline.patch.size(); axis < 3; ++axis) {
    const auto [first, last] = covered(start[axis], stop[axis], initial[axis], spatial.padding);
    box.start.push_back(first);
    box.stop.push_back(last);
  }
  return box;
}

}  // namespace mlarray::augment
