#include "training/padding.hpp"

#include <algorithm>
#include <cstring>

#include "grid/strided.hpp"

namespace mlarray::training {
namespace {

std::int64_t reflected(std::int64_t i, std::int64_t size) {
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1);
  i %= period;
  if (i < 0) i += period;
  return i < size ? i : period - i;
}

template <class Copy>
void gather_rows(const PaddingMap& map, const std::byte* source, std::byte* target,
                 std::int64_t voxel_bytes, Copy copy) {
  const std::size_t axes = map.from.size();
  Shape strides(axes, voxel_bytes);
  for (std::size_t a = axes; a-- > 1;) {
    strides[a - 1] = strides[a] * (map.support.stop[a] - map.support.start[a]);
  }
  const std::vector<std::int64_t>& row = map.from.back();
  std::int64_t rows = 1;
  for (std::size_t a = 0; a + 1 < axes; ++a)
    rows *= static_cast<std::int64_t>(map.from[a].size());
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t rest = r;
    const std::byte* from = source;
    for (std::size_t a = axes - 1; a-- > 0;) {
      const auto length = static_cast<std::int64_t>(map.from[a].size());
      from += map.from[a][static_cast<std::size_t>(rest % length)] * strides[a];
      rest /= length;
    }
    for (const std::int64_t i : row) {
      copy(target, from + i * voxel_bytes);
      target += voxel_bytes;
    }
  }
}

template <std::size_t kBytes>
void copy_voxel(std::byte* target, const std::byte* source) {
  std::memcpy(target, source, kBytes);
}

}  // namespace

PaddingMap padding_map(const Box& box, const Shape& image, Padding padding) {
  PaddingMap map;
  for (std::size_t a = 0; a < image.size(); ++a) {
    std::vector<std::int64_t> from;
    from.reserve(static_cast<std::size_t>(box.stop[a] - box.start[a]));
    for (std::int64_t i = box.start[a]; i < box.stop[a]; ++i) {
      from.push_back(padding == Padding::edge ? std::clamp<std::int64_t>(i, 0, image[a] - 1)
                                              : reflected(i, image[a]));
    }
    const auto [least, greatest] = std::minmax_element(from.begin(), from.end());
    const std::int64_t start = *least;
    map.support.start.push_back(start);
    map.support.stop.push_back(*greatest + 1);
    for (std::int64_t& i : from) i -= start;
    map.from.push_back(std::move(from));
  }
  return map;
}

void gather_padded(const PaddingMap& map, const std::byte* source, std::byte* target,
                   std::int64_t voxel_bytes) {
  switch (voxel_bytes) {
    case 1:
      return gather_rows(map, source, target, voxel_bytes, copy_voxel<1>);
    case 2:
      return gather_rows(map, source, target, voxel_bytes, copy_voxel<2>);
    case 4:
      return gather_rows(map, source, target, voxel_bytes, copy_voxel<4>);
    case 8:
      return gather_rows(map, source, target, voxel_bytes, copy_voxel<8>);
    default:
      return gather_rows(map, source, target, voxel_bytes,
                         [&](std::byte* to, const std::byte* from) {
                           std::memcpy(to, from, static_cast<std::size_t>(voxel_bytes));
                         });
  }
}

void fill_outside(const Box& inside, const Box& box, std::span<const std::byte> voxel,
                  std::byte* target) {
  const auto bytes = static_cast<std::int64_t>(voxel.size());
  const std::vector<std::int64_t> strides = c_strides(box.shape(), bytes);
  const auto fill = [&](const Box& slab) {
    if (slab.empty()) return;
    std::byte* first = target;
    for (std::size_t a = 0; a < strides.size(); ++a) {
      first += (slab.start[a] - box.start[a]) * strides[a];
    }
    grid::fill_box(first, strides, voxel, slab.shape());
  };
  if (inside.empty()) return fill(box);
  // Slabs of one axis after the other, as wide as `inside` along those before.
  Box slab = box;
  for (std::size_t a = 0; a < strides.size(); ++a) {
    slab.stop[a] = inside.start[a];
    fill(slab);
    slab.start[a] = inside.stop[a];
    slab.stop[a] = box.stop[a];
    fill(slab);
    slab.start[a] = inside.start[a];
    slab.stop[a] = inside.stop[a];
  }
}

}  // namespace mlarray::training
