// Where the box of a draw may lie, along all axes. Pure functions. Internal.
#pragma once

#include <cstdint>
#include <string_view>

#include "mlarray/random.hpp"
#include "mlarray/training/sampler.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

// Nothing of a box or an image is further away: sums of some such numbers cannot overflow.
inline constexpr std::int64_t kFurthest = std::int64_t{1} << 40;

// The first and the last start that a box may have, along one axis.
struct Starts {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

class Placing {
 public:
  // Errors: invalid_value for a patch without voxels, and for a pad of other axes or below 0.
  Placing(Shape patch, Border border, Shape pad);

  const Shape& patch() const { return patch_; }
  // Errors of all: invalid_value for an image of other axes.
  Box anywhere(const Shape& image, Random& random) const;
  Box around(const Shape& image, const Shape& center) const;

 private:
  Starts starts(const Shape& image, std::size_t axis) const;
  void check(const Shape& image) const;

  Shape patch_;
  Border border_;
  Shape pad_;
};

// Errors: invalid_value for a patch without axes or voxels.
void check_patch(const Shape& patch);
// Where the one box along an axis starts that is as long as the image or longer.
std::int64_t centered_start(std::int64_t image, std::int64_t patch);
// A draw at this place, of a case whose box and class are still to be drawn.
Draw draw_at(const DrawPlace& place, const Random& random);
// Errors: invalid_value for another number of weights than cases.
void check_case_weights(std::int64_t weights, const CaseInfo& cases);

}  // namespace mlarray::training
