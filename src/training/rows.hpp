// Walking over the rows of a box.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mlarray/types.hpp"

namespace mlarray::training {

// Calls body(at) with the first voxel of each row along the last axis, in C order.
template <class Body>
void for_rows(const Box& box, Body body) {
  if (box.empty()) return;
  Shape at = box.start;
  for (;;) {
    body(static_cast<const Shape&>(at));
    std::size_t axis = at.size() - 1;
    do {
      if (axis == 0) return;
      --axis;
      if (++at[axis] < box.stop[axis]) break;
      at[axis] = box.start[axis];
    } while (true);
  }
}

// Where a voxel is in the elements of `box`, which lie in C order.
inline std::int64_t offset_in(const Box& box, const Shape& at) {
  std::int64_t offset = 0;
  for (std::size_t a = 0; a < at.size(); ++a) {
    offset = offset * (box.stop[a] - box.start[a]) + at[a] - box.start[a];
  }
  return offset;
}

}  // namespace mlarray::training
