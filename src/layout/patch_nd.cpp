// Layouts for any number of axes: what the newest generation of the format (0.0.54) uses.
//
// A patch reader touches every block that its box meets, so blocks and chunks should have the
// proportions of the patch. Both are grown by one rule, axis by axis, until a cache is full:
// blocks in steps of twice the patch's proportions (even lengths suit the filters), chunks in
// the same proportions in steps of whole blocks. Axes that are not spatial stay at one:
// patches are rarely taken across channels or time points.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "layout/limits.hpp"

namespace mlarray {
namespace {

using layout::saturating_add;
using layout::saturating_multiply;

// One axis while it grows. Lengths are at least 1.
struct GrowingAxis {
  std::int64_t length;
  std::int64_t step;
  std::int64_t upper;   // the array ends here; the last step is cut short
  std::int64_t enough;  // no more steps once `length` is larger than this
  bool stuck = false;   // a step would not fit; it never will, as the others only grow

  bool active() const { return !stuck && length < upper && length <= enough; }
  std::int64_t next() const { return std::min(saturating_add(length, step), upper); }
};

// Grows axes until none can: each time the axis whose step leads to the largest product that
// still fits `limit` elements; among equals the last axis, along which voxels are adjacent.
void grow(std::vector<GrowingAxis>& axes, std::int64_t limit) {
  std::int64_t product = 1;
  for (const GrowingAxis& axis : axes) product *= axis.length;
  while (true) {
    std::optional<std::size_t> best;
    std::int64_t best_product = 0;
    std::size_t active = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      GrowingAxis& axis = axes[i];
      if (!axis.active()) continue;
      const std::int64_t others = product / axis.length;
      if (axis.next() > limit / others) {
        axis.stuck = true;
        continue;
      }
      ++active;
      if (others * axis.next() > best_product) {
        best_product = others * axis.next();
        best = i;
      }
    }
    if (!best) return;
    GrowingAxis& axis = axes[*best];
    if (active == 1) {
      // Nothing competes any more: take all steps but the last at once, since a single long
      // axis would otherwise need as many rounds as it has steps.
      const std::int64_t others = product / axis.length;
      const std::int64_t room = std::min({limit / others, axis.upper, axis.enough});
      const std::int64_t whole_steps =
          std::max<std::int64_t>(room - axis.length, 0) / axis.step;
      axis.length += whole_steps * axis.step;
      product = others * axis.length;
      if (!axis.active() || axis.next() > limit / others) return;
    }
    const std::int64_t others = product / axis.length;
    axis.length = axis.next();
    product = others * axis.length;
  }
}

// The patch in units of its shortest length, rounded: how many steps an axis takes at once.
std::vector<std::int64_t> proportions(const std::vector<std::int64_t>& patch) {
  const std::int64_t shortest = *std::min_element(patch.begin(), patch.end());
  std::vector<std::int64_t> weights;
  for (const std::int64_t length : patch) {
    // Half to even, as every published layout of this generation was rounded.
    const double weight =
        std::nearbyint(static_cast<double>(length) / static_cast<double>(shortest));
    weights.push_back(static_cast<std::int64_t>(std::clamp(weight, 1.0, 0x1p60)));
  }
  return weights;
}

// Two voxels on each axis that has them: the smallest even block. Where not even that fits,
// the last axes come first and the others keep one voxel.
std::vector<std::int64_t> smallest_block(const std::vector<std::int64_t>& upper,
                                         std::int64_t limit) {
  std::vector<std::int64_t> block(upper.size(), 1);
  std::int64_t product = 1;
  for (std::size_t i = upper.size(); i-- > 0;) {
    if (upper[i] >= 2 && product <= limit / 2) {
      block[i] = 2;
      product *= 2;
    }
  }
  return block;
}

std::vector<std::int64_t> lengths_of(const std::vector<GrowingAxis>& axes) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(axes.size());
  for (const GrowingAxis& axis : axes) lengths.push_back(axis.length);
  return lengths;
}

}  // namespace

Layout layout_for_patch_nd(const Shape& shape, const std::vector<std::int64_t>& patch,
                           const std::vector<bool>& spatial_axes, std::int64_t itemsize,
                           const CacheSizes& caches) {
  layout::check_array(shape, itemsize);
  layout::check_caches(caches);
  const std::vector<bool> spatial = layout::complete_mask(shape, spatial_axes);
  layout::check_patch(
      patch, static_cast<std::size_t>(std::count(spatial.begin(), spatial.end(), true)));

  Layout result{Shape(shape.size(), 1), Shape(shape.size(), 1), patch};
  if (!patch.empty()) {
    const Shape lengths = layout::axis_lengths(shape);
    std::vector<std::int64_t> upper;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (spatial[axis]) upper.push_back(lengths[axis]);
    }
    const std::vector<std::int64_t> weights = proportions(patch);
    const std::int64_t block_limit = layout::block_budget(caches, itemsize);
    const std::vector<std::int64_t> start = smallest_block(upper, block_limit);

    std::vector<GrowingAxis> axes;
    axes.reserve(patch.size());
    for (std::size_t i = 0; i < patch.size(); ++i) {
      axes.push_back({start[i], 2 * weights[i], upper[i], layout::kSaturated});
    }
    grow(axes, block_limit);
    const std::vector<std::int64_t> block = lengths_of(axes);

    // A chunk is at least its block, also where the two budgets are given the wrong way round.
    const std::int64_t chunk_limit =
        std::max(layout::chunk_budget(caches, itemsize), layout::saturating_product(block));
    for (std::size_t i = 0; i < patch.size(); ++i) {
      // Past one and a half patches a longer chunk would mostly load what nobody asked for.
      const std::int64_t enough = saturating_add(patch[i], patch[i] / 2);
      axes[i] = {block[i], saturating_multiply(weights[i], block[i]), upper[i], enough};
    }
    grow(axes, chunk_limit);

    for (std::size_t axis = 0, i = 0; axis < shape.size(); ++axis) {
      if (!spatial[axis]) continue;
      result.block[axis] = block[i];
      result.chunk[axis] = axes[i].length;
      ++i;
    }
  }
  layout::check_sizes(result, itemsize);
  return result;
}

}  // namespace mlarray
