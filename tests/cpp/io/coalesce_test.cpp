#include "io/coalesce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/errors.hpp"

namespace mlarray::io {

bool operator==(const Range& a, const Range& b) {
  return a.offset == b.offset && a.length == b.length;
}

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::vector<Range> pages(std::vector<Range> ranges, std::uint64_t size, std::uint64_t gap = 0,
                         std::uint64_t piece = 1 << 20) {
  return coalesce(ranges, size, kPage, gap, piece);
}

TEST(Coalesce, RoundsToPagesAndMergesNeighbours) {
  EXPECT_EQ(pages({{5000, 10}, {4096, 1}, {8192, 1}}, 100'000),
            (std::vector<Range>{{4096, 8192}}));
  EXPECT_EQ(pages({{50'000, 1}, {0, 1}}, 100'000),
            (std::vector<Range>{{0, 4096}, {49'152, 4096}}));
}

TEST(Coalesce, FillsGapsUpToTheLimit) {
  const std::vector<Range> apart = {{0, 1}, {3 * kPage, 1}};
  EXPECT_EQ(pages(apart, 100'000, 2 * kPage).size(), 1u);
  EXPECT_EQ(pages(apart, 100'000, 2 * kPage - 1).size(), 2u);
}

TEST(Coalesce, CutsAtTheEndOfTheFile) {
  EXPECT_EQ(pages({{0, kHuge}}, 5000), (std::vector<Range>{{0, 5000}}));
  EXPECT_EQ(pages({{4999, kHuge}}, 5000), (std::vector<Range>{{4096, 904}}));
  EXPECT_TRUE(pages({{5000, 1}, {kHuge, kHuge}, {10, 0}}, 5000).empty());
  EXPECT_TRUE(pages({{0, 10}}, 0).empty());
  EXPECT_TRUE(pages({}, 5000).empty());
}

TEST(Coalesce, SplitsIntoPieces) {
  EXPECT_EQ(pages({{0, 10'000}}, 100'000, 0, 2 * kPage),
            (std::vector<Range>{{0, 8192}, {8192, 4096}}));
}

// What read_together() asks of a source of ascending numbers.
class NumberSource final : public ByteSource {
 public:
  explicit NumberSource(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }
  void read_many(std::span<const Read> reads) const override {
    ++calls;
    asked.clear();
    for (const Read& read : reads) {
      asked.push_back({read.offset, read.to.size()});
      for (std::size_t i = 0; i < read.to.size(); ++i) {
        read.to[i] = static_cast<std::byte>((read.offset + i) % 251);
      }
    }
  }
  bool is_remote() const noexcept override { return true; }
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const Range>) const override {}
  void refresh() override {}
  const std::string& name() const override { return name_; }

  mutable int calls = 0;
  mutable std::vector<Range> asked;

 private:
  std::uint64_t size_;
  std::string name_ = "numbers";
};

TEST(ReadTogether, GivesEachRangeItsBytesInOneCall) {
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    const NumberSource source(10'000);
    std::vector<Range> ranges;
    for (auto n = random() % 30; n > 0; --n) {
      const std::uint64_t offset = random() % 10'000;
      ranges.push_back({offset, random() % std::min<std::uint64_t>(10'001 - offset, 300)});
    }
    const Gathered got = read_together(source, ranges);
    ASSERT_EQ(got.parts.size(), ranges.size());
    std::vector<bool> wanted(10'000);
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      ASSERT_EQ(got.parts[r].size(), ranges[r].length);
      for (std::size_t b = 0; b < got.parts[r].size(); ++b) {
        ASSERT_EQ(got.parts[r][b], static_cast<std::byte>((ranges[r].offset + b) % 251));
        wanted[ranges[r].offset + b] = true;
      }
    }
    const auto needed =
        static_cast<std::uint64_t>(std::count(wanted.begin(), wanted.end(), true));
    EXPECT_EQ(source.calls, needed > 0 ? 1 : 0);
    std::uint64_t asked = 0;
    std::uint64_t end = 0;
    for (const Range& range : source.asked) {
      EXPECT_TRUE(asked == 0 || range.offset > end) << "neighbours are one read";
      end = range.offset + range.length;
      asked += range.length;
    }
    EXPECT_LE(asked, needed + needed / 10);
  }
}

TEST(ReadTogether, FillsSmallGapsAndLeavesLargeOnes) {
  const NumberSource source(1'000'000);
  read_together(source, std::vector<Range>{{0, 1000}, {1050, 1000}, {2500, 1000}});
  ASSERT_EQ(source.asked.size(), 2U);
  EXPECT_EQ(source.asked[0].length, 2050U);
  EXPECT_EQ(source.asked[1].offset, 2500U);
  // A gap of more bytes than a request is worth is left out, whatever is read beside it.
  const NumberSource large(std::uint64_t{1} << 24);
  read_together(large, std::vector<Range>{{0, 4 << 20}, {(4 << 20) + (70 << 10), 4 << 20}});
  EXPECT_EQ(large.asked.size(), 2U);
}

TEST(ReadTogether, RefusesRangesOutsideTheSourceBeforeItTakesMemory) {
  const NumberSource source(100);
  EXPECT_ERROR(read_together(source, std::vector<Range>{{0, 10}, {50, kHuge}}),
               ErrorKind::corruption, "numbers", "100 bytes");
  EXPECT_EQ(source.calls, 0);
}

}  // namespace
}  // namespace mlarray::io
