// All transforms at once, on a copy of the support that is not one voxel larger, so that the
// sanitizers see what is read outside. Formulas are tested in Python:
// tests/python/training/test_transforms.py.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "mlarray/augment/presets.hpp"
#include "mlarray/error.hpp"
#include "sample.hpp"

namespace mlarray::augment {
namespace {

// Everything is on, and may leave the initial patch.
Sample everything(const Shape& patch, const Shape& initial) {
  Sample sample(patch, initial);
  Spatial& spatial = sample.pipeline.spatial;
  spatial.p_rotation = spatial.p_scaling = spatial.p_shear = spatial.p_translation = 0.6;
  spatial.rotation = {-3, 3};
  spatial.scaling = {0.5, 2};
  spatial.same_scale = false;
  spatial.shear = {-0.4, 0.4};
  spatial.translation = {-9, 9};
  spatial.p_elastic = 0.5;
  spatial.elastic_spacing = {4, 30};
  spatial.elastic_magnitude = {0, 9};
  spatial.random_crop = true;
  const std::size_t axes = patch.size();
  const auto a = static_cast<std::int64_t>(axes - 2);
  spatial.p_rot90 = spatial.p_swap = 0.5;
  spatial.rot90_axes = {a, a + 1};
  spatial.swap_axes = {a + 1, a};
  sample.pipeline.mirror_axes = {0, 1};
  RicianNoise rician;
  Sharpening sharpening;
  BrightnessAdditive additive;
  BlankRectangle blank;
  MedianFilter median;
  rician.p = sharpening.p = additive.p = blank.p = median.p = 0.5;
  median.size = {1, 6};
  sample.pipeline.intensity = {rician, sharpening, additive, blank, median};
  const auto earlier = random_labels(initial, 9);
  sample.label.shape[0] = 2;
  sample.label.voxels.insert(sample.label.voxels.end(), earlier.begin(), earlier.end());
  Labels& labels = sample.pipeline.labels;
  labels.remove = {{3, 0}};
  labels.previous = {1, 2, 4};
  labels.cascade = {0.7, 0.7, {0, 9}, 0.7, 0.7, 0.5, 0.5};
  return sample;
}

class Transforms : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { use_instruction_set(GetParam()); }
  void TearDown() override { use_instruction_set(""); }
};

TEST_P(Transforms, ReadTheirSupportAlone) {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{9, 13, 13}, {14, 15, 22}},
                                                       {{18, 18}, {15, 25}},
                                                       {{1, 6, 6}, {1, 3, 5}},
                                                       {{7, 7}, {9, 1}}};
  for (const auto& [patch, initial] : shapes) {
    for (const Padding padding : {Padding::constant, Padding::edge, Padding::reflect}) {
      Sample sample = everything(patch, initial);
      sample.pipeline.spatial.padding = padding;
      for (std::uint64_t seed = 0; seed < 24; ++seed) {
        sample.pipeline.spatial.interpolation =
            seed % 2 == 0 ? Interpolation::linear : Interpolation::cubic;
        sample.pipeline.spatial.planar = patch[0] == initial[0] && seed % 3 == 0;
        const Drawn drawn = draw(sample.pipeline, seed, 2);
        const Box box = support(sample.pipeline, drawn);
        for (std::size_t i = 0; i < initial.size(); ++i) {
          ASSERT_GE(box.start[i], 0);
          ASSERT_LE(box.start[i], box.stop[i]);
          ASSERT_LE(box.stop[i], initial[i]);
        }
        const Result result = sample.run(drawn);
        for (const float voxel : result.image) ASSERT_TRUE(std::isfinite(voxel));
        EXPECT_EQ(drawn_from(to_value(drawn)), drawn);
        EXPECT_EQ(sample.run(drawn_from(to_value(drawn))).image, result.image);
      }
      EXPECT_EQ(pipeline_from(to_value(sample.pipeline)), sample.pipeline);
    }
  }
}

// The tolerance between instruction sets, as of the other transforms.
TEST_P(Transforms, AreTheSameInEverySet) {
  const Sample sample = everything({9, 13, 13}, {14, 15, 22});
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Drawn drawn = draw(sample.pipeline, seed, 2);
    use_instruction_set("baseline");
    const Result plain = sample.run(drawn);
    use_instruction_set(GetParam());
    expect_near(sample.run(drawn).image, plain.image, 1e-3);
  }
}

// A slice of which all rows are alike, turned and bent, keeps its values: weights sum to 1.
TEST_P(Transforms, OfAConstantAreThatConstant) {
  Sample sample = everything({9, 13, 13}, {14, 15, 22});
  sample.pipeline.intensity.clear();
  sample.pipeline.spatial.padding = Padding::edge;
  std::fill(sample.image.voxels.begin(), sample.image.voxels.end(), 2.5F);
  for (const Interpolation kind : {Interpolation::linear, Interpolation::cubic}) {
    sample.pipeline.spatial.interpolation = kind;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      const Result result = sample.run(draw(sample.pipeline, seed, 2));
      for (std::size_t i = 0; i < 2U * 9 * 13 * 13; ++i) {
        ASSERT_NEAR(result.image[i], 2.5F, 1e-5F);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Transforms, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& name) { return name.param; });

TEST(Monai, RecipeIsRefusedForAxesOfDifferentLength) {
  EXPECT_THROW(monai_basic({.patch = {8, 9, 9}}), Error);
  EXPECT_EQ(monai_basic({.patch = {8, 9, 9}, .rot90_axes = {1, 2}}).p_mirror, 0.2);
}

TEST(Nnunet, ChangesTheEarlierStageOfACascadeOnly) {
  EXPECT_EQ(nnunet({.patch = {8, 8, 8}}).labels.cascade, Cascade{});
  EXPECT_EQ(nnunet({.patch = {8, 8, 8}, .previous = {1}}).labels.cascade.p_operator, 0.4);
  EXPECT_EQ(nnunet_validation({.patch = {8, 8, 8}, .previous = {1}}).labels.cascade, Cascade{});
}

}  // namespace
}  // namespace mlarray::augment
