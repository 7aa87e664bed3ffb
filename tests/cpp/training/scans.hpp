// Cases on disk with twins in memory, and what a patch of them is, voxel by voxel.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/array.hpp"
#include "mlarray/training/loader.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::training::test {

struct Scan {
  Case files;
  Shape shape;
  std::vector<std::vector<double>> image;  // one for each channel
  std::vector<double> label;
};

inline SaveOptions small_chunks(std::size_t ndim) {
  SaveOptions options;
  options.layout.chunk = Shape(ndim, 8);
  options.layout.block = Shape(ndim, 4);
  options.layout.chunk->back() = 40;  // rows longer than what is converted in one step
  options.layout.block->back() = 20;
  return options;
}

inline Metadata grid_of(const std::vector<double>& spacing) {
  Metadata metadata;
  metadata.set_spacing(spacing);
  return metadata;
}

// One case of `T` voxels: a first file with one channel, and, if asked for, a second one of
// two, whose axis is the last and named so.
template <class T = std::int16_t>
Scan make_scan(const mlarray::test::TempDir& dir, const std::string& name, const Shape& shape,
               bool more_channels = false, unsigned seed = 1) {
  Scan scan;
  scan.shape = shape;
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::mt19937 random(seed);
  std::vector<T> voxels(count);
  const Metadata grid = grid_of(std::vector<double>(shape.size(), 1.5));
  const auto draw = [&] { return static_cast<T>(static_cast<int>(random() % 2001) - 1000); };
  for (T& voxel : voxels) voxel = draw();
  scan.files.name = name;
  scan.files.image = {dir / (name + ".mla")};
  scan.image.emplace_back(voxels.begin(), voxels.end());
  Array::save_voxels(scan.files.image[0], voxels, shape, grid, small_chunks(shape.size()));
  if (more_channels) {
    std::vector<T> two(2 * count);
    for (T& voxel : two) voxel = draw();
    Shape stacked = shape;
    stacked.push_back(2);
    std::vector<double> first;
    std::vector<double> second;
    for (std::size_t i = 0; i < count; ++i) {
      first.push_back(static_cast<double>(two[2 * i]));
      second.push_back(static_cast<double>(two[2 * i + 1]));
    }
    scan.image.push_back(first);
    scan.image.push_back(second);
    Metadata named = grid;
    named.set("spatial", "axis_labels",
              labels_for_channel_axis(-1, static_cast<int>(stacked.size())));
    scan.files.image.push_back(dir / (name + "_two.mla"));
    Array::save_voxels(scan.files.image[1], two, stacked, named, small_chunks(stacked.size()));
  }
  std::vector<std::uint8_t> label(count);
  for (std::size_t i = 0; i < count; ++i) {
    label[i] = random() % 9 == 0 ? static_cast<std::uint8_t>(1 + random() % 3) : 0;
  }
  scan.label.assign(label.begin(), label.end());
  scan.files.label = {dir / (name + "_seg.mla")};
  Array::save_voxels(scan.files.label[0], label, shape, grid, small_chunks(shape.size()));
  return scan;
}

inline std::vector<Case> cases_of(const std::vector<Scan>& scans) {
  std::vector<Case> cases;
  for (const Scan& scan : scans) cases.push_back(scan.files);
  return cases;
}

// numpy.pad(mode="reflect"), one step after the other.
inline std::int64_t reflected(std::int64_t i, std::int64_t size) {
  if (size == 1) return 0;
  while (i < 0 || i >= size) i = i < 0 ? -i : 2 * (size - 1) - i;
  return i;
}

struct PlainPatch {
  std::vector<double> voxels;
  std::vector<bool> inside;
};

inline PlainPatch plain_patch(const std::vector<double>& image, const Shape& shape,
                              const Box& box, Padding padding, double fill) {
  PlainPatch out;
  const Shape size = box.shape();
  const std::int64_t count = element_count(size);
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t rest = n;
    std::int64_t at = 0;
    std::int64_t stride = 1;
    bool inside = true;
    for (std::size_t a = shape.size(); a-- > 0;) {
      std::int64_t i = box.start[a] + rest % size[a];
      rest /= size[a];
      inside = inside && i >= 0 && i < shape[a];
      i = padding == Padding::reflect ? reflected(i, shape[a])
                                      : std::clamp<std::int64_t>(i, 0, shape[a] - 1);
      at += i * stride;
      stride *= shape[a];
    }
    out.inside.push_back(inside);
    const bool filled = !inside && padding == Padding::constant;
    out.voxels.push_back(filled ? fill : image[static_cast<std::size_t>(at)]);
  }
  return out;
}

// All bytes of a batch, and its draws' numbers.
inline std::string contents(const Batch& batch) {
  std::string out;
  for (const Batch::Field& field : batch.fields()) {
    out.append(reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size());
  }
  for (const Draw& draw : batch.draws()) {
    out += std::to_string(draw.index) + ' ' + std::to_string(draw.case_index) + ' ' +
           to_string(draw.box.start) + ' ' + std::to_string(draw.seed) + ';';
  }
  return out;
}

}  // namespace mlarray::training::test
