// What the published versions 0.0.54 and 0.0.33 answer for the same questions. The values were
// printed by those versions' comp_blosc2_params.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "mlarray/layout.hpp"

namespace mlarray {
namespace {

struct Case {
  Shape shape;
  std::vector<std::int64_t> patch;
  std::vector<bool> spatial_axes;
  std::int64_t itemsize;
  Shape chunk;
  Shape block;
};

// clang-format off
const Case kVersion54[] = {
    {{448, 512, 448}, {192, 192, 192}, {}, 1, {84, 90, 150}, {28, 30, 30}},
    {{448, 512, 448}, {192, 192, 192}, {}, 2, {66, 72, 120}, {22, 24, 24}},
    {{448, 512, 448}, {192, 192, 192}, {}, 4, {54, 54, 80}, {18, 18, 20}},
    {{448, 512, 448}, {128, 192, 256}, {}, 1, {36, 114, 266}, {18, 38, 38}},
    {{448, 512, 448}, {128, 192, 256}, {}, 2, {42, 90, 150}, {14, 30, 30}},
    {{448, 512, 448}, {128, 192, 256}, {}, 4, {36, 66, 110}, {12, 22, 22}},
    {{197, 233, 189}, {192, 192, 192}, {}, 1, {84, 90, 150}, {28, 30, 30}},
    {{197, 233, 189}, {192, 192, 192}, {}, 2, {66, 72, 120}, {22, 24, 24}},
    {{197, 233, 189}, {192, 192, 192}, {}, 4, {54, 54, 80}, {18, 18, 20}},
    {{40, 512, 512}, {20, 256, 256}, {}, 2, {20, 54, 512}, {4, 54, 54}},
    {{40, 512, 512}, {192, 192, 192}, {}, 2, {40, 120, 120}, {22, 24, 24}},
    {{512, 512}, {192, 192}, {}, 2, {342, 342}, {114, 114}},
    {{100000}, {192}, {}, 2, {13106}, {13106}},
    {{4096, 4096, 3}, {512, 512}, {true, true, false}, 2, {684, 798, 1}, {114, 114, 1}},
    {{4, 155, 240, 240}, {128, 128, 128}, {false, true, true, true}, 2, {1, 66, 72, 120}, {1, 22, 24, 24}},
    {{30, 64, 64, 40}, {192, 192, 192, 192}, {}, 2, {20, 20, 40, 36}, {10, 10, 10, 12}},
    {{2, 10, 64, 64, 40}, {32, 32, 32}, {false, false, true, true, true}, 2, {1, 1, 64, 64, 40}, {1, 1, 22, 24, 24}},
    {{7, 5, 3}, {1, 1, 1}, {}, 2, {7, 5, 3}, {7, 5, 3}},
    {{1, 512, 512}, {1, 512, 512}, {}, 2, {1, 512, 512}, {1, 2, 512}},
    {{64, 3, 80}, {16, 64}, {true, false, true}, 2, {64, 1, 80}, {64, 1, 80}},
    {{300, 300, 300}, {7, 100, 33}, {}, 2, {12, 300, 132}, {6, 86, 22}},
    {{9, 9, 9, 9, 9}, {3, 9, 27, 1, 5}, {}, 2, {8, 9, 9, 2, 9}, {8, 9, 9, 2, 9}},
};

const Case kVersion33[] = {
    {{448, 512, 448}, {192, 192, 192}, {}, 1, {160, 128, 64}, {32, 32, 16}},
    {{448, 512, 448}, {192, 192, 192}, {}, 2, {160, 64, 64}, {32, 16, 16}},
    {{448, 512, 448}, {192, 192, 192}, {}, 4, {80, 64, 64}, {16, 16, 16}},
    {{448, 512, 448}, {128, 192, 256}, {}, 1, {80, 128, 128}, {16, 32, 32}},
    {{448, 512, 448}, {128, 192, 256}, {}, 2, {80, 64, 128}, {16, 16, 32}},
    {{448, 512, 448}, {128, 192, 256}, {}, 4, {80, 64, 64}, {16, 16, 16}},
    {{197, 233, 189}, {192, 192, 192}, {}, 1, {160, 128, 64}, {32, 32, 16}},
    {{197, 233, 189}, {192, 192, 192}, {}, 2, {160, 64, 64}, {32, 16, 16}},
    {{197, 233, 189}, {192, 192, 192}, {}, 4, {80, 64, 64}, {16, 16, 16}},
    {{40, 512, 512}, {20, 256, 256}, {}, 4, {20, 128, 128}, {4, 32, 32}},
    {{40, 512, 512}, {192, 192, 192}, {}, 4, {40, 96, 80}, {16, 16, 16}},
    {{512, 512}, {192, 192}, {}, 4, {320, 320}, {64, 64}},
    {{4096, 4096, 3}, {512, 512}, {true, true, false}, 4, {448, 224, 3}, {64, 32, 3}},
    {{4, 155, 240, 240}, {128, 128, 128}, {false, true, true, true}, 4, {4, 80, 32, 32}, {4, 16, 8, 8}},
    {{155, 240, 240, 4}, {128, 128, 128}, {true, true, true, false}, 4, {80, 32, 32, 4}, {16, 8, 8, 4}},
    {{200, 512, 512}, {512, 512}, {}, 4, {1, 512, 512}, {1, 64, 64}},
    {{7, 5, 3}, {4, 4, 4}, {}, 4, {7, 5, 3}, {4, 4, 3}},
    {{1, 512, 512}, {1, 512, 512}, {}, 4, {1, 512, 512}, {1, 64, 64}},
    {{64, 3, 80}, {16, 64}, {true, false, true}, 4, {32, 3, 80}, {16, 3, 64}},
    {{300, 300, 300}, {7, 100, 33}, {}, 4, {12, 128, 32}, {4, 64, 16}},
};
// clang-format on

TEST(LayoutReference, AnyNumberOfAxesAsVersion54) {
  for (const Case& c : kVersion54) {
    const Layout found =
        layout_for_patch_nd(c.shape, c.patch, c.spatial_axes, c.itemsize, CacheSizes{});
    EXPECT_EQ(found, (Layout{c.chunk, c.block, c.patch})) << to_string(c.shape);
  }
}

TEST(LayoutReference, TwoAndThreeAxesAsVersion33) {
  for (const Case& c : kVersion33) {
    const Layout found =
        layout_for_patch_2d3d(c.shape, c.patch, c.spatial_axes, c.itemsize, CacheSizes{});
    EXPECT_EQ(found, (Layout{c.chunk, c.block, c.patch})) << to_string(c.shape);
  }
}

TEST(LayoutReference, FourAxesWithoutMaskAreChannelsFirst) {
  const CacheSizes caches;
  EXPECT_EQ(layout_for_patch_2d3d({4, 155, 240, 240}, {128, 128, 128}, {}, 4, caches),
            layout_for_patch_2d3d({4, 155, 240, 240}, {128, 128, 128},
                                  {false, true, true, true}, 4, caches));
}

// 0.0.33 fails for these: it looks for an axis to shrink or to grow where none is left, or
// takes a whole block off a chunk that the end of the image had cut short.
TEST(LayoutReference, AnswersWhereVersion33Fails) {
  const CacheSizes caches;
  EXPECT_EQ(layout_for_patch_2d3d({5, 512, 192}, {1, 1, 1}, {}, 4, caches),
            (Layout{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}));
  EXPECT_EQ(
      layout_for_patch_2d3d({40000, 10, 10}, {8, 8}, {false, true, true}, 4, caches).block,
      (Shape{40000, 1, 1}));
  EXPECT_EQ(layout_for_patch_2d3d({40, 40}, {20, 20}, {}, 4, caches),
            (Layout{{32, 32}, {32, 32}, {20, 20}}));
}

}  // namespace
}  // namespace mlarray
