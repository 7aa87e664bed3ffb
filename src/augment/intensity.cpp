#include "augment/intensity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "augment/filters.hpp"
#include "augment/kernels.hpp"
#include "augment/median.hpp"
#include "mlarray/random.hpp"

namespace mlarray::augment {
namespace {

std::int64_t reflected(std::int64_t index, std::int64_t length) {
  return padded_index(index, length, Padding::reflect);
}

std::vector<float> gaussian(double sigma) {
  if (sigma == 0) return {1};
  // 6 sigma + 0.5 to the nearest whole number, half way to the even one; if that is even, to
  // the odd one on the other side.
  const double wanted = sigma * 6 + 0.5;
  const double nearest = std::nearbyint(wanted);
  auto length = static_cast<std::int64_t>(nearest);
  if (length % 2 == 0) length += wanted - nearest >= 0 ? 1 : -1;
  length = std::max<std::int64_t>(length, 1);
  std::vector<float> weights(static_cast<std::size_t>(length));
  double sum = 0;
  std::vector<double> exact(weights.size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double x = (static_cast<double>(i) - static_cast<double>(length - 1) / 2) / sigma;
    exact[i] = std::exp(-0.5 * x * x);
    sum += exact[i];
  }
  for (std::size_t i = 0; i < exact.size(); ++i) {
    weights[i] = static_cast<float>(exact[i] / sum);
  }
  return weights;
}

// One sweep over the planes: each is blurred along its rows and across them, and as soon as the
// planes around one are, that one is written. What is needed at once stays in the cache.
void blur(float* voxels, const Size& size, const std::array<double, 3>& sigma, bool flat,
          Workspace::Impl& work) {
  const auto along_z = flat ? std::vector<float>{1} : gaussian(sigma[0]);
  const auto along_y = gaussian(sigma[1]);
  const auto along_x = gaussian(sigma[2]);
  const auto half = [](const std::vector<float>& weights) {
    return static_cast<std::int64_t>(weights.size() / 2);
  };
  const std::int64_t rz = half(along_z);
  const std::int64_t ry = half(along_y);
  const std::int64_t rx = half(along_x);
  const std::int64_t plane = size[1] * size[2];
  const std::int64_t kept = 2 * rz + 1;
  float* ring = work.rows.get((kept + 1) * plane + size[2] + 2 * rx).data();
  float* middle = ring + kept * plane;
  float* line = middle + plane;
  std::vector<const float*> rows(std::max({along_z.size(), along_y.size(), along_x.size()}));
  const auto count_of = [](const std::vector<float>& weights) {
    return static_cast<std::int64_t>(weights.size());
  };

  const auto blur_plane = [&](std::int64_t z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      const float* row = voxels + z * plane + y * size[2];
      for (std::int64_t i = 0; i < rx; ++i) {
        line[i] = row[reflected(i - rx, size[2])];
        line[rx + size[2] + i] = row[reflected(size[2] + i, size[2])];
      }
      std::copy_n(row, size[2], line + rx);
      for (std::size_t k = 0; k < along_x.size(); ++k) rows[k] = line + k;
      kernels().weigh(rows.data(), along_x.data(), count_of(along_x), size[2],
                      middle + y * size[2]);
    }
    for (std::int64_t y = 0; y < size[1]; ++y) {
      for (std::size_t k = 0; k < along_y.size(); ++k) {
        const std::int64_t from = reflected(y + static_cast<std::int64_t>(k) - ry, size[1]);
        rows[k] = middle + from * size[2];
      }
      kernels().weigh(rows.data(), along_y.data(), count_of(along_y), size[2],
                      ring + (z % kept) * plane + y * size[2]);
    }
  };

  std::int64_t blurred = 0;
  for (std::int64_t z = 0; z < size[0]; ++z) {
    while (blurred < size[0] && blurred <= z + rz) blur_plane(blurred++);
    for (std::size_t k = 0; k < along_z.size(); ++k) {
      const std::int64_t from = reflected(z + static_cast<std::int64_t>(k) - rz, size[0]);
      rows[k] = ring + (from % kept) * plane;
    }
    kernels().weigh(rows.data(), along_z.data(), count_of(along_z), plane, voxels + z * plane);
  }
}

void contrast(float* voxels, std::int64_t count, double factor, bool keep_range) {
  const Sums sums = kernels().sums(voxels, count, voxels[0]);
  const double mean = static_cast<double>(voxels[0]) + sums.sum / static_cast<double>(count);
  kernels().stretch(
      voxels, count, static_cast<float>(factor), static_cast<float>(mean * (1 - factor)),
      keep_range ? sums.least : -kInfinity, keep_range ? sums.greatest : kInfinity);
}

void gamma(float* voxels, std::int64_t count, double power, bool invert, bool keep_stats) {
  constexpr double kLeastRange = 1e-7;
  const auto deviation = [&](const Sums& sums) {
    const auto n = static_cast<double>(count);
    const double squares = sums.squares - sums.sum * sums.sum / n;
    return count > 1 ? std::sqrt(std::max(squares, 0.0) / (n - 1)) : 0.0;
  };
  // Sums of differences to a number that is near the mean lose nothing.
  float near = 0;
  const std::int64_t step = std::max<std::int64_t>(count / 256, 1);
  double some = 0;
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < count; i += step, ++seen) some += static_cast<double>(voxels[i]);
  near = static_cast<float>(some / static_cast<double>(seen));

  const Sums before = kernels().sums(voxels, count, near);
  const double sign = invert ? -1 : 1;
  const double mean =
      sign * (static_cast<double>(near) + before.sum / static_cast<double>(count));
  const float least = invert ? -before.greatest : before.least;
  const float greatest = invert ? -before.least : before.greatest;
  const float range = greatest - least;
  const float divisor = std::max(range, static_cast<float>(kLeastRange));
  const auto exponent = static_cast<float>(power);
  const Sums after =
      kernels().gamma(voxels, count, static_cast<float>(sign), least, 1 / divisor, exponent,
                      range, least, static_cast<float>(mean));
  if (keep_stats) {
    const double now =
        static_cast<double>(static_cast<float>(mean)) + after.sum / static_cast<double>(count);
    const double factor = deviation(before) / std::max(deviation(after), kLeastRange);
    kernels().stretch(voxels, count, static_cast<float>(sign * factor),
                      static_cast<float>(sign * (mean - now * factor)), -kInfinity, kInfinity);
  } else if (invert) {
    kernels().multiply(voxels, count, -1);
  }
}

// Along one axis: which voxels are kept, and between which of them each voxel lies then.
struct Resolution {
  std::vector<std::int32_t> kept;
  std::vector<std::int32_t> before;
  std::vector<std::int32_t> after;
  std::vector<float> share;

  Resolution(std::int64_t length, double scale, bool flipped) {
    const auto fewer = std::max<std::int64_t>(
        static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length) * scale)), 1);
    const float down = static_cast<float>(length) / static_cast<float>(fewer);
    for (std::int64_t i = 0; i < fewer; ++i) {
      const std::int64_t k = flipped ? fewer - 1 - i : i;
      const auto nearest =
          static_cast<std::int64_t>(std::floor((static_cast<float>(k) + 0.5F) * down));
      const std::int64_t at = std::min(nearest, length - 1);
      kept.push_back(static_cast<std::int32_t>(flipped ? length - 1 - at : at));
    }
    const float up = static_cast<float>(fewer) / static_cast<float>(length);
    for (std::int64_t i = 0; i < length; ++i) {
      const float x = std::max((static_cast<float>(i) + 0.5F) * up - 0.5F, 0.0F);
      const auto at = std::min(static_cast<std::int64_t>(x), fewer - 1);
      before.push_back(static_cast<std::int32_t>(at));
      after.push_back(static_cast<std::int32_t>(std::min(at + 1, fewer - 1)));
      share.push_back(x - static_cast<float>(at));
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(kept.size()); }
};

void low_resolution(float* voxels, const Size& size, const std::array<double, 3>& scale,
                    const std::array<bool, 3>& flips, Workspace::Impl& work) {
  const Resolution z(size[0], scale[0], flips[0]);
  const Resolution y(size[1], scale[1], flips[1]);
  const Resolution x(size[2], scale[2], flips[2]);
  const std::int64_t plane = size[1] * size[2];
  // Kept voxels, rows with their last voxel twice; then one plane in x and two in both.
  const std::int64_t row = x.size() + 1;
  const std::int64_t small = z.size() * y.size() * row;
  float* kept = work.rows.get(small + y.size() * size[2] + 2 * plane).data();
  float* wide = kept + small;
  float* planes[2] = {wide + y.size() * size[2], wide + y.size() * size[2] + plane};
  float* to = kept;
  for (const std::int32_t kz : z.kept) {
    for (const std::int32_t ky : y.kept) {
      kernels().pick(voxels + kz * plane + ky * size[2], x.kept.data(), x.size(), to);
      to[x.size()] = to[x.size() - 1];
      to += row;
    }
  }
  std::int64_t made[2] = {-1, -1};
  const auto plane_at = [&](std::int64_t k) {
    const std::int64_t slot = k % 2;
    if (made[slot] == k) return planes[slot];
    for (std::int64_t j = 0; j < y.size(); ++j) {
      kernels().widen(kept + (k * y.size() + j) * row, x.before.data(), x.share.data(), size[2],
                      wide + j * size[2]);
    }
    for (std::int64_t j = 0; j < size[1]; ++j) {
      const auto i = static_cast<std::size_t>(j);
      kernels().blend(wide + y.before[i] * size[2], wide + y.after[i] * size[2], y.share[i],
                      size[2], planes[slot] + j * size[2]);
    }
    made[slot] = k;
    return planes[slot];
  };
  for (std::int64_t k = 0; k < size[0]; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const float* first = plane_at(z.before[i]);
    const float* second = plane_at(z.after[i]);
    kernels().blend(first, second, z.share[i], plane, voxels + k * plane);
  }
}

}  // namespace

void apply_step(const Pipeline& pipeline, const Drawn& drawn, const Drawn::Step& step,
                const Size& size, const std::array<bool, 3>& flips, float* voxels,
                Workspace::Impl& work) {
  const auto index = static_cast<std::size_t>(step.transform);
  const Intensity& transform = pipeline.intensity[index];
  const std::int64_t count = volume(size);
  const double value = step.values[0];
  // Axes of the image are the last of three.
  std::array<double, 3> each = step.values;
  const bool flat = pipeline.patch.size() == 2;
  if (flat) each = {1, step.values[0], step.values[1]};

  Random random(drawn.seed, index + 1, static_cast<std::uint64_t>(step.channel));
  std::uint32_t keys[6];
  for (std::uint32_t& key : keys) key = static_cast<std::uint32_t>(random.next() >> 32);

  if (std::holds_alternative<GaussianNoise>(transform)) {
    kernels().noise(voxels, count, static_cast<float>(value), keys);
  } else if (std::holds_alternative<GaussianBlur>(transform)) {
    blur(voxels, size, each, flat, work);
  } else if (std::holds_alternative<Brightness>(transform)) {
    kernels().multiply(voxels, count, static_cast<float>(value));
  } else if (const auto* same = std::get_if<Contrast>(&transform)) {
    contrast(voxels, count, value, same->keep_range);
  } else if (std::holds_alternative<LowResolution>(transform)) {
    low_resolution(voxels, size, each, flips, work);
  } else if (std::holds_alternative<Gamma>(transform)) {
    gamma(voxels, count, value, step.invert, step.keep_stats);
  } else if (const auto* rician = std::get_if<RicianNoise>(&transform)) {
    rician_noise(voxels, count, value, keys, rician->keep_stats, work);
  } else if (const auto* sharp = std::get_if<Sharpening>(&transform)) {
    sharpen(voxels, size, value, sharp->keep_range, work);
  } else if (std::holds_alternative<BrightnessAdditive>(transform)) {
    kernels().stretch(voxels, count, 1, static_cast<float>(value), -kInfinity, kInfinity);
  } else if (const auto* blank = std::get_if<BlankRectangle>(&transform)) {
    blank_rectangle(voxels, size, step.box, value, blank->mean);
  } else if (std::holds_alternative<MedianFilter>(transform)) {
    const auto length = static_cast<std::int64_t>(value);
    median_filter(voxels, size, {flat ? 1 : length, length, length}, flips, work);
  }
}

}  // namespace mlarray::augment
