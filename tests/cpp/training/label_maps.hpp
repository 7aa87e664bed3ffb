// Label maps to test with, and their classes counted voxel by voxel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "mlarray/mlarray.hpp"
#include "mlarray/training/label_index.hpp"

namespace mlarray::training::test {

// Blobs of some labels in a background of 0, and single voxels.
template <class T = std::uint8_t>
std::vector<T> blobs(const Shape& shape, const std::vector<std::int64_t>& labels,
                     unsigned seed = 1) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<T> out(count);
  std::mt19937 random(seed);
  const std::size_t length = std::max<std::size_t>(count / (4 * labels.size()), 1);
  for (const std::int64_t label : labels) {
    const std::size_t start = random() % count;
    for (std::size_t i = start; i < std::min(count, start + length); ++i) {
      out[i] = static_cast<T>(label);
    }
    for (int i = 0; i < 20; ++i) out[random() % count] = static_cast<T>(label);
  }
  return out;
}

// Voxel numbers of each label, ascending.
template <class T>
std::map<std::int64_t, std::vector<std::int64_t>> voxels_of(const std::vector<T>& map) {
  std::map<std::int64_t, std::vector<std::int64_t>> out;
  for (std::size_t i = 0; i < map.size(); ++i) {
    out[static_cast<std::int64_t>(map[i])].push_back(static_cast<std::int64_t>(i));
  }
  return out;
}

inline std::int64_t number_of(const Shape& voxel, const Shape& shape) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) out = out * shape[i] + voxel[i];
  return out;
}

// The kept voxels of a class, by number.
inline std::vector<std::int64_t> kept(const LabelIndex& index, std::size_t which) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < index.classes()[which].positions; ++i) {
    out.push_back(number_of(index.voxel(which, i), index.shape()));
  }
  return out;
}

inline SaveOptions with_chunks(Shape chunk, Shape block) {
  SaveOptions options;
  options.layout.chunk = std::move(chunk);
  options.layout.block = std::move(block);
  return options;
}

}  // namespace mlarray::training::test
