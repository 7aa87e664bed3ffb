#include "store/chunk_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "store/tables.hpp"

namespace mlarray::store {
namespace {

Replacement at(std::uint64_t offset) {
  return {nullptr, frame::IndexEntry::at(offset), {}, {}};
}

TEST(ChunkIndex, HasZerosForAllChunksAtFirst) {
  for (const std::int64_t count : {0, 1, 31, 32, 33, 1025}) {
    const ChunkIndex index(count);
    EXPECT_EQ(index.size(), count);
    EXPECT_EQ(index.entries().size(), static_cast<std::size_t>(count));
    for (const frame::IndexEntry entry : index.entries()) EXPECT_TRUE(entry.is_special());
  }
}

TEST(ChunkIndex, FindsWhatWasReplacedAndKeepsOlderCopies) {
  std::mt19937 random(7);
  for (const std::int64_t count : {1, 2, 32, 33, 1024, 1025, 40000}) {
    ChunkIndex index(count);
    std::map<std::int64_t, std::uint64_t> expected;
    std::vector<std::pair<ChunkIndex, std::map<std::int64_t, std::uint64_t>>> older;
    for (std::uint64_t step = 0; step < 300; ++step) {
      if (step % 60 == 0) older.emplace_back(index, expected);
      const auto number =
          static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(count));
      index.replace(number, at(step));
      expected[number] = step;
    }
    older.emplace_back(index, expected);
    for (const auto& [copy, wanted] : older) {
      const auto entries = copy.entries();
      std::size_t replaced = 0;
      for (std::int64_t number = 0; number < count; ++number) {
        const auto it = wanted.find(number);
        const frame::IndexEntry entry = copy.entry(number);
        EXPECT_EQ(entry.raw(), entries[static_cast<std::size_t>(number)].raw());
        if (it == wanted.end()) {
          EXPECT_TRUE(entry.is_special());
          EXPECT_EQ(copy.replacement(number), nullptr);
        } else {
          EXPECT_EQ(entry.offset(), it->second);
          ++replaced;
        }
      }
      EXPECT_EQ(replaced, wanted.size());
    }
  }
}

TEST(ChunkIndex, RecordsTheSumsOfWhatWasReplaced) {
  ChunkIndex index(3);
  index.replace(
      1,
      {nullptr, frame::IndexEntry::at(0), stored_sums(std::vector<std::uint32_t>{7, 9}), {}});
  const NewTables made = tables_to_commit(index, ChunkIndex(3), {}, 2, 100);
  EXPECT_TRUE(made.pages.empty());
  const auto owner = std::make_shared<const std::vector<std::byte>>(made.sums_layer);
  const ChecksumTable table = ChecksumTable::parse({*owner, owner}, nullptr, 3, 2);
  EXPECT_EQ(table.of_chunk(0).of_block(0), 0U);
  EXPECT_EQ(table.of_chunk(1).of_block(0), 7U);
  EXPECT_EQ(table.of_chunk(1).of_block(1), 9U);
}

TEST(ChunkIndex, TellsWhatChangedSinceACopy) {
  ChunkIndex index(5000);
  std::set<std::int64_t> expected;
  std::mt19937 random(4);
  for (int i = 0; i < 300; ++i) index.replace(static_cast<std::int64_t>(random() % 5000), {});
  const ChunkIndex older = index;
  for (int i = 0; i < 300; ++i) {
    const auto number = static_cast<std::int64_t>(random() % 5000);
    index.replace(number, {});
    expected.insert(number);
  }
  std::set<std::int64_t> found;
  index.for_each_changed(older, [&](std::int64_t number) { found.insert(number); });
  EXPECT_EQ(found, expected);
  index.for_each_changed(index, [](std::int64_t) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace mlarray::store
