#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <set>
#include <vector>

#include "mlarray/augment/presets.hpp"
#include "mlarray/error.hpp"
#include "sample.hpp"

namespace mlarray::augment {
namespace {

TEST(Draw, DependsOnTheSeedAlone) {
  const Pipeline pipeline = nnunet({.patch = {16, 16, 16}});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(draw(pipeline, seed, 3), draw(pipeline, seed, 3));
    EXPECT_NE(draw(pipeline, seed, 3).seed, draw(pipeline, seed + 1, 3).seed);
  }
}

// So that a pipeline with one transform less is the same but for that.
TEST(Draw, OfOneTransformDoesNotShiftTheOthers) {
  const Pipeline pipeline = nnunet({.patch = {16, 16, 16}});
  Pipeline without = pipeline;
  std::get<GaussianNoise>(without.intensity[0]).p = 0;
  without.spatial.p_rotation = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Drawn all = draw(pipeline, seed, 2);
    const Drawn less = draw(without, seed, 2);
    std::erase_if(all.steps, [](const Drawn::Step& step) { return step.transform == 0; });
    EXPECT_EQ(all.steps, less.steps);
    EXPECT_EQ(all.flips, less.flips);
  }
}

TEST(Draw, HasTheRatesAndRangesOfThePreset) {
  const Pipeline pipeline = nnunet({.patch = {16, 16, 16}});
  constexpr int kDraws = 20000;
  std::array<int, 7> samples{};
  int warped = 0, flipped = 0, below = 0, factors = 0;
  for (int seed = 0; seed < kDraws; ++seed) {
    const Drawn drawn = draw(pipeline, static_cast<std::uint64_t>(seed), 2);
    warped += drawn.matrix ? 1 : 0;
    flipped += static_cast<int>(drawn.flips.size());
    std::set<std::int64_t> seen;
    for (const Drawn::Step& step : drawn.steps) {
      if (seen.insert(step.transform).second) {
        ++samples[static_cast<std::size_t>(step.transform)];
      }
      if (step.transform == 2) {
        ++factors;
        below += step.values[0] < 1 ? 1 : 0;
        EXPECT_GE(step.values[0], 0.75);
        EXPECT_LT(step.values[0], 1.25);
      }
      if (step.transform >= 5) {
        EXPECT_TRUE(step.keep_stats);
        EXPECT_EQ(step.invert, step.transform == 5);
      }
    }
  }
  const auto rate = [](int count) { return static_cast<double>(count) / kDraws; };
  EXPECT_NEAR(rate(warped), 0.36, 0.015);
  EXPECT_NEAR(rate(flipped), 1.5, 0.03);
  // Of two channels with 1/2 each, one at least: 3/4.
  const std::array<double, 7> wanted = {0.1, 0.2 * 0.75, 0.15, 0.15, 0.25 * 0.75, 0.1, 0.3};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(rate(samples[i]), wanted[i], 0.015) << i;
  }
  EXPECT_NEAR(static_cast<double>(below) / factors, 0.5, 0.04);
}

TEST(Draw, SharesWhatIsTheSameForAllChannels) {
  Pipeline pipeline = nnunet({.patch = {16, 16, 16}});
  for (Intensity& transform : pipeline.intensity)
    std::visit([](auto& t) { t.p = 1; }, transform);
  const Drawn drawn = draw(pipeline, 3, 2);
  std::array<std::vector<Drawn::Step>, 7> steps;
  for (const Drawn::Step& step : drawn.steps) {
    steps[static_cast<std::size_t>(step.transform)].push_back(step);
  }
  ASSERT_EQ(steps[0].size(), 2U);
  EXPECT_EQ(steps[0][0].values, steps[0][1].values);  // sigma of the noise
  EXPECT_NE(steps[2][0].values, steps[2][1].values);  // brightness: each its own
  for (const Drawn::Step& step : steps[4]) {          // low resolution: the same for all axes
    EXPECT_EQ(step.values[0], step.values[1]);
    EXPECT_EQ(step.values[0], step.values[2]);
  }
}

TEST(Preset, ChoosesAsNnunetsTrainer) {
  constexpr double kDegree = std::numbers::pi / 180;
  const Pipeline cube = nnunet({.patch = {128, 128, 128}});
  EXPECT_EQ(cube.initial, (Shape{205, 205, 205}));
  EXPECT_NEAR(cube.spatial.rotation.high, 30 * kDegree, 1e-12);
  EXPECT_EQ(cube.mirror_axes, (Shape{0, 1, 2}));
  // Computed with nnunetv2 2.8.1.
  const Pipeline flat = nnunet({.patch = {20, 320, 320}});
  EXPECT_TRUE(flat.spatial.planar);
  EXPECT_EQ(flat.initial, (Shape{20, 376, 376}));
  EXPECT_NEAR(flat.spatial.rotation.high, 180 * kDegree, 1e-12);
  EXPECT_EQ(std::get<LowResolution>(flat.intensity[4]).fixed_axes, (Shape{0}));
  const Pipeline plane = nnunet({.patch = {512, 512}});
  EXPECT_EQ(plane.initial, (Shape{602, 602}));
  EXPECT_NEAR(plane.spatial.rotation.high, 180 * kDegree, 1e-12);
  const Pipeline oblong = nnunet({.patch = {256, 512}});
  EXPECT_NEAR(oblong.spatial.rotation.high, 15 * kDegree, 1e-12);
  NnunetOptions options;
  options.patch = {32, 32, 32};
  options.regions = {{1, 2}, {2}};
  options.ignore_label = 3;
  EXPECT_EQ(nnunet(options).labels.regions, (std::vector<Shape>{{1, 2}, {2}, {3}}));
  const Pipeline still = nnunet_validation(options);
  EXPECT_EQ(still.initial, options.patch);
  EXPECT_TRUE(still.intensity.empty());
  EXPECT_THROW(nnunet({.patch = {4}}), Error);
}

// 64 % of the draws need the patch alone: on average at most 1.5 voxels per voxel are read.
TEST(Preset, ReadsLittleMoreThanThePatch) {
  const Pipeline pipeline = nnunet({.patch = {128, 128, 128}});
  double read = 0;
  constexpr int kDraws = 4000;
  for (int seed = 0; seed < kDraws; ++seed) {
    const Drawn drawn = draw(pipeline, static_cast<std::uint64_t>(seed), 1);
    read += static_cast<double>(element_count(support(pipeline, drawn).shape()));
  }
  EXPECT_LT(read / kDraws / (128.0 * 128 * 128), 1.5);
}

// Else voxels beyond the support would be read.
TEST(Drawn, AMatrixOfAnotherPipelineIsRefused) {
  const Pipeline flat = nnunet({.patch = {8, 32, 32}});
  ASSERT_TRUE(flat.spatial.planar);
  Drawn drawn;
  for (const std::size_t k : {0U, 1U, 2U, 3U, 6U}) {
    drawn.matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    EXPECT_NO_THROW(static_cast<void>(support(flat, drawn)));
    (*drawn.matrix)[k] = 0.5;
    EXPECT_THROW(static_cast<void>(support(flat, drawn)), Error) << k;
    EXPECT_NO_THROW(static_cast<void>(support(nnunet({.patch = {32, 32, 32}}), drawn)));
  }
  drawn.matrix = {1, 0, 0, 0, 1, 0, 0, 0.5, 1};
  EXPECT_NO_THROW(static_cast<void>(support(flat, drawn)));
}

// With an elastic warp, too, where bounds are taken cell by cell.
TEST(Drawn, AMatrixWithoutNumbersIsRefused) {
  const Pipeline pipeline = nnunet({.patch = {8, 8, 8}});
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), 1e300}) {
    Drawn drawn;
    drawn.matrix = {1, 0, 0, 0, value, 0, 0, 0, 1};
    EXPECT_THROW(static_cast<void>(support(pipeline, drawn)), Error);
    drawn.elastic = Drawn::Elastic{{4, 4, 4}, std::vector<double>(192)};
    EXPECT_THROW(static_cast<void>(support(pipeline, drawn)), Error);
  }
}

TEST(Drawn, ANumberOfChannelsThatNoImageHasIsRefused) {
  const Pipeline pipeline = nnunet({.patch = {8, 8, 8}});
  EXPECT_THROW(static_cast<void>(draw(pipeline, 0, -1)), Error);
  EXPECT_THROW(static_cast<void>(draw(pipeline, 0, std::int64_t{1} << 40)), Error);
}

TEST(Check, RefusesRangesWhoseDrawsAreRefused) {
  const auto refused = [](const Pipeline& pipeline) {
    try {
      check(pipeline);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::invalid_value;
    }
    return false;
  };
  Pipeline pipeline;
  pipeline.patch = pipeline.initial = {8, 8, 8};
  MedianFilter median;
  median.size = {16, 16};
  pipeline.intensity = {median};
  EXPECT_TRUE(refused(pipeline));
  median.size = {15, 16};
  pipeline.intensity = {median};
  EXPECT_FALSE(refused(pipeline));
  pipeline.intensity = {};
  pipeline.spatial.translation = {0, 5e5, Range::Law::normal};
  EXPECT_TRUE(refused(pipeline));
  pipeline.spatial.translation = {0, 50, Range::Law::normal};
  EXPECT_FALSE(refused(pipeline));
}

TEST(Preset, OfTwoAxesIsNeverPlanar) {
  NnunetOptions options;
  options.patch = {32, 24};
  options.planar = true;
  const Pipeline pipeline = nnunet(options);
  EXPECT_FALSE(pipeline.spatial.planar);
  for (const auto& transform : pipeline.intensity) {
    if (const auto* low = std::get_if<LowResolution>(&transform)) {
      EXPECT_TRUE(low->fixed_axes.empty());
    }
  }
}

}  // namespace
}  // namespace mlarray::augment
