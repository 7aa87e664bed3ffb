#include "grid/convert_box.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/types.hpp"

namespace mlarray::grid {
namespace {

float number_of(const std::byte* at, Integers from) {
  std::int16_t two = 0;
  switch (from) {
    case Integers::u8:
      return static_cast<float>(std::to_integer<std::uint8_t>(*at));
    case Integers::i8:
      return static_cast<float>(static_cast<std::int8_t>(std::to_integer<std::uint8_t>(*at)));
    case Integers::u16:
      std::memcpy(&two, at, 2);
      return static_cast<float>(static_cast<std::uint16_t>(two));
    case Integers::i16:
      std::memcpy(&two, at, 2);
      return static_cast<float>(two);
  }
  return 0;
}

float become(float value, const ToFloats& how) {
  if (!how.scales) return value;
  if (how.clips) value = std::min(std::max(value, how.low), how.high);
  return (value - how.mean) / how.std;
}

// A box in a larger array, and where its floats are to be, in another order of axes at times.
struct Task {
  Shape shape;
  std::vector<std::int64_t> source_strides;  // in elements
  std::vector<std::int64_t> target_strides;
  std::int64_t elements = 0;  // of the larger array
  ToFloats how;

  std::int64_t itemsize() const {
    return how.from == Integers::u16 || how.from == Integers::i16 ? 2 : 1;
  }
};

Task random_task(std::mt19937& random) {
  Task task;
  const std::size_t ndim = 1 + random() % 4;
  Shape outer;
  for (std::size_t i = 0; i < ndim; ++i) {
    const std::int64_t most = i + 1 == ndim ? 70 : 4;
    task.shape.push_back(1 + static_cast<std::int64_t>(random()) % most);
    outer.push_back(task.shape.back() + static_cast<std::int64_t>(random() % 2));
  }
  task.source_strides = c_strides(outer, 1);
  task.elements = element_count(outer);
  task.target_strides = c_strides(task.shape, 4);
  if (random() % 4 == 0) {
    const Shape reversed(task.shape.rbegin(), task.shape.rend());
    const auto strides = c_strides(reversed, 4);
    task.target_strides.assign(strides.rbegin(), strides.rend());
  }
  task.how.from = static_cast<Integers>(random() % 4);
  task.how.scales = random() % 3 != 0;
  task.how.clips = random() % 2 == 0;
  task.how.mean = static_cast<float>(random() % 100) - 30.5f;
  task.how.std = 0.5f + static_cast<float>(random() % 50);
  task.how.low = -100;
  task.how.high = 120;
  return task;
}

std::vector<float> expected_of(const Task& task, const std::vector<std::byte>& source) {
  std::vector<float> expected(static_cast<std::size_t>(element_count(task.shape)));
  for (std::int64_t n = 0; n < std::ssize(expected); ++n) {
    const Shape position = Geometry::unravel(n, task.shape);
    std::int64_t from = 0, to = 0;
    for (std::size_t i = 0; i < position.size(); ++i) {
      from += position[i] * task.source_strides[i];
      to += position[i] * task.target_strides[i];
    }
    expected[static_cast<std::size_t>(to / 4)] =
        become(number_of(source.data() + from * task.itemsize(), task.how.from), task.how);
  }
  return expected;
}

std::vector<std::byte> random_bytes(std::int64_t count, std::mt19937& random) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count));
  for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xff);
  return bytes;
}

TEST(ConvertBox, EqualsOneElementAfterTheOther) {
  std::mt19937 random(9);
  for (int round = 0; round < 3000; ++round) {
    const Task task = random_task(random);
    const auto source = random_bytes(task.elements * task.itemsize(), random);
    std::vector<std::int64_t> strides = task.source_strides;
    for (std::int64_t& stride : strides) stride *= task.itemsize();
    std::vector<float> found(static_cast<std::size_t>(element_count(task.shape)));
    convert_box(reinterpret_cast<std::byte*>(found.data()), task.target_strides, source.data(),
                strides, task.shape, task.how);
    ASSERT_EQ(found, expected_of(task, source)) << to_string(task.shape) << " round " << round;
  }
}

TEST(ConvertBox, PlanesEqualElements) {
  std::mt19937 random(10);
  for (int round = 0; round < 3000; ++round) {
    Task task = random_task(random);
    task.how.from = round % 2 == 0 ? Integers::i16 : Integers::u16;
    const auto source = random_bytes(task.elements * 2, random);
    std::array<std::vector<std::byte>, 2> planes;
    for (std::size_t i = 0; i < source.size(); ++i) planes[i % 2].push_back(source[i]);
    const std::array<const std::byte*, 2> starts = {planes[0].data(), planes[1].data()};
    std::vector<float> found(static_cast<std::size_t>(element_count(task.shape)));
    convert_planes(reinterpret_cast<std::byte*>(found.data()), task.target_strides, starts,
                   task.source_strides, task.shape, task.how);
    ASSERT_EQ(found, expected_of(task, source)) << to_string(task.shape) << " round " << round;
  }
}

TEST(ConvertBox, OneElementIsRepeated) {
  const std::vector<std::byte> source = {std::byte{0xff}, std::byte{0xff}};
  std::vector<float> found(60);
  convert_box(reinterpret_cast<std::byte*>(found.data()), c_strides({3, 20}, 4), source.data(),
              std::vector<std::int64_t>{0, 0}, Shape{3, 20}, {.from = Integers::i16});
  EXPECT_EQ(found, std::vector<float>(60, -1.0f));
}

}  // namespace
}  // namespace mlarray::grid
