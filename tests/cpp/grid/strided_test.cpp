#include "grid/strided.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/types.hpp"

namespace mlarray::grid {
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

TEST(CopyBox, CopiesRowsOfEveryLength) {
  std::mt19937 random(8);
  for (std::int64_t length = 1; length < 300; ++length) {
    const Shape shape = {2, 3, length};
    const std::vector<std::int64_t> source_strides = c_strides({2, 4, length + 3}, 1);
    const std::vector<std::int64_t> target_strides = c_strides({2, 3, length + 5}, 1);
    std::vector<std::byte> source(static_cast<std::size_t>(2 * source_strides[0]));
    for (std::byte& b : source) b = static_cast<std::byte>(random() & 0xff);
    std::vector<std::byte> found(static_cast<std::size_t>(2 * target_strides[0]));
    std::vector<std::byte> expected(found.size());  // and zeros between the rows stay
    copy_plainly(expected.data(), target_strides, source.data(), source_strides, shape, 1);
    copy_box(found.data(), target_strides, source.data(), source_strides, shape, 1, source);
    ASSERT_EQ(found, expected) << length;
  }
}

TEST(InterleaveBox, EqualsAnElementwiseCopy) {
  std::mt19937 random(9);
  for (int round = 0; round < 3000; ++round) {
    const std::size_t itemsize = std::size_t{2} << (random() % 3);
    const std::size_t ndim = random() % 5;
    Shape shape;
    Shape outer;
    for (std::size_t i = 0; i < ndim; ++i) {
      const std::uint32_t most = i + 1 == ndim ? 70 : 4;
      shape.push_back(1 + static_cast<std::int64_t>(random() % most));
      outer.push_back(shape.back() + static_cast<std::int64_t>(random() % 3));
    }
    const auto elements = static_cast<std::size_t>(element_count(outer));
    const auto bytes = static_cast<std::int64_t>(itemsize);
    std::vector<std::byte> source(elements * itemsize);
    for (std::byte& b : source) b = static_cast<std::byte>(random() & 0xff);
    // Each plane in memory of its own, so that a sanitizer sees a byte too many.
    std::vector<std::vector<std::byte>> storage(itemsize, std::vector<std::byte>(elements));
    std::vector<const std::byte*> planes;
    for (std::size_t i = 0; i < itemsize; ++i) {
      for (std::size_t n = 0; n < elements; ++n) storage[i][n] = source[n * itemsize + i];
      planes.push_back(storage[i].data());
    }
    std::vector<std::int64_t> target_strides = c_strides(shape, bytes);
    if (random() % 4 == 0) {
      const auto strides = c_strides(Shape(shape.rbegin(), shape.rend()), bytes);
      target_strides.assign(strides.rbegin(), strides.rend());
    }
    std::vector<std::byte> found(static_cast<std::size_t>(element_count(shape) * bytes));
    std::vector<std::byte> expected(found.size());
    copy_plainly(expected.data(), target_strides, source.data(), c_strides(outer, bytes), shape,
                 bytes);
    interleave_box(
        found.data(), target_strides, planes, c_strides(outer, 1), shape,
        random() % 2 == 0 ? std::span<const std::byte>(source) : std::span<const std::byte>());
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

TEST(FillBox, RepeatsAnElementAndTouchesNothingElse) {
  for (const std::size_t itemsize : {1U, 2U, 3U, 8U, 100000U}) {
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{}, {5}, {3, 4}, {2, 1, 3}, {0, 3}, {3, 0}, {70, 40}}) {
      if (itemsize > 8 && shape.size() > 1) continue;
      // Every other element of the last axis.
      const auto item = static_cast<std::int64_t>(itemsize);
      std::vector<std::int64_t> strides(shape.size());
      std::int64_t step = 2 * item;
      for (std::size_t a = shape.size(); a-- > 0;) {
        strides[a] = step;
        step *= std::max<std::int64_t>(shape[a], 1);
      }
      std::vector<std::byte> element(itemsize);
      for (std::size_t i = 0; i < itemsize; ++i)
        element[i] = static_cast<std::byte>(i % 200 + 1);
      std::vector<std::byte> target(static_cast<std::size_t>(step));
      fill_box(target.data(), strides, element, shape);
      const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
      for (std::size_t i = 0; i < target.size(); ++i) {
        const bool filled = !empty && i / itemsize % 2 == 0;
        ASSERT_EQ(target[i], filled ? element[i % itemsize] : std::byte{0});
      }
    }
  }
}

}  // namespace
}  // namespace mlarray::grid
