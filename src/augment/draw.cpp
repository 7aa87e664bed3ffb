#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "augment/geometry.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"
#include "mlarray/random.hpp"

namespace mlarray::augment {
namespace {

using Matrix = std::array<double, 9>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
    }
  }
  return c;
}

double value_of(const Range& range, Random& random) {
  if (range.law == Range::Law::halves) {
    if (random.chance(0.5) && range.low < 1) return random.uniform(range.low, 1);
    return random.uniform(std::max(range.low, 1.0), range.high);
  }
  return random.uniform(range.low, range.high);
}

// Rotation around the first, second and third axis, in this order, after scaling.
Matrix turned(const std::array<double, 3>& angles, const std::array<double, 3>& scales) {
  const auto [a, b, c] = angles;
  const Matrix first = {1, 0, 0, 0, std::cos(a), -std::sin(a), 0, std::sin(a), std::cos(a)};
  const Matrix second = {std::cos(b), 0, std::sin(b), 0, 1, 0, -std::sin(b), 0, std::cos(b)};
  const Matrix third = {std::cos(c), -std::sin(c), 0, std::sin(c), std::cos(c), 0, 0, 0, 1};
  const Matrix stretched = {scales[0], 0, 0, 0, scales[1], 0, 0, 0, scales[2]};
  return product(third, product(second, product(first, stretched)));
}

std::optional<Matrix> draw_matrix(const Pipeline& pipeline, Random random) {
  const Spatial& spatial = pipeline.spatial;
  const bool turn = random.chance(spatial.p_rotation);
  const bool scale = random.chance(spatial.p_scaling);
  if (!turn && !scale) return std::nullopt;
  const bool plane = pipeline.patch.size() == 2 || spatial.planar;
  std::array<double, 3> angles{};
  std::array<double, 3> scales = {1, 1, 1};
  if (turn) {
    for (std::size_t i = 0; i < (plane ? 1U : 3U); ++i) {
      angles[i] = value_of(spatial.rotation, random);
    }
  }
  if (scale) {
    const double same = value_of(spatial.scaling, random);
    for (std::size_t i = plane ? 1 : 0; i < 3; ++i) {
      scales[i] = spatial.same_scale ? same : value_of(spatial.scaling, random);
    }
  }
  return turned(angles, scales);
}

// Draws of one transform: what its fields have in common, and then values of each channel.
class Draws {
 public:
  Draws(std::size_t axes, std::int64_t channels, std::int64_t transform, Random random,
        std::vector<Drawn::Step>& steps)
      : axes_(axes),
        channels_(channels),
        transform_(transform),
        random_(random),
        steps_(steps) {}

  void operator()(const GaussianNoise& t) {
    each(t, [&] { return one(t.sigma); });
  }
  void operator()(const GaussianBlur& t) {
    each(t, [&] { return along_axes(t.sigma, t.same_axes); });
  }
  void operator()(const Brightness& t) {
    each(t, [&] { return one(t.factor); });
  }
  void operator()(const Contrast& t) {
    each(t, [&] { return one(t.factor); });
  }
  void operator()(const LowResolution& t) {
    each(t, [&] {
      Values values = along_axes(t.scale, t.same_axes);
      for (double& value : values) value = static_cast<double>(static_cast<float>(value));
      for (const std::int64_t axis : t.fixed_axes) values[static_cast<std::size_t>(axis)] = 1;
      return values;
    });
  }
  void operator()(const Gamma& t) {
    const std::size_t before = steps_.size();
    each(t, [&] { return one(t.gamma); });
    for (std::size_t i = before; i < steps_.size(); ++i) {
      steps_[i].keep_stats = random_.chance(t.p_keep_stats);
      steps_[i].invert = random_.chance(t.p_invert);
    }
  }

 private:
  using Values = std::array<double, 3>;

  Values one(const Range& range) { return {value_of(range, random_), 0, 0}; }
  Values along_axes(const Range& range, bool same) {
    Values values{};
    const double first = value_of(range, random_);
    for (std::size_t i = 0; i < axes_; ++i) {
      values[i] = same || i == 0 ? first : value_of(range, random_);
    }
    return values;
  }
  template <class T, class F>
  void each(const T& transform, const F& values) {
    if (!random_.chance(transform.p)) return;
    std::optional<Values> same;
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      if (!random_.chance(transform.p_channel)) continue;
      if (!same || !transform.same_channels) same = values();
      steps_.push_back({transform_, channel, *same});
    }
  }

  std::size_t axes_;
  std::int64_t channels_, transform_;
  Random random_;
  std::vector<Drawn::Step>& steps_;
};

}  // namespace

Drawn draw(const Pipeline& pipeline, std::uint64_t seed, std::int64_t channels) {
  check(pipeline);
  constexpr std::int64_t kMostChannels = 1 << 20;
  if (channels < 0 || channels > kMostChannels) {
    throw Error(ErrorKind::invalid_value, "channels is " + std::to_string(channels) +
                                              "; it is from 0 to " +
                                              std::to_string(kMostChannels));
  }
  const Random random(seed);
  Drawn drawn;
  drawn.seed = Random(random.split(0)).next();
  drawn.matrix = draw_matrix(pipeline, random.split(1));
  Random mirror = random.split(2);
  for (const std::int64_t axis : pipeline.mirror_axes) {
    if (mirror.chance(0.5)) drawn.flips.push_back(axis);
  }
  for (std::size_t i = 0; i < pipeline.intensity.size(); ++i) {
    Draws draws(pipeline.patch.size(), channels, static_cast<std::int64_t>(i),
                random.split(3 + i), drawn.steps);
    std::visit(draws, pipeline.intensity[i]);
  }
  return drawn;
}

std::array<bool, 3> flips_of(const Pipeline& pipeline, const Drawn& drawn) {
  std::array<bool, 3> flips{};
  const auto axes = static_cast<std::int64_t>(pipeline.patch.size());
  for (const std::int64_t axis : drawn.flips) {
    if (axis < 0 || axis >= axes) {
      throw Error(ErrorKind::invalid_value, "flips has axis " + std::to_string(axis) +
                                                "; the patch has axes 0 to " +
                                                std::to_string(axes - 1));
    }
    flips[static_cast<std::size_t>(3 - axes + axis)] = true;
  }
  return flips;
}

Size copy_start(const Pipeline& pipeline) {
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  Size start;
  for (std::size_t axis = 0; axis < 3; ++axis)
    start[axis] = initial[axis] / 2 - patch[axis] / 2;
  return start;
}

Warp warp_of(const Pipeline& pipeline, const Drawn& drawn) {
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  const std::array<bool, 3> flips = flips_of(pipeline, drawn);
  Warp warp;
  warp.planar = pipeline.patch.size() == 2 || pipeline.spatial.planar;
  if (drawn.matrix) warp.matrix = *drawn.matrix;
  if (pipeline.patch.size() == 2) {  // of which the lower right four count
    for (const std::size_t i : {1U, 2U, 3U, 6U}) warp.matrix[i] = 0;
    warp.matrix[0] = 1;
  }
  for (std::size_t i = 0; i < 3; ++i) {
    warp.start[i] = static_cast<double>(initial[i] - 1) / 2;
    for (std::size_t j = 0; j < 3; ++j) {
      double& m = warp.matrix[3 * i + j];
      if (flips[j]) m = -m;
      warp.start[i] -= m * static_cast<double>(patch[j] - 1) / 2;
    }
  }
  return warp;
}

namespace {

// A warp in the plane leaves the first axis alone: of another pipeline's matrix, voxels outside
// of the plane would be read.
void check_matrix(const Pipeline& pipeline, const Drawn& drawn) {
  if (!drawn.matrix || !pipeline.spatial.planar || pipeline.patch.size() == 2) return;
  const std::array<double, 9>& m = *drawn.matrix;
  if (m[0] == 1 && m[1] == 0 && m[2] == 0 && m[3] == 0 && m[6] == 0) return;
  throw Error(
      ErrorKind::invalid_value,
      "the matrix turns or scales the first axis, which this pipeline leaves alone: its "
      "first row and column must be 1, 0, 0; was it drawn by another pipeline?");
}

}  // namespace

Box support(const Pipeline& pipeline, const Drawn& drawn) {
  check(pipeline);
  check_matrix(pipeline, drawn);
  const Size patch = lift(pipeline.patch);
  const Size initial = lift(pipeline.initial);
  Size start = copy_start(pipeline);
  Size stop;
  for (std::size_t axis = 0; axis < 3; ++axis) stop[axis] = start[axis] + patch[axis];
  if (drawn.matrix) {
    const Warp warp = warp_of(pipeline, drawn);
    for (std::size_t i = warp.planar ? 1 : 0; i < 3; ++i) {
      double low = warp.start[i];
      double high = warp.start[i];
      for (std::size_t j = 0; j < 3; ++j) {
        const double span = warp.matrix[3 * i + j] * static_cast<double>(patch[j] - 1);
        (span < 0 ? low : high) += span;
      }
      constexpr double kFurthest = 1 << 22;
      if (!(low > -kFurthest && high < kFurthest)) {
        throw Error(ErrorKind::invalid_value,
                    "the matrix leads to voxel " +
                        std::to_string(low < -kFurthest ? low : high) + "; the limit is " +
                        std::to_string(kFurthest));
      }
      // What rounding to float32 may add.
      constexpr double kSlack = 1e-3;
      start[i] = static_cast<std::int64_t>(std::floor(low - kSlack));
      stop[i] = static_cast<std::int64_t>(std::floor(high + kSlack)) + 2;
    }
  }
  Box box;
  for (std::size_t axis = 3 - pipeline.patch.size(); axis < 3; ++axis) {
    const std::int64_t first = std::clamp<std::int64_t>(start[axis], 0, initial[axis]);
    box.start.push_back(first);
    box.stop.push_back(std::clamp<std::int64_t>(stop[axis], first, initial[axis]));
  }
  return box;
}

}  // namespace mlarray::augment
