// Several handles on one file, saving over open files, metadata, forks.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mlarray/process.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

// Runs `body` in a forked child; true if it returned true.
template <class Body>
bool in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    bool ok = false;
    try {
      ok = body();
    } catch (...) {
    }
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Lifetime, AnArraySavesOverItsOwnFile) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({20, 20, 20});
  for (const Mode mode : {Mode::read, Mode::read_write, Mode::copy_on_write}) {
    Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 8, 8}, {4, 4, 4}));
    Array array = Array::open(path, {.mode = mode});
    array.save(path, with_layout({10, 10, 10}, {5, 5, 5}));
    EXPECT_EQ(read_all(array), voxels.data);
    const Array again = Array::open(path);
    EXPECT_EQ(read_all(again), voxels.data);
    EXPECT_EQ(again.chunk_shape(), (Shape{10, 10, 10}));
  }
}

TEST(Lifetime, AWriterGoesOnInTheFileItSavedOver) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({20, 20});
  Array::save_voxels(path, voxels.view(), int16());
  Array array = Array::open(path, {.mode = Mode::read_write});
  const std::vector<std::int16_t> ones(400, 1);
  const std::vector<std::int16_t> twos(400, 2);
  write(array, voxels.whole(), ones);
  array.save(path);
  EXPECT_EQ(read_all(Array::open(path)), ones);
  write(array, voxels.whole(), twos);
  array.close();
  EXPECT_EQ(read_all(Array::open(path)), twos);
}

TEST(Lifetime, ASecondWriterCommitsAndDetachesTheFirst) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({20, 20});
  Array::save_voxels(path, voxels.view(), int16());
  take_detached_notice();
  Array first = Array::open(path, {.mode = Mode::read_write});
  const std::vector<std::int16_t> ones(400, 1);
  write(first, voxels.whole(), ones);
  Array second = Array::open(path, {.mode = Mode::read_write});
  EXPECT_EQ(take_detached_notice(), std::vector<std::string>{path.string()});
  EXPECT_EQ(read_all(second), ones) << "committed first";
  EXPECT_THROW(write(first, voxels.whole(), ones), Error);
  EXPECT_EQ(read_all(first), ones) << "still readable";
  Array third = Array::create(path, {5}, int16());
  EXPECT_THROW(write(second, voxels.whole(), ones), Error);
  first.close();
  second.close();
  EXPECT_EQ(read_all(third), std::vector<std::int16_t>(5, 0));
  EXPECT_EQ(Array::open(path).shape(), Shape{5});
}

TEST(Lifetime, OpeningForReadingSeesWhatThisProcessWrote) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Array writer = Array::create(path, {30}, int16());
  const std::vector<std::int16_t> ones(30, 1);
  write(writer, {{0}, {30}}, ones);
  EXPECT_EQ(read_all(Array::open(path)), ones);
  EXPECT_EQ(read_all(Array::load(path)), ones);
  write(writer, {{0}, {30}}, std::vector<std::int16_t>(30, 2));
  EXPECT_TRUE(writer.writable());
}

TEST(Lifetime, AnotherProcessIsKeptFromWriting) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Array writer = Array::create(path, {30}, int16());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  // A child that is its own process: it inherited the writer, so it opens the path anew.
  const auto busy = [&](auto attempt) {
    return in_child([&] {
      try {
        attempt();
      } catch (const Error& error) {
        return error.kind() == ErrorKind::busy;
      }
      return false;
    });
  };
  EXPECT_TRUE(busy([&] { Array::open(path, {.mode = Mode::read_write}); }));
  EXPECT_TRUE(busy([&] { Array::create(path, {3}, int16()); }));
  const Voxels voxels({4});
  EXPECT_TRUE(busy([&] { Array::save_voxels(path, voxels.view(), int16()); }));
  writer.close();
  EXPECT_TRUE(in_child([&] {
    Array::open(path, {.mode = Mode::read_write}).close();
    return true;
  }));
}

TEST(Lifetime, AChildReadsWhatItInheritedAndWritesNothing) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({40, 40});
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 8}, {4, 4}));
  const Array reader = Array::open(path);
  Array writer = Array::open(path, {.mode = Mode::read_write});
  const std::vector<std::int16_t> ones(1600, 1);
  read_all(reader);
  write(writer, voxels.whole(), ones);
  EXPECT_TRUE(in_child([&] { return read_all(reader) == voxels.data; }));
  EXPECT_TRUE(in_child([&] { return read_all(writer) == ones; }));
  EXPECT_TRUE(in_child([&] {
    try {
      write(writer, voxels.whole(), voxels.data);
    } catch (const Error&) {
      writer.close();
      return true;
    }
    return false;
  }));
  EXPECT_EQ(read_all(writer), ones);
  writer.close();
  EXPECT_EQ(read_all(Array::open(path)), ones);
}

TEST(Lifetime, MetadataIsStoredAndEdited) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({8, 8, 8});
  Metadata metadata;
  metadata.set("spatial", "spacing", List{{1.0, 2.0, 3.5}});
  Array::save_voxels(path, voxels.view(), int16(), metadata);
  EXPECT_EQ(Array::open(path).metadata().spacing(), (std::vector<double>{1.0, 2.0, 3.5}));
  Array writer = Array::open(path, {.mode = Mode::read_write});
  Metadata edited = writer.metadata();
  edited.set("spatial", "spacing", List{{1.0, 5.5, 3.5}});
  writer.set_metadata(edited);
  writer.close();
  const Array again = Array::open(path);
  EXPECT_EQ(again.metadata().spacing(), (std::vector<double>{1.0, 5.5, 3.5}));
  EXPECT_EQ(read_all(again), voxels.data);
  again.save(dir.path() / "b.mla");
  EXPECT_EQ(Array::open(dir.path() / "b.mla").metadata().spacing(),
            (std::vector<double>{1.0, 5.5, 3.5}));
}

TEST(Lifetime, EveryWriterIsCommittedAtExit) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const std::vector<std::int16_t> ones(30, 1);
  Array writer = Array::create(path, {30}, int16());
  write(writer, {{0}, {30}}, ones);
  close_all_writers();
  EXPECT_TRUE(writer.closed());
  EXPECT_EQ(read_all(Array::open(path)), ones);
}

TEST(Lifetime, AFailedSaveLeavesTheOldFile) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({8, 8});
  Array::save_voxels(path, voxels.view(), int16());
  Metadata wrong;
  wrong.set("spatial", "spacing", List{{1.0, 2.0, 3.0}});
  EXPECT_THROW(Array::save_voxels(path, voxels.view(), int16(), wrong), Error);
  EXPECT_THROW(Array::save_voxels(dir.path() / "no" / "a.mla", voxels.view(), int16()), Error);
  EXPECT_EQ(read_all(Array::open(path)), voxels.data);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1U) << "nothing left behind";
}

}  // namespace
}  // namespace mlarray
