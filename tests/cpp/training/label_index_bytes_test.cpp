// A label index as bytes, and from lists of others.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "mlarray/training/label_index.hpp"
#include "support/errors.hpp"
#include "training/label_maps.hpp"
#include "training/packed_positions.hpp"

namespace mlarray::training {
namespace {

using test::blobs;
using test::kept;

LabelIndex an_index() {
  const auto map = blobs<std::int16_t>({19, 21, 23}, {1, 2, -5});
  return LabelIndex::build(Array::in_memory(map, {19, 21, 23}),
                           {.positions = 100, .joined = {{1, 2}, {77}}});
}

TEST(LabelIndexBytes, ComeBackAsTheyWere) {
  const LabelIndex index = an_index();
  const LabelIndex back = LabelIndex::from_bytes(index.bytes());
  EXPECT_EQ(back.bytes(), index.bytes());
  EXPECT_EQ(back.shape(), index.shape());
  EXPECT_EQ(back.foreground(), index.foreground());
  EXPECT_EQ(back.background(), 0);
  ASSERT_EQ(back.classes().size(), index.classes().size());
  for (std::size_t i = 0; i < back.classes().size(); ++i) {
    EXPECT_EQ(back.classes()[i].labels, index.classes()[i].labels);
    EXPECT_EQ(back.classes()[i].count, index.classes()[i].count);
    EXPECT_EQ(kept(back, i), kept(index, i));
  }
}

// Cut short, with any byte changed, or with more behind: an error or an index that works, and
// no large allocation.
TEST(LabelIndexBytes, AreCheckedBeforeTheyAreBelieved) {
  const std::vector<std::byte> bytes = an_index().bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_ERROR(LabelIndex::from_bytes(std::span(bytes).first(length)), ErrorKind::corruption);
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back({});
  EXPECT_ERROR(LabelIndex::from_bytes(longer), ErrorKind::corruption, "1 bytes too many");
  std::mt19937 random(1);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const unsigned change :
         {1u, 0x80u, 0xffu, static_cast<unsigned>(random() % 255 + 1)}) {
      std::vector<std::byte> damaged = bytes;
      damaged[at] ^= static_cast<std::byte>(change);
      try {
        const LabelIndex index = LabelIndex::from_bytes(damaged);
        for (std::size_t i = 0; i < index.classes().size(); ++i) {
          for (const std::int64_t n : kept(index, i)) {
            ASSERT_LT(n, element_count(index.shape()));
          }
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corruption) << error.what();
      }
    }
  }
}

TEST(LabelIndexBytes, SayWhatIsWrong) {
  std::vector<std::byte> bytes = an_index().bytes();
  const auto changed = [&](std::size_t at, unsigned value) {
    std::vector<std::byte> out = bytes;
    out[at] = static_cast<std::byte>(value);
    return out;
  };
  EXPECT_ERROR(LabelIndex::from_bytes(changed(0, 'x')), ErrorKind::corruption,
               "no label index");
  EXPECT_ERROR(LabelIndex::from_bytes(changed(8, 2)), ErrorKind::corruption, "version 2");
  EXPECT_ERROR(LabelIndex::from_bytes(changed(9, 17)), ErrorKind::corruption, "17 axes");
  EXPECT_ERROR(LabelIndex::from_bytes(changed(10, 2)), ErrorKind::corruption, "flags");
}

TEST(LabelIndexLists, AreTakenAsTheyAre) {
  const Shape shape = {4, 5, 6};
  const std::vector<LabelIndex::Listed> lists = {
      {{3}, {3, 4, 5, 0, 0, 0, 3, 4, 5}}, {{1, 3}, {1, 1, 1}}, {{-2}, {2, 2, 2}}, {{9}, {}}};
  const LabelIndex index = LabelIndex::from_lists(shape, lists);
  ASSERT_EQ(index.classes().size(), 3u);
  EXPECT_EQ(index.classes()[0].labels, std::vector<std::int64_t>{-2});
  EXPECT_EQ(index.find(3), 1);
  EXPECT_EQ(index.find(9), -1);
  EXPECT_EQ(index.classes()[1].count, 2);  // each voxel once
  EXPECT_EQ(kept(index, 1), (std::vector<std::int64_t>{0, 119}));
  EXPECT_EQ(index.classes()[2].labels, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(index.foreground(), 3);
  EXPECT_EQ(LabelIndex::from_bytes(index.bytes()).bytes(), index.bytes());

  const auto from = [&](LabelIndex::Listed listed) {
    return LabelIndex::from_lists(shape, std::span(&listed, 1));
  };
  EXPECT_ERROR(from({{3}, {0, 0}}), ErrorKind::invalid_value, "label 3", "3 axes");
  EXPECT_ERROR(from({{3}, {0, 5, 0}}), ErrorKind::out_of_bounds, "(0, 5, 0)", "(4, 5, 6)");
  EXPECT_ERROR(from({{3}, {0, -1, 0}}), ErrorKind::out_of_bounds, "(0, -1, 0)");
  EXPECT_ERROR(from({{}, {0, 0, 0}}), ErrorKind::invalid_value, "no labels");
  const std::vector<LabelIndex::Listed> twice = {{{3, 1}, {}}, {{1, 3}, {}}};
  EXPECT_ERROR(LabelIndex::from_lists(shape, twice), ErrorKind::invalid_value, "labels 1, 3",
               "twice");
}

TEST(PackedPositions, FindEachOfAnyArray) {
  std::mt19937_64 random(2);
  for (const std::int64_t voxels :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{1} << 20, (std::int64_t{1} << 20) + 1,
        (std::int64_t{1} << 32) - 1, std::int64_t{1} << 32, (std::int64_t{1} << 32) + 1,
        std::int64_t{1} << 40}) {
    std::vector<std::int64_t> numbers = {0, voxels - 1};
    for (int i = 0; i < 1000; ++i) {
      numbers.push_back(
          static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(voxels)));
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    const PackedPositions packed(numbers, voxels);
    const PackedPositions back(packed.size(), voxels, packed.packed(),
                               {packed.parts().begin(), packed.parts().end()});
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_EQ(packed.at(static_cast<std::int64_t>(i)), numbers[i]) << voxels;
      ASSERT_EQ(back.at(static_cast<std::int64_t>(i)), numbers[i]) << voxels;
    }
    EXPECT_LE(packed.packed().size(), 4 * numbers.size());
    if (!packed.parts().empty()) {
      EXPECT_ERROR(PackedPositions(packed.size(), voxels, packed.packed(), {}),
                   ErrorKind::corruption, "parts");
      EXPECT_ERROR(PackedPositions(packed.size(), voxels, packed.packed(), {{0, 0}, {0, 1}}),
                   ErrorKind::corruption, "ascend");
    }
  }
}

}  // namespace
}  // namespace mlarray::training
