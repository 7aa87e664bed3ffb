// What a commit writes beyond what changed: at most 8 bytes a chunk and 64 KiB.
#include <gtest/gtest.h>

#include <set>

#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "mlarray/error.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::TempDir;
using test::with_layout;

struct Case {
  const char* name;
  std::int64_t chunks;
  std::int64_t blocks;  // of each
  std::int64_t filled;  // of the chunks
};

class CommitCost : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kBlock = 64;
  std::int64_t row_bytes() const { return kBlock * GetParam().blocks; }
  // Bytes of noise, which are stored as they are.
  std::vector<std::uint8_t> noise(std::int64_t rows) {
    std::vector<std::uint8_t> out(static_cast<std::size_t>(rows * row_bytes()));
    for (auto& byte : out) byte = static_cast<std::uint8_t>(random_());
    return out;
  }
  void write(Array& array, std::int64_t first, std::int64_t rows) {
    const std::vector<std::uint8_t> values = noise(rows);
    array.write({{first, 0}, {first + rows, row_bytes()}},
                {reinterpret_cast<const std::byte*>(values.data()),
                 {rows, row_bytes()},
                 {row_bytes(), 1}});
  }
  TempDir dir_;
  std::mt19937 random_{5};
};

TEST_P(CommitCost, IsBounded) {
  const Case& one = GetParam();
  const auto path = dir_ / "a.mla";
  Array array = Array::create(path, {one.chunks, row_bytes()}, DType::parse("|u1"), {},
                              with_layout({1, row_bytes()}, {1, kBlock}));
  if (one.filled > 0) write(array, 0, one.filled);
  array.flush(CommitLevel::none);
  // What changed: the streams of one chunk, its header and its block offsets.
  const std::uint64_t changed = static_cast<std::uint64_t>(row_bytes() + 8 * one.blocks + 32);
  const std::uint64_t allowed =
      changed + 8 * static_cast<std::uint64_t>(one.chunks) + (std::uint64_t{64} << 10);
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = std::filesystem::file_size(path);
    write(array, static_cast<std::int64_t>(random_() % static_cast<unsigned>(one.chunks)), 1);
    array.flush(CommitLevel::none);
    const std::uint64_t wrote = std::filesystem::file_size(path) - before;
    // Far less where nothing but zeros is in most chunks.
    EXPECT_LE(wrote, one.filled == 0 ? changed + (std::uint64_t{64} << 10) : allowed);
  }
  array.close();
  EXPECT_TRUE(Array::open(path).verify().damage.empty());
}

INSTANTIATE_TEST_SUITE_P(Session, CommitCost,
                         testing::Values(Case{"Empty", 1'000'000, 1, 0},
                                         Case{"EmptyOf16Blocks", 300'000, 16, 0},
                                         Case{"Full", 40'000, 1, 40'000},
                                         Case{"FullOf16Blocks", 20'000, 16, 20'000},
                                         Case{"Small", 100, 16, 100}),
                         [](const auto& one) { return std::string(one.param.name); });

// The parts of the index that are taken over are those of the state that was opened.
TEST(CommitIndex, IsTheSameHoweverItIsMade) {
  std::mt19937 random(9);
  for (const std::int64_t count : {4097, 4096 * 3, 20'000}) {
    std::vector<frame::IndexEntry> entries(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < entries.size(); i += 1 + random() % 3) {
      entries[i] = frame::IndexEntry::at(random());
    }
    std::vector<std::byte> previous = frame::build_index(entries);
    for (int step = 0; step < 4; ++step) {
      std::set<std::int64_t> parts;
      for (int k = 0; k < 3; ++k) {
        const auto at = static_cast<std::int64_t>(random() % static_cast<unsigned>(count));
        entries[static_cast<std::size_t>(at)] = frame::IndexEntry::at(random());
        parts.insert(at / frame::kIndexPart);
      }
      std::size_t asked = 0;
      previous = frame::build_index(
          count, previous, [&](std::int64_t part) { return parts.contains(part); },
          [&](std::int64_t number) {
            ++asked;
            return entries[static_cast<std::size_t>(number)];
          });
      EXPECT_EQ(previous, frame::build_index(entries));
      EXPECT_LE(asked, parts.size() * static_cast<std::size_t>(frame::kIndexPart));
    }
  }
}

}  // namespace
}  // namespace mlarray
