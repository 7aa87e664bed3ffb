// Readers of an object that another thread edits, flushes and closes.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::random_box;
using test::read;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

const Shape kEdited = {24, 32, 20};
const Shape kChunk = {16, 16, 12};
const Shape kEditedBlock = {8, 8, 4};

// The voxels after each of a series of random edits, known beforehand.
struct History {
  std::vector<Box> boxes;
  std::vector<Voxels> states;

  explicit History(unsigned seed) {
    constexpr std::int16_t kWrites = 50;
    std::mt19937 random(seed);
    states.emplace_back(kEdited, seed);
    for (std::int16_t i = 1; i <= kWrites; ++i) {
      boxes.push_back(random_box(kEdited, random));
      const auto count = static_cast<std::size_t>(element_count(boxes.back().shape()));
      states.push_back(states.back());
      states.back().put(boxes.back(), std::vector<std::int16_t>(count, i));
    }
  }
};

Box random_block(std::mt19937& random) {
  Box box;
  for (std::size_t a = 0; a < kEdited.size(); ++a) {
    const auto number = static_cast<std::int64_t>(random()) % (kEdited[a] / kEditedBlock[a]);
    box.start.push_back(number * kEditedBlock[a]);
    box.stop.push_back((number + 1) * kEditedBlock[a]);
  }
  return box;
}

// Any block that is read is what it was after some edit, from the last one that had ended when
// the read began to the last one that had begun when it ended.
void read_while_edited(Array& array, const History& history, bool flushes) {
  std::atomic<int> begun = 0, ended = 0, torn = 0, reads = 0;
  std::atomic<bool> stop = false;
  std::vector<std::jthread> readers;
  for (unsigned t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937 random(t);
      while (!stop) {
        const Box block = random_block(random);
        const int first = ended;
        const auto seen = read(array, block, t == 0 ? 2 : 1);
        const int last = begun;
        bool found = false;
        for (int i = first; i <= last && !found; ++i) {
          found = seen == history.states[static_cast<std::size_t>(i)].cut(block);
        }
        if (!found) ++torn;
        ++reads;
      }
    });
  }
  for (std::size_t i = 0; i < history.boxes.size(); ++i) {
    const Box& box = history.boxes[i];
    begun = static_cast<int>(i) + 1;
    write(array, box, history.states[i + 1].cut(box));
    ended = static_cast<int>(i) + 1;
    if (flushes && i % 7 == 0) array.flush();
    for (const int wanted = reads + 3; reads < wanted;) std::this_thread::yield();
  }
  stop = true;
  readers.clear();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(read_all(array), history.states.back().data);
}

TEST(ConcurrentEdit, BlocksAreOldOrNewInAFile) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  for (const Access access : {Access::mapped, Access::buffered}) {
    const History history(access == Access::mapped ? 1 : 2);
    Array::save_voxels(path, history.states[0].view(), int16(), {},
                       with_layout(kChunk, kEditedBlock));
    Array array = Array::open(path, {.mode = Mode::read_write, .access = access});
    read_while_edited(array, history, true);
    array.close();
    EXPECT_EQ(read_all(Array::open(path)), history.states.back().data);
  }
}

TEST(ConcurrentEdit, BlocksAreOldOrNewInMemory) {
  const History history(4);
  Array array = Array::in_memory(kEdited, int16(), history.states[0].view(), {},
                                 with_layout(kChunk, kEditedBlock));
  read_while_edited(array, history, false);
}

TEST(ConcurrentEdit, ClosingBesideReadersGivesTheVoxelsOrAnError) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  const Voxels voxels(kEdited);
  const std::vector<double> spacing = {1.0, 2.0, 3.0};
  Metadata metadata;
  metadata.set("spatial", "spacing", List{{1.0, 2.0, 3.0}});
  Array::save_voxels(path, voxels.view(), int16(), metadata, with_layout(kChunk, kEditedBlock));
  for (int round = 0; round < 30; ++round) {
    Array array = Array::open(path, {.mode = round % 2 == 0 ? Mode::read : Mode::read_write});
    std::atomic<int> reads = 0, wrong = 0, closed = 0;
    std::vector<std::jthread> readers;
    for (unsigned t = 0; t < 4; ++t) {
      readers.emplace_back([&, t] {
        std::mt19937 random(t);
        for (;;) {
          const Box box = random_box(kEdited, random);
          bool right = false;
          const auto error = test::error_of([&] {
            right = t == 0 ? array.metadata().spacing() == spacing
                           : read(array, box, t == 1 ? 2 : 1) == voxels.cut(box);
          });
          if (error) {
            const bool says_so = std::string(error->what()).find("closed") != std::string::npos;
            ++(says_so ? closed : wrong);
            return;
          }
          if (!right) ++wrong;
          ++reads;
        }
      });
    }
    while (reads < round) std::this_thread::yield();
    if (round % 2 != 0) write(array, voxels.whole(), voxels.data);
    array.close();
    readers.clear();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(closed, 4);
  }
}

// Enough dead space that closing rewrites the file, under readers of the old one.
TEST(ConcurrentEdit, CompactingLeavesReadersTheirState) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  std::mt19937 random(5);
  Voxels voxels({64, 64, 64});
  for (auto& v : voxels.data) v = static_cast<std::int16_t>(random());
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({32, 32, 32}, {16, 16, 16}));
  const Array reader = Array::open(path);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> readers;
  for (unsigned t = 0; t < 2; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937 mine(t);
      while (!stop) {
        const Box box = random_box(voxels.shape, mine);
        if (read(reader, box, 1) != voxels.cut(box)) ++wrong;
      }
    });
  }
  Array writer = Array::open(path, {.mode = Mode::read_write});
  const std::vector<std::int16_t> reversed(voxels.data.rbegin(), voxels.data.rend());
  for (int i = 0; i < 3; ++i) write(writer, voxels.whole(), reversed);
  writer.flush();
  const auto before = std::filesystem::file_size(path);
  writer.close();
  EXPECT_LT(std::filesystem::file_size(path), before / 2) << "not compacted";
  EXPECT_EQ(read_all(Array::open(path)), reversed);
  stop = true;
  readers.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace mlarray
