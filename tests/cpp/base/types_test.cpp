#include "mlarray/types.hpp"

#include <gtest/gtest.h>

#include <limits>

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

}  // namespace
}  // namespace mlarray
