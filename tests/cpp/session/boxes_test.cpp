// Boxes that reach beyond the array, and many boxes at once.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "mlarray/array.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::random_box;
using test::TempDir;
using test::Voxels;
using test::with_layout;

template <class Body>
void expect_boxes_error(Body body, ErrorKind kind, const std::string& part) {
  try {
    body();
    ADD_FAILURE() << "no error that says " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

// Element by element.
std::vector<std::int16_t> padded(const Voxels& voxels, const Box& box, std::int16_t fill) {
  std::vector<std::int16_t> out;
  Voxels::for_each(box, [&](const Shape& p) {
    bool inside = true;
    for (std::size_t a = 0; a < p.size(); ++a) {
      inside = inside && p[a] >= 0 && p[a] < voxels.shape[a];
    }
    out.push_back(inside ? voxels.data[voxels.offset(p)] : fill);
  });
  return out;
}

Array stored(const TempDir& dir, const Voxels& voxels) {
  const auto path = dir.path() / "a.mla";
  const std::size_t ndim = voxels.shape.size();
  Array::save_voxels(path, voxels.view(), int16(), {},
                     with_layout(Shape(ndim, 6), Shape(ndim, 3)));
  return Array::open(path);
}

TEST(Padded, RandomBoxesAreAsElementByElement) {
  const TempDir dir;
  std::mt19937 random(7);
  for (const Shape& shape : {Shape{11}, Shape{9, 13}, Shape{7, 10, 8}, Shape{3, 5, 4, 6}}) {
    const Voxels voxels(shape);
    const Array image = stored(dir, voxels);
    for (int round = 0; round < 200; ++round) {
      Box box;
      for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const auto at = static_cast<std::int64_t>(random() % 24) - 10;
        box.start.push_back(at);
        box.stop.push_back(at + static_cast<std::int64_t>(random() % 20));
      }
      const auto expected = padded(voxels, box, -7);
      ASSERT_EQ(image.read_padded<std::int16_t>(box, -7), expected)
          << to_string(box.start) << to_string(box.stop);
      // With gaps and an axis from back to front.
      const Shape size = box.shape();
      const auto count = static_cast<std::size_t>(element_count(size));
      if (count == 0) continue;
      std::vector<std::int16_t> out(2 * count, 99);
      std::vector<std::int64_t> strides = c_strides(size, 4);
      strides[0] = -strides[0];
      const auto back = static_cast<std::size_t>((size[0] - 1) * -strides[0]);
      const std::int16_t fill = -7;
      image.read_padded(box,
                        {std::as_writable_bytes(std::span(out)).data() + back, size, strides},
                        std::as_bytes(std::span(&fill, 1)));
      const std::size_t plane = count / static_cast<std::size_t>(size[0]);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t z = static_cast<std::size_t>(size[0]) - 1 - i / plane;
        ASSERT_EQ(out[2 * (z * plane + i % plane)], expected[i]);
        ASSERT_EQ(out[2 * i + 1], 99);
      }
    }
  }
}

TEST(Padded, AnArrayOfNoAxesOrNoVoxelsIsPadded) {
  const Array scalar = Array::in_memory<float>(std::vector{2.5F}, {});
  EXPECT_EQ(scalar.read_padded<float>({}, 9), std::vector{2.5F});
  const Array empty = Array::in_memory({0, 3}, DType::of<float>());
  EXPECT_EQ(empty.read_padded<float>({{-1, 0}, {1, 1}}, 9), (std::vector{9.0F, 9.0F}));
  EXPECT_TRUE(empty.read_padded<float>({{-1, 0}, {1, 0}}, 9).empty());
}

TEST(Padded, FillsWithZerosWhereNothingIsSaid) {
  const Array image = Array::in_memory<double>(std::vector{1.0, 2.0}, {2});
  EXPECT_EQ(image.read_padded<double>({{-1}, {3}}), (std::vector{0.0, 1.0, 2.0, 0.0}));
  std::vector<double> out(4, 5);
  image.read_padded({{-1}, {3}}, view_of(std::span(out), {4}));
  EXPECT_EQ(out, (std::vector{0.0, 1.0, 2.0, 0.0}));
}

TEST(Padded, TheFillValueOfAnArrayOfBoolIsKept) {
  const std::vector<std::uint8_t> bytes = {0, 1, 7, 0, 1, 255};
  const Array mask =
      Array::in_memory({2, 3}, DType::of<bool>(), view_of(std::span(bytes), {2, 3}));
  EXPECT_EQ(mask.read_padded<std::uint8_t>({{-1, 1}, {2, 4}}, 255),
            (std::vector<std::uint8_t>{255, 255, 255, 1, 1, 255, 1, 1, 255}));
}

TEST(Padded, ABatchIsAsBoxByBox) {
  const TempDir dir;
  const Voxels voxels({9, 13});
  const Array image = stored(dir, voxels);
  // Inside, over two borders, all outside, empty, of other sizes.
  const std::vector<Box> boxes = {{{1, 2}, {4, 6}},
                                  {{-3, 10}, {2, 15}},
                                  {{9, 0}, {11, 2}},
                                  {{3, 3}, {3, 5}},
                                  {{-1, -1}, {10, 14}}};
  std::vector<std::int16_t> expected;
  for (const Box& box : boxes) {
    const auto one = padded(voxels, box, -7);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  std::vector<std::int16_t> batch(expected.size(), 99);
  image.read_many_padded(boxes, batch, -7);
  EXPECT_EQ(batch, expected);

  // Views, and zeros where nothing is said.
  std::vector<std::int16_t> first(12, 99);
  std::vector<std::int16_t> second(25, 99);
  const std::vector<ArrayView> views = {view_of(first, {3, 4}), view_of(second, {5, 5})};
  image.read_many_padded(std::span(boxes).first(2), views);
  EXPECT_EQ(first, padded(voxels, boxes[0], 0));
  EXPECT_EQ(second, padded(voxels, boxes[1], 0));
}

TEST(Padded, ABatchOfBoolsKeepsItsFillValue) {
  const std::vector<std::uint8_t> bytes = {0, 1, 7};
  const Array mask = Array::in_memory({3}, DType::of<bool>(), view_of(bytes, {3}));
  const std::vector<Box> boxes = {{{-1}, {1}}, {{2}, {4}}, {{5}, {6}}, {{1}, {1}}};
  std::vector<std::uint8_t> out(5);
  mask.read_many_padded(boxes, out, 255);
  EXPECT_EQ(out, (std::vector<std::uint8_t>{255, 0, 1, 255, 255}));
}

TEST(Padded, ABatchRefusesWhatDoesNotFit) {
  const Array image = Array::in_memory(std::vector<float>(24), {4, 6});
  std::vector<float> out(7);
  const std::int64_t large = std::int64_t{1} << 61;
  const std::vector<Box> boxes = {{{-1, 0}, {1, 2}}, {{3, 5}, {5, 7}}};
  expect_boxes_error([&] { image.read_many_padded(boxes, out); }, ErrorKind::invalid_value,
                     "28 bytes for 2 boxes, which need more");
  // Its bytes are more than 2^63.
  const std::vector<Box> far = {{{0, 0}, {3, large}}};
  expect_boxes_error([&] { image.read_many_padded(far, out); }, ErrorKind::invalid_value,
                     "which need more");
  const std::vector<Box> reversed = {{{1, 0}, {0, 2}}};
  expect_boxes_error([&] { image.read_many_padded(reversed, out); }, ErrorKind::invalid_value,
                     "ends on axis 0 before it starts");
  std::vector<double> doubles(8);
  expect_boxes_error([&] { image.read_many_padded(boxes, doubles); }, ErrorKind::invalid_type,
                     "\"<f8\"");
  const std::vector<ArrayView> one = {view_of(out, {7})};
  expect_boxes_error([&] { image.read_many_padded(boxes, one); }, ErrorKind::invalid_value,
                     "1 buffers for 2 boxes");
  const std::vector<ArrayView> wrong = {view_of(out, {7}), view_of(out, {7})};
  expect_boxes_error([&] { image.read_many_padded(boxes, wrong); }, ErrorKind::invalid_value,
                     "shape (7,)");
}

TEST(Views, AnAddressOfZeroIsAnError) {
  Array image = Array::in_memory(std::vector<float>(24), {4, 6});
  const Box box{{0, 0}, {1, 2}};
  const ArrayView none{nullptr, {1, 2}, {8, 4}};
  const std::vector<Box> boxes = {box};
  const std::vector<ArrayView> views = {none};
  const std::string text = "a view of shape (1, 2) at the address 0";
  expect_boxes_error([&] { image.read(box, none); }, ErrorKind::invalid_value, text);
  expect_boxes_error([&] { image.read_padded(box, none); }, ErrorKind::invalid_value, text);
  expect_boxes_error([&] { image.read_many(boxes, views); }, ErrorKind::invalid_value, text);
  expect_boxes_error([&] { image.write(box, none); }, ErrorKind::invalid_value, text);
  expect_boxes_error([&] { Array::save_voxels("a.mla", none, DType::of<float>(), {}); },
                     ErrorKind::invalid_value, text);
  image.read({{0, 0}, {0, 2}}, {nullptr, {0, 2}, {8, 4}});
}

TEST(Padded, RefusesWhatDoesNotFit) {
  const Array image = Array::in_memory<float>(std::vector<float>(24), {4, 6});
  const std::int64_t far = std::numeric_limits<std::int64_t>::max();
  const std::int64_t large = std::int64_t{1} << 61;
  expect_boxes_error([&] { image.read_padded<float>({{0}, {4}}); }, ErrorKind::invalid_value,
                     "axes");
  expect_boxes_error([&] { image.read_padded<float>({{0, 3}, {4, 2}}); },
                     ErrorKind::invalid_value, "ends on axis 1 before it starts");
  expect_boxes_error([&] { image.read_padded<float>({{0, 0}, {4, far}}); },
                     ErrorKind::out_of_bounds, "2^62");
  expect_boxes_error([&] { image.read_padded<float>({{-far - 1, 0}, {4, 0}}); },
                     ErrorKind::out_of_bounds, "2^62");
  expect_boxes_error([&] { image.read_padded<float>({{0, 0}, {1, large}}); },
                     ErrorKind::unsupported, "memory");
  expect_boxes_error([&] { image.read_padded<float>({{0, 0}, {large, large}}); },
                     ErrorKind::unsupported, "2^63 - 1");
  expect_boxes_error([&] { image.read_padded<double>({{0, 0}, {1, 1}}); },
                     ErrorKind::invalid_type, "\"<f8\"");
  std::vector<float> out(6);
  expect_boxes_error([&] { image.read_padded<float>({{0, 0}, {1, 5}}, out); },
                     ErrorKind::invalid_value, "24 bytes for a box of shape (1, 5)");
  const std::vector<std::byte> fill(3);
  expect_boxes_error(
      [&] { image.read_padded({{0, 0}, {1, 6}}, view_of(std::span(out), {1, 6}), fill); },
      ErrorKind::invalid_value, "3 bytes for voxels of 4");
}

TEST(Many, BoxesLieOneAfterTheOther) {
  const TempDir dir;
  std::mt19937 random(3);
  for (const Shape& shape : {Shape{40}, Shape{9, 31}, Shape{17, 20, 18}}) {
    const Voxels voxels(shape);
    const Array image = stored(dir, voxels);
    for (int round = 0; round < 60; ++round) {
      std::vector<Box> boxes;
      std::vector<std::int16_t> expected;
      for (std::size_t i = 0; i < static_cast<std::size_t>(round) % 9; ++i) {
        Box box = random_box(shape, random);
        if (i == 3) box.stop = box.start;  // nothing of it
        boxes.push_back(box);
        const auto cut = voxels.cut(box);
        expected.insert(expected.end(), cut.begin(), cut.end());
      }
      if (boxes.size() > 2) {  // the same box twice
        boxes.push_back(boxes[0]);
        const auto cut = voxels.cut(boxes[0]);
        expected.insert(expected.end(), cut.begin(), cut.end());
      }
      std::vector<std::int16_t> out(expected.size());
      image.read_many<std::int16_t>(boxes, out, 1 + round % 2);
      ASSERT_EQ(out, expected) << "round " << round;
    }
  }
}

TEST(Many, ABatchIsWhatSingleReadsGive) {
  const Voxels voxels({30, 30, 30});
  Array image = Array::in_memory(voxels.shape, int16(), voxels.view(), {},
                                 with_layout({8, 8, 8}, {4, 4, 4}));
  const std::vector<Box> boxes = {{{0, 0, 0}, {9, 9, 9}}, {{21, 0, 5}, {30, 9, 14}}};
  std::vector<std::int16_t> batch(2 * 9 * 9 * 9);
  std::vector<ArrayView> views;
  for (std::size_t i = 0; i < 2; ++i) {
    views.push_back(view_of(std::span(batch).subspan(i * 729, 729), {9, 9, 9}));
  }
  image.read_many(boxes, views);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto one = std::span(batch).subspan(i * 729, 729);
    EXPECT_EQ(std::vector(one.begin(), one.end()), image.read<std::int16_t>(boxes[i]));
  }
  // Every box sees what was written before.
  image.write<std::int16_t>(boxes[1], std::vector<std::int16_t>(729, 5));
  image.read_many<std::int16_t>(boxes, batch);
  EXPECT_EQ(batch.back(), 5);
  EXPECT_EQ(batch.front(), voxels.data.front());
}

TEST(Many, RefusesWhatDoesNotFit) {
  Array image = Array::in_memory<float>(std::vector<float>(24), {4, 6});
  const std::vector<Box> boxes = {{{0, 0}, {1, 6}}, {{0, 0}, {2, 6}}};
  std::vector<float> out(17);
  expect_boxes_error([&] { image.read_many<float>(boxes, out); }, ErrorKind::invalid_value,
                     "68 bytes for 2 boxes, which need more");
  out.resize(19);
  expect_boxes_error([&] { image.read_many<float>(boxes, out); }, ErrorKind::invalid_value,
                     "76 bytes for 2 boxes, which need 72");
  expect_boxes_error([&] { image.read_many<float>({}, out); }, ErrorKind::invalid_value,
                     "which need 0");
  std::vector<std::int32_t> numbers(18);
  expect_boxes_error([&] { image.read_many<std::int32_t>(boxes, numbers); },
                     ErrorKind::invalid_type, "\"<i4\"");
  const std::vector<Box> outside = {{{0, 0}, {1, 6}}, {{3, 0}, {5, 6}}};
  out.resize(18);
  expect_boxes_error([&] { image.read_many<float>(outside, out); }, ErrorKind::out_of_bounds,
                     "(5, 6) is not inside");
  const std::vector<ArrayView> one = {view_of(std::span(out).first(6), {1, 6})};
  expect_boxes_error([&] { image.read_many(boxes, one); }, ErrorKind::invalid_value,
                     "1 buffers for 2 boxes");
  EXPECT_NO_THROW(image.read_many<float>(boxes, out));
  image.close();
  expect_boxes_error([&] { image.read_many<float>(boxes, out); }, ErrorKind::closed, "closed");
}

TEST(Many, ABoolIsZeroOrOne) {
  const std::vector<std::uint8_t> bytes = {0, 1, 7, 255};
  const Array mask = Array::in_memory({4}, DType::of<bool>(), view_of(std::span(bytes), {4}));
  std::vector<std::uint8_t> out(3);
  mask.read_many<std::uint8_t>(std::vector<Box>{{{3}, {4}}, {{1}, {3}}}, out);
  EXPECT_EQ(out, (std::vector<std::uint8_t>{1, 1, 1}));
}

}  // namespace
}  // namespace mlarray
