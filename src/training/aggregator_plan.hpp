// What an Aggregator computes before the first score: boxes, weights, which scores end when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlarray/training/aggregator.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

// One axis of the image. Box i begins at starts[i]; the voxels of own(i) get no scores from
// later boxes along this axis, and do get some from box i.
struct AxisPlan {
  std::int64_t size = 0;   // of the image
  std::int64_t patch = 0;  // of a box
  Shape starts;            // the first may be negative, where the patch is longer
  Shape own;               // box i ends what is in [own[i], own[i + 1])
  // Where scores are cut into cells: at own, and where boxes end.
  Shape cuts;
  // Weight of box i at its voxel j, divided by the sum of all weights there: along this axis,
  // which suffices, because weights are products along the axes and boxes a grid.
  std::vector<std::vector<float>> weights;

  // Resampling: voxel o of the output is low + (high - low) * part.
  std::int64_t out_size = 0;
  bool same = true;  // nothing to do
  Shape low, high;
  std::vector<float> part;
  Shape out_own;  // box i ends what is in [out_own[i], out_own[i + 1]) of the output

  std::size_t boxes() const { return starts.size(); }
  // The cell that has this voxel.
  std::size_t cell_at(std::int64_t position) const;
};

struct AggregatorPlan {
  // `out_shape`: the grid to resample to. Errors: invalid_value.
  AggregatorPlan(const Shape& shape, const Shape& patch, const Shape& out_shape,
                 const AggregatorOptions& options);

  std::vector<AxisPlan> axes;
  // Axes in the order in which boxes advance, the slowest first: what waits for later boxes is
  // least.
  std::vector<std::size_t> order;
  std::vector<Box> boxes;

  std::size_t slow() const { return order.front(); }
  // Which box along each axis the box with this number is.
  std::vector<std::size_t> digits(std::size_t box) const;
  std::size_t number(const std::vector<std::size_t>& digits) const;
};

}  // namespace mlarray::training
