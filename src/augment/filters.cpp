#include "augment/filters.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "augment/kernels.hpp"

namespace mlarray::augment {
namespace {

constexpr double kLeastDeviation = 1e-7;

struct Moments {
  double mean, deviation;
  float least, greatest;
};
Moments moments(const float* voxels, std::int64_t count) {
  const auto n = static_cast<double>(count);
  // Sums of differences to the mean lose nothing; the first pass finds it.
  const Sums first = kernels().sums(voxels, count, voxels[0]);
  const auto near = static_cast<float>(static_cast<double>(voxels[0]) + first.sum / n);
  const Sums sums = kernels().sums(voxels, count, near);
  const double squares = std::max(sums.squares - sums.sum * sums.sum / n, 0.0);
  return {static_cast<double>(near) + sums.sum / n,
          count > 1 ? std::sqrt(squares / (n - 1)) : 0.0, first.least, first.greatest};
}

}  // namespace

void rician_noise(float* voxels, std::int64_t count, double sigma, const std::uint32_t keys[6],
                  bool keep_stats, Workspace::Impl& work) {
  const Moments before = moments(voxels, count);
  float* other = work.rows.get(count).data();
  std::fill_n(other, count, 0.0F);
  kernels().noise(other, count, static_cast<float>(sigma), keys + 3);
  kernels().stretch(voxels, count, 1, -before.least, -kInfinity, kInfinity);
  kernels().noise(voxels, count, static_cast<float>(sigma), keys);
  kernels().magnitude(voxels, other, count, before.least);
  if (!keep_stats) return;
  const Moments after = moments(voxels, count);
  const double factor = before.deviation / std::max(after.deviation, kLeastDeviation);
  kernels().stretch(voxels, count, static_cast<float>(factor),
                    static_cast<float>(before.mean - after.mean * factor), -kInfinity,
                    kInfinity);
}

void sharpen(float* voxels, const Size& size, double strength, bool keep_range,
             Workspace::Impl& work) {
  const std::int64_t count = volume(size);
  const std::int64_t plane = size[1] * size[2];
  float least = -kInfinity;
  float greatest = kInfinity;
  if (keep_range) {
    const Sums sums = kernels().sums(voxels, count, 0);
    least = sums.least;
    greatest = sums.greatest;
  }
  // As they were: the plane before, and this one.
  float* above = work.rows.get(2 * plane).data();
  float* here = above + plane;
  const bool flat = size[0] == 1;
  const auto s = static_cast<float>(strength);
  std::copy_n(voxels, plane, here);
  for (std::int64_t z = 0; z < size[0]; ++z) {
    std::swap(above, here);
    float* to = voxels + z * plane;
    if (z == 0) std::copy_n(above, plane, here);  // both are plane 0
    if (z > 0) std::copy_n(to, plane, here);
    const float* below = z + 1 < size[0] ? to + plane : here;
    for (std::int64_t y = 0; y < size[1]; ++y) {
      const std::int64_t row = y * size[2];
      const float* now = here + row;
      const float* up = here + (y > 0 ? row - size[2] : row);
      const float* down = here + (y + 1 < size[1] ? row + size[2] : row);
      for (std::int64_t x = 0; x < size[2]; ++x) {
        const float v = now[x];
        float sum = (v - up[x]) + (v - down[x]);
        sum += (v - now[x > 0 ? x - 1 : x]) + (v - now[x + 1 < size[2] ? x + 1 : x]);
        if (!flat) sum += (v - above[row + x]) + (v - below[row + x]);
        to[row + x] = std::clamp(v + s * sum, least, greatest);
      }
    }
  }
}

void blank_rectangle(float* voxels, const Size& size, const std::vector<std::int64_t>& box,
                     double value, bool mean) {
  Size start = {0, 0, 0};
  Size stop = {1, 1, 1};
  const std::size_t axes = box.size() / 2;
  for (std::size_t a = 0; a < axes; ++a) {
    start[3 - axes + a] = box[a];
    stop[3 - axes + a] = box[axes + a];
  }
  const auto each_row = [&](auto&& call) {
    for (std::int64_t z = start[0]; z < stop[0]; ++z) {
      for (std::int64_t y = start[1]; y < stop[1]; ++y) {
        call(voxels + (z * size[1] + y) * size[2] + start[2], stop[2] - start[2]);
      }
    }
  };
  if (mean) {
    double sum = 0;
    std::int64_t count = 0;
    each_row([&](const float* row, std::int64_t length) {
      for (std::int64_t i = 0; i < length; ++i) sum += static_cast<double>(row[i]);
      count += length;
    });
    value = sum / static_cast<double>(count);
  }
  const auto fill = static_cast<float>(value);
  each_row([&](float* row, std::int64_t length) { std::fill_n(row, length, fill); });
}

}  // namespace mlarray::augment
