#include "store/b2nd.hpp"

#include <gtest/gtest.h>

#include <random>

#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

B2nd sample() { return {{20, 30, 40}, {20, 30, 40}, {20, 24, 26}, DType::parse("<i2")}; }

TEST(B2nd, ReadsWhatItWrites) {
  for (const std::size_t ndim : {0U, 1U, 3U, 15U, 16U}) {
    B2nd value{Shape(ndim, 7), Shape(ndim, 5), Shape(ndim, 2), DType::parse(">f8")};
    const B2nd again = parse_b2nd(build_b2nd(value), 8);
    EXPECT_EQ(again.shape, value.shape);
    EXPECT_EQ(again.chunk, value.chunk);
    EXPECT_EQ(again.block, value.block);
    EXPECT_EQ(again.dtype, value.dtype);
  }
}

TEST(B2nd, RefusesContradictions) {
  EXPECT_THROW(parse_b2nd(build_b2nd(sample()), 4), Error) << "itemsize";
  B2nd block_over_chunk = sample();
  block_over_chunk.block[1] = 31;
  EXPECT_THROW(parse_b2nd(build_b2nd(block_over_chunk), 2), Error);
  B2nd no_chunk = sample();
  no_chunk.chunk[0] = 0;
  no_chunk.block[0] = 0;
  EXPECT_THROW(parse_b2nd(build_b2nd(no_chunk), 2), Error);
  B2nd negative = sample();
  negative.shape[2] = -1;
  EXPECT_THROW(parse_b2nd(build_b2nd(negative), 2), Error);
}

TEST(B2nd, SurvivesEveryTruncationAndManyMutations) {
  const std::vector<std::byte> good = build_b2nd(sample());
  for (std::size_t length = 0; length < good.size(); ++length) {
    // Ending right before the dtype is what old files look like.
    try {
      parse_b2nd(std::span(good).first(length), 2);
    } catch (const Error&) {
    }
  }
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bad = good;
    for (int n = 0; n < 1 + static_cast<int>(random() % 3); ++n) {
      bad[random() % bad.size()] = static_cast<std::byte>(random() & 0xff);
    }
    try {
      parse_b2nd(bad, 2);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mlarray::store
