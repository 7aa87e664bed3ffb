// A label index against counting and listing the voxels one by one.
#include "mlarray/training/label_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "training/label_counter.hpp"
#include "training/label_maps.hpp"

namespace mlarray::training {
namespace {

using test::blobs;
using test::kept;
using test::number_of;
using test::voxels_of;
using test::with_chunks;

const Shape kShape = {23, 31, 37};

template <class T>
Array array_of(const std::vector<T>& map, const Shape& shape = kShape,
               const SaveOptions& options = with_chunks({8, 16, 24}, {4, 8, 8})) {
  return Array::in_memory(map, shape, {}, options);
}

// The numbers with the smallest keys, ascending.
std::vector<std::int64_t> smallest(std::vector<std::int64_t> numbers, std::size_t most) {
  const auto key = [](std::int64_t n) {
    return PositionKey::of(static_cast<std::uint64_t>(n));
  };
  std::sort(numbers.begin(), numbers.end(),
            [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
  numbers.resize(std::min(numbers.size(), most));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

template <class T>
void expect_counts_and_positions(const std::vector<std::int64_t>& labels) {
  const auto map = blobs<T>(kShape, labels);
  const auto expected = voxels_of(map);
  const LabelIndex index = LabelIndex::build(array_of(map), {.positions = 300});
  ASSERT_EQ(index.classes().size(), expected.size());
  std::int64_t foreground = 0;
  std::size_t which = 0;
  for (const auto& [label, voxels] : expected) {
    const LabelClass& found = index.classes()[which];
    EXPECT_EQ(found.labels, std::vector{label});
    EXPECT_EQ(found.count, static_cast<std::int64_t>(voxels.size()));
    EXPECT_EQ(index.find(label), static_cast<std::int64_t>(which));
    EXPECT_EQ(kept(index, which),
              label == 0 ? std::vector<std::int64_t>() : smallest(voxels, 300));
    if (label != 0) foreground += found.count;
    ++which;
  }
  EXPECT_EQ(index.foreground(), foreground);
  EXPECT_EQ(index.find(-77), -1);
}

TEST(LabelIndex, CountsAndKeepsWhatTheMapHas) {
  expect_counts_and_positions<std::uint8_t>({1, 2, 7, 255});
  expect_counts_and_positions<std::int8_t>({1, -1, -128});
  expect_counts_and_positions<std::uint16_t>({1, 256, 65535});
  expect_counts_and_positions<std::int16_t>({1, -1, 300});
  expect_counts_and_positions<std::uint32_t>({1, 4'000'000'000});
  expect_counts_and_positions<std::int32_t>({-2'000'000'000, 5});
  expect_counts_and_positions<std::uint64_t>({std::numeric_limits<std::int64_t>::max(), 9});
  expect_counts_and_positions<std::int64_t>({std::numeric_limits<std::int64_t>::min(), 9});
}

TEST(LabelIndex, ReadsBoolsAndTheOtherByteOrder) {
  const std::vector<std::uint8_t> voxels = {0, 1, 1, 0, 1, 0};
  const Shape shape = {2, 3};
  const auto view = view_of(std::span<const std::uint8_t>(voxels), shape);
  const LabelIndex bools =
      LabelIndex::build(Array::in_memory(shape, DType::parse("|b1"), view));
  EXPECT_EQ(kept(bools, static_cast<std::size_t>(bools.find(1))),
            (std::vector<std::int64_t>{1, 2, 4}));
  const std::vector<std::uint8_t> pairs = {0, 0, 1, 2, 0, 3};
  const ConstArrayView big{reinterpret_cast<const std::byte*>(pairs.data()), {3}, {2}};
  const LabelIndex swapped = LabelIndex::build(Array::in_memory({3}, DType::parse(">i2"), big));
  EXPECT_EQ(swapped.find(258), 2);
  EXPECT_EQ(swapped.find(3), 1);
}

TEST(LabelIndex, DrawsALabelOrSaysThatThereIsNone) {
  const LabelIndex index = LabelIndex::build(array_of(blobs<std::uint8_t>(kShape, {3, 7})));
  Random one(5), same(5);
  EXPECT_EQ(index.draw_label(7, one),
            index.draw(static_cast<std::size_t>(index.find(7)), same));
  EXPECT_EQ(index.draw_label(4, one), std::nullopt);
  // Of the background, no positions are kept.
  EXPECT_ERROR(index.draw_label(0, one), ErrorKind::invalid_value, "no positions are kept");
}

TEST(LabelIndex, DependsOnNeitherThreadsNorChunks) {
  const auto map = blobs(kShape, {1, 2, 3, 9});
  const LabelIndexOptions one{.positions = 200, .joined = {{1, 2}}, .threads = 1};
  const auto expected = LabelIndex::build(array_of(map), one).bytes();
  const std::vector<SaveOptions> layouts = {
      with_chunks({23, 31, 37}, {23, 31, 37}), with_chunks({1, 31, 37}, {1, 31, 37}),
      with_chunks({5, 7, 11}, {5, 7, 11}), with_chunks({16, 8, 40}, {2, 8, 40})};
  for (const SaveOptions& layout : layouts) {
    for (const int threads : {1, 2, 8}) {
      LabelIndexOptions options = one;
      options.threads = threads;
      EXPECT_EQ(LabelIndex::build(array_of(map, kShape, layout), options).bytes(), expected);
    }
  }
  // A trailing axis of 1, and one axis alone, have the same numbers of voxels.
  for (const Shape& shape : {Shape{23, 31, 37, 1}, Shape{1, 23, 31 * 37}}) {
    const LabelIndex other = LabelIndex::build(array_of(map, shape, {}), one);
    const LabelIndex first = LabelIndex::from_bytes(expected);
    for (std::size_t i = 0; i < first.classes().size(); ++i) {
      EXPECT_EQ(kept(other, i), kept(first, i));
    }
  }
}

TEST(LabelIndex, JoinsClasses) {
  const auto map = blobs(kShape, {1, 2, 3});
  auto voxels = voxels_of(map);
  const LabelIndex index = LabelIndex::build(
      array_of(map), {.positions = 150, .joined = {{3, 1, 1}, {7}, {2}, {0, 3}}});
  ASSERT_EQ(index.classes().size(), 4u + 3u);  // no voxel has label 7
  const auto expect = [&](std::size_t which, std::vector<std::int64_t> labels) {
    std::vector<std::int64_t> all;
    for (const std::int64_t label : labels) {
      all.insert(all.end(), voxels[label].begin(), voxels[label].end());
    }
    EXPECT_EQ(index.classes()[which].labels, labels);
    EXPECT_EQ(index.classes()[which].count, static_cast<std::int64_t>(all.size()));
    EXPECT_EQ(kept(index, which), smallest(all, 150));
  };
  expect(4, {1, 3});
  expect(5, {2});
  expect(6, {0, 3});
  EXPECT_EQ(index.classes()[0].positions, 0);  // the background alone has none
  EXPECT_EQ(index.find(2), 2);                 // not the joined one
  EXPECT_ERROR(LabelIndex::build(array_of(map), {.joined = {{1}, {}}}),
               ErrorKind::invalid_value, "joined class 1");
}

TEST(LabelIndex, HasAnotherBackgroundOrNone) {
  const auto map = blobs(kShape, {1, 2});
  const LabelIndex none = LabelIndex::build(array_of(map), {.background = std::nullopt});
  EXPECT_EQ(none.foreground(), element_count(kShape));
  EXPECT_EQ(none.classes()[0].positions, 10'000);
  EXPECT_EQ(none.background(), std::nullopt);
  const LabelIndex two = LabelIndex::build(array_of(map), {.background = 2});
  EXPECT_EQ(two.classes()[2].positions, 0);
  EXPECT_EQ(two.background(), 2);
}

// The choice among the voxels of a class, and the draws among those chosen, are uniform.
TEST(LabelIndex, ChoosesAndDrawsUniformly) {
  constexpr std::size_t kBins = 64;
  const auto chi_squared = [](const std::vector<double>& found, double expected) {
    double out = 0;
    for (const double f : found) out += (f - expected) * (f - expected) / expected;
    return out;
  };
  // 63 degrees of freedom: beyond 120 once in 10^5.
  const std::vector<std::uint8_t> map(std::size_t{1} << 20, 1);
  const LabelIndex index = LabelIndex::build(array_of(map, {64, 128, 128}, {}));
  for (const int shift : {0, 7, 14}) {  // by each axis
    std::vector<double> chosen(kBins);
    for (const std::int64_t n : kept(index, 0)) {
      chosen[static_cast<std::size_t>(n >> shift) % kBins] += 1;
    }
    EXPECT_LT(chi_squared(chosen, 10'000.0 / kBins), 120) << shift;
  }
  const std::vector<std::int64_t> all = kept(index, 0);
  std::vector<double> drawn(kBins);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    Random random(5, 0, i);
    const std::int64_t n = number_of(index.draw(0, random), index.shape());
    const auto place = std::lower_bound(all.begin(), all.end(), n);
    ASSERT_TRUE(place != all.end() && *place == n);
    drawn[static_cast<std::size_t>(place - all.begin()) % kBins] += 1;
  }
  EXPECT_LT(chi_squared(drawn, 100'000.0 / kBins), 120);
}

TEST(LabelIndex, DrawsOnlyWhatItHas) {
  const LabelIndex index = LabelIndex::build(array_of(blobs(kShape, {1})));
  Random random(1);
  EXPECT_ERROR(index.draw(0, random), ErrorKind::invalid_value, "label 0");
  EXPECT_ERROR(index.draw(2, random), ErrorKind::out_of_bounds, "2");
  EXPECT_ERROR(index.voxel(1, index.classes()[1].positions), ErrorKind::out_of_bounds);
  EXPECT_ERROR(index.voxel(1, -1), ErrorKind::out_of_bounds);
}

TEST(LabelIndex, RefusesWhatIsNoLabelMap) {
  const std::vector<float> floats(8);
  EXPECT_ERROR(LabelIndex::build(array_of(floats, {8}, {})), ErrorKind::invalid_type, "<f4",
               "convert");
  std::vector<std::uint32_t> different(70'000);
  for (std::size_t i = 0; i < different.size(); ++i) {
    different[i] = static_cast<std::uint32_t>(i);
  }
  const Array many = Array::in_memory(different, {7, 10'000});
  EXPECT_ERROR(LabelIndex::build(many), ErrorKind::unsupported, "65536");
  EXPECT_ERROR(LabelIndex::build(many, {.threads = 1}), ErrorKind::unsupported, "65536");
  const std::vector<std::uint64_t> great = {std::uint64_t{1} << 63};
  EXPECT_ERROR(LabelIndex::build(Array::in_memory(great, {1})), ErrorKind::invalid_value,
               "9223372036854775808");
  EXPECT_ERROR(LabelIndex::build(array_of(blobs(kShape, {1})), {.positions = -1}),
               ErrorKind::invalid_value, "-1");
}

TEST(LabelIndex, NamesThePathAndTheDamage) {
  const mlarray::test::TempDir dir;
  const auto path = dir.path() / "damaged.mla";
  std::mt19937 random(3);
  std::vector<std::uint8_t> noise(std::size_t{1} << 16);
  for (auto& voxel : noise) voxel = static_cast<std::uint8_t>(random());
  Array::save_voxels(path, noise, {256, 256});
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    file.write("\x55\xaa\x55\xaa", 4);
  }
  EXPECT_ERROR(LabelIndex::build(Array::open(path)), ErrorKind::corruption, "damaged.mla");
  Array closed = Array::in_memory(noise, {256, 256});
  closed.close();
  EXPECT_ERROR(LabelIndex::build(closed), ErrorKind::closed);
}

TEST(LabelIndex, TakesEmptyAndPlainMaps) {
  const LabelIndex empty =
      LabelIndex::build(Array::in_memory({0, 5}, DType::of<std::uint8_t>()));
  EXPECT_TRUE(empty.classes().empty());
  EXPECT_EQ(empty.foreground(), 0);
  EXPECT_EQ(LabelIndex::from_bytes(empty.bytes()).shape(), (Shape{0, 5}));
  const LabelIndex zeros =
      LabelIndex::build(Array::in_memory({9, 5}, DType::of<std::int16_t>()));
  EXPECT_EQ(zeros.classes()[0].count, 45);
  const std::vector<std::uint8_t> one = {4};
  const LabelIndex point = LabelIndex::build(Array::in_memory(one, {}));
  EXPECT_EQ(point.classes()[0].labels[0], 4);
  Random random(1);
  EXPECT_EQ(point.draw(0, random), Shape());
  const LabelIndex counts = LabelIndex::build(array_of(blobs(kShape, {1})), {.positions = 0});
  EXPECT_EQ(counts.classes()[1].positions, 0);
  EXPECT_GT(counts.classes()[1].count, 0);
}

// So many classes share what an index may have.
TEST(LabelIndex, KeepsFewerOfEachOfManyClasses) {
  std::vector<std::uint16_t> map(std::size_t{1} << 20);
  for (std::size_t i = 0; i < map.size(); ++i) map[i] = static_cast<std::uint16_t>(i % 60'000);
  const std::size_t most = positions_of_each(10'000, 60'000);
  EXPECT_EQ(most, 69u);
  LabelCounter<std::uint16_t> counter({1 << 20}, 10'000, 0, 0);
  const auto expected = LabelIndex::build(Array::in_memory(map, {1 << 20}), {.positions = 10});
  EXPECT_EQ(expected.classes().size(), 60'000u);
  // More voxels of a class than its share, and classes that come late.
  for (std::size_t i = 0; i < map.size(); ++i) {
    map[i] = static_cast<std::uint16_t>(i < map.size() / 2 ? 7 : i % 60'000);
  }
  const LabelIndex index = LabelIndex::build(Array::in_memory(map, {1 << 20}));
  const auto seven = static_cast<std::size_t>(index.find(7));
  EXPECT_EQ(kept(index, seven), smallest(voxels_of(map)[7], most));
  EXPECT_LT(index.memory(), std::size_t{32} << 20);
}

TEST(LabelIndex, TakesFourBytesAPosition) {
  const std::vector<std::uint8_t> map(std::size_t{1} << 20, 1);
  const LabelIndex index = LabelIndex::build(array_of(map, {64, 128, 128}, {}));
  EXPECT_LE(index.memory(), 4 * 10'000u + 1000);
  EXPECT_LE(index.bytes().size(), 20 * 10'000u / 8 + 200);
}

}  // namespace
}  // namespace mlarray::training
