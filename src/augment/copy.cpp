// Voxels that are copied: nothing lies between them.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "augment/kernels.hpp"
#include "augment/spatial.hpp"

namespace mlarray::augment {
namespace {

void reverse_row(const float* row, std::int64_t count, float* out) {
  kernels().reverse(row, count, out);
}
void reverse_row(const std::int16_t* row, std::int64_t count, std::int16_t* out) {
  kernels().reverse_labels(row, count, out);
}

// Axes as they are, and a constant outside.
template <class T>
void copy_rows(const Volume<T>& source, const Copy& copy, const Size& patch, T outside,
               T* out) {
  const Size& start = copy.start;
  const std::array<bool, 3>& flips = copy.flips;
  // Of a row, before it is flipped: [low, high) is in the source.
  const std::int64_t shift = start[2] - source.origin[2];
  const std::int64_t low = std::clamp<std::int64_t>(-shift, 0, patch[2]);
  const std::int64_t high = std::clamp<std::int64_t>(source.size[2] - shift, low, patch[2]);
  for (std::int64_t oz = 0; oz < patch[0]; ++oz) {
    const std::int64_t z = start[0] - source.origin[0] + (flips[0] ? patch[0] - 1 - oz : oz);
    for (std::int64_t oy = 0; oy < patch[1]; ++oy, out += patch[2]) {
      const std::int64_t y = start[1] - source.origin[1] + (flips[1] ? patch[1] - 1 - oy : oy);
      if (z < 0 || z >= source.size[0] || y < 0 || y >= source.size[1] || low == high) {
        std::fill_n(out, patch[2], outside);
        continue;
      }
      const T* row = source.data + z * source.step_z + y * source.step_y + shift + low;
      const std::int64_t before = flips[2] ? patch[2] - high : low;
      std::fill_n(out, before, outside);
      if (flips[2]) {
        reverse_row(row, high - low, out + before);
      } else {
        std::memcpy(out + before, row, static_cast<std::size_t>(high - low) * sizeof(T));
      }
      std::fill(out + before + (high - low), out + patch[2], outside);
    }
  }
}

// Any order of the axes, any padding: by tables of where each index along an axis is found.
template <class T>
void copy_any(const Volume<T>& source, const Size& initial, Padding padding, const Copy& copy,
              const Size& patch, T outside, T* out) {
  constexpr std::int64_t kNowhere = -1;
  const Size step = {source.step_z, source.step_y, 1};
  std::array<std::vector<std::int64_t>, 3> from;
  for (std::size_t a = 0; a < 3; ++a) {
    const std::size_t axis = copy.axis[a];
    for (std::int64_t i = 0; i < patch[a]; ++i) {
      const std::int64_t index = copy.start[axis] + (copy.flips[a] ? patch[a] - 1 - i : i);
      std::int64_t at = padded_index(index, initial[axis], padding);
      if (at >= 0) at -= source.origin[axis];
      from[a].push_back(at >= 0 && at < source.size[axis] ? at : kNowhere);
    }
  }
  const std::array<std::int64_t, 3> steps = {step[copy.axis[0]], step[copy.axis[1]],
                                             step[copy.axis[2]]};
  for (const std::int64_t z : from[0]) {
    for (const std::int64_t y : from[1]) {
      const bool there = z != kNowhere && y != kNowhere;
      const std::int64_t row = there ? z * steps[0] + y * steps[1] : 0;
      for (const std::int64_t x : from[2]) {
        *out++ = there && x != kNowhere ? source.data[row + x * steps[2]] : outside;
      }
    }
  }
}

template <class T>
void copy_to(const Volume<T>& source, const Size& initial, Padding padding, const Copy& copy,
             const Size& patch, T outside, T* out) {
  const bool in_order = copy.axis == std::array<std::size_t, 3>{0, 1, 2};
  if (in_order && padding == Padding::constant) {
    copy_rows(source, copy, patch, outside, out);
  } else {
    copy_any(source, initial, padding, copy, patch, outside, out);
  }
}

}  // namespace

void copy_image(const Volume<float>& source, const Outside& outside, const Copy& copy,
                const Size& patch, float* out) {
  copy_to(source, outside.initial, outside.padding, copy, patch, outside.fill, out);
}

void copy_labels(const Volume<std::int16_t>& source, const Outside& outside, const Copy& copy,
                 const Size& patch, std::int16_t* out) {
  copy_to(source, outside.initial, Padding::constant, copy, patch, kOutsideLabel, out);
}

}  // namespace mlarray::augment
