#include "grid/geometry.hpp"

#include <gtest/gtest.h>

#include "mlarray/error.hpp"

namespace mlarray::grid {
namespace {

TEST(Geometry, CountsPaddedBlocksAndChunks) {
  const Geometry g({20, 30, 40}, {20, 30, 40}, {20, 24, 26}, 2);
  EXPECT_EQ(g.chunk_count(), 1);
  EXPECT_EQ(g.block_count(), 4);
  EXPECT_EQ(g.block_bytes(), 20 * 24 * 26 * 2);
  EXPECT_EQ(g.chunk_bytes(), 4 * g.block_bytes());
}

TEST(Geometry, NumbersChunksInCOrderAndClipsTheLast) {
  const Geometry g({5, 7}, {2, 3}, {1, 2}, 1);
  EXPECT_EQ(g.chunk_grid(), (Shape{3, 3}));
  EXPECT_EQ(g.chunk_box(4).start, (Shape{2, 3}));
  EXPECT_EQ(g.chunk_box(8).start, (Shape{4, 6}));
  EXPECT_EQ(g.chunk_box(8).stop, (Shape{5, 7}));
  for (std::int64_t n = 0; n < g.chunk_count(); ++n) {
    EXPECT_EQ(Geometry::ravel(Geometry::unravel(n, g.chunk_grid()), g.chunk_grid()), n);
  }
}

TEST(Geometry, HasOneChunkForAScalarAndNoneForAnEmptyArray) {
  const Geometry scalar({}, {}, {}, 8);
  EXPECT_EQ(scalar.chunk_count(), 1);
  EXPECT_EQ(scalar.chunk_bytes(), 8);
  EXPECT_EQ(scalar.chunk_box(0).shape(), Shape{});
  EXPECT_EQ(Geometry({0, 5}, {0, 5}, {0, 5}, 4).chunk_count(), 0);
  EXPECT_EQ(Geometry({0, 5}, {1, 5}, {1, 5}, 4).chunk_count(), 0);
}

TEST(Geometry, RefusesWhatNoChunkOrIndexCanHold) {
  const std::int64_t big = std::int64_t{1} << 40;
  EXPECT_THROW(Geometry({big}, {big}, {1024}, 1), Error);
  EXPECT_THROW(Geometry({big}, {16}, {16}, 1), Error);
  EXPECT_THROW(Geometry({big, big}, {1 << 15, 1 << 15}, {16, 16}, 1), Error);
  EXPECT_NO_THROW(Geometry({std::int64_t{1} << 36}, {1 << 24}, {1 << 15}, 4));
}

}  // namespace
}  // namespace mlarray::grid
