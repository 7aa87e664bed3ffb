#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"
#include "sample.hpp"

namespace mlarray::augment {
namespace {

using Voxels = std::vector<float>;

Drawn one_step(std::array<double, 3> values, bool invert = false, bool keep_stats = false) {
  Drawn drawn;
  drawn.seed = 7;
  drawn.steps.push_back({0, 0, values, invert, keep_stats});
  return drawn;
}

struct Moments {
  double mean = 0, deviation = 0, least = 0, greatest = 0;
};
Moments moments(const Voxels& x) {
  Moments m;
  for (const float v : x) m.mean += static_cast<double>(v) / static_cast<double>(x.size());
  for (const float v : x) {
    m.deviation +=
        std::pow(static_cast<double>(v) - m.mean, 2) / static_cast<double>(x.size() - 1);
  }
  m.deviation = std::sqrt(m.deviation);
  m.least = static_cast<double>(*std::min_element(x.begin(), x.end()));
  m.greatest = static_cast<double>(*std::max_element(x.begin(), x.end()));
  return m;
}

class Intensities : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { use_instruction_set(GetParam()); }
  void TearDown() override { use_instruction_set(""); }

  static Sample sample_of(const Intensity& transform, const Shape& patch = {9, 14, 37}) {
    Sample sample(patch, patch, 1);
    sample.pipeline.intensity = {transform};
    for (float& voxel : sample.image.voxels) voxel = voxel * 10 + 200;  // far from 0
    return sample;
  }
  static void expect_each(const Sample& sample, const Drawn& drawn, double tolerance,
                          const std::function<double(double)>& wanted) {
    const Voxels made = sample.run(drawn).image;
    for (std::size_t i = 0; i < made.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(made[i]),
                  wanted(static_cast<double>(sample.image.voxels[i])), tolerance);
    }
  }
};

TEST_P(Intensities, BrightnessMultiplies) {
  expect_each(sample_of(Brightness{}), one_step({1.2}), 1e-4, [](double x) { return 1.2 * x; });
}

TEST_P(Intensities, ContrastStretchesAroundTheMean) {
  for (const bool keep : {true, false}) {
    Contrast contrast;
    contrast.keep_range = keep;
    const Sample sample = sample_of(contrast);
    const Moments m = moments(sample.image.voxels);
    expect_each(sample, one_step({1.25}), 1e-3, [&](double x) {
      const double v = (x - m.mean) * 1.25 + m.mean;
      return keep ? std::clamp(v, m.least, m.greatest) : v;
    });
  }
}

TEST_P(Intensities, GammaByItsFormula) {
  const Sample sample = sample_of(Gamma{});
  const Moments m = moments(sample.image.voxels);
  for (const bool invert : {false, true}) {
    const double sign = invert ? -1 : 1;
    const double least = invert ? -m.greatest : m.least;
    const double range = m.greatest - m.least;
    const auto raised = [&](double x) {
      return std::pow((sign * x - least) / range, 0.7) * range + least;
    };
    expect_each(sample, one_step({0.7}, invert), 1e-3,
                [&](double x) { return sign * raised(x); });
    Voxels plain;
    for (const float x : sample.image.voxels) {
      plain.push_back(static_cast<float>(raised(static_cast<double>(x))));
    }
    const Moments now = moments(plain);
    expect_each(sample, one_step({0.7}, invert, true), 2e-3, [&](double x) {
      return sign * ((raised(x) - now.mean) * m.deviation / now.deviation + sign * m.mean);
    });
  }
}

TEST_P(Intensities, GammaOfOneValueStaysThatValue) {
  Sample sample = sample_of(Gamma{});
  std::fill(sample.image.voxels.begin(), sample.image.voxels.end(), 3.0F);
  for (const bool keep : {false, true}) {
    expect_each(sample, one_step({1.3}, true, keep), 1e-5, [](double) { return 3; });
  }
}

TEST_P(Intensities, NoiseIsNormalAndIndependent) {
  Sample sample = sample_of(GaussianNoise{}, {64, 64, 64});
  std::fill(sample.image.voxels.begin(), sample.image.voxels.end(), 0.0F);
  Voxels x = sample.run(one_step({0.5})).image;
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, 0, 0.004);
  EXPECT_NEAR(m.deviation, 0.5, 0.003);
  EXPECT_GT(m.greatest, 2.0);
  const auto n = static_cast<double>(x.size());
  // Neighbours, and the two numbers of a pair, have nothing to do with each other; nor have
  // their squares.
  for (const std::size_t lag : {1U, 2U, 64U, 127U, 128U, 256U, 4096U}) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i + lag < x.size(); ++i) {
      const double a = static_cast<double>(x[i]) * 2, b = static_cast<double>(x[i + lag]) * 2;
      sum += a * b;
      squares += (a * a - 1) * (b * b - 1);
    }
    EXPECT_LT(std::abs(sum / n), 5 / std::sqrt(n)) << lag;
    EXPECT_LT(std::abs(squares / n), 10 / std::sqrt(n)) << lag;
  }
  // Kolmogorov and Smirnov's distance to the normal distribution.
  std::sort(x.begin(), x.end());
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double share = 0.5 * std::erfc(-static_cast<double>(x[i]) * 2 / std::sqrt(2.0));
    distance = std::max(distance, std::abs(share - static_cast<double>(i) / n));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(n));  // passes 999 of 1000 times
}

TEST_P(Intensities, NoiseDependsOnSeedAndChannel) {
  Sample sample = sample_of(GaussianNoise{}, {4, 5, 61});
  const auto made = [&](std::uint64_t seed) {
    Drawn drawn = one_step({0.5});
    drawn.seed = seed;
    return sample.run(drawn).image;
  };
  EXPECT_EQ(made(1), made(1));
  EXPECT_NE(made(1), made(2));
  Sample two({4, 5, 61}, {4, 5, 61}, 2);
  two.pipeline.intensity = {GaussianNoise{}};
  std::fill(two.image.voxels.begin(), two.image.voxels.end(), 0.0F);
  Drawn drawn = one_step({0.5});
  drawn.steps.push_back({0, 1, {0.5}});
  const Voxels both = two.run(drawn).image;
  const auto half = static_cast<std::ptrdiff_t>(both.size() / 2);
  EXPECT_NE(Voxels(both.begin(), both.begin() + half), Voxels(both.begin() + half, both.end()));
}

std::int64_t mirror(std::int64_t i, std::int64_t n) {
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * (n - 1) - i;
  return i;
}

// One axis after the other, in float64.
std::vector<double> plain_blur(const Voxels& voxels, const Shape& n,
                               const std::array<double, 3>& sigma,
                               const std::array<std::int64_t, 3>& length) {
  std::vector<double> x(voxels.begin(), voxels.end());
  const std::array<std::int64_t, 3> step = {n[1] * n[2], n[2], 1};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (length[axis] == 0) continue;
    const std::int64_t r = length[axis] / 2;
    std::vector<double> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::int64_t at = static_cast<std::int64_t>(i) / step[axis] % n[axis];
      double sum = 0, weights = 0;
      for (std::int64_t k = -r; k <= r; ++k) {
        const double w = std::exp(-0.5 * std::pow(static_cast<double>(k) / sigma[axis], 2));
        const std::int64_t from =
            static_cast<std::int64_t>(i) + (mirror(at + k, n[axis]) - at) * step[axis];
        sum += w * x[static_cast<std::size_t>(from)];
        weights += w;
      }
      y[i] = sum / weights;
    }
    x = y;
  }
  return x;
}

TEST_P(Intensities, BlurIsAGaussianAlongEachAxis) {
  // 6 sigma + 0.5 is 3.5, 5.0, 6.5, and for the last one 12.5: 3, 5, 7, 13.
  const std::vector<std::pair<double, std::int64_t>> lengths = {
      {0.5, 3}, {0.75, 5}, {1.0, 7}, {2.0, 13}};
  for (const Shape& patch : {Shape{9, 14, 37}, Shape{3, 2, 40}}) {
    const Sample sample = sample_of(GaussianBlur{}, patch);
    for (std::size_t i = 0; i + 2 < lengths.size(); ++i) {
      const std::array<double, 3> sigma = {lengths[i].first, lengths[i + 1].first,
                                           lengths[i + 2].first};
      const auto wanted =
          plain_blur(sample.image.voxels, patch, sigma,
                     {lengths[i].second, lengths[i + 1].second, lengths[i + 2].second});
      const Voxels made = sample.run(one_step(sigma)).image;
      for (std::size_t k = 0; k < made.size(); ++k) {
        ASSERT_NEAR(static_cast<double>(made[k]), wanted[k], 2e-4);
      }
    }
  }
  const Sample flat = sample_of(GaussianBlur{}, {14, 37});
  const auto wanted = plain_blur(flat.image.voxels, {1, 14, 37}, {1, 0.5, 1}, {0, 3, 7});
  const Voxels made = flat.run(one_step({0.5, 1})).image;
  for (std::size_t k = 0; k < made.size(); ++k) {
    ASSERT_NEAR(static_cast<double>(made[k]), wanted[k], 2e-4);
  }
}

TEST_P(Intensities, AreRefusedForValuesThatMakeNoImage) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(sample_of(GaussianBlur{}).run(one_step({0, 0, 0})).image,
            sample_of(GaussianBlur{}).image.voxels);
  EXPECT_THROW(sample_of(GaussianBlur{}).run(one_step({1, 1, 101})), Error);
  EXPECT_THROW(sample_of(GaussianBlur{}).run(one_step({1, nan, 1})), Error);
  EXPECT_THROW(sample_of(LowResolution{}).run(one_step({1, 1, 1.1})), Error);
  EXPECT_THROW(sample_of(LowResolution{}).run(one_step({1, 0, 1})), Error);
  EXPECT_THROW(sample_of(Gamma{}).run(one_step({nan})), Error);
  EXPECT_THROW(sample_of(Brightness{}).run(one_step({-1})), Error);
}

// Nearest voxels, then linearly between them, along the last axis alone.
TEST_P(Intensities, LowResolutionByItsFormula) {
  const Sample sample = sample_of(LowResolution{}, {3, 4, 37});
  const Voxels made = sample.run(one_step({1, 1, 0.6})).image;
  const std::int64_t fewer = 22;  // 37 * 0.6 = 22.2
  for (std::int64_t row = 0; row < 12; ++row) {
    for (std::int64_t x = 0; x < 37; ++x) {
      const double at = std::max((static_cast<double>(x) + 0.5) * fewer / 37 - 0.5, 0.0);
      const auto below = static_cast<std::int64_t>(at);
      const auto kept = [&](std::int64_t i) {
        const auto from = static_cast<std::int64_t>(
            (static_cast<double>(std::min(i, fewer - 1)) + 0.5) * 37 / fewer);
        return static_cast<double>(
            sample.image.voxels[static_cast<std::size_t>(row * 37 + from)]);
      };
      const double t = at - static_cast<double>(below);
      ASSERT_NEAR(static_cast<double>(made[static_cast<std::size_t>(row * 37 + x)]),
                  kept(below) * (1 - t) + kept(below + 1) * t, 1e-3);
    }
  }
  EXPECT_EQ(sample.run(one_step({1, 1, 1})).image, sample.image.voxels);
}

// Flips are part of the spatial transform, but stand for what comes last.
TEST_P(Intensities, LowResolutionIsOfThePatchBeforeItIsFlipped) {
  const Sample sample = sample_of(LowResolution{}, {8, 10, 36});
  for (const Shape& axes : {Shape{0}, Shape{1}, Shape{2}, Shape{0, 1, 2}}) {
    Drawn flipped = one_step({0.5, 0.5, 0.5});
    flipped.flips = axes;
    Sample plain = sample;
    plain.image.voxels = sample.run(one_step({0.5, 0.5, 0.5})).image;
    Drawn only;
    only.flips = axes;
    expect_near(sample.run(flipped).image, plain.run(only).image, 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Intensities, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& name) { return name.param; });

// The tolerance between instruction sets: 1e-5 of the range of the voxels. Labels agree but
// where scores differ by less than rounding.
TEST(InstructionSets, GiveTheSameButForRounding) {
  NnunetOptions options;
  options.patch = {16, 20, 37};
  options.scales = {{1, 1, 1}, {0.5, 0.5, 0.5}};
  const Pipeline pipeline = nnunet(options);
  Sample sample(pipeline.patch, pipeline.initial);
  sample.pipeline = pipeline;
  for (Intensity& transform : sample.pipeline.intensity) {
    std::visit([](auto& t) { t.p = 0.5; }, transform);
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Drawn drawn = draw(sample.pipeline, seed, 2);
    use_instruction_set("baseline");
    const Result plain = sample.run(drawn);
    const Moments m = moments(plain.image);
    for (const std::string& set : instruction_sets()) {
      use_instruction_set(set);
      const Result result = sample.run(drawn);
      expect_near(result.image, plain.image, 1e-5 * (m.greatest - m.least));
      std::int64_t different = 0;
      for (std::size_t i = 0; i < plain.labels[0].size(); ++i) {
        different += result.labels[0][i] != plain.labels[0][i] ? 1 : 0;
      }
      EXPECT_LE(different, 2) << seed << " " << set;
    }
  }
  use_instruction_set("");
}

}  // namespace
}  // namespace mlarray::augment
