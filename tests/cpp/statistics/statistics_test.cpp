// Array::statistics against sorting the voxels, and how a ladder is divided.
#include "mlarray/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <span>

#include "mlarray/mlarray.hpp"
#include "statistics/bins.hpp"
#include "statistics/element_types.hpp"
#include "statistics/ladder.hpp"
#include "statistics/voxel_scan.hpp"
#include "statistics/whole_sum.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using statistics::Bins;
using statistics::Ladder;
using statistics::Ordered;
using statistics::Segment;
using statistics::WholeSum;
using test::TempDir;
using test::Voxels;
using test::with_layout;

TEST(Statistics, EqualThoseOfSortedVoxels) {
  const TempDir dir;
  Voxels voxels({19, 23, 31});
  Array::save_voxels(dir.path() / "a.mla", voxels.view(), test::int16(), {},
                     with_layout({8, 8, 8}, {4, 4, 8}));
  const Array array = Array::open(dir.path() / "a.mla");
  const Statistics found = array.statistics({.lower = 0.25, .upper = 0.75});

  std::vector<std::int16_t> sorted = voxels.data;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double quantile) {
    const double position = quantile * static_cast<double>(sorted.size() - 1);
    const auto i = static_cast<std::size_t>(position);
    return sorted[i] + (sorted[i + 1] - sorted[i]) * (position - std::floor(position));
  };
  double sum = 0;
  for (const std::int16_t voxel : sorted) sum += voxel;
  EXPECT_EQ(found.count, static_cast<std::int64_t>(sorted.size()));
  EXPECT_EQ(found.min, Value(int{sorted.front()}));
  EXPECT_EQ(found.max, Value(int{sorted.back()}));
  EXPECT_EQ(found.mean, sum / static_cast<double>(sorted.size()));
  EXPECT_EQ(found.median, at(0.5));
  EXPECT_EQ(found.percentile_min, at(0.25));
  EXPECT_EQ(found.percentile_max, at(0.75));

  Metadata metadata;
  found.put_into(metadata);
  EXPECT_EQ(metadata.get("stats", "median"), Value(found.median));
  EXPECT_EQ(metadata.get("stats", "percentile_min_key"), Value(0.25));
  metadata.check(3);
}

// Large elements go through bins and divisions; what comes out is a value of the sorted ones.
template <class T>
void expect_quantiles(std::vector<T> values, const char* dtype) {
  const ConstArrayView view{reinterpret_cast<const std::byte*>(values.data()),
                            {static_cast<std::int64_t>(values.size())},
                            {sizeof(T)}};
  const Statistics found =
      Array::statistics(view, DType::parse(dtype), {.lower = 0.25, .upper = 0.75});
  std::sort(values.begin(), values.end());
  ASSERT_EQ(values.size() % 4, 1U);  // then all three are values
  EXPECT_EQ(found.median, static_cast<double>(values[values.size() / 2]));
  EXPECT_EQ(found.percentile_min, static_cast<double>(values[values.size() / 4]));
  EXPECT_EQ(found.percentile_max, static_cast<double>(values[values.size() / 4 * 3]));
}

TEST(WholeSum, IsExactAndRoundedOnce) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto sum = [](const std::vector<std::int64_t>& values) {
    return WholeSum::of(std::span(values));
  };
  EXPECT_EQ(WholeSum().value(), 0);
  EXPECT_EQ(sum({kLeast, kMost, 3}).value(), 2);
  EXPECT_EQ(sum({kLeast, kLeast, kLeast}).value(), -3 * 0x1p63);
  // Half way between two doubles, and one more: the last bit decides.
  EXPECT_EQ(sum({kMost, kMost, kMost, kMost, 4, 4096}).value(), 0x1p65);
  EXPECT_EQ(sum({kMost, kMost, kMost, kMost, 4, 4097}).value(), 0x1p65 + 8192);
  EXPECT_EQ(sum({kLeast, kLeast, kLeast, kLeast, -4097}).value(), -0x1p65 - 8192);
  WholeSum all = WholeSum::repeated(kMost, std::int64_t{1} << 40);
  all.add(WholeSum::repeated(kLeast, std::int64_t{1} << 40));
  EXPECT_EQ(all.value(), -0x1p40);
  all.subtract(WholeSum::repeated(-1, (std::int64_t{1} << 40) - 5));
  EXPECT_EQ(all.value(), -5);
  const std::vector<std::uint64_t> greatest(1000, std::numeric_limits<std::uint64_t>::max());
  WholeSum unsigned_sum = WholeSum::of(std::span(greatest));
  EXPECT_EQ(unsigned_sum.value(), 1000 * 0x1p64);
  unsigned_sum.subtract(WholeSum::repeated(greatest[0], 999));
  unsigned_sum.subtract(WholeSum::repeated(kMost, 2));
  EXPECT_EQ(unsigned_sum.value(), 1);
}

TEST(Statistics, AreExactForLargeElementsToo) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<float> floats(60'001);
  for (float& value : floats)
    value = random() % 3 == 0 ? 0 : static_cast<float>(normal(random));
  expect_quantiles(floats, "<f4");
  std::vector<double> doubles(60'001);
  for (double& value : doubles) value = std::exp(40 * normal(random));
  expect_quantiles(doubles, "<f8");
  std::vector<std::int64_t> integers(60'001);
  for (std::int64_t& value : integers) value = std::bit_cast<std::int64_t>(random());
  expect_quantiles(integers, "<i8");
}

TEST(Statistics, CountWhereTheMaskSays) {
  const Voxels voxels({9, 10, 11});
  Voxels mask({9, 10, 11}, 5);
  for (std::int16_t& label : mask.data) label = static_cast<std::int16_t>(label % 3);
  const Array compressed = Array::in_memory(mask.shape, test::int16(), mask.view());
  const ConstArrayView view = mask.view();
  std::int64_t labelled = 0, twos = 0;
  for (const std::int16_t label : mask.data) {
    labelled += label != 0;
    twos += label == 2;
  }
  for (Mask given :
       {Mask{.array = &compressed}, Mask{.voxels = &view, .dtype = test::int16()}}) {
    EXPECT_EQ(Array::statistics(voxels.view(), test::int16(), {.mask = given}).count, labelled);
    given.values = {2};
    EXPECT_EQ(Array::statistics(voxels.view(), test::int16(), {.mask = given}).count, twos);
    given.values = {7};
    EXPECT_ERROR(Array::statistics(voxels.view(), test::int16(), {.mask = given}),
                 ErrorKind::invalid_value, "selects nothing");
  }
}

TEST(Statistics, RefuseWhatHasNoOrder) {
  const Array array = Array::in_memory({4}, DType::parse("<c8"));
  EXPECT_ERROR(array.statistics(), ErrorKind::invalid_type, "<c8");
  const Array zeros = Array::in_memory({4}, test::int16());
  EXPECT_ERROR(zeros.statistics({.lower = 0.5, .upper = 99.5}), ErrorKind::invalid_value,
               "99.5", "0.005");
}

// Every value of a type of two bytes, in order: keys, and what they stand for.
TEST(ElementTypes, HalfIsTheFloatOfItsBits) {
  EXPECT_EQ(statistics::to_double(statistics::Half{0x3c00}), 1.0);
  EXPECT_EQ(statistics::to_double(statistics::Half{0xc000}), -2.0);
  EXPECT_EQ(statistics::to_double(statistics::Half{0x0001}), 0x1p-24);
  EXPECT_EQ(statistics::to_double(statistics::Half{0x7bff}), 65504.0);
  EXPECT_TRUE(std::isinf(statistics::to_double(statistics::Half{0xfc00})));
  EXPECT_TRUE(std::isnan(statistics::to_double(statistics::Half{0x7e00})));
  double last = -std::numeric_limits<double>::infinity();
  for (std::uint32_t key = 0; key < 0x10000; ++key) {
    const double value = statistics::to_double(
        Ordered<statistics::Half>::value(static_cast<std::uint16_t>(key)));
    if (std::isnan(value)) continue;
    EXPECT_GE(value, last);
    last = value;
  }
}

// Whatever the bins were made for: a greater value has no lesser bin, zero is alone in its own,
// and the segments say which keys a bin has.
TEST(Bins, AreInTheOrderOfTheValues) {
  for (const auto& [least, greatest] : std::vector<std::pair<float, float>>{
           {-1.5F, 4}, {0, 0}, {1e-44F, 2e-44F}, {-3e38F, 3e38F}}) {
    const Bins<float> bins(least, greatest);
    std::mt19937 random(7);
    std::vector<float> values{0,
                              -0.0F,
                              1e-45F,
                              -1e-45F,
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()};
    while (values.size() < 3000) {
      const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
      if (!std::isnan(value)) values.push_back(value);
    }
    std::sort(values.begin(), values.end());
    std::vector<std::uint64_t> counts(Bins<float>::kCount);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ++counts.at(bins.of(values[i]));
      EXPECT_GE(bins.of(values[i]), bins.of(values[i > 0 ? i - 1 : 0]));
    }
    EXPECT_EQ(counts[bins.of(0)], 2);
    std::size_t next = 0;
    for (const Segment& segment : bins.segments(counts, values.front(), values.back())) {
      for (std::int64_t i = 0; i < segment.count; ++i, ++next) {
        const std::uint64_t key = Ordered<float>::key(values[next]);
        EXPECT_LE(segment.first, key);
        EXPECT_LE(key, segment.last);
      }
    }
    EXPECT_EQ(next, values.size());
  }
}

TEST(Ladder, IsDividedUntilARankIsOneKey) {
  constexpr std::uint64_t kEnd = ~std::uint64_t{0};
  Ladder ladder({{0, 9, 5}, {10, kEnd, 10'000'000}});
  EXPECT_EQ(ladder.at(4), 0U);
  EXPECT_EQ(ladder.at(5), 1U);
  int passes = 0;
  for (auto plan = ladder.plan({6}, {6, 6}); !plan.divisions.empty();
       plan = ladder.plan({6}, {6, 6})) {
    ASSERT_EQ(plan.divisions.size(), 1U);
    const auto& division = plan.divisions[0];
    ASSERT_FALSE(division.collect);  // too many values
    std::vector<std::uint64_t> ranges(plan.ranges);
    ranges[(12345 - division.first) >> division.shift] = 10'000'000;
    ladder.divide(plan, ranges, {});
    ++passes;
  }
  EXPECT_EQ(passes, 5);  // 64 bits, 14 at a time
  EXPECT_EQ(ladder.segments()[1].first, 12345U);
}

TEST(Ladder, CollectsFewValuesAndSeesThatTheyChanged) {
  Ladder ladder({{0, std::uint64_t{1} << 40, 3}});
  const auto plan = ladder.plan({0}, {0, 0});
  ASSERT_EQ(plan.divisions.size(), 1U);
  ASSERT_TRUE(plan.divisions[0].collect);
  Ladder other = ladder;
  ladder.divide(plan, {}, {77, 5, 77});
  ASSERT_EQ(ladder.segments().size(), 2U);
  EXPECT_EQ(ladder.segments()[1].count, 2);
  EXPECT_ERROR(other.divide(plan, {}, {77, 5}), ErrorKind::invalid_use, "changed");
}

TEST(VoxelScan, UsesAllThreads) {
  const std::vector<std::int16_t> voxels(std::size_t{64} << 15);
  const auto count = static_cast<std::int64_t>(voxels.size());
  const ConstArrayView view{std::as_bytes(std::span(voxels)).data(), {count}, {2}};
  const statistics::VoxelSource source{nullptr, false, &view, test::int16(), {}};
  EXPECT_EQ(statistics::VoxelScan(source, {}, {}, 40).threads(), 40);
  EXPECT_EQ(statistics::VoxelScan(source, {}, {}, 64).threads(), 64);
  const Statistics one = Array::statistics(view, test::int16(), {.threads = 1});
  EXPECT_EQ(Array::statistics(view, test::int16(), {.threads = 40}).mean, one.mean);
}

TEST(Statistics, AViewThatDoesNotFitItsTypeIsRefused) {
  const std::vector<std::uint8_t> bytes(6);
  const DType dtype = DType::of<std::int16_t>();
  const ConstArrayView small = view_of(bytes, {2, 3});
  EXPECT_ERROR(Array::statistics(small, dtype), ErrorKind::invalid_type,
               "elements of 1 bytes for voxels of 2 bytes");
  EXPECT_ERROR(Array::statistics(small, DType::of<std::uint8_t>(),
                                 {.mask = {.voxels = &small, .dtype = dtype}}),
               ErrorKind::invalid_type, "elements of 1 bytes");
  const ConstArrayView flat{std::as_bytes(std::span(bytes)).data(), {2, 3}, {1}};
  EXPECT_ERROR(Array::statistics(flat, DType::of<std::uint8_t>()), ErrorKind::invalid_value,
               "one stride for each axis, not 1");
  EXPECT_ERROR(Array::statistics({nullptr, {2, 3}, {3, 1}}, DType::of<std::uint8_t>()),
               ErrorKind::invalid_value, "address 0");
}

}  // namespace
}  // namespace mlarray
