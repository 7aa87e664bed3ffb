// What stands in a box where it leaves the image. Pure functions. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mlarray/training/loader.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

// Which voxel of the image stands at each place of the box, along every axis, counted from
// `support`, the box of the image that has all of them.
struct PaddingMap {
  Box support;
  std::vector<std::vector<std::int64_t>> from;
};
// Of Padding::edge and reflect.
PaddingMap padding_map(const Box& box, const Shape& image, Padding padding);

// Puts the voxels of `source`, of the shape of the support, where the map says; both dense.
void gather_padded(const PaddingMap& map, const std::byte* source, std::byte* target,
                   std::int64_t voxel_bytes);

// Calls body(i, j, n) for every run of n voxels of `inside`, which lies in `box`: i is where
// the run starts among the voxels of `inside`, j among those of the box.
template <class Body>
void for_each_run(const Box& inside, const Box& box, Body body);

// Fills the box with `voxel` but for what of it is inside. Dense.
void fill_outside(const Box& inside, const Box& box, std::span<const std::byte> voxel,
                  std::byte* target);

template <class Body>
void for_each_run(const Box& inside, const Box& box, Body body) {
  const std::size_t axes = box.start.size();
  std::int64_t run = 1;
  std::size_t outer = axes;  // the axes before it are not part of a run
  bool whole = true;
  while (outer > 0 && whole) {
    --outer;
    run *= inside.stop[outer] - inside.start[outer];
    whole = inside.start[outer] == box.start[outer] && inside.stop[outer] == box.stop[outer];
  }
  Shape strides(axes, 1);
  for (std::size_t a = axes; a-- > 1;) {
    strides[a - 1] = strides[a] * (box.stop[a] - box.start[a]);
  }
  std::int64_t target = 0;
  for (std::size_t a = 0; a < axes; ++a) {
    target += (inside.start[a] - box.start[a]) * strides[a];
  }
  if (inside.empty()) return;
  Shape at(outer, 0);
  for (std::int64_t source = 0;; source += run) {
    body(source, target, run);
    std::size_t a = outer;
    while (a > 0) {
      --a;
      target += strides[a];
      if (++at[a] < inside.stop[a] - inside.start[a]) break;
      target -= at[a] * strides[a];
      at[a] = 0;
      if (a == 0) return;
    }
    if (outer == 0) return;
  }
}

}  // namespace mlarray::training
