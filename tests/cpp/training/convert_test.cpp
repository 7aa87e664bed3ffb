// Conversions: every float16, ties, limits, and what does not fit.
#include "training/convert.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/half.hpp"
#include "training/padding.hpp"
#include "training/scans.hpp"
#include "training/small_floats.hpp"

namespace mlarray::training::test {
namespace {

template <class To, class From>
std::vector<To> converted(Kind from, const std::vector<From>& voxels, Kind to, bool fits = true,
                          const Scaling* scaling = nullptr) {
  std::vector<To> out(voxels.size());
  EXPECT_EQ(convert(from, reinterpret_cast<const std::byte*>(voxels.data()), to,
                    reinterpret_cast<std::byte*>(out.data()),
                    static_cast<std::int64_t>(voxels.size()), scaling),
            fits);
  return out;
}

TEST(Convert, EveryHalfAsAFloatAndBack) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const auto floats = converted<float>(Kind::f16, all, Kind::f32);
  const auto back = converted<std::uint16_t>(Kind::f32, floats, Kind::f16);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double expected = base::half_to_double(all[i]);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(floats[i]));
      EXPECT_TRUE(std::isnan(base::half_to_double(back[i])));
    } else {
      ASSERT_EQ(static_cast<double>(floats[i]), expected) << i;
      ASSERT_EQ(back[i], all[i]);
    }
  }
}

// Floats of all sizes, and between neighbouring halves the middle and what is next to it.
std::vector<float> telling_floats() {
  std::vector<float> out = {
      0.0F,  -0.0F,    65519.99F, 65520.0F,  -65520.0F,
      1e30F, 0x1p-25F, 0x1p-24F,  -0x1p-26F, std::numeric_limits<float>::infinity()};
  for (std::uint16_t bits = 0; bits < 0x7bff; bits = static_cast<std::uint16_t>(bits + 7)) {
    const auto low = static_cast<float>(base::half_to_double(bits));
    const auto high =
        static_cast<float>(base::half_to_double(static_cast<std::uint16_t>(bits + 1)));
    const float middle = (low + high) / 2;
    for (const float x :
         {low, middle, std::nextafter(middle, 0.0F), std::nextafter(middle, 1e9F)}) {
      out.push_back(x);
      out.push_back(-x);
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isnan(x)) out.push_back(x);
  }
  return out;
}

TEST(Convert, HalvesAreRoundedOnceToTheNearestTiesToEven) {
  const std::vector<float> floats = telling_floats();
  const auto halves = converted<std::uint16_t>(Kind::f32, floats, Kind::f16);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    ASSERT_EQ(halves[i], base::half_of_double(static_cast<double>(floats[i]))) << floats[i];
  }
  // Doubles a little off a tie, which a float would hide.
  std::vector<double> doubles;
  for (const float x : floats) {
    doubles.push_back(static_cast<double>(x) * (1 + 1e-14));
    doubles.push_back(static_cast<double>(x) * (1 - 1e-14));
  }
  const auto again = converted<std::uint16_t>(Kind::f64, doubles, Kind::f16);
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    ASSERT_EQ(again[i], base::half_of_double(doubles[i])) << doubles[i];
  }
}

TEST(Convert, BFloat16IsTheNearestOfTheTwoNeighbours) {
  for (const float x : telling_floats()) {
    const auto one = converted<std::uint16_t>(Kind::f32, std::vector<float>{x}, Kind::bf16);
    const auto value = converted<float>(Kind::bf16, one, Kind::f32);
    if (std::isinf(value[0])) {
      EXPECT_GE(std::abs(x), 3.3895e38F);
      continue;
    }
    const auto bits = static_cast<std::uint32_t>(one[0]);
    const double off = std::abs(static_cast<double>(value[0]) - static_cast<double>(x));
    for (const std::uint32_t next : {bits - 1, bits + 1}) {
      if ((next & 0x7f80) == 0x7f80 || (next >> 15) != (bits >> 15)) continue;
      const double other = static_cast<double>(std::bit_cast<float>(next << 16));
      const double there = std::abs(other - static_cast<double>(x));
      ASSERT_TRUE(off < there || (off == there && bits % 2 == 0)) << x;
    }
  }
  const std::vector<float> nan = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(std::isnan(converted<float>(
      Kind::bf16, converted<std::uint16_t>(Kind::f32, nan, Kind::bf16), Kind::f32)[0]));
  EXPECT_TRUE(std::isnan(converted<float>(
      Kind::f16, converted<std::uint16_t>(Kind::f32, nan, Kind::f16), Kind::f32)[0]));
}

TEST(Convert, WhatDoesNotFitAnIntegerIsNoted) {
  using Floats = std::vector<float>;
  EXPECT_EQ(converted<std::uint8_t>(Kind::f32, Floats{0.5F, 1.5F, 254.6F, -0.4F}, Kind::u8),
            (std::vector<std::uint8_t>{0, 2, 255, 0}));
  converted<std::uint8_t>(Kind::f32, Floats{255.6F}, Kind::u8, false);
  converted<std::uint8_t>(Kind::f32, Floats{-0.6F}, Kind::u8, false);
  converted<std::int16_t>(Kind::f32, Floats{NAN}, Kind::i16, false);
  converted<std::int64_t>(Kind::f32, Floats{0x1p63F}, Kind::i64, false);
  EXPECT_EQ(converted<std::int64_t>(Kind::f32, Floats{-0x1p63F}, Kind::i64)[0],
            std::numeric_limits<std::int64_t>::min());
  using Shorts = std::vector<std::int16_t>;
  converted<std::uint8_t>(Kind::i16, Shorts{0, 256}, Kind::u8, false);
  converted<std::uint8_t>(Kind::i16, Shorts{-1, 0}, Kind::u8, false);
  converted<std::uint8_t>(Kind::i16, Shorts{0, 255}, Kind::u8);
  using Longs = std::vector<std::uint64_t>;
  converted<std::int64_t>(Kind::u64, Longs{std::uint64_t{1} << 63}, Kind::i64, false);
}

TEST(Padding, ReflectsAsNumpyDoes) {
  for (std::int64_t size = 1; size < 6; ++size) {
    const PaddingMap map = padding_map({{-13}, {17}}, {size}, Padding::reflect);
    for (std::int64_t i = -13; i < 17; ++i) {
      EXPECT_EQ(map.support.start[0] + map.from[0][static_cast<std::size_t>(i + 13)],
                reflected(i, size));
    }
  }
}

}  // namespace
}  // namespace mlarray::training::test
