// Sizes and places inside apply(): always three axes, of which the first has length 1 where an
// image has two. Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/memory.hpp"
#include "mlarray/augment/pipeline.hpp"

namespace mlarray::augment {

using Size = std::array<std::int64_t, 3>;

inline Size lift(const Shape& shape, std::int64_t fill = 1) {
  Size size = {fill, fill, fill};
  const std::size_t skipped = size.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) size[skipped + i] = shape[i];
  return size;
}

inline std::int64_t volume(const Size& size) { return size[0] * size[1] * size[2]; }

// Voxels of the source. `origin`: where the first one is in the initial patch.
template <class T>
struct Volume {
  const T* data = nullptr;
  Size size = {};
  std::int64_t step_z = 0, step_y = 0;  // in elements
  Size origin = {};
};

class Field;

// Voxel p of the patch that comes out is at matrix * p + start of the initial patch, exchanged
// axes and flips included; then what is elastic is added.
struct Warp {
  std::array<double, 9> matrix = {};
  std::array<double, 3> start = {};
  bool planar = false;     // the first axis stays as it is
  Field* field = nullptr;  // elastic
};

// Where nothing lies between voxels. Along axis a of the patch that comes out lies axis[a] of
// the initial patch, from start[axis[a]] on, or from the end where it is flipped.
struct Copy {
  Size start = {};
  std::array<std::size_t, 3> axis = {0, 1, 2};
  std::array<bool, 3> flips = {};
};

// Of the pipeline: what its `drawn` says.
bool copies(const Drawn& drawn);
Copy copy_of(const Pipeline& pipeline, const Drawn& drawn);
Warp warp_of(const Pipeline& pipeline, const Drawn& drawn);  // without the field
std::array<bool, 3> flips_of(const Pipeline& pipeline, const Drawn& drawn);

// What is outside of an image of this length; -1: a constant.
inline std::int64_t padded_index(std::int64_t index, std::int64_t length, Padding padding) {
  if (index >= 0 && index < length) return index;
  switch (padding) {
    case Padding::constant:
      return -1;
    case Padding::edge:
      return index < 0 ? 0 : length - 1;
    case Padding::reflect:
      break;
  }
  if (length == 1) return 0;
  const std::int64_t period = 2 * (length - 1);
  index = (index < 0 ? -index : index) % period;
  return index < length ? index : period - index;
}

struct Workspace::Impl {
  base::Scratch<std::int32_t> ints;
  base::Scratch<float> floats;
  base::Scratch<float> rows;
  base::Scratch<std::int32_t> tables;
  base::Scratch<std::uint8_t> cells;
  base::Scratch<std::int16_t> wide_cells;
  base::Scratch<std::int16_t> labels;
  base::Scratch<std::int16_t> corners;
  base::Scratch<std::int32_t> ballot_ints;
  base::Scratch<float> ballot_floats;
  base::Scratch<std::uint8_t> ballot_bits;
  base::Scratch<std::int64_t> ballot_out;
  base::Scratch<std::uint64_t> orders;  // median
  base::Scratch<std::uint8_t> marks;    // cascade
  base::Scratch<std::uint16_t> distances;
  base::Scratch<std::int32_t> components;
};

}  // namespace mlarray::augment
