#include "training/aggregator_plan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "mlarray/error.hpp"
#include "training/placing.hpp"

namespace mlarray::training {
namespace {

constexpr std::size_t kMostBoxes = std::size_t{1} << 22;
constexpr std::size_t kMostWeights = std::size_t{1} << 28;  // of one axis

[[noreturn]] void refuse_boxes(const Shape& patch) {
  throw Error(
      ErrorKind::invalid_value,
      "patches of " + to_string(patch) +
          " cover the image by more boxes than are possible, 2^22: give larger patches, "
          "or less overlap");
}

// As nnU-Net's compute_steps_for_sliding_window, ties to even included.
Shape starts_of(std::int64_t size, std::int64_t patch, double step) {
  if (size <= patch) return {centered_start(size, patch)};
  const auto distance = static_cast<double>(size - patch);
  const auto steps = static_cast<std::int64_t>(std::ceil(distance / std::max(step, 1.0)));
  const double even = distance / static_cast<double>(steps);
  Shape starts;
  for (std::int64_t i = 0; i <= steps; ++i) {
    starts.push_back(static_cast<std::int64_t>(std::nearbyint(even * static_cast<double>(i))));
  }
  return starts;
}

double weight_at(std::int64_t voxel, std::int64_t patch, Blend blend) {
  if (blend == Blend::constant) return 1;
  const double sigma = static_cast<double>(patch) / 8;
  const double distance = static_cast<double>(voxel - patch / 2) / sigma;
  return std::exp(-distance * distance / 2);
}

void set_weights(AxisPlan& axis, Blend blend) {
  std::vector<double> sum(static_cast<std::size_t>(axis.size), 0.0);
  std::vector<double> one(static_cast<std::size_t>(axis.patch));
  for (std::int64_t j = 0; j < axis.patch; ++j) {
    one[static_cast<std::size_t>(j)] = weight_at(j, axis.patch, blend);
  }
  const auto each = [&](auto body) {
    for (std::size_t i = 0; i < axis.boxes(); ++i) {
      for (std::int64_t j = 0; j < axis.patch; ++j) {
        const std::int64_t at = axis.starts[i] + j;
        if (at < 0 || at >= axis.size) continue;
        body(i, static_cast<std::size_t>(j), static_cast<std::size_t>(at));
      }
    }
  };
  each([&](std::size_t, std::size_t j, std::size_t at) { sum[at] += one[j]; });
  axis.weights.assign(axis.boxes(), std::vector<float>(one.size(), 0.0f));
  each([&](std::size_t i, std::size_t j, std::size_t at) {
    axis.weights[i][j] = static_cast<float>(one[j] / sum[at]);
  });
}

// Centres of voxels at the same place of the grid, edges repeated.
void set_resampling(AxisPlan& axis) {
  axis.same = axis.out_size == axis.size;
  const double scale = static_cast<double>(axis.size) / static_cast<double>(axis.out_size);
  for (std::int64_t o = 0; o < axis.out_size; ++o) {
    const double at = axis.same ? static_cast<double>(o)
                                : std::clamp((static_cast<double>(o) + 0.5) * scale - 0.5, 0.0,
                                             static_cast<double>(axis.size - 1));
    const auto low = static_cast<std::int64_t>(std::floor(at));
    const auto part = static_cast<float>(at - std::floor(at));
    axis.low.push_back(low);
    axis.high.push_back(part == 0 ? low : low + 1);
    axis.part.push_back(part);
  }
  for (const std::int64_t own : axis.own) {
    axis.out_own.push_back(std::ranges::lower_bound(axis.high, own) - axis.high.begin());
  }
}

AxisPlan plan_axis(std::int64_t size, std::int64_t patch, std::int64_t out_size, double step,
                   Blend blend) {
  AxisPlan axis;
  axis.size = size;
  axis.patch = patch;
  axis.out_size = out_size;
  axis.starts = starts_of(size, patch, step);
  axis.own = axis.starts;
  axis.own.front() = 0;
  axis.own.push_back(size);
  axis.cuts = axis.own;
  for (const std::int64_t start : axis.starts) {
    axis.cuts.push_back(std::min(start + patch, size));
  }
  std::ranges::sort(axis.cuts);
  axis.cuts.erase(std::unique(axis.cuts.begin(), axis.cuts.end()), axis.cuts.end());
  set_weights(axis, blend);
  set_resampling(axis);
  return axis;
}

// The part of the image that waits for the next row of boxes, if boxes advance along this axis.
double waiting(const AxisPlan& axis) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i + 1 < axis.boxes(); ++i) {
    most = std::max(most, std::min(axis.starts[i] + axis.patch, axis.size) - axis.own[i + 1]);
  }
  return static_cast<double>(most) / static_cast<double>(axis.size);
}

double step_of(std::size_t axis, const Shape& patch, const AggregatorOptions& options) {
  const auto length = static_cast<double>(patch[axis]);
  return options.step.empty() ? length * (1 - options.overlap)
                              : static_cast<double>(options.step[axis]);
}

}  // namespace

std::size_t AxisPlan::cell_at(std::int64_t position) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(cuts, position) - cuts.begin()) - 1;
}

AggregatorPlan::AggregatorPlan(const Shape& shape, const Shape& patch, const Shape& out_shape,
                               const AggregatorOptions& options) {
  for (std::size_t a = 0; a < shape.size(); ++a) {
    const auto length = static_cast<double>(patch[a]);
    const double most =
        static_cast<double>(shape[a]) / std::max(step_of(a, patch, options), 1.0);
    if (most * length > static_cast<double>(kMostWeights)) refuse_boxes(patch);
    axes.push_back(
        plan_axis(shape[a], patch[a], out_shape[a], step_of(a, patch, options), options.blend));
  }
  order.resize(axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t a) {
    // An axis with one box does not advance.
    return axes[a].boxes() == 1 ? 2.0 : waiting(axes[a]);
  });
  std::size_t count = 1;
  for (const AxisPlan& axis : axes) {
    if (axis.boxes() > kMostBoxes / count) refuse_boxes(patch);
    count *= axis.boxes();
  }
  boxes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = digits(i);
    Shape start;
    for (std::size_t a = 0; a < axes.size(); ++a) start.push_back(axes[a].starts[at[a]]);
    boxes.push_back(Box::at(start, patch));
  }
}

std::vector<std::size_t> AggregatorPlan::digits(std::size_t box) const {
  std::vector<std::size_t> found(axes.size());
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::size_t boxes_along = axes[order[i]].boxes();
    found[order[i]] = box % boxes_along;
    box /= boxes_along;
  }
  return found;
}

std::size_t AggregatorPlan::number(const std::vector<std::size_t>& digits) const {
  std::size_t box = 0;
  for (const std::size_t a : order) box = box * axes[a].boxes() + digits[a];
  return box;
}

}  // namespace mlarray::training
