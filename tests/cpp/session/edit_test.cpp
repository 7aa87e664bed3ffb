#include <gtest/gtest.h>

#include <thread>

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

std::vector<std::int16_t> random_values(const Box& box, std::mt19937& random) {
  std::vector<std::int16_t> out(static_cast<std::size_t>(element_count(box.shape())));
  const bool zeros = random() % 4 == 0;
  for (auto& v : out) v = zeros ? std::int16_t{0} : static_cast<std::int16_t>(random());
  return out;
}

// Random edits, checked against a plain twin after every one.
void edit_at_random(Array& array, Voxels& twin, int rounds, unsigned seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < rounds; ++i) {
    const Box box = random_box(twin.shape, random);
    const auto values = random_values(box, random);
    write(array, box, values);
    twin.put(box, values);
    const Box look = random_box(twin.shape, random);
    ASSERT_EQ(read(array, look), twin.cut(look)) << "round " << i;
    if (i % 5 == 0) array.flush();
  }
}

TEST(Edit, ReachesTheFile) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Voxels twin({17, 19, 23});
  Array::save_voxels(path, twin.view(), int16(), {}, with_layout({8, 8, 8}, {4, 4, 8}));
  Array array = Array::open(path, {.mode = Mode::read_write});
  edit_at_random(array, twin, 30, 1);
  array.close();
  const Array again = Array::open(path);
  EXPECT_EQ(read_all(again), twin.data);
  EXPECT_EQ(again.seal(), Seal::valid);
  EXPECT_EQ(static_cast<std::int64_t>(std::filesystem::file_size(path)), again.file_bytes());
}

TEST(Edit, OfACopyStaysInMemory) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels original({17, 19, 23});
  Array::save_voxels(path, original.view(), int16(), {}, with_layout({8, 8, 8}, {4, 4, 8}));
  Voxels twin = original;
  Array copy = Array::open(path, {.mode = Mode::copy_on_write});
  edit_at_random(copy, twin, 20, 2);
  copy.save(dir.path() / "b.mla");
  copy.close();
  EXPECT_EQ(read_all(Array::open(path)), original.data);
  EXPECT_EQ(read_all(Array::open(dir.path() / "b.mla")), twin.data);
}

TEST(Edit, OfAnArrayInMemory) {
  Voxels twin({17, 19, 23});
  Array array =
      Array::in_memory(twin.shape, int16(), twin.view(), {}, with_layout({8, 8, 8}, {4, 4, 8}));
  edit_at_random(array, twin, 20, 3);
}

TEST(Edit, FillsACreatedArrayOfZeros) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Voxels twin({17, 19, 23});
  std::fill(twin.data.begin(), twin.data.end(), std::int16_t{0});
  Array array = Array::create(path, twin.shape, int16(), {}, with_layout({8, 8, 8}, {4, 4, 8}));
  EXPECT_EQ(read_all(Array::open(path)), twin.data) << "committed at once";
  edit_at_random(array, twin, 30, 4);
  array.close();
  EXPECT_EQ(read_all(Array::open(path)), twin.data);
}

TEST(Edit, TakesAnyStrides) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Array array = Array::create(path, {4, 3}, int16(), {}, with_layout({2, 2}, {2, 1}));
  const std::vector<std::int16_t> data = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  // The same memory read as Fortran order, and backwards.
  array.write({{0, 0}, {4, 3}},
              {reinterpret_cast<const std::byte*>(data.data()), {4, 3}, {2, 8}});
  EXPECT_EQ(read_all(array),
            (std::vector<std::int16_t>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12}));
  array.write({{0, 0}, {4, 3}},
              {reinterpret_cast<const std::byte*>(data.data() + 11), {4, 3}, {-6, -2}});
  EXPECT_EQ(read_all(array),
            (std::vector<std::int16_t>{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST(Edit, IsInvisibleToReadersUntilItIsCommitted) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels old({16, 16});
  Array::save_voxels(path, old.view(), int16(), {}, with_layout({8, 8}, {4, 4}));
  // A reader that is no part of this library's registry: a copy of the bytes.
  const auto seen_by_others = [&] {
    std::filesystem::copy_file(path, dir.path() / "seen.mla",
                               std::filesystem::copy_options::overwrite_existing);
    return read_all(Array::open(dir.path() / "seen.mla"));
  };
  const Array reader = Array::open(path);
  Array writer = Array::open(path, {.mode = Mode::read_write});
  const std::vector<std::int16_t> values(256, 5);
  write(writer, old.whole(), values);
  EXPECT_EQ(seen_by_others(), old.data);
  EXPECT_EQ(read_all(reader), old.data);
  writer.flush();
  EXPECT_EQ(seen_by_others(), values);
  EXPECT_EQ(read_all(reader), old.data) << "an open reader keeps the state it opened";
  EXPECT_EQ(read_all(Array::open(path)), values);
}

TEST(Edit, CommitsByItselfPastTheBudget) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Array array = Array::create(path, {64, 64}, int16(), {}, with_layout({32, 32}, {16, 16}));
  array.set_commit_budget({.bytes = 1, .seconds = 1e9});
  const Voxels values({64, 64});
  write(array, values.whole(), values.data);
  std::filesystem::copy_file(path, dir.path() / "seen.mla");
  EXPECT_EQ(read_all(Array::open(dir.path() / "seen.mla")), values.data);
}

TEST(Edit, DoesNotGrowTheFileWithoutBound) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  std::mt19937 random(9);
  Voxels twin({64, 64, 64});
  for (auto& v : twin.data) v = static_cast<std::int16_t>(random());
  Array::save_voxels(path, twin.view(), int16(), {}, with_layout({32, 32, 32}, {16, 16, 16}));
  const auto size = std::filesystem::file_size(path);
  for (int i = 0; i < 100; ++i) {
    Array array = Array::open(path, {.mode = Mode::read_write});
    const Box box{{0, 0, 0}, {33, 33, 33}};
    const auto values = random_values(box, random);
    write(array, box, values);
    twin.put(box, values);
    array.close();
    ASSERT_LE(std::filesystem::file_size(path), 3 * size + (1 << 20)) << "edit " << i;
  }
  EXPECT_EQ(read_all(Array::open(path)), twin.data);
  EXPECT_EQ(Array::open(path).seal(), Seal::valid);
}

TEST(Edit, DropsWhatAKilledWriterLeftBehind) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({16, 16});
  Array::save_voxels(path, voxels.view(), int16());
  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size + 1000);
  EXPECT_EQ(read_all(Array::open(path)), voxels.data);
  Array::open(path, {.mode = Mode::read_write}).close();
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

TEST(Edit, WhileOthersReadGivesOldOrNewBlocks) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Shape shape = {32, 32, 32};
  Array array = Array::create(path, shape, int16(), {}, with_layout({16, 16, 16}, {8, 8, 8}));
  const Box block{{8, 8, 8}, {16, 16, 16}};
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::jthread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto seen = read(array, block, 1);
        if (std::any_of(seen.begin(), seen.end(), [&](auto v) { return v != seen[0]; })) ++torn;
      }
    });
  }
  for (int i = 1; i <= 40; ++i) {
    write(array, {{0, 0, 0}, shape},
          std::vector<std::int16_t>(32 * 32 * 32, static_cast<std::int16_t>(i)));
    if (i % 10 == 0) array.flush();
  }
  stop = true;
  readers.clear();
  EXPECT_EQ(torn, 0);
}

TEST(CommitName, IsThatOfWhatAReaderShows) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({16, 16});
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 16}, {8, 8}));
  const Array before = Array::open(path);
  const std::string name = before.commit_name();
  EXPECT_FALSE(name.empty());
  EXPECT_EQ(Array::open(path, {.access = Access::buffered}).commit_name(), name);
  EXPECT_EQ(Array::open(path, {.verify = false}).commit_name(), "");
  EXPECT_EQ(Array::open(path, {.mode = Mode::copy_on_write}).commit_name(), "");
  EXPECT_EQ(Array::load(path).commit_name(), "");

  Array writer = Array::open(path, {.mode = Mode::read_write});
  EXPECT_EQ(writer.commit_name(), "");
  write(writer, {{0, 0}, {1, 1}}, std::vector<std::int16_t>{-1});
  writer.close();
  EXPECT_THROW(writer.commit_name(), Error);
  EXPECT_EQ(before.commit_name(), name);
  const std::string edited = Array::open(path).commit_name();
  EXPECT_FALSE(edited.empty());
  EXPECT_NE(edited, name);
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 16}, {8, 8}));
  EXPECT_EQ(Array::open(path).commit_name(), name);
}

TEST(Edit, IsRefusedWhereItCannotBeStored) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({16, 16});
  Array::save_voxels(path, voxels.view(), int16());
  Array reader = Array::open(path);
  EXPECT_THROW(write(reader, voxels.whole(), voxels.data), Error);
  EXPECT_THROW(reader.set_metadata({}), Error);
  EXPECT_FALSE(reader.writable());
  Array writer = Array::open(path, {.mode = Mode::read_write});
  writer.close();
  writer.close();
  EXPECT_THROW(write(writer, voxels.whole(), voxels.data), Error);
  EXPECT_THROW(read_all(writer), Error);
  EXPECT_EQ(writer.shape(), voxels.shape);
}

}  // namespace
}  // namespace mlarray
