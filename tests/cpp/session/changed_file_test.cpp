// Files that somebody changes while they are open: cut short, overwritten, replaced.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::random_box;
using test::read;
using test::read_all;
using test::read_text;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

const Shape kShape = {24, 40, 40};

void save(const std::filesystem::path& path, const Voxels& voxels) {
  Metadata metadata;
  metadata.set("spatial", "spacing", List{{1.0, 2.0, 3.0}});
  Array::save_voxels(path, voxels.view(), int16(), metadata,
                     with_layout({16, 16, 16}, {8, 8, 8}));
}

// In the same file, which keeps its inode.
void overwrite(const std::filesystem::path& path, std::string_view bytes) {
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  out << bytes << std::flush;
  ASSERT_TRUE(out.good());
}

struct Options {
  Access access;
  bool verify;
};

class ChangedFile : public ::testing::TestWithParam<Options> {
 protected:
  Array open(Mode mode = Mode::read) {
    return Array::open(
        path_, {.mode = mode, .access = GetParam().access, .verify = GetParam().verify});
  }
  TempDir folder_;
  std::filesystem::path path_ = folder_ / "a.mla";
  const Voxels voxels_{kShape, 1};
};

std::string options_name(const ::testing::TestParamInfo<Options>& info) {
  return std::string(info.param.access == Access::mapped ? "Mapped" : "Buffered") +
         (info.param.verify ? "" : "Unverified");
}

INSTANTIATE_TEST_SUITE_P(Access, ChangedFile,
                         ::testing::Values(Options{Access::mapped, true},
                                           Options{Access::mapped, false},
                                           Options{Access::buffered, true},
                                           Options{Access::buffered, false}),
                         options_name);

TEST_P(ChangedFile, CutShortGivesErrorsAndNoWrongVoxels) {
  std::mt19937 random(3);
  for (int round = 0; round < 8; ++round) {
    save(path_, voxels_);
    const auto size = std::filesystem::file_size(path_);
    const Array array = open();
    std::atomic<int> wrong = 0, right = 0;
    {
      std::vector<std::jthread> readers;
      for (unsigned t = 0; t < 3; ++t) {
        readers.emplace_back([&, t] {
          std::mt19937 mine(t);
          for (int i = 0; i < 100'000; ++i) {
            const Box box = random_box(kShape, mine);
            std::vector<std::int16_t> seen;
            const auto error = test::error_of([&] { seen = read(array, box, 1); });
            if (error) return;
            ++(seen == voxels_.cut(box) ? right : wrong);
          }
          ++wrong;  // the cut was never noticed
        });
      }
      while (right < 20) std::this_thread::yield();
      std::filesystem::resize_file(path_, random() % size);
    }
    EXPECT_EQ(wrong, 0);
    const auto left = std::filesystem::file_size(path_);
    EXPECT_ERROR(read_all(array), ErrorKind::corruption, path_.string(), std::to_string(left),
                 std::to_string(size), "open it again");
    EXPECT_ERROR(array.metadata(), ErrorKind::corruption, path_.string(), std::to_string(size));
    EXPECT_ERROR(array.save(folder_ / "b.mla"), ErrorKind::corruption, path_.string());
    EXPECT_EQ(folder_.names(), std::vector<std::string>{"a.mla"});
  }
}

TEST_P(ChangedFile, OverwrittenByAnotherFileIsNoticed) {
  save(path_, voxels_);
  const Array array = open();
  const Voxels other(kShape, 2);
  save(folder_ / "other.mla", other);
  const std::string bytes = read_text(folder_ / "other.mla");
  for (const std::string& content : {bytes, bytes + std::string(100'000, 'x')}) {
    overwrite(path_, content);
    EXPECT_ERROR(read_all(array), ErrorKind::corruption, path_.string(), "overwritten",
                 "rename");
    EXPECT_ERROR(array.metadata(), ErrorKind::corruption, path_.string(), "overwritten");
  }
}

TEST_P(ChangedFile, ReplacedByRenameIsReadOnUntilItIsRefreshed) {
  save(path_, voxels_);
  Array array = open();
  EXPECT_FALSE(array.refresh());
  const Voxels other(kShape, 2);
  Array::save_voxels(folder_ / "b.mla", other.view(), int16(), {},
                     with_layout({24, 20, 40}, {8, 10, 8}));
  std::filesystem::rename(folder_ / "b.mla", path_);
  EXPECT_EQ(read_all(array), voxels_.data);
  EXPECT_EQ(array.metadata().spacing(), (std::vector<double>{1.0, 2.0, 3.0}));
  EXPECT_TRUE(array.refresh());
  EXPECT_EQ(read_all(array), other.data);
  EXPECT_EQ(array.chunk_shape(), (Shape{24, 20, 40}));
  EXPECT_FALSE(array.metadata().spacing());
  EXPECT_FALSE(array.refresh());
}

TEST_P(ChangedFile, ARefreshTakesWhatWasRestored) {
  save(path_, voxels_);
  const std::string bytes = read_text(path_);
  Array array = open();
  std::filesystem::resize_file(path_, 100);
  EXPECT_THROW(read_all(array), Error);
  EXPECT_ERROR(array.refresh(), ErrorKind::corruption, path_.string(), "100");
  EXPECT_THROW(read_all(array), Error);
  overwrite(path_, bytes);
  // What has lost bytes is not used again, though they are the same as before.
  EXPECT_TRUE(array.refresh());
  EXPECT_EQ(read_all(array), voxels_.data);
}

TEST_P(ChangedFile, NothingIsWrittenIntoAFileThatWasOverwritten) {
  const Voxels other(kShape, 2);
  save(folder_ / "other.mla", other);
  const std::string bytes = read_text(folder_ / "other.mla");
  for (const bool edited_before : {false, true}) {
    save(path_, voxels_);
    Array writer = open(Mode::read_write);
    const std::vector<std::int16_t> ones(voxels_.data.size(), 1);
    if (edited_before) write(writer, voxels_.whole(), ones);
    std::filesystem::resize_file(path_, 0);
    overwrite(path_, bytes);
    EXPECT_ERROR(write(writer, voxels_.whole(), ones), ErrorKind::corruption, path_.string());
    EXPECT_ERROR(writer.set_metadata({}), ErrorKind::corruption, path_.string());
    if (edited_before) {
      EXPECT_ERROR(writer.flush(), ErrorKind::corruption, path_.string());
    }
    writer = Array::in_memory({1}, int16());  // lets go of the file
    EXPECT_EQ(read_text(path_), bytes);
  }
}

// Another process commits; each commit writes one number everywhere.
TEST_P(ChangedFile, ReadersSeeWholeCommitsOfAnotherProcess) {
  const Shape shape = {4, 8, 8};
  constexpr int kCommits = 300;
  const auto numbered = [](int number) {
    Metadata metadata;
    metadata.set("spatial", "spacing", List{{1.0, 1.0, 1.0 + number}});
    return metadata;
  };
  Array::create(path_, shape, int16(), numbered(0), with_layout({2, 8, 8}, {2, 4, 4})).close();
  const test::Pipe ready;
  test::ChildProcess child(
      [&] {
        Array writer = Array::open(path_, {.mode = Mode::read_write});
        ready.send();
        for (int number = 1; number <= kCommits; ++number) {
          write(writer, {{0, 0, 0}, shape},
                std::vector<std::int16_t>(256, static_cast<std::int16_t>(number)));
          writer.set_metadata(numbered(number));
          writer.flush();
          if (number % 100 == 0) {
            writer.save(path_);  // by rename
          }
        }
        writer.close();
        return 0;
      },
      60);
  ready.receive();
  Array followed = open();
  int last = read_all(followed)[0], changes = 0;
  while (last < kCommits) {
    const int before = last;
    const bool changed = followed.refresh();
    for (const Array& array : {followed, open()}) {
      const auto voxels = read_all(array);
      const int number = voxels[0];
      ASSERT_EQ(voxels, std::vector<std::int16_t>(256, voxels[0])) << "of two commits";
      ASSERT_EQ(array.metadata().spacing()->at(2), 1.0 + number) << "of another commit";
      ASSERT_GE(number, last);
      last = number;
    }
    if (changed) ++changes;
    ASSERT_TRUE(changed || read_all(followed)[0] <= before);
  }
  EXPECT_GT(changes, 2);
  EXPECT_EQ(child.wait(), 0);
}

TEST(Refresh, IsAtomicForReadersOfTheObject) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  const Shape shape = {8, 16, 16};
  Array writer = Array::create(path, shape, int16(), {}, with_layout({4, 8, 8}, {2, 4, 4}));
  Array array = Array::open(path);
  std::atomic<bool> stop = false;
  std::atomic<int> mixtures = 0, backwards = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::int16_t last = 0;
        while (!stop) {
          if (t == 2) array.refresh();  // two threads refresh
          const auto seen = read(array, {{0, 0, 0}, shape}, 1);
          if (seen != std::vector<std::int16_t>(seen.size(), seen[0])) ++mixtures;
          if (seen[0] < last) ++backwards;
          last = seen[0];
        }
      });
    }
    for (std::int16_t number = 1; number <= 100; ++number) {
      write(writer, {{0, 0, 0}, shape}, std::vector<std::int16_t>(8 * 16 * 16, number));
      writer.flush();
      array.refresh();
    }
    stop = true;
  }
  EXPECT_EQ(mixtures, 0);
  EXPECT_EQ(backwards, 0);
  EXPECT_FALSE(array.refresh());
  EXPECT_EQ(read_all(array)[0], 100);
}

TEST(Refresh, IsDefinedForEveryMode) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  const Voxels voxels({8, 8});
  Array::save_voxels(path, voxels.view(), int16());
  const std::vector<std::int16_t> ones(64, 1);

  Array memory = Array::in_memory({8, 8}, int16(), voxels.view());
  Array loaded = Array::load(path);
  Array copy = Array::open(path, {.mode = Mode::copy_on_write});
  Array edited = Array::open(path, {.mode = Mode::copy_on_write});
  write(edited, voxels.whole(), ones);
  Array reader = Array::open(path);
  Array older = Array::open(path, {.mode = Mode::read_write});
  Array writer = Array::open(path, {.mode = Mode::read_write});
  write(writer, voxels.whole(), ones);

  EXPECT_FALSE(memory.refresh());
  EXPECT_FALSE(loaded.refresh());
  EXPECT_FALSE(writer.refresh());
  EXPECT_EQ(read_all(writer), ones);
  // What this process has written is committed first, as when the path is opened.
  EXPECT_TRUE(reader.refresh());
  EXPECT_EQ(read_all(reader), ones);
  EXPECT_TRUE(copy.refresh());
  EXPECT_EQ(read_all(copy), ones);
  write(copy, voxels.whole(), voxels.data);
  EXPECT_EQ(read_all(copy), voxels.data) << "still a copy that can be edited";
  EXPECT_ERROR(edited.refresh(), ErrorKind::invalid_use, path.string(), "edits in memory");
  EXPECT_TRUE(older.refresh()) << "only for reading, since a newer writer took its place";
  EXPECT_EQ(read_all(older), ones);
  EXPECT_FALSE(older.writable());
  EXPECT_TRUE(writer.writable());
  reader.close();
  EXPECT_THROW(reader.refresh(), Error);
}

TEST(Refresh, KeepsShapeAndTypeAndNeedsNoWorkingFolder) {
  const TempDir folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const Voxels voxels({8, 8});
  Array::save_voxels("a.mla", voxels.view(), int16());
  Array array = Array::open("a.mla");
  std::filesystem::current_path(before);
  const Voxels larger({8, 9});
  Array::save_voxels(folder / "a.mla", larger.view(), int16());
  EXPECT_ERROR(array.refresh(), ErrorKind::invalid_use, "a.mla", "(8, 9)", "(8, 8)",
               "open the path again");
  EXPECT_EQ(read_all(array), voxels.data);
  const Voxels other({8, 8}, 2);
  Array::save_voxels(folder / "a.mla", other.view(), int16());
  EXPECT_TRUE(array.refresh());
  EXPECT_EQ(read_all(array), other.data);
  std::filesystem::remove(folder / "a.mla");
  EXPECT_ERROR(array.refresh(), ErrorKind::not_found, "a.mla");
  EXPECT_EQ(read_all(array), other.data);
}

}  // namespace
}  // namespace mlarray
