#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"
#include "sample.hpp"

namespace mlarray::augment {
namespace {

TEST(Labels, OutsideBecomesBackground) {
  Sample sample({6, 7, 8}, {4, 7, 8}, 1);
  for (std::int16_t& label : sample.label.voxels) label = 2;
  sample.pipeline.labels.remove_outside = true;
  const auto labels = sample.run({}).labels.at(0);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 0), 2 * 7 * 8);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 2), 4 * 7 * 8);
}

TEST(Labels, AreScaledToTheNearestVoxel) {
  Sample sample({8, 10, 12}, {8, 10, 12});
  sample.pipeline.labels.scales = {{0.5, 0.5, 0.5}, {1, 1, 1}, {1, 0.5, 0.25}};
  Drawn drawn;
  drawn.flips = {2};
  const Result result = sample.run(drawn);
  EXPECT_EQ(label_shapes(sample.pipeline, 1),
            (std::vector<Shape>{{1, 4, 5, 6}, {1, 8, 10, 12}, {1, 8, 5, 3}}));
  const auto& whole = result.labels.at(1);
  for (std::int64_t z = 0; z < 4; ++z) {
    for (std::int64_t y = 0; y < 5; ++y) {
      for (std::int64_t x = 0; x < 6; ++x) {
        // Half way between two, the further one is the nearest.
        EXPECT_EQ(
            result.labels[0][static_cast<std::size_t>((z * 5 + y) * 6 + x)],
            whole[static_cast<std::size_t>(((2 * z + 1) * 10 + 2 * y + 1) * 12 + 2 * x + 1)]);
      }
    }
  }
  for (std::int64_t x = 0; x < 3; ++x) {
    EXPECT_EQ(result.labels[2][static_cast<std::size_t>(x)],
              whole[static_cast<std::size_t>(12 + 4 * x + 2)]);
  }
}

TEST(Labels, BecomeRegions) {
  Sample sample({5, 6, 7}, {5, 6, 7});
  sample.pipeline.labels.regions = {{1, 2, 3}, {2}, {4}};
  sample.pipeline.labels.scales = {{1, 1, 1}, {0.5, 0.5, 0.5}};
  const Result result = sample.run({});
  ASSERT_EQ(result.labels.at(0).size(), 3U * 210);
  for (std::size_t i = 0; i < 210; ++i) {
    const std::int16_t label = sample.label.voxels[i];
    EXPECT_EQ(result.labels[0][i], label >= 1 && label <= 3 ? 1 : 0);
    EXPECT_EQ(result.labels[0][210 + i], label == 2 ? 1 : 0);
    EXPECT_EQ(result.labels[0][420 + i], label == 4 ? 1 : 0);
  }
  // round(2.5) = 2, round(3) = 3, round(3.5) = 4: half way to the even one.
  EXPECT_EQ(result.labels.at(1).size(), 3U * 2 * 3 * 4);
}

TEST(Labels, OfAnEarlierStageGoToTheImage) {
  Sample sample({5, 6, 7}, {5, 6, 7}, 1);
  const auto earlier = random_labels({5, 6, 7}, 9);
  sample.label.shape[0] = 2;
  sample.label.voxels.insert(sample.label.voxels.end(), earlier.begin(), earlier.end());
  sample.pipeline.labels.previous = {1, 3};
  const Result result = sample.run({});
  ASSERT_EQ(result.image.size(), 3U * 210);
  ASSERT_EQ(result.labels.at(0).size(), 210U);
  for (std::size_t i = 0; i < 210; ++i) {
    EXPECT_EQ(result.labels[0][i], sample.label.voxels[i]);
    EXPECT_EQ(result.image[i], sample.image.voxels[i]);
    EXPECT_EQ(result.image[210 + i], earlier[i] == 1 ? 1 : 0);
    EXPECT_EQ(result.image[420 + i], earlier[i] == 3 ? 1 : 0);
  }
}

TEST(Labels, MaskChannelsOutside) {
  Sample sample({6, 6, 8}, {6, 6, 8});
  sample.pipeline.labels.masked_channels = {1};
  sample.pipeline.labels.remove_outside = true;
  const Result result = sample.run({});
  for (std::size_t i = 0; i < 288; ++i) {
    const bool outside = sample.label.voxels[i] < 0;
    EXPECT_EQ(result.image[i], sample.image.voxels[i]);
    EXPECT_EQ(result.image[288 + i], outside ? 0 : sample.image.voxels[288 + i]);
    EXPECT_EQ(result.labels[0][i], outside ? 0 : sample.label.voxels[i]);
  }
  sample.pipeline.labels.masked_channels = {2};
  EXPECT_THROW(sample.run({}), Error);
}

}  // namespace
}  // namespace mlarray::augment
