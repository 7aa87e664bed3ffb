// Which layout choose_layout picks, and what it refuses.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/layout.hpp"

namespace mlarray {
namespace {

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

LayoutRequest with_patch(std::vector<std::int64_t> patch, std::vector<bool> spatial = {}) {
  LayoutRequest request;
  request.patch = std::move(patch);
  request.spatial_axes = std::move(spatial);
  return request;
}

LayoutRequest with_sizes(std::optional<Shape> chunk, std::optional<Shape> block) {
  LayoutRequest request;
  request.chunk = std::move(chunk);
  request.block = std::move(block);
  return request;
}

LayoutRequest automatic() {
  LayoutRequest request;
  request.patch = AutomaticLayout{};
  return request;
}

void expect_error(ErrorKind kind, const std::string& text, const Shape& shape,
                  std::int64_t itemsize, const LayoutRequest& request) {
  try {
    choose_layout(shape, itemsize, request);
    ADD_FAILURE() << "no error for " << to_string(shape) << ", expected: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

TEST(ChooseLayout, DefaultIsOneLengthOf192) {
  LayoutRequest one_length;
  one_length.patch = std::int64_t{192};
  const Layout layout = choose_layout({448, 512, 448}, 2, LayoutRequest{});
  EXPECT_EQ(layout.patch, (std::vector<std::int64_t>{192, 192, 192}));
  EXPECT_EQ(layout, choose_layout({448, 512, 448}, 2, one_length));
  EXPECT_EQ(layout, choose_layout({448, 512, 448}, 2, with_patch({192, 192, 192})));
}

TEST(ChooseLayout, NonSpatialAxesAreNotCutTogether) {
  LayoutRequest request;
  request.spatial_axes = {false, true, true};
  const Layout layout = choose_layout({3, 2000, 2000}, 1, request);
  EXPECT_EQ(layout.patch.size(), 2U);
  EXPECT_EQ(layout.chunk[0], 1);
  EXPECT_EQ(layout.block[0], 1);
  EXPECT_GT(layout.block[1], 1);
}

TEST(ChooseLayout, SizesAskedForAreTheSizesUsed) {
  EXPECT_EQ(choose_layout({128, 256, 256}, 8, with_sizes(Shape{1, 128, 128}, Shape{1, 32, 32})),
            (Layout{{1, 128, 128}, {1, 32, 32}, {}}));
  // As python-blosc2 does, also past the end of the array and where blocks do not fit evenly.
  EXPECT_EQ(choose_layout({10, 10}, 2, with_sizes(Shape{20, 5}, Shape{8, 4})),
            (Layout{{20, 5}, {8, 4}, {}}));
  EXPECT_EQ(choose_layout({0, 4}, 2, with_sizes(Shape{0, 4}, Shape{0, 4})),
            (Layout{{1, 4}, {1, 4}, {}}));
  EXPECT_EQ(choose_layout({}, 2, with_sizes(Shape{}, Shape{})), Layout{});
}

TEST(ChooseLayout, SizesAndAPatchContradictEachOther) {
  LayoutRequest request = with_sizes(Shape{4, 4}, Shape{2, 2});
  request.patch = std::int64_t{64};
  expect_error(ErrorKind::layout, "patch_size cannot be given together", {8, 8}, 2, request);
  // 'default' and None say nothing against the sizes, however they were given.
  request.patch = DefaultPatch{};
  EXPECT_EQ(choose_layout({8, 8}, 2, request).chunk, (Shape{4, 4}));
  request.patch = AutomaticLayout{};
  EXPECT_EQ(choose_layout({8, 8}, 2, request).chunk, (Shape{4, 4}));
}

TEST(ChooseLayout, RefusesWrongSizes) {
  expect_error(ErrorKind::layout, "without block_size", {8, 8}, 2,
               with_sizes(Shape{4, 4}, std::nullopt));
  expect_error(ErrorKind::layout, "without chunk_size", {8, 8}, 2,
               with_sizes(std::nullopt, Shape{4, 4}));
  expect_error(ErrorKind::layout, "chunk_size (4,) has 1 lengths", {8, 8}, 2,
               with_sizes(Shape{4}, Shape{4, 4}));
  expect_error(ErrorKind::layout, "block_size (4, 0)", {8, 8}, 2,
               with_sizes(Shape{4, 4}, Shape{4, 0}));
  expect_error(ErrorKind::layout, "chunk_size (-4, 4)", {8, 8}, 2,
               with_sizes(Shape{-4, 4}, Shape{4, 4}));
  expect_error(ErrorKind::layout, "larger than chunk_size (4, 4) on axis 1", {8, 8}, 2,
               with_sizes(Shape{4, 4}, Shape{4, 5}));
}

TEST(ChooseLayout, RefusesWrongPatches) {
  expect_error(ErrorKind::layout, "2 lengths, but the array has 3 spatial axes", {8, 8, 8}, 2,
               with_patch({4, 4}));
  expect_error(ErrorKind::layout, "has 3 lengths, but the array has 2", {3, 8, 8}, 2,
               with_patch({4, 4, 4}, {false, true, true}));
  expect_error(ErrorKind::layout, "length below 1", {8, 8}, 2, with_patch({4, 0}));
  LayoutRequest negative;
  negative.patch = std::int64_t{-1};
  expect_error(ErrorKind::layout, "length below 1", {8, 8}, 2, negative);
  expect_error(ErrorKind::layout, "length below 1", {}, 2, negative);
  expect_error(ErrorKind::layout, "described for 1 axes", {8, 8}, 2, with_patch({4}, {true}));
}

TEST(ChooseLayout, RefusesWhatNoArrayIs) {
  expect_error(ErrorKind::invalid_value, "(8, -1)", {8, -1}, 2, {});
  expect_error(ErrorKind::invalid_value, "0 bytes", {8, 8}, 0, {});
  expect_error(ErrorKind::unsupported, "17 axes", Shape(17, 1), 2, {});
}

TEST(ChooseLayout, NamesSizeAndLimitOfAChunkThatIsTooLarge) {
  // 2^31 - 32 bytes: one more than a chunk holds.
  constexpr std::int64_t kOver = (std::int64_t{1} << 31) - 32;
  expect_error(ErrorKind::unsupported, "takes 2147483616 bytes", {kOver}, 1,
               with_sizes(Shape{kOver}, Shape{32}));
  expect_error(ErrorKind::unsupported, "at most 2147483615", {kOver}, 1,
               with_sizes(Shape{kOver}, Shape{32}));
  EXPECT_EQ(choose_layout({kOver}, 1, with_sizes(Shape{kOver - 1}, Shape{1})).chunk,
            (Shape{kOver - 1}));
  // What counts is the chunk rounded up to whole blocks.
  expect_error(ErrorKind::unsupported, "(2147483616,)", {kOver}, 1,
               with_sizes(Shape{kOver - 1}, Shape{32}));
  expect_error(ErrorKind::unsupported, "more than 2^63", {kHuge, kHuge}, 8,
               with_sizes(Shape{kHuge, kHuge}, Shape{1, 1}));
  expect_error(ErrorKind::unsupported, "block of (536866817,)", {kOver}, 1,
               with_sizes(Shape{536866817}, Shape{536866817}));
  expect_error(ErrorKind::unsupported, "block", {2, 2}, kHuge, {});
}

TEST(ChooseLayout, AnswersWhereTheReferenceFails) {
  EXPECT_EQ(choose_layout({}, 8, {}), Layout{});
  EXPECT_EQ(choose_layout({0}, 8, {}), (Layout{{1}, {1}, {192}}));
  const Layout empty = choose_layout({64, 0, 64}, 4, {});
  EXPECT_EQ(empty.chunk[1], 1);
  EXPECT_GT(empty.block[0], 1);
  // A voxel larger than every cache is a block and a chunk of its own.
  const Layout large_voxels = choose_layout({5, 5}, std::int64_t{64} << 20, {});
  EXPECT_EQ(large_voxels.block, (Shape{1, 1}));
  EXPECT_EQ(large_voxels.chunk, (Shape{1, 1}));
  // Sixteen axes, which no longer fit a cache even at two voxels each.
  const Layout many = choose_layout(Shape(16, 4), 8, {});
  EXPECT_EQ(many.block.front(), 1);
  EXPECT_EQ(many.block.back(), 4);
  // No axis of space: nothing to prepare for, but no blocks of one voxel either.
  LayoutRequest no_space;
  no_space.spatial_axes = {false, false};
  EXPECT_EQ(choose_layout({100, 100}, 1, no_space).block, (Shape{100, 100}));
  no_space.patch = std::int64_t{64};
  EXPECT_EQ(choose_layout({100, 100}, 1, no_space).block, (Shape{100, 100}));
}

TEST(ChooseLayout, AutomaticFollowsTheOrderInMemory) {
  EXPECT_EQ(choose_layout({3, 4, 5}, 2, automatic()), (Layout{{3, 4, 5}, {3, 4, 5}, {}}));
  EXPECT_EQ(choose_layout({300, 512, 512}, 2, automatic()),
            (Layout{{8, 512, 512}, {1, 128, 512}, {}}));
  EXPECT_EQ(choose_layout({kHuge}, 1, automatic()), (Layout{{4 << 20}, {128 << 10}, {}}));
  EXPECT_EQ(choose_layout({}, 2, automatic()), Layout{});
  EXPECT_EQ(choose_layout({0, 7}, 2, automatic()), (Layout{{1, 7}, {1, 7}, {}}));
}

TEST(ChooseLayout, HeuristicsRefuseNonsenseCaches) {
  for (const CacheSizes& caches :
       {CacheSizes{0, 1, 0.5}, CacheSizes{1, 0, 0.5}, CacheSizes{1, 1, 0.0},
        CacheSizes{1, 1, 1.5}, CacheSizes{1, 1, std::numeric_limits<double>::quiet_NaN()}}) {
    EXPECT_THROW(layout_for_patch_nd({8, 8}, {4, 4}, {}, 2, caches), Error);
    EXPECT_THROW(layout_for_patch_2d3d({8, 8}, {4, 4}, {}, 2, caches), Error);
  }
}

TEST(ChooseLayout, TheOlderHeuristicKnowsTwoAndThreeAxes) {
  const CacheSizes caches;
  EXPECT_THROW(layout_for_patch_2d3d({8}, {4}, {}, 2, caches), Error);
  EXPECT_THROW(layout_for_patch_2d3d({8, 8, 8, 8, 8}, {4, 4, 4}, {}, 2, caches), Error);
  EXPECT_THROW(
      layout_for_patch_2d3d({8, 8, 8, 8}, {4, 4}, {false, true, true, false}, 2, caches),
      Error);
  EXPECT_THROW(layout_for_patch_2d3d({8, 8}, {4, 4, 4}, {}, 2, caches), Error);
}

}  // namespace
}  // namespace mlarray
