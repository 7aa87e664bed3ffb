// A displacement of each voxel, by cubic B-splines between control points. Internal.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "augment/geometry.hpp"

namespace mlarray::augment {

inline constexpr double kLeastSpacing = 4;  // voxels
inline constexpr std::int64_t kMostPoints = 1 << 20;

// Control points along an axis of the patch, so that they are at most `spacing` apart.
std::int64_t points_along(std::int64_t length, double spacing);

// The displacements of one sample: where voxel p of the patch that comes out is read, further
// than its Warp says.
class Field {
 public:
  // `drawn` has what is elastic, and fits the pipeline.
  Field(const Pipeline& pipeline, const Drawn& drawn);

  // Along one row, for each of three axes of the initial patch, so many floats are added to
  // `out`.
  void add_row(std::int64_t z, std::int64_t y, std::array<float*, 3> out);

  // Of the whole patch: the least and the greatest place along an axis of the initial patch, of
  // voxels that `warp` and this displace. Not exact, but never too narrow.
  void bounds(const Warp& warp, const Size& patch, std::size_t axis, double& low,
              double& high) const;

 private:
  // Which control points a voxel lies between, and their weights.
  struct Weights {
    std::int64_t first = 0;
    std::int64_t count = 1;
    std::array<float, 4> weight = {1, 0, 0, 0};
  };
  static Weights weights(std::int64_t voxel, std::int64_t length, std::int64_t points);

  Size size_ = {};
  Size points_ = {};
  std::array<std::vector<float>, 3> offsets_;  // axes of the initial patch
  std::vector<Weights> along_row_;
  std::vector<float> column_;
};

}  // namespace mlarray::augment
