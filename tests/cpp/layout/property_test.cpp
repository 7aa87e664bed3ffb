// What holds for every layout, over random arrays from tiny to 2^62 voxels a side.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/layout.hpp"

namespace mlarray {
namespace {

class Source {
 public:
  explicit Source(std::uint64_t seed) : engine_(seed) {}

  std::int64_t below(std::int64_t limit) {
    return std::uniform_int_distribution<std::int64_t>(0, limit - 1)(engine_);
  }
  // All magnitudes are equally likely, so that small and enormous lengths meet.
  std::int64_t length() {
    const std::int64_t bits = below(3) == 0 ? below(63) : below(12);
    return std::min((std::int64_t{1} << bits) + below(std::int64_t{1} << bits),
                    std::int64_t{1} << 62);
  }
  template <class T>
  T one_of(std::vector<T> values) {
    return values[static_cast<std::size_t>(below(static_cast<std::int64_t>(values.size())))];
  }
  CacheSizes caches() {
    return {one_of<std::int64_t>({1, 4096, 32768, 1 << 20, std::int64_t{1} << 50}),
            one_of<std::int64_t>({1, 1 << 20, 1441792, 1 << 24, std::int64_t{1} << 50}),
            one_of<double>({0.1, 0.8, 1.0})};
  }

 private:
  std::mt19937_64 engine_;
};

void expect_valid(const Layout& layout, const Shape& shape, std::int64_t itemsize) {
  ASSERT_EQ(layout.chunk.size(), shape.size());
  ASSERT_EQ(layout.block.size(), shape.size());
  double padded_bytes = static_cast<double>(itemsize);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t chunk = layout.chunk[axis];
    const std::int64_t block = layout.block[axis];
    ASSERT_GE(block, 1) << to_string(shape);
    ASSERT_LE(block, chunk) << to_string(shape) << to_string(layout.block);
    ASSERT_LE(chunk, std::max<std::int64_t>(shape[axis], 1)) << to_string(shape);
    padded_bytes *=
        static_cast<double>((chunk + block - 1) / block) * static_cast<double>(block);
  }
  ASSERT_LE(padded_bytes, 2147483615.0) << to_string(shape);
}

// The heuristics may refuse only what no file can hold.
template <class Call>
void expect_valid_or_unsupported(const Shape& shape, std::int64_t itemsize, Call call) {
  try {
    expect_valid(call(), shape, itemsize);
  } catch (const Error& error) {
    ASSERT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::unsupported))
        << to_string(shape) << ": " << error.what();
  }
}

TEST(LayoutProperty, EveryArrayGetsAValidLayout) {
  Source source(1);
  for (int round = 0; round < 20000; ++round) {
    Shape shape(static_cast<std::size_t>(source.below(kMaxDims + 1)));
    LayoutRequest request;
    std::vector<std::int64_t> patch;
    for (std::int64_t& length : shape) {
      length = source.below(20) == 0 ? 0 : source.length();
      request.spatial_axes.push_back(source.below(4) != 0);
      if (request.spatial_axes.back()) patch.push_back(source.length());
    }
    switch (source.below(4)) {
      case 0:
        request.patch = AutomaticLayout{};
        break;
      case 1:
        request.patch = source.length();
        break;
      case 2:
        request.patch = patch;
        break;
      default:
        break;
    }
    // Up to a voxel of a megabyte, everything can be cut.
    const std::int64_t itemsize = source.one_of<std::int64_t>({1, 2, 4, 8, 16, 255, 1 << 20});
    ASSERT_NO_THROW(expect_valid(choose_layout(shape, itemsize, request), shape, itemsize))
        << to_string(shape) << " of " << itemsize << " bytes";
    if (HasFatalFailure()) return;
  }
}

TEST(LayoutProperty, AnyCachesGiveAValidLayout) {
  Source source(2);
  for (int round = 0; round < 5000; ++round) {
    const std::int64_t itemsize = source.length();
    Shape shape(static_cast<std::size_t>(source.below(6)));
    std::vector<std::int64_t> patch;
    for (std::int64_t& length : shape) {
      length = source.length();
      patch.push_back(source.length());
    }
    const CacheSizes caches = source.caches();
    expect_valid_or_unsupported(shape, itemsize, [&] {
      return layout_for_patch_nd(shape, patch, {}, itemsize, caches);
    });
    if (HasFatalFailure()) return;
  }
}

TEST(LayoutProperty, TwoAndThreeAxesGiveAValidLayout) {
  Source source(3);
  for (int round = 0; round < 5000; ++round) {
    const std::int64_t itemsize = source.one_of<std::int64_t>({1, 2, 4, 8, 255, 1 << 20});
    std::vector<bool> spatial(static_cast<std::size_t>(2 + source.below(2)), true);
    if (source.below(2) == 0) spatial.insert(spatial.begin() + source.below(3), false);
    Shape shape;
    std::vector<std::int64_t> patch;
    for (const bool is_spatial : spatial) {
      shape.push_back(source.length());
      if (is_spatial) patch.push_back(source.length());
    }
    CacheSizes caches = source.caches();
    caches.l1_bytes = std::max<std::int64_t>(caches.l1_bytes, 4096);
    expect_valid_or_unsupported(shape, itemsize, [&] {
      return layout_for_patch_2d3d(shape, patch, spatial, itemsize, caches);
    });
    if (HasFatalFailure()) return;
  }
}

// A long row with a large cache would take 2^29 steps one by one.
TEST(LayoutProperty, LongAxesAreGrownInOneGo) {
  const CacheSizes caches{std::int64_t{1} << 29, std::int64_t{1} << 40, 1.0};
  const Layout layout = layout_for_patch_nd({2, std::int64_t{1} << 62}, {1, 1}, {}, 1, caches);
  EXPECT_EQ(layout.block, (Shape{2, 536866816 / 2}));
}

// Each jump must end where single steps would have ended.
TEST(LayoutProperty, JumpsEndWhereSingleStepsDo) {
  Source source(4);
  for (int round = 0; round < 2000; ++round) {
    const std::int64_t length = 1 + source.below(5000);
    const std::int64_t patch = 1 + source.below(5000);
    const std::int64_t limit = 16 + source.below(2000);
    const CacheSizes caches{limit, 4 * limit, 1.0};
    std::int64_t block = std::min<std::int64_t>(length, 2);
    while (block < length && std::min(block + 2, length) <= limit) {
      block = std::min(block + 2, length);
    }
    std::int64_t chunk = block;
    while (chunk < length && 2 * chunk <= 3 * patch &&
           std::min(chunk + block, length) <= 4 * limit) {
      chunk = std::min(chunk + block, length);
    }
    EXPECT_EQ(layout_for_patch_nd({length}, {patch}, {}, 1, caches),
              (Layout{{chunk}, {block}, {patch}}))
        << length << " " << patch << " " << limit;
  }
}

}  // namespace
}  // namespace mlarray
