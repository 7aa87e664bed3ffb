// A sample of a small pipeline, and the plain computation it is compared with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "mlarray/augment/presets.hpp"
#include "mlarray/random.hpp"

namespace mlarray::augment {

inline std::vector<float> random_image(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> image(static_cast<std::size_t>(count));
  for (float& voxel : image) voxel = static_cast<float>(random.normal());
  return image;
}

// Blocks of three voxels, so that some neighbourhoods are of one label and others of up to 8.
inline std::vector<std::int16_t> random_labels(const Shape& shape, std::uint64_t seed,
                                               std::int16_t least = -1,
                                               std::int16_t count = 6) {
  std::vector<std::int16_t> labels;
  const Shape lifted = shape.size() == 3 ? shape : Shape{1, shape[0], shape[1]};
  for (std::int64_t z = 0; z < lifted[0]; ++z) {
    for (std::int64_t y = 0; y < lifted[1]; ++y) {
      for (std::int64_t x = 0; x < lifted[2]; ++x) {
        Random random(seed, static_cast<std::uint64_t>(z / 3),
                      static_cast<std::uint64_t>(y / 3 * 1000 + x / 4));
        labels.push_back(static_cast<std::int16_t>(
            least +
            static_cast<std::int16_t>(random.below(static_cast<std::uint64_t>(count)))));
      }
    }
  }
  return labels;
}

template <class T>
struct Grid {
  Shape shape;  // channels first
  std::vector<T> voxels;
};

struct Result {
  std::vector<float> image;
  std::vector<std::vector<std::int16_t>> labels;
};

// A view of `box` of all channels.
template <class T>
ConstArrayView view_of_box(const Grid<T>& grid, const Box& box) {
  ConstArrayView view;
  view.strides = c_strides(grid.shape, sizeof(T));
  view.shape = box.shape();
  view.shape.insert(view.shape.begin(), grid.shape[0]);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < box.start.size(); ++i)
    offset += box.start[i] * view.strides[i + 1];
  view.data = reinterpret_cast<const std::byte*>(grid.voxels.data()) + offset;
  return view;
}

// A copy of `box` that is not one byte larger: the sanitizers see what is read outside.
template <class T>
Grid<T> cut(const Grid<T>& grid, const Box& box) {
  Grid<T> copy{box.shape(), {}};
  copy.shape.insert(copy.shape.begin(), grid.shape[0]);
  const ConstArrayView view = view_of_box(grid, box);
  const bool flat = box.start.size() == 2;
  const Shape& n = copy.shape;
  for (std::int64_t c = 0; c < n[0]; ++c) {
    for (std::int64_t z = 0; z < (flat ? 1 : n[1]); ++z) {
      for (std::int64_t y = 0; y < n[flat ? 1 : 2]; ++y) {
        const std::size_t axes = n.size();
        const auto* row = reinterpret_cast<const T*>(view.data + c * view.strides[0] +
                                                     (flat ? 0 : z * view.strides[1]) +
                                                     y * view.strides[axes - 2]);
        copy.voxels.insert(copy.voxels.end(), row, row + n[axes - 1]);
      }
    }
  }
  return copy;
}

inline Result run(const Pipeline& pipeline, const Drawn& drawn, const Grid<float>& image,
                  const Grid<std::int16_t>& label) {
  const Box box = support(pipeline, drawn);
  const Grid<float> voxels = cut(image, box);
  const Grid<std::int16_t> classes = cut(label, box);
  Result result;
  result.image.resize(static_cast<std::size_t>(image_channels(pipeline, image.shape[0]) *
                                               element_count(pipeline.patch)));
  Output out{result.image, {}};
  for (const Shape& shape : label_shapes(pipeline, label.shape[0])) {
    result.labels.emplace_back(static_cast<std::size_t>(element_count(shape)));
  }
  for (auto& labels : result.labels) out.labels.emplace_back(labels);
  Workspace workspace;
  const Box all = Box::whole(box.shape());
  apply(pipeline, drawn, {view_of_box(voxels, all), view_of_box(classes, all)}, out, workspace);
  return result;
}

// One sample of random voxels: the image has two channels.
struct Sample {
  Pipeline pipeline;
  Grid<float> image;
  Grid<std::int16_t> label;

  explicit Sample(const Shape& patch, const Shape& initial, std::int64_t channels = 2) {
    pipeline.patch = patch;
    pipeline.initial = initial;
    image.shape = initial;
    image.shape.insert(image.shape.begin(), channels);
    image.voxels = random_image(element_count(image.shape), 1);
    label.shape = initial;
    label.shape.insert(label.shape.begin(), 1);
    label.voxels = random_labels(initial, 2);
    pipeline.labels.remove_outside = false;
  }
  Result run(const Drawn& drawn) const { return augment::run(pipeline, drawn, image, label); }
};

inline std::array<double, 9> rotation(double a, double b, double c, double scale) {
  Pipeline pipeline;
  const double ca = std::cos(a), sa = std::sin(a), cb = std::cos(b), sb = std::sin(b);
  const double cc = std::cos(c), sc = std::sin(c);
  return {scale * cc * cb,
          scale * (cc * sb * sa - sc * ca),
          scale * (cc * sb * ca + sc * sa),
          scale * sc * cb,
          scale * (sc * sb * sa + cc * ca),
          scale * (sc * sb * ca - cc * sa),
          scale * -sb,
          scale * cb * sa,
          scale * cb * ca};
}

// Places and weights in float64, voxel by voxel, by the formula in pipeline.hpp.
class Plain {
 public:
  Plain(const Sample& sample, const Drawn& drawn) : sample_(sample) {
    const Shape& p = sample.pipeline.patch;
    const bool flat = p.size() == 2;
    patch_ = flat ? Shape{1, p[0], p[1]} : p;
    const Shape& i = sample.pipeline.initial;
    initial_ = flat ? Shape{1, i[0], i[1]} : i;
    for (std::int64_t z = 0; z < patch_[0]; ++z) {
      for (std::int64_t y = 0; y < patch_[1]; ++y) {
        for (std::int64_t x = 0; x < patch_[2]; ++x) place({z, y, x}, drawn);
      }
    }
  }

  struct Corner {
    std::array<std::int64_t, 3> at;
    double weight;
  };

  std::size_t count() const { return corners_.size(); }
  double image(std::size_t voxel, std::int64_t channel) const {
    double sum = 0;
    for (const Corner& corner : corners_[voxel]) {
      if (!inside(corner.at)) continue;
      sum +=
          corner.weight * static_cast<double>(sample_.image.voxels[index(corner.at, channel)]);
    }
    return sum;
  }
  // Scores of the labels around a voxel.
  std::map<std::int16_t, double> scores(std::size_t voxel) const {
    std::map<std::int16_t, double> scores;
    for (const Corner& corner : corners_[voxel]) {
      const std::int16_t label =
          inside(corner.at) ? sample_.label.voxels[index(corner.at, 0)] : std::int16_t{-1};
      scores[label] += corner.weight;
    }
    return scores;
  }

 private:
  void place(std::array<std::int64_t, 3> o, const Drawn& drawn) {
    const std::size_t skipped = 3 - sample_.pipeline.patch.size();
    for (const std::int64_t axis : drawn.flips) {
      const auto a = static_cast<std::size_t>(axis) + skipped;
      o[a] = patch_[a] - 1 - o[a];
    }
    std::array<double, 3> q{};
    for (std::size_t i = 0; i < 3; ++i) {
      q[i] = static_cast<double>(initial_[i] - 1) / 2;
      for (std::size_t j = 0; j < 3; ++j) {
        q[i] += (*drawn.matrix)[3 * i + j] *
                (static_cast<double>(o[j]) - static_cast<double>(patch_[j] - 1) / 2);
      }
    }
    std::vector<Corner> corners;
    for (int k = 0; k < 8; ++k) {
      Corner corner{{}, 1};
      for (std::size_t i = 0; i < 3; ++i) {
        const double below = std::floor(q[i]);
        const bool next = ((k >> (2 - i)) & 1) != 0;
        corner.at[i] = static_cast<std::int64_t>(below) + (next ? 1 : 0);
        corner.weight *= next ? q[i] - below : 1 - (q[i] - below);
      }
      if (corner.weight > 0) corners.push_back(corner);
    }
    corners_.push_back(corners);
  }
  bool inside(const std::array<std::int64_t, 3>& at) const {
    for (std::size_t i = 0; i < 3; ++i) {
      if (at[i] < 0 || at[i] >= initial_[i]) return false;
    }
    return true;
  }
  std::size_t index(const std::array<std::int64_t, 3>& at, std::int64_t channel) const {
    return static_cast<std::size_t>(
        ((channel * initial_[0] + at[0]) * initial_[1] + at[1]) * initial_[2] + at[2]);
  }

  const Sample& sample_;
  Shape patch_, initial_;
  std::vector<std::vector<Corner>> corners_;
};

inline void expect_near(const std::vector<float>& a, const std::vector<float>& b,
                        double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  EXPECT_LE(worst, tolerance);
}

}  // namespace mlarray::augment
