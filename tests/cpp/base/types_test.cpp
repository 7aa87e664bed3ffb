#include "mlarray/types.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <complex>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"

namespace mlarray {
namespace {

constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

ErrorKind kind_of_count(const Shape& shape) {
  try {
    element_count(shape);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(to_string(shape)), std::string::npos);
    return error.kind();
  }
  ADD_FAILURE() << "no error for " << to_string(shape);
  return ErrorKind::io;
}

TEST(Types, BoxShape) {
  EXPECT_EQ((Box{{1, 2}, {4, 2}}.shape()), (Shape{3, 0}));
  EXPECT_EQ((Box{{5}, {1}}.shape()), Shape{0});
  EXPECT_EQ((Box{{kMin}, {kMax}}.shape()), Shape{kMax});
  EXPECT_EQ((Box{{kMax}, {kMin}}.shape()), Shape{0});
  EXPECT_EQ((Box{}.shape()), Shape{});
}

TEST(Types, BoxesBySize) {
  const Box whole = Box::whole({3, 4});
  EXPECT_EQ(whole.start, (Shape{0, 0}));
  EXPECT_EQ(whole.stop, (Shape{3, 4}));
  const Box part = Box::at({-1, 5}, {2, -3});
  EXPECT_EQ(part.stop, (Shape{1, 5}));
  EXPECT_THROW(Box::at({1}, {1, 2}), Error);
  EXPECT_THROW(Box::at({std::numeric_limits<std::int64_t>::max()}, {1}), Error);
}

TEST(Types, BoxEmpty) {
  EXPECT_FALSE((Box{}.empty()));  // 0-d: one voxel
  EXPECT_FALSE((Box{{0, 1}, {1, 2}}.empty()));
  EXPECT_TRUE((Box{{0, 1}, {1, 1}}.empty()));
  EXPECT_TRUE((Box{{3}, {2}}.empty()));
}

TEST(Types, ElementCount) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({2, 0}), 0);
  EXPECT_EQ(element_count({kMax}), kMax);
  EXPECT_EQ(element_count({kMax, kMax, 0}), 0);
  EXPECT_EQ(kind_of_count({2, -1}), ErrorKind::invalid_value);
  EXPECT_EQ(kind_of_count({0, -1}), ErrorKind::invalid_value);
  EXPECT_EQ(kind_of_count({kMax, 2}), ErrorKind::unsupported);
}

TEST(Types, ShapeText) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{3}), "(3,)");
  EXPECT_EQ(to_string(Shape{3, 4, 5}), "(3, 4, 5)");
}

TEST(Types, ElementsAreNumbers) {
  static_assert(Element<bool> && Element<std::int8_t> && Element<std::uint8_t>);
  static_assert(Element<long> && Element<unsigned long long> && Element<double>);
  static_assert(Element<std::complex<float>>);
  static_assert(!Element<char> && !Element<wchar_t> && !Element<char8_t> && !Element<char16_t>);
  static_assert(!Element<long double> && !Element<std::byte> && !Element<const int>);
  static_assert(!Element<std::complex<int>> && !Element<int*> && !Element<std::string>);
}

TEST(Types, AViewThatWritesAlsoReads) {
  std::vector<float> voxels(6);
  const ArrayView view = view_of(std::span(voxels), {2, 3});
  const ConstArrayView same = view;
  EXPECT_EQ(same.data, view.data);
  EXPECT_EQ(same.strides, view.strides);
}

TEST(Types, ViewsOfSpans) {
  std::vector<std::int16_t> voxels(24);
  const ArrayView view = view_of(std::span(voxels), {2, 3, 4});
  EXPECT_EQ(view.data, std::as_writable_bytes(std::span(voxels)).data());
  EXPECT_EQ(view.shape, (Shape{2, 3, 4}));
  EXPECT_EQ(view.strides, (Shape{24, 8, 2}));
  const ConstArrayView constant = view_of(std::span(std::as_const(voxels)), {24});
  EXPECT_EQ(constant.strides, Shape{2});
  EXPECT_EQ(view_of(std::span(voxels).first(1), {}).strides, Shape{});
  try {
    view_of(std::span(voxels), {2, 3, 5});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
    EXPECT_STREQ(error.what(), "a buffer of 24 elements for the shape (2, 3, 5), which has 30");
  }
}

}  // namespace
}  // namespace mlarray
