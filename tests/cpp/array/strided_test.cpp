#include "array/strided.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "array/geometry.hpp"
#include "mlarray/types.hpp"

namespace mlarray::array {
namespace {

// The same by one memcpy per element.
void copy_plainly(std::byte* target, const std::vector<std::int64_t>& target_strides,
                  const std::byte* source, const std::vector<std::int64_t>& source_strides,
                  const Shape& shape, std::int64_t itemsize) {
  const std::int64_t count = element_count(shape);
  for (std::int64_t n = 0; n < count; ++n) {
    const Shape position = Geometry::unravel(n, shape);
    std::int64_t t = 0;
    std::int64_t s = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      t += position[i] * target_strides[i];
      s += position[i] * source_strides[i];
    }
    std::memcpy(target + t, source + s, static_cast<std::size_t>(itemsize));
  }
}

TEST(CopyBox, EqualsAnElementwiseCopy) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t ndim = random() % 6;
    const std::int64_t itemsize =
        std::vector<std::int64_t>{1, 2, 4, 8, 16, 3, 12}[random() % 7];
    Shape shape;
    Shape outer;
    for (std::size_t i = 0; i < ndim; ++i) {
      shape.push_back(1 + static_cast<std::int64_t>(random() % 4));
      outer.push_back(shape.back() + static_cast<std::int64_t>(random() % 2));
    }
    // The source is a part of a larger array, the target has its axes reversed at times.
    const std::vector<std::int64_t> source_strides = c_strides(outer, itemsize);
    std::vector<std::int64_t> target_strides = c_strides(shape, itemsize);
    if (random() % 3 == 0) {
      const Shape reversed(shape.rbegin(), shape.rend());
      const auto strides = c_strides(reversed, itemsize);
      target_strides.assign(strides.rbegin(), strides.rend());
    }
    std::vector<std::byte> source(static_cast<std::size_t>(element_count(outer) * itemsize));
    for (std::byte& b : source) b = static_cast<std::byte>(random() & 0xff);
    const auto size = static_cast<std::size_t>(element_count(shape) * itemsize);
    std::vector<std::byte> expected(size);
    std::vector<std::byte> found(size);
    copy_plainly(expected.data(), target_strides, source.data(), source_strides, shape,
                 itemsize);
    copy_box(found.data(), target_strides, source.data(), source_strides, shape, itemsize);
    ASSERT_EQ(found, expected) << to_string(shape) << " of " << itemsize;
  }
}

TEST(CopyBox, FollowsNegativeStrides) {
  const std::vector<std::int32_t> source = {1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> target(6);
  const Shape shape = {2, 3};
  const std::vector<std::int64_t> backwards = {-12, -4};
  const std::vector<std::int64_t> forwards = {12, 4};
  copy_box(reinterpret_cast<std::byte*>(target.data()), forwards,
           reinterpret_cast<const std::byte*>(source.data() + 5), backwards, shape, 4);
  EXPECT_EQ(target, (std::vector<std::int32_t>{6, 5, 4, 3, 2, 1}));
}

TEST(CopyBox, DoesNothingForAnEmptyBox) {
  const Shape shape = {3, 0};
  const std::vector<std::int64_t> strides = {0, 0};
  std::byte target{1};
  const std::byte source{2};
  copy_box(&target, strides, &source, strides, shape, 1);
  EXPECT_EQ(target, std::byte{1});
}

}  // namespace
}  // namespace mlarray::array
