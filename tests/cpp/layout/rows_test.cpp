// The layout that is chosen for a patch: examples of the rule, then what holds for all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "mlarray/layout.hpp"

namespace mlarray {
namespace {

struct Example {
  Shape shape;
  std::vector<std::int64_t> patch;
  std::vector<bool> spatial_axes;
  std::int64_t itemsize;
  Shape chunk;
  Shape block;
};

// clang-format off
const Example kExamples[] = {
    // Cubes give the same from 33 on: only proportions count.
    {{448, 512, 448}, {192, 192, 192}, {}, 1, {64, 128, 128}, {32, 32, 32}},
    {{448, 512, 448}, {192, 192, 192}, {}, 2, {64, 64, 128}, {16, 32, 32}},
    {{448, 512, 448}, {192, 192, 192}, {}, 4, {64, 64, 64}, {16, 16, 32}},
    {{448, 512, 448}, {192, 192, 192}, {}, 8, {32, 64, 64}, {16, 16, 16}},
    {{448, 512, 448}, {33, 33, 33}, {}, 2, {64, 64, 128}, {16, 32, 32}},
    {{448, 512, 448}, {32, 32, 32}, {}, 1, {64, 128, 128}, {32, 32, 32}},
    {{448, 512, 448}, {32, 32, 32}, {}, 2, {64, 64, 128}, {16, 16, 32}},
    {{448, 512, 448}, {32, 32, 32}, {}, 4, {64, 64, 64}, {16, 16, 16}},
    {{448, 512, 448}, {32, 32, 32}, {}, 8, {32, 64, 64}, {16, 16, 16}},
    {{448, 512, 448}, {4, 4, 4}, {}, 2, {64, 64, 128}, {16, 16, 32}},
    {{448, 512, 448}, {128, 192, 256}, {}, 2, {64, 64, 128}, {16, 32, 32}},
    {{40, 512, 512}, {20, 256, 256}, {}, 2, {16, 128, 256}, {4, 64, 64}},
    // Elements of odd sizes have rows of a power of two as well.
    {{448, 512, 448}, {192, 192, 192}, {}, 3, {64, 64, 64}, {16, 16, 32}},
    {{448, 512, 448}, {192, 192, 192}, {}, 7, {32, 64, 64}, {16, 16, 16}},
    // Channels and time are not cut together.
    {{4, 155, 240, 240}, {128, 128, 128}, {false, true, true, true}, 2, {1, 64, 64, 128}, {1, 16, 32, 32}},
    {{4096, 4096, 3}, {512, 512}, {true, true, false}, 2, {512, 1024, 1}, {128, 128, 1}},
    {{64, 3, 80}, {16, 64}, {true, false, true}, 2, {64, 1, 80}, {64, 1, 80}},
    // One, two, four and five axes of space.
    {{100000}, {192}, {}, 2, {100000}, {16384}},
    {{512, 512}, {192, 192}, {}, 2, {512, 512}, {128, 128}},
    {{30, 64, 64, 40}, {192, 192, 192, 192}, {}, 2, {16, 16, 32, 40}, {4, 8, 8, 40}},
    {{9, 9, 9, 9, 9}, {3, 9, 27, 1, 5}, {}, 2, {9, 9, 9, 6, 9}, {3, 9, 9, 2, 9}},
    // Slices, and patches that are short along the last axis.
    {{300, 512, 512}, {1, 512, 512}, {}, 2, {2, 512, 512}, {1, 128, 128}},
    {{512, 512, 300}, {512, 512, 1}, {}, 2, {512, 512, 2}, {128, 128, 1}},
    {{512, 512, 300}, {192, 192, 5}, {}, 2, {256, 256, 8}, {32, 64, 8}},
    {{512, 512, 300}, {64, 64, 8}, {}, 2, {128, 128, 32}, {32, 32, 16}},
    // Small, thin and long arrays.
    {{20, 30, 25}, {192, 192, 192}, {}, 2, {20, 30, 25}, {20, 30, 25}},
    {{7, 5, 3}, {1, 1, 1}, {}, 2, {7, 5, 3}, {7, 5, 3}},
    {{512, 512, 40}, {192, 192, 192}, {}, 2, {64, 128, 40}, {16, 16, 40}},
    {{40, 512, 512}, {192, 192, 192}, {}, 1, {40, 128, 128}, {20, 32, 32}},
    {{512, 512, 70}, {192, 192, 192}, {}, 2, {64, 64, 70}, {16, 32, 24}},
    {{3, 1000000}, {192, 192}, {}, 4, {3, 65536}, {3, 2048}},
    {{1000000, 3}, {192, 192}, {}, 4, {65536, 3}, {2048, 3}},
    {{64, 0, 64}, {192, 192, 192}, {}, 4, {64, 1, 64}, {64, 1, 64}},
    // What python-blosc2 3.3.4 would misread: blocks that cut a middle axis last.
    {{16, 64, 32}, {192, 192, 192}, {}, 2, {16, 32, 32}, {16, 32, 32}},
    {{60, 50, 40}, {192, 192, 192}, {}, 2, {60, 26, 40}, {16, 13, 40}},
    {{1, 1024, 32}, {192, 192, 192}, {}, 2, {1, 512, 32}, {1, 512, 32}},
    {{60, 20, 40}, {192, 192, 192}, {}, 2, {60, 20, 40}, {16, 20, 40}},
    // Larger voxels: as 0.0.54.
    {{448, 512, 448}, {192, 192, 192}, {}, 16, {30, 48, 48}, {10, 12, 12}},
};
// clang-format on

LayoutRequest request_for(const std::vector<std::int64_t>& patch,
                          const std::vector<bool>& spatial_axes = {}) {
  LayoutRequest request;
  request.patch = patch;
  request.spatial_axes = spatial_axes;
  return request;
}

TEST(RowsLayout, Examples) {
  for (const Example& c : kExamples) {
    const Layout found =
        choose_layout(c.shape, c.itemsize, request_for(c.patch, c.spatial_axes));
    EXPECT_EQ(found.chunk, c.chunk)
        << to_string(c.shape) << " of " << c.itemsize << ": " << to_string(found.chunk);
    EXPECT_EQ(found.block, c.block)
        << to_string(c.shape) << " of " << c.itemsize << ": " << to_string(found.block);
    EXPECT_EQ(found.patch, c.patch);
  }
}

TEST(RowsLayout, LargerVoxelsAreCutAsVersion54Does) {
  for (const std::int64_t itemsize : {9, 12, 16, 255, 1 << 20}) {
    const std::vector<std::int64_t> patch{128, 192, 256};
    EXPECT_EQ(choose_layout({448, 512, 448}, itemsize, request_for(patch)),
              layout_for_patch_nd({448, 512, 448}, patch, {}, itemsize, CacheSizes{}));
  }
}

// Random arrays with all axes spatial.
struct Drawn {
  Shape shape;
  std::vector<std::int64_t> patch;
  std::int64_t itemsize;
};

class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }
  Drawn draw(bool cube) {
    Drawn drawn;
    const std::int64_t side = std::int64_t{8} << between(0, 5);
    for (std::int64_t axes = between(1, 5); axes > 0; --axes) {
      drawn.shape.push_back(between(0, 2) == 0 ? between(1, 40) : between(20, 600));
      drawn.patch.push_back(cube ? side : between(1, 200));
    }
    drawn.itemsize = std::int64_t{1} << between(0, 4);
    return drawn;
  }

 private:
  std::mt19937_64 engine_;
};

std::int64_t parts(std::int64_t length, std::int64_t part) {
  return (length + part - 1) / part;
}

std::int64_t product(const Shape& lengths) {
  std::int64_t result = 1;
  for (const std::int64_t length : lengths) result *= length;
  return result;
}

TEST(RowsLayout, BlocksAndChunksKeepToTheirBounds) {
  Draws draws(1);
  for (int round = 0; round < 20000; ++round) {
    const Drawn drawn = draws.draw(draws.between(0, 1) == 0);
    const Layout layout = choose_layout(drawn.shape, drawn.itemsize, request_for(drawn.patch));
    const std::int64_t array = product(drawn.shape) * drawn.itemsize;
    const std::int64_t block = product(layout.block) * drawn.itemsize;
    const std::int64_t chunk = product(layout.chunk) * drawn.itemsize;
    ASSERT_LE(block, 32768) << to_string(drawn.shape);
    ASSERT_LE(chunk, 1153433) << to_string(drawn.shape);
    if (drawn.itemsize > 8) continue;
    // Not much smaller either, unless the array is: a step doubles a block, and what lies
    // beyond the array is at most halved, per axis.
    ASSERT_GE(block, std::min<std::int64_t>(array, 32768) >> (2 + drawn.shape.size() / 2))
        << to_string(drawn.shape) << to_string(layout.block);
    std::int64_t stored = drawn.itemsize;
    for (std::size_t i = 0; i < drawn.shape.size(); ++i) {
      const std::int64_t length = drawn.shape[i];
      ASSERT_GE(layout.block[i], 1);
      ASSERT_LE(layout.block[i], layout.chunk[i]);
      ASSERT_LE(layout.chunk[i], length);
      // Chunks consist of whole blocks, but at the end of the array.
      ASSERT_TRUE(layout.chunk[i] == length || layout.chunk[i] % layout.block[i] == 0);
      // Little of the last block lies beyond the array.
      const std::int64_t count = parts(length, layout.block[i]);
      const std::int64_t padded = count * layout.block[i];
      const std::int64_t multiple = i + 1 < drawn.shape.size() ? 1 : 8;
      ASSERT_TRUE(4 * (padded - length) <= length || padded - length < count * multiple)
          << to_string(drawn.shape) << to_string(layout.block);
      stored *= padded;
    }
    // A file's index stays small.
    std::int64_t chunks = 1;
    for (std::size_t i = 0; i < drawn.shape.size(); ++i) {
      chunks *= parts(drawn.shape[i], layout.chunk[i]);
    }
    if (array < 1 << 22) continue;
    ASSERT_GE(stored / chunks, 131072) << to_string(drawn.shape) << to_string(layout.chunk);
  }
}

// What python-blosc2 3.3.4 misreads, as docs/upstream.md has it.
TEST(RowsLayout, NoChunkIsOnePieceThatBlocksCutInItsMiddle) {
  Draws draws(4);
  for (int round = 0; round < 20000; ++round) {
    Drawn drawn = draws.draw(draws.between(0, 1) == 0);
    if (drawn.itemsize > 8) continue;
    if (draws.between(0, 1) == 0) drawn.shape.back() = draws.between(1, 48);
    const Layout layout = choose_layout(drawn.shape, drawn.itemsize, request_for(drawn.patch));
    std::size_t cut = drawn.shape.size();
    while (cut > 0 && layout.block[cut - 1] == drawn.shape[cut - 1]) --cut;
    if (cut < 2 || cut == drawn.shape.size()) continue;
    ASSERT_LT(layout.chunk[cut - 1], drawn.shape[cut - 1])
        << to_string(drawn.shape) << to_string(layout.chunk) << to_string(layout.block);
  }
}

// Voxels decoded for a patch at any place, on average, per voxel of it.
double amplification(const Drawn& drawn, const Shape& block) {
  double result = 1.0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const auto length = static_cast<double>(std::min(drawn.patch[i], drawn.shape[i]));
    const auto size = static_cast<double>(block[i]);
    const double met = std::min(1.0 + (length - 1.0) / size,
                                static_cast<double>(parts(drawn.shape[i], block[i])));
    result *= met * size / length;
  }
  return result;
}

// Against the layout of 0.0.54, whose blocks are up to a fifth smaller.
TEST(RowsLayout, PatchesDecodeLittleMoreThanWithSmallerBlocks) {
  Draws draws(2);
  double sum = 0.0;
  constexpr int kRounds = 20000;
  for (int round = 0; round < kRounds; ++round) {
    const Drawn drawn = draws.draw(true);
    const Layout ours = choose_layout(drawn.shape, drawn.itemsize, request_for(drawn.patch));
    const Layout theirs =
        layout_for_patch_nd(drawn.shape, drawn.patch, {}, drawn.itemsize, CacheSizes{});
    const double ratio = amplification(drawn, ours.block) / amplification(drawn, theirs.block);
    sum += ratio;
    ASSERT_LE(ratio, 2.5) << to_string(drawn.shape) << " of " << drawn.itemsize
                          << ", patches of " << drawn.patch.front() << ": "
                          << to_string(ours.block) << " against " << to_string(theirs.block);
  }
  EXPECT_LE(sum / kRounds, 1.05);
}

// What the decoder is quick at.
TEST(RowsLayout, RowsAreLongWhereTheArrayIs) {
  Draws draws(3);
  for (int round = 0; round < 5000; ++round) {
    Drawn drawn = draws.draw(false);
    drawn.shape.back() = draws.between(103, 1000);
    drawn.patch.back() = draws.between(33, 200);
    for (const std::int64_t itemsize : {1, 2, 4}) {
      const Layout layout = choose_layout(drawn.shape, itemsize, request_for(drawn.patch));
      ASSERT_GE(layout.block.back(), 32) << to_string(drawn.shape) << to_string(layout.block);
    }
  }
}

}  // namespace
}  // namespace mlarray
