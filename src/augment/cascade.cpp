// Labels of an earlier stage: dilated, eroded, and components of them removed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "augment/labels.hpp"

namespace mlarray::augment {
namespace {

using What = Drawn::Change::What;

constexpr std::uint16_t kFar = 20000;  // above the largest radius squared

// 1 where a mark is no further away than the radius. Exact: squared distances axis by axis,
// each a minimum over so many neighbours.
void dilate(std::uint8_t* marks, const Size& size, double radius, Workspace::Impl& work) {
  const auto reach = static_cast<std::int64_t>(radius);
  const auto most = static_cast<std::uint16_t>(radius * radius);
  const std::int64_t count = volume(size);
  const std::int64_t plane = size[1] * size[2];
  std::uint16_t* distance = work.distances.get(2 * count).data();
  std::uint16_t* next = distance + count;
  for (std::int64_t row = 0; row < size[0] * size[1]; ++row) {
    const std::uint8_t* from = marks + row * size[2];
    std::uint16_t* to = distance + row * size[2];
    std::int64_t last = -kFar;
    for (std::int64_t x = 0; x < size[2]; ++x) {
      if (from[x] != 0) last = x;
      const std::int64_t d = std::min<std::int64_t>(x - last, 140);  // 140^2 < kFar
      to[x] = static_cast<std::uint16_t>(d * d);
    }
    last = size[2] + kFar;
    for (std::int64_t x = size[2] - 1; x >= 0; --x) {
      if (from[x] != 0) last = x;
      const std::int64_t d = std::min<std::int64_t>(last - x, 140);
      to[x] = std::min(to[x], static_cast<std::uint16_t>(d * d));
    }
  }
  // Along an axis of rows that are `step` apart, `length` of them.
  const auto sweep = [&](std::int64_t step, std::int64_t length) {
    std::copy_n(distance, count, next);
    for (std::int64_t start = 0; start < count; start += step * length) {
      for (std::int64_t i = 0; i < length; ++i) {
        std::uint16_t* to = next + start + i * step;
        const std::int64_t first = std::max<std::int64_t>(i - reach, 0);
        const std::int64_t stop = std::min(i + reach + 1, length);
        for (std::int64_t k = first; k < stop; ++k) {
          const auto square = static_cast<std::uint16_t>((k - i) * (k - i));
          const std::uint16_t* from = distance + start + k * step;
          for (std::int64_t x = 0; x < step; ++x) {
            const auto d = static_cast<std::uint16_t>(from[x] + square);
            to[x] = std::min(to[x], d);
          }
        }
      }
    }
    std::swap(distance, next);
  };
  if (size[1] > 1) sweep(size[2], size[1]);
  if (size[0] > 1) sweep(plane, size[0]);
  for (std::int64_t i = 0; i < count; ++i) {
    marks[i] = static_cast<std::uint8_t>(distance[i] <= most ? 1 : 0);
  }
}

void invert(std::uint8_t* marks, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    marks[i] = static_cast<std::uint8_t>(marks[i] == 0 ? 1 : 0);
  }
}

// What is beyond the border has no mark for a dilation, and one for an erosion.
void erode(std::uint8_t* marks, const Size& size, double radius, Workspace::Impl& work) {
  invert(marks, volume(size));
  dilate(marks, size, radius, work);
  invert(marks, volume(size));
}

void operate(What what, std::uint8_t* marks, const Size& size, double radius,
             Workspace::Impl& work) {
  if (what == What::dilate || what == What::close) dilate(marks, size, radius, work);
  if (what != What::dilate) erode(marks, size, radius, work);
  if (what == What::open) dilate(marks, size, radius, work);
}

// Voxels of a mark that touch at least at a corner: each gets the number of its component, 1
// and on, in the order of their first voxels, and 0 without a mark. Returns their sizes.
std::vector<std::int64_t> components(const std::uint8_t* marks, const Size& size,
                                     std::int32_t* number) {
  std::vector<std::int32_t> parent = {0};
  const auto root = [&](std::int32_t i) {
    while (parent[static_cast<std::size_t>(i)] != i) {
      auto& up = parent[static_cast<std::size_t>(i)];
      up = parent[static_cast<std::size_t>(up)];
      i = up;
    }
    return i;
  };
  const std::int64_t plane = size[1] * size[2];
  for (std::int64_t z = 0; z < size[0]; ++z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      for (std::int64_t x = 0; x < size[2]; ++x) {
        const std::int64_t at = z * plane + y * size[2] + x;
        number[at] = 0;
        if (marks[at] == 0) continue;
        // Those before it in the order of the loops: 13 of 26 neighbours.
        for (std::int64_t k = -1; k <= 0; ++k) {
          if (z + k < 0) continue;
          for (std::int64_t j = -1; j <= (k < 0 ? 1 : 0); ++j) {
            if (y + j < 0 || y + j >= size[1]) continue;
            const std::int64_t last = k == 0 && j == 0 ? -1 : 1;
            for (std::int64_t i = -1; i <= last; ++i) {
              if (x + i < 0 || x + i >= size[2]) continue;
              const std::int32_t other = number[at + k * plane + j * size[2] + i];
              if (other == 0 || other == number[at]) continue;
              const std::int32_t there = root(other);
              if (number[at] == 0) {
                number[at] = there;
                continue;
              }
              const std::int32_t here = root(number[at]);
              parent[static_cast<std::size_t>(std::max(here, there))] = std::min(here, there);
              number[at] = std::min(here, there);
            }
          }
        }
        if (number[at] == 0) {
          number[at] = static_cast<std::int32_t>(parent.size());
          parent.push_back(number[at]);
        }
      }
    }
  }
  std::vector<std::int32_t> final_number(parent.size());
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 1; i < parent.size(); ++i) {
    const auto top = static_cast<std::size_t>(root(static_cast<std::int32_t>(i)));
    if (top == i) {
      sizes.push_back(0);
      final_number[i] = static_cast<std::int32_t>(sizes.size());
    } else {
      final_number[i] = final_number[top];
    }
  }
  for (std::int64_t i = 0; i < volume(size); ++i) {
    number[i] = final_number[static_cast<std::size_t>(number[i])];
    if (number[i] > 0) ++sizes[static_cast<std::size_t>(number[i] - 1)];
  }
  return sizes;
}

void remove_component(const Cascade& cascade, const Drawn::Change& change, const Size& size,
                      const std::uint8_t* marks, float* channels, Workspace::Impl& work) {
  const std::int64_t count = volume(size);
  std::int32_t* number = work.components.get(count).data();
  const std::vector<std::int64_t> sizes = components(marks, size, number);
  std::vector<std::int32_t> small;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (static_cast<double>(sizes[i]) <
        cascade.largest_component * static_cast<double>(count)) {
      small.push_back(static_cast<std::int32_t>(i + 1));
    }
  }
  if (small.empty()) return;
  const auto which = static_cast<std::size_t>(change.value * static_cast<double>(small.size()));
  const std::int32_t chosen = small[std::min(which, small.size() - 1)];
  float* channel = channels + change.label * count;
  float* other = change.other < 0 ? nullptr : channels + change.other * count;
  for (std::int64_t i = 0; i < count; ++i) {
    if (number[i] != chosen) continue;
    channel[i] = 0;
    if (other != nullptr) other[i] = 1;
  }
}

}  // namespace

void change_previous(const Labels& labels, const Drawn& drawn, const Size& size,
                     float* channels, Workspace::Impl& work) {
  const std::int64_t count = volume(size);
  const auto labels_count = static_cast<std::int64_t>(labels.previous.size());
  for (const Drawn::Change& change : drawn.cascade) {
    float* channel = channels + change.label * count;
    std::uint8_t* marks = work.marks.get(count).data();
    for (std::int64_t i = 0; i < count; ++i) {
      marks[i] = static_cast<std::uint8_t>(channel[i] != 0 ? 1 : 0);
    }
    if (change.what == What::remove) {
      remove_component(labels.cascade, change, size, marks, channels, work);
      continue;
    }
    operate(change.what, marks, size, change.value, work);
    for (std::int64_t other = 0; other < labels_count; ++other) {
      if (other == change.label) continue;
      float* others = channels + other * count;
      for (std::int64_t i = 0; i < count; ++i) {
        if (marks[i] != 0 && channel[i] == 0) others[i] = 0;
      }
    }
    for (std::int64_t i = 0; i < count; ++i) channel[i] = marks[i];
  }
}

}  // namespace mlarray::augment
