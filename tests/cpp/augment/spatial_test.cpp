#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"
#include "sample.hpp"

namespace mlarray::augment {
namespace {

constexpr std::array<double, 9> kIdentity = {1, 0, 0, 0, 1, 0, 0, 0, 1};

TEST(Spatial, CopiesTheMiddleOfTheInitialPatch) {
  const Sample sample({5, 6, 7}, {9, 9, 10});
  const Drawn drawn;
  const Box box = support(sample.pipeline, drawn);
  EXPECT_EQ(box.start, (Shape{2, 1, 2}));
  EXPECT_EQ(box.stop, (Shape{7, 7, 9}));
  const Result result = sample.run(drawn);
  EXPECT_EQ(result.image, cut(sample.image, box).voxels);
  EXPECT_EQ(result.labels.at(0), cut(sample.label, box).voxels);
}

TEST(Spatial, CopiesAPatchThatIsLargerThanTheInitialOneWithPadding) {
  const Sample sample({6, 4}, {3, 4}, 1);
  const Result result = sample.run({});
  for (std::int64_t y = 0; y < 6; ++y) {
    for (std::int64_t x = 0; x < 4; ++x) {
      const auto i = static_cast<std::size_t>(y * 4 + x);
      const bool inside = y >= 2 && y < 5;
      const auto from = static_cast<std::size_t>((y - 2) * 4 + x);
      EXPECT_EQ(result.image[i], inside ? sample.image.voxels[from] : 0);
      EXPECT_EQ(result.labels[0][i], inside ? sample.label.voxels[from] : -1);
    }
  }
}

// The warp's own path, with weights of 0 and 1.
TEST(Spatial, TheIdentityGivesThePatchBitForBit) {
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    for (const Shape& patch : {Shape{5, 7, 33}, Shape{5, 7, 3}}) {
      const Sample sample(patch, {patch[0], patch[1], patch[2]});
      Drawn drawn;
      drawn.matrix = kIdentity;
      const Result result = sample.run(drawn);
      EXPECT_EQ(result.image, sample.image.voxels) << set;
      EXPECT_EQ(result.labels.at(0), sample.label.voxels) << set;
    }
  }
  use_instruction_set("");
}

class Warps : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { use_instruction_set(GetParam()); }
  void TearDown() override { use_instruction_set(""); }

  // Image within rounding; each label the best, or as good as the best.
  static void expect_plain(const Sample& sample, const Drawn& drawn) {
    const Result result = sample.run(drawn);
    const Plain plain(sample, drawn);
    const auto count = static_cast<std::int64_t>(plain.count());
    std::int64_t different = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto voxel = static_cast<std::size_t>(i);
      for (std::int64_t c = 0; c < sample.image.shape[0]; ++c) {
        ASSERT_NEAR(static_cast<double>(result.image[static_cast<std::size_t>(c * count + i)]),
                    plain.image(voxel, c), 1e-4);
      }
      const auto scores = plain.scores(voxel);
      double best = 0;
      for (const auto& [label, score] : scores) best = std::max(best, score);
      const auto found = scores.find(result.labels[0][voxel]);
      ASSERT_NE(found, scores.end()) << "a label that is not there";
      ASSERT_GE(found->second, best - 1e-3);
      if (found->second < best) ++different;
    }
    EXPECT_LE(different, count / 1000);
  }
};

TEST_P(Warps, EqualThePlainComputationAndTheVoteOfOneHots) {
  const Sample sample({13, 17, 40}, {31, 35, 50});
  int k = 0;
  for (const double scale : {0.7, 1.0, 1.2}) {
    Drawn drawn;
    drawn.matrix = rotation(0.4 * k, 0.3 - 0.2 * k, 0.25 * k - 0.1, scale);
    if (k > 0) drawn.flips = {0, 2};
    ++k;
    expect_plain(sample, drawn);
  }
}

TEST_P(Warps, ReachOutsideTheInitialPatchWithPadding) {
  const Sample sample({13, 17, 40}, {14, 16, 36});
  Drawn drawn;
  drawn.matrix = rotation(0.5, -0.4, 0.3, 1.3);
  drawn.flips = {1};
  const Box box = support(sample.pipeline, drawn);
  EXPECT_EQ(box.start, (Shape{0, 0, 0}));
  EXPECT_EQ(box.stop, (Shape{14, 16, 36}));
  expect_plain(sample, drawn);
}

TEST_P(Warps, OfTwoAxes) {
  const Sample sample({37, 40}, {55, 60});
  Drawn drawn;
  drawn.matrix = rotation(0.6, 0, 0, 1.2);
  drawn.matrix->at(0) = 1;
  drawn.flips = {0};
  expect_plain(sample, drawn);
  drawn.matrix = rotation(3, 0, 0, 1.7);
  expect_plain(sample, drawn);
  // The lower right four count, and nothing outside of the image is read.
  const Result four = sample.run(drawn);
  for (const std::size_t i : {1U, 2U, 3U, 6U}) drawn.matrix->at(i) = 40;
  const Result all = sample.run(drawn);
  EXPECT_EQ(all.image, four.image);
  EXPECT_EQ(all.labels, four.labels);
}

TEST_P(Warps, OfPlanesAlone) {
  Sample sample({4, 37, 40}, {4, 55, 60});
  sample.pipeline.spatial.planar = true;
  Drawn drawn;
  drawn.matrix = rotation(0.6, 0, 0, 1.2);
  drawn.matrix->at(0) = 1;
  drawn.flips = {0, 2};
  expect_plain(sample, drawn);
}

TEST_P(Warps, OfLabelsThatNeedTwoBytes) {
  Sample sample({13, 17, 40}, {31, 35, 50}, 1);
  Drawn drawn;
  drawn.matrix = rotation(0.5, -0.4, 0.3, 1.1);
  for (const std::int16_t shift : {std::int16_t{250}, std::int16_t{-20}, std::int16_t{32000},
                                   std::numeric_limits<std::int16_t>::min()}) {
    sample.label.voxels = random_labels(sample.pipeline.initial, 3, shift);
    expect_plain(sample, drawn);
  }
}

// A ramp is interpolated exactly, so the second warp sees what the first meant.
TEST_P(Warps, OfTwoMatricesAreThatOfTheirProduct) {
  Sample first({33, 33, 33}, {61, 61, 61}, 1);
  std::size_t at = 0;
  for (int z = 0; z < 61; ++z) {
    for (int y = 0; y < 61; ++y) {
      for (int x = 0; x < 61; ++x) {
        first.image.voxels[at++] = static_cast<float>(3 * z - 2 * y + x) / 100;
      }
    }
  }
  Sample second({15, 15, 15}, {33, 33, 33}, 1);
  Sample both({15, 15, 15}, {61, 61, 61}, 1);
  both.image = first.image;
  Drawn a, b, ab;
  a.matrix = rotation(0.2, -0.3, 0.1, 1.1);
  b.matrix = rotation(-0.4, 0.1, 0.3, 0.9);
  ab.matrix.emplace();
  ab.matrix->fill(0);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        ab.matrix->at(3 * i + j) += a.matrix->at(3 * i + k) * b.matrix->at(3 * k + j);
      }
    }
  }
  second.image.voxels = first.run(a).image;
  expect_near(second.run(b).image, both.run(ab).image, 1e-5);
}

TEST_P(Warps, MirroredTwiceAreAsBefore) {
  const Sample sample({8, 9, 37}, {20, 21, 50});
  for (const bool warped : {false, true}) {
    Drawn drawn;
    if (warped) drawn.matrix = rotation(0.2, -0.3, 0.1, 1.1);
    const Result plain = sample.run(drawn);
    for (const Shape& axes : {Shape{0}, Shape{1}, Shape{2}, Shape{0, 1, 2}}) {
      Drawn flipped = drawn;
      flipped.flips = axes;
      const Result mirrored = sample.run(flipped);
      Sample again({8, 9, 37}, {8, 9, 37});
      again.image.voxels = mirrored.image;
      again.label.voxels = mirrored.labels[0];
      Drawn back;
      back.flips = axes;
      const Result result = again.run(back);
      if (warped) {
        expect_near(result.image, plain.image, 2e-4);
      } else {
        EXPECT_EQ(result.image, plain.image);
        EXPECT_EQ(result.labels, plain.labels);
        EXPECT_NE(mirrored.image, plain.image);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Warps, ::testing::ValuesIn(instruction_sets()),
                         [](const auto& name) { return name.param; });

// What is outside the support is not a number; then it is nowhere in the result.
TEST(Spatial, NothingOutsideTheSupportIsUsed) {
  Sample sample({11, 12, 13}, {30, 31, 32}, 1);
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Pipeline& pipeline = sample.pipeline;
    pipeline.spatial.p_rotation = pipeline.spatial.p_scaling = 0.7;
    pipeline.spatial.rotation = {-3, 3};
    pipeline.spatial.scaling = {0.5, 2};
    const Drawn drawn = draw(pipeline, seed, 1);
    const Box box = support(pipeline, drawn);
    Grid<float> poisoned = sample.image;
    for (float& voxel : poisoned.voxels) voxel = std::numeric_limits<float>::quiet_NaN();
    const Shape n = pipeline.initial;
    for (std::int64_t z = box.start[0]; z < box.stop[0]; ++z) {
      for (std::int64_t y = box.start[1]; y < box.stop[1]; ++y) {
        for (std::int64_t x = box.start[2]; x < box.stop[2]; ++x) {
          const auto i = static_cast<std::size_t>((z * n[1] + y) * n[2] + x);
          poisoned.voxels[i] = sample.image.voxels[i];
        }
      }
    }
    std::vector<float> image(static_cast<std::size_t>(element_count(pipeline.patch)));
    Workspace workspace;
    apply(pipeline, drawn, {view_of_box(poisoned, box)}, {image}, workspace);
    EXPECT_EQ(image, sample.run(drawn).image) << seed;
  }
}

TEST(Spatial, RefusesWhatDoesNotFit) {
  const Sample sample({4, 4, 4}, {8, 8, 8}, 1);
  const auto message = [&](const ConstArrayView& image, std::size_t room, const Drawn& drawn) {
    std::vector<float> out(room);
    Workspace workspace;
    try {
      apply(sample.pipeline, drawn, {image}, {out}, workspace);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const Box box = support(sample.pipeline, {});
  const ConstArrayView view = view_of_box(sample.image, box);
  EXPECT_EQ(message(view, 64, {}), "no error");
  EXPECT_NE(message(view, 63, {}).find("63"), std::string::npos);
  EXPECT_NE(message(view_of_box(sample.image, Box::whole({8, 8, 8})), 64, {}).find("(4, 4, 4)"),
            std::string::npos);
  ConstArrayView sparse = view;
  sparse.strides[3] = 8;
  EXPECT_NE(message(sparse, 64, {}).find("without gaps"), std::string::npos);
  Drawn drawn;
  drawn.flips = {3};
  EXPECT_NE(message(view, 64, drawn).find("axis 3"), std::string::npos);
  drawn = {};
  drawn.steps.push_back({});
  EXPECT_NE(message(view, 64, drawn).find("transform 0"), std::string::npos);
  drawn = {};
  drawn.matrix = kIdentity;
  drawn.matrix->at(0) = 1e9;
  EXPECT_NE(message(view, 64, drawn).find("limit"), std::string::npos);
}

}  // namespace
}  // namespace mlarray::augment
