#include "io/coalesce.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mlarray::io {

bool operator==(const Range& a, const Range& b) {
  return a.offset == b.offset && a.length == b.length;
}

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::vector<Range> pages(std::vector<Range> ranges, std::uint64_t size, std::uint64_t gap = 0,
                         std::uint64_t piece = 1 << 20) {
  return coalesce(ranges, size, kPage, gap, piece);
}

TEST(Coalesce, RoundsToPagesAndMergesNeighbours) {
  EXPECT_EQ(pages({{5000, 10}, {4096, 1}, {8192, 1}}, 100'000),
            (std::vector<Range>{{4096, 8192}}));
  EXPECT_EQ(pages({{50'000, 1}, {0, 1}}, 100'000),
            (std::vector<Range>{{0, 4096}, {49'152, 4096}}));
}

TEST(Coalesce, FillsGapsUpToTheLimit) {
  const std::vector<Range> apart = {{0, 1}, {3 * kPage, 1}};
  EXPECT_EQ(pages(apart, 100'000, 2 * kPage).size(), 1u);
  EXPECT_EQ(pages(apart, 100'000, 2 * kPage - 1).size(), 2u);
}

TEST(Coalesce, CutsAtTheEndOfTheFile) {
  EXPECT_EQ(pages({{0, kHuge}}, 5000), (std::vector<Range>{{0, 5000}}));
  EXPECT_EQ(pages({{4999, kHuge}}, 5000), (std::vector<Range>{{4096, 904}}));
  EXPECT_TRUE(pages({{5000, 1}, {kHuge, kHuge}, {10, 0}}, 5000).empty());
  EXPECT_TRUE(pages({{0, 10}}, 0).empty());
  EXPECT_TRUE(pages({}, 5000).empty());
}

TEST(Coalesce, SplitsIntoPieces) {
  EXPECT_EQ(pages({{0, 10'000}}, 100'000, 0, 2 * kPage),
            (std::vector<Range>{{0, 8192}, {8192, 4096}}));
}

}  // namespace
}  // namespace mlarray::io
