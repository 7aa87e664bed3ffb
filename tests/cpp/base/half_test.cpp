#include "base/half.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mlarray::base {
namespace {

TEST(Half, EveryNumberComesBack) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const double value = half_to_double(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_double(half_of_double(value))));
    } else {
      ASSERT_EQ(half_of_double(value), half) << bits;
    }
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(half_to_double(0x3C00), 1);
  EXPECT_EQ(half_to_double(0xC000), -2);
  EXPECT_EQ(half_to_double(0x0001), std::ldexp(1, -24));
  EXPECT_EQ(half_to_double(0x7BFF), 65504);
  EXPECT_EQ(half_to_double(0x7C00), std::numeric_limits<double>::infinity());
}

TEST(Half, RoundsToTheNearest) {
  EXPECT_EQ(half_of_double(2049), half_of_double(2048)) << "ties to even";
  EXPECT_EQ(half_of_double(2051), half_of_double(2052));
  EXPECT_EQ(half_of_double(65519), 0x7BFF);
  EXPECT_EQ(half_of_double(65520), 0x7C00);
  EXPECT_EQ(half_of_double(-1e300), 0xFC00);
  EXPECT_EQ(half_of_double(std::ldexp(1, -26)), 0);
}

}  // namespace
}  // namespace mlarray::base
