// Normalization of voxels without a loader.
#include "mlarray/training/normalize.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <string>
#include <vector>

#include "mlarray/error.hpp"

namespace mlarray::training::test {
namespace {

TEST(Normalize, ClipsThenScales) {
  const std::vector<std::int16_t> voxels = {-300, 0, 40, 290, 2000};
  std::vector<float> out(5);
  normalize(voxels, {.mean = 40, .std = 250, .low = -210, .high = 540}, out);
  EXPECT_EQ(out, (std::vector<float>{-1.0F, -0.16F, 0.0F, 1.0F, 2.0F}));
  normalize(voxels, {.mean = 40, .std = 0}, out);
  EXPECT_EQ(out, (std::vector<float>{-340.0F, -40.0F, 0.0F, 250.0F, 1960.0F}));
}

TEST(Normalize, ByTheVoxelsThemselves) {
  const std::array<std::uint8_t, 4> voxels = {1, 3, 5, 7};
  const Normalization::Channel found =
      channel_of(view_of(voxels, {2, 2}), DType::of<std::uint8_t>());
  EXPECT_DOUBLE_EQ(found.mean, 4.0);
  EXPECT_DOUBLE_EQ(found.std, std::sqrt(5.0));
  const Normalization::Channel none = channel_of({nullptr, {0}, {1}}, DType::of<float>());
  EXPECT_EQ(none.mean, 0.0);
  EXPECT_EQ(none.std, 1.0);
}

TEST(Normalize, OfViewsWithStrides) {
  const std::vector<double> voxels = {0, 1, 2, 3, 4, 5};
  ConstArrayView columns = view_of(voxels, {2, 3});
  columns.shape = {3, 2};
  columns.strides = {8, 24};
  std::vector<float> out(6);
  normalize(columns, DType::of<double>(), {}, out);
  EXPECT_EQ(out, (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_DOUBLE_EQ(channel_of(columns, DType::of<double>()).mean, 2.5);
}

TEST(Normalize, RefusesWhatDoesNotFit) {
  const std::vector<std::complex<float>> complex(2);
  std::vector<float> two(2);
  EXPECT_THROW(normalize(complex, {}, two), Error);
  const std::vector<float> voxels(3);
  try {
    normalize(voxels, {}, two);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
    EXPECT_NE(std::string(error.what()).find("do not fit into 2 floats"), std::string::npos);
  }
  EXPECT_THROW(normalize(view_of(voxels, {3}), DType::of<std::uint8_t>(), {}, two), Error);
}

TEST(Normalize, EqualVoxelsBecomeZero) {
  const std::vector<double> voxels(512, 0.1);
  const auto found = channel_of(view_of(voxels, {512}), DType::of<double>());
  EXPECT_EQ(found.std, 0.0);
  std::vector<float> out(512, 9);
  normalize(voxels, found, out);
  EXPECT_EQ(out, std::vector<float>(512, 0));
}

TEST(Normalize, ADeviationThatFloat32RoundsToZeroCountsAsOne) {
  const std::vector<float> voxels = {3, 4};
  std::vector<float> out(2);
  normalize(voxels, {.mean = 3, .std = 1e-50}, out);
  EXPECT_EQ(out, (std::vector<float>{0, 1}));
}

TEST(Normalize, RefusesWhatALoaderRefuses) {
  const std::vector<float> voxels = {3, 4};
  std::vector<float> out(2);
  const double nan = std::nan("");
  for (const Normalization::Channel& channel :
       {Normalization::Channel{.std = -1}, Normalization::Channel{.mean = nan},
        Normalization::Channel{.std = nan}, Normalization::Channel{.low = 2, .high = 1}}) {
    EXPECT_THROW(normalize(voxels, channel, out), Error);
  }
}

}  // namespace
}  // namespace mlarray::training::test
