// Who writes a file, what a call that fails leaves behind, and who waits for whom.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "mlarray/process.hpp"
#include "support/errors.hpp"
#include "support/rounds.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

#ifndef _WIN32
#include <sys/mman.h>

#include "io/system_calls.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read;
using test::read_all;
using test::rounds;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

const Shape kShape = {16, 16, 16};

SaveOptions small_layout() { return with_layout({8, 8, 8}, {4, 4, 8}); }

std::vector<std::int16_t> all_of(std::int16_t value, const Box& box) {
  return std::vector<std::int16_t>(static_cast<std::size_t>(element_count(box.shape())), value);
}

// The real calls, but for those that the test lets fail, and a record of their order.
class Watched final : public io::SystemCalls {
 public:
  std::atomic<bool> fail_sync = false;
  std::atomic<bool> refuse_maps = false;
  std::atomic<bool> fail_reads = false;
  std::atomic<int> writes_left = -1;  // -1: any number
  std::string order;                  // w write, s sync, r rename, f folder or file synced

  int fdatasync(int fd) override {
    if (fail_sync.exchange(false)) return failed(EIO);
    order += 's';
    return SystemCalls::fdatasync(fd);
  }
  int fsync(int fd) override {
    if (fail_sync.exchange(false)) return failed(EIO);
    order += 's';
    return SystemCalls::fsync(fd);
  }
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override {
    if (writes_left == 0) return failed(ENOSPC);
    if (writes_left > 0) --writes_left;
    order += 'w';
    return SystemCalls::pwrite(fd, from, size, offset);
  }
  ssize_t pread(int fd, void* to, std::size_t size, off_t offset) override {
    if (fail_reads) return failed(EIO);
    return SystemCalls::pread(fd, to, size, offset);
  }
  int rename(const char* from, const char* to) override {
    order += 'r';
    return SystemCalls::rename(from, to);
  }
  void* mmap(int fd, std::size_t size) override {
    if (!refuse_maps) return SystemCalls::mmap(fd, size);
    errno = ENODEV;
    return MAP_FAILED;
  }

 private:
  static int failed(int code) {
    errno = code;
    return -1;
  }
};

class Session : public ::testing::Test {
 protected:
  Session() { Array::save_voxels(path_, voxels_.view(), int16(), {}, small_layout()); }
  Array open_to_write(CommitLevel level = CommitLevel::ordered,
                      Access access = Access::mapped) {
    return Array::open(path_, {.mode = Mode::read_write, .access = access, .level = level});
  }

  TempDir folder_;
  std::filesystem::path path_ = folder_ / "a.mla";
  Voxels voxels_{kShape};
};

TEST_F(Session, SyncsBeforeTheFlipAndAfterItAsTheLevelSays) {
  for (const auto& [level, wanted] :
       {std::pair{CommitLevel::none, "ww"}, std::pair{CommitLevel::ordered, "wsw"},
        std::pair{CommitLevel::durable, "wswss"}}) {
    Array image = open_to_write(level);
    write(image, {{0, 0, 0}, {8, 8, 8}}, all_of(5, {{0, 0, 0}, {8, 8, 8}}));
    Watched calls;
    const io::ScopedSystemCalls scope(calls);
    image.flush();
    EXPECT_EQ(calls.order, wanted);
  }
}

TEST_F(Session, NewFilesReachTheDiskBeforeTheirName) {
  for (const auto& [level, wanted] :
       {std::pair{CommitLevel::none, "wr"}, std::pair{CommitLevel::ordered, "wsr"},
        std::pair{CommitLevel::durable, "wsrs"}}) {
    SaveOptions options = small_layout();
    options.level = level;
    Watched calls;
    const io::ScopedSystemCalls scope(calls);
    Array::save_voxels(path_, voxels_.view(), int16(), {}, options);
    const std::size_t last = calls.order.rfind('w');
    ASSERT_NE(last, std::string::npos);
    EXPECT_EQ(calls.order.substr(last), wanted);
  }
}

TEST_F(Session, CompactingReachesTheDiskBeforeItTakesTheName) {
  for (const CommitLevel level : {CommitLevel::none, CommitLevel::ordered}) {
    Voxels noise({64, 64, 64});
    std::mt19937 random(5);
    for (auto& v : noise.data) v = static_cast<std::int16_t>(random());
    Array::save_voxels(path_, noise.view(), int16(), {},
                       with_layout({32, 32, 32}, {16, 16, 16}));
    Array image = open_to_write(level);
    for (int i = 0; i < 3; ++i) write(image, noise.whole(), noise.data);
    image.flush(CommitLevel::durable);
    const auto before = std::filesystem::file_size(path_);
    Watched calls;
    const io::ScopedSystemCalls scope(calls);
    image.close();
    EXPECT_LT(std::filesystem::file_size(path_), before / 2) << "not compacted";
    EXPECT_NE(calls.order.find("wsr"), std::string::npos) << calls.order;
  }
}

TEST_F(Session, AFailedSyncBeforeTheFlipLeavesTheOldState) {
  Array image = open_to_write();
  const Box box{{0, 0, 0}, {8, 8, 8}};
  write(image, box, all_of(5, box));
  {
    Watched calls;
    calls.fail_sync = true;
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(image.flush(), ErrorKind::io, path_.string(), "sync");
  }
  EXPECT_ERROR(write(image, box, all_of(6, box)), ErrorKind::io, "sync");
  EXPECT_EQ(read(image, box), all_of(5, box)) << "what it wrote, it still reads";
  EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
  EXPECT_ERROR(image.close(), ErrorKind::io, "sync");
  EXPECT_EQ(read_all(open_to_write()), voxels_.data) << "and the path is free again";
}

// The flip is in the file then: an edit that came after it must not be written over its tail.
TEST_F(Session, AFailedSyncAfterTheFlipLeavesTheNewStateAndEndsWriting) {
  Array image = open_to_write(CommitLevel::durable);
  const Box box{{0, 0, 0}, {8, 8, 8}};
  write(image, box, all_of(5, box));
  voxels_.put(box, all_of(5, box));
  class SecondSync final : public io::SystemCalls {
   public:
    int fdatasync(int fd) override {
      if (++syncs_ != 2) return SystemCalls::fdatasync(fd);
      errno = EIO;
      return -1;
    }

   private:
    int syncs_ = 0;
  } calls;
  {
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(image.flush(), ErrorKind::io, "power cut");
  }
  EXPECT_ERROR(write(image, box, all_of(6, box)), ErrorKind::io, "power cut");
  EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
  EXPECT_ERROR(image.close(), ErrorKind::io, "power cut");
  EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
  EXPECT_TRUE(Array::open(path_).verify().verified());
}

TEST_F(Session, AnEditThatThrowsHasChangedNothing) {
  for (const Access access : {Access::mapped, Access::buffered}) {
    Array image = open_to_write(CommitLevel::ordered, access);
    const Box first{{0, 0, 0}, {8, 8, 8}};
    {
      Watched calls;
      calls.writes_left = 3;
      const io::ScopedSystemCalls scope(calls);
      EXPECT_ERROR(write(image, voxels_.whole(), all_of(9, voxels_.whole())), ErrorKind::io,
                   path_.string(), "space");
    }
    EXPECT_EQ(read_all(image), voxels_.data);
    EXPECT_ERROR(write(image, first, all_of(1, first)), ErrorKind::io, "space");
    EXPECT_ERROR(image.flush(), ErrorKind::io, "space");
    EXPECT_ERROR(image.close(), ErrorKind::io, "space");
    EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
    EXPECT_EQ(static_cast<std::int64_t>(std::filesystem::file_size(path_)),
              Array::open(path_).file_bytes())
        << "a full disk gets back what was appended";
  }
}

TEST_F(Session, WhatAnEditKeepsOfAChunkIsVerifiedWhateverWasAskedFor) {
  const auto size = std::filesystem::file_size(path_);
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  const std::uintmax_t at = size / 3;  // among the voxels, which are stored as they are
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte ^ 0x5a));
  file.close();
  const VerifyReport report = Array::open(path_, {.verify = false}).verify();
  ASSERT_EQ(report.damage.size(), 1U);
  ASSERT_GE(report.damage[0].block, 0);
  // Another block of that chunk.
  const Box chunk = report.damage[0].voxels;
  Box box{chunk.start, chunk.start};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.start[axis] = box.start[axis] / 8 * 8 + (chunk.start[axis] % 8 == 0 ? 7 : 0);
    box.stop[axis] = box.start[axis] + 1;
  }
  Array image = Array::open(path_, {.mode = Mode::read_write, .verify = false});
  EXPECT_ERROR(write(image, box, {7}), ErrorKind::corruption, path_.string(), "checksum");
  image.close();
  EXPECT_TRUE(Array::open(path_).verify().damaged());
}

// Another thread edits and flushes while this one saves over the file.
TEST_F(Session, SavingOverItsOwnFileLosesNoEditOfAnotherThread) {
  for (int round = 0; round < 12; ++round) {
    Array image = open_to_write();
    const Box box{{8, 8, 8}, {9, 9, 9}};
    std::atomic<bool> stop = false;
    std::int16_t last = read(image, box).front();
    std::thread editor([&] {
      for (std::int16_t value = 1; !stop; ++value) {
        write(image, box, {value});
        image.flush();
        last = value;
      }
    });
    for (int i = 0; i < 3; ++i) image.save(path_, small_layout());
    stop = true;
    editor.join();
    image.close();
    EXPECT_EQ(read(Array::open(path_), box), std::vector{last});
  }
}

TEST_F(Session, EditsReachTheFileThatWasSavedOverWhereMapsAreRefused) {
  Array image = open_to_write(CommitLevel::ordered, Access::buffered);
  Watched calls;
  calls.refuse_maps = true;
  const io::ScopedSystemCalls scope(calls);
  image.save(path_, small_layout());
  const Box box{{0, 0, 0}, {3, 3, 3}};
  write(image, box, all_of(4, box));
  image.close();
  EXPECT_EQ(read(Array::open(path_, {.access = Access::buffered}), box), all_of(4, box));
}

TEST_F(Session, ASaveThatCannotGoOnWithTheNewFileLeavesTheOldOne) {
  Array image = open_to_write();
  const Box box{{0, 0, 0}, {3, 3, 3}};
  {
    Watched calls;
    calls.refuse_maps = calls.fail_reads = true;
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(image.save(path_, small_layout()), ErrorKind::io, "read");
  }
  write(image, box, all_of(4, box));
  image.close();
  EXPECT_EQ(read(Array::open(path_), box), all_of(4, box));
}

// As some file systems do. What would be looked at in a map is read.
TEST_F(Session, WhereMapsAreRefusedFilesAreReadAllTheSame) {
  Watched calls;
  calls.refuse_maps = true;
  const io::ScopedSystemCalls scope(calls);
  const Array image = Array::open(path_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(test::read_all(image), voxels_.data);
  EXPECT_TRUE(image.verify().damage.empty());
}

TEST_F(Session, AFailedOpenForWritingLeavesTheOlderWriter) {
  take_detached_notice();  // of other tests
  Array older = open_to_write();
  const Box box{{0, 0, 0}, {3, 3, 3}};
  {
    Watched calls;
    calls.refuse_maps = calls.fail_reads = true;
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(open_to_write(), ErrorKind::io, "read");
  }
  EXPECT_TRUE(older.writable());
  write(older, box, all_of(4, box));
  older.close();
  EXPECT_EQ(read(Array::open(path_), box), all_of(4, box));
  EXPECT_TRUE(take_detached_notice().empty());
}

TEST_F(Session, TheNewerOfTwoWritersWinsWhoeverOpensAtTheSameTime) {
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> failed = 0;
    std::vector<std::optional<Array>> opened(4);
    {
      std::vector<std::jthread> threads;
      for (auto& image : opened) {
        threads.emplace_back([&] {
          try {
            image = open_to_write();
          } catch (const Error&) {
            ++failed;
          }
        });
      }
    }
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(std::count_if(opened.begin(), opened.end(),
                            [](const auto& image) { return image && image->writable(); }),
              1);
  }
  take_detached_notice();
}

TEST_F(Session, ACreatedFileHasOneWriterWhoeverCreatesItAtTheSameTime) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::optional<Array>> made(3);
    {
      std::vector<std::jthread> threads;
      for (auto& image : made) {
        threads.emplace_back(
            [&] { image = Array::create(folder_ / "new.mla", kShape, int16()); });
      }
    }
    int writable = 0;
    for (auto& image : made) {
      if (!image->writable()) continue;
      ++writable;
      write(*image, voxels_.whole(), voxels_.data);
      image->close();
    }
    EXPECT_EQ(writable, 1);
    EXPECT_EQ(read_all(Array::open(folder_ / "new.mla")), voxels_.data);
    std::filesystem::remove(folder_ / "new.mla");
  }
  take_detached_notice();
}

// Stops the first write to one file until it is let go.
class Stopping final : public io::SystemCalls {
 public:
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override {
    std::unique_lock lock(mutex_);
    if (!stopped_) {
      stopped_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return released_; });
    }
    lock.unlock();
    return SystemCalls::pwrite(fd, from, size, offset);
  }
  void wait_until_stopped() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  bool released_ = false;
};

TEST_F(Session, NothingWaitsForAWriteToAnotherFileAndNoReaderForAnyWrite) {
  const auto other = folder_ / "b.mla";
  Array::save_voxels(other, voxels_.view(), int16(), {}, small_layout());
  Array writer = open_to_write();
  const Array reader = Array::open(path_);
  Stopping calls;
  const io::ScopedSystemCalls scope(calls);
  const Box box{{0, 0, 0}, {8, 8, 8}};
  std::thread thread([&] { write(writer, box, all_of(3, box)); });
  calls.wait_until_stopped();
  // All of this would wait for ever.
  EXPECT_EQ(read_all(reader), voxels_.data);
  EXPECT_EQ(read_all(writer), voxels_.data);
  EXPECT_EQ(writer.shape(), kShape);
  EXPECT_NO_THROW(writer.metadata());
  EXPECT_EQ(read_all(Array::open(other)), voxels_.data);
  Array second = Array::open(other, {.mode = Mode::read_write});
  write(second, box, all_of(1, box));
  second.close();
  Array::save_voxels(folder_ / "c.mla", voxels_.view(), int16(), {}, small_layout());
  calls.release();
  thread.join();
  EXPECT_EQ(read(writer, box), all_of(3, box));
}

// What was created at `none` gets the level that a flush asks for, without another commit.
TEST_F(Session, AFlushRaisesTheLevelOfWhatIsThere) {
  SaveOptions options = small_layout();
  options.level = CommitLevel::none;
  Array image = Array::create(folder_ / "new.mla", kShape, int16(), {}, options);
  Watched calls;
  const io::ScopedSystemCalls scope(calls);
  image.flush(CommitLevel::none);
  EXPECT_EQ(calls.order, "");
  image.flush(CommitLevel::ordered);
  EXPECT_EQ(calls.order, "s");
  image.flush(CommitLevel::ordered);
  EXPECT_EQ(calls.order, "s");
  image.flush(CommitLevel::durable);
  EXPECT_EQ(calls.order, "sss") << "the file and its name";
  image.flush(CommitLevel::durable);
  EXPECT_EQ(calls.order, "sss");
}

// A commit by the budget whose last sync fails: the edit is in the file, and stays whole.
TEST_F(Session, AnEditAfterAFailedDurableCommitOverwritesNothing) {
  Array image = open_to_write(CommitLevel::durable);
  image.set_commit_budget({.bytes = 1, .seconds = 1e9});
  class NoFolder final : public io::SystemCalls {
   public:
    int fsync(int) override {  // of the folder; files use fdatasync
      errno = ENOENT;
      return -1;
    }
  } calls;
  const Box box{{0, 0, 0}, {8, 8, 8}};
  {
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(write(image, box, all_of(5, box)), ErrorKind::io, "power cut");
  }
  voxels_.put(box, all_of(5, box));
  EXPECT_ERROR(write(image, voxels_.whole(), all_of(6, voxels_.whole())), ErrorKind::io);
  EXPECT_ERROR(image.close(), ErrorKind::io, "power cut");
  EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
}

TEST_F(Session, AReplacedWriterIsDetachedAlsoWhereTheNameMayNotSurvive) {
  Array older = open_to_write();
  SaveOptions options = small_layout();
  options.level = CommitLevel::durable;
  class NoFolder final : public io::SystemCalls {
   public:
    int rename(const char* from, const char* to) override {
      renamed_ = true;
      return SystemCalls::rename(from, to);
    }
    int fsync(int fd) override {
      if (!renamed_) return SystemCalls::fsync(fd);
      errno = EIO;
      return -1;
    }

   private:
    bool renamed_ = false;
  } calls;
  {
    const io::ScopedSystemCalls scope(calls);
    EXPECT_ERROR(Array::save_voxels(path_, voxels_.view(), int16(), {}, options), ErrorKind::io,
                 "was replaced");
  }
  EXPECT_FALSE(older.writable());
  EXPECT_ERROR(write(older, {{0, 0, 0}, {1, 1, 1}}, {1}), ErrorKind::invalid_use);
  take_detached_notice();
}

// A newer writer takes the file of one whose edits could not be committed.
TEST_F(Session, AWriterThatLostItsEditsSaysSoAndShowsWhatIsInTheFile) {
  for (const Access access : {Access::mapped, Access::buffered}) {
    Array older = open_to_write(CommitLevel::ordered, access);
    const Box box{{0, 0, 0}, {8, 8, 8}};
    write(older, box, all_of(5, box));
    Watched calls;
    calls.fail_sync = true;
    std::optional<Array> newer;
    {
      const io::ScopedSystemCalls scope(calls);
      newer = open_to_write(CommitLevel::ordered, access);
    }
    write(*newer, voxels_.whole(), all_of(7, voxels_.whole()));
    EXPECT_EQ(read_all(older), voxels_.data);
    newer->close();
    EXPECT_EQ(read_all(older), voxels_.data);
    EXPECT_ERROR(older.close(), ErrorKind::io, "sync");
    Array::save_voxels(path_, voxels_.view(), int16(), {}, small_layout());
  }
  take_detached_notice();
}

// The last handle goes while others open, save and look for writers of the same path.
TEST_F(Session, WritersMayGoWhileOthersComeToTheSamePath) {
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 40; ++round) {
          try {
            if (i == 3) {
              Array::save_voxels(path_, voxels_.view(), int16(), {}, small_layout());
              continue;
            }
            Array image = open_to_write(i == 0 ? CommitLevel::none : CommitLevel::ordered);
            write(image, {{0, 0, 0}, {8, 8, 8}}, all_of(1, {{0, 0, 0}, {8, 8, 8}}));
          } catch (const Error& error) {
            if (error.kind() != ErrorKind::invalid_use) {  // superseded is in order
              ++failed;
              ADD_FAILURE() << error.what();
            }
          }
        }
      });
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(Array::open(path_).verify().verified());
  take_detached_notice();
}

TEST_F(Session, TenThousandEditsLeaveAFileOfAboutTheSizeOfAFreshOne) {
  std::mt19937 random(11);
  Voxels noise({48, 48, 48});
  for (auto& v : noise.data) v = static_cast<std::int16_t>(random());
  Array::save_voxels(path_, noise.view(), int16(), {}, with_layout({16, 16, 16}, {8, 8, 16}));
  const auto fresh = std::filesystem::file_size(path_);
  std::uintmax_t largest = 0;
  {
    Array image = open_to_write(CommitLevel::none);
    for (int i = 0; i < rounds(10'000); ++i) {
      Box box;
      for (int axis = 0; axis < 3; ++axis) {
        box.start.push_back(static_cast<std::int64_t>(random() % 40));
        box.stop.push_back(box.start.back() + 1 + static_cast<std::int64_t>(random() % 8));
      }
      std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(box.shape())));
      for (auto& v : values) v = static_cast<std::int16_t>(random());
      write(image, box, values);
      noise.put(box, values);
      if (i % 100 == 0) {
        image.flush();
        largest = std::max(largest, std::filesystem::file_size(path_));
      }
    }
    EXPECT_EQ(read_all(image), noise.data);
  }
  EXPECT_LE(largest, 3 * fresh + (std::uintmax_t{64} << 20));
  EXPECT_LT(std::filesystem::file_size(path_), fresh * 3 / 2);
  EXPECT_EQ(read_all(Array::open(path_)), noise.data);
  EXPECT_TRUE(Array::open(path_).verify().verified());
}

}  // namespace
}  // namespace mlarray

#endif  // !_WIN32
