#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <limits>
#include <string>

#include "io/file.hpp"
#include "io/system.hpp"
#include "support/bytes.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::bytes_of;
using test::ChildProcess;
using test::Pipe;
using test::read_text;
using test::TempDir;
using test::write_text;

bool is_busy(const std::filesystem::path& path) {
  const auto error = test::error_of([&] { WritableFile::open(path); });
  return error && error->kind() == ErrorKind::busy;
}

TEST(WritableFile, WritesByPosition) {
  const TempDir folder;
  write_text(folder / "a", "0123456789");
  WritableFile file = WritableFile::open(folder / "a");
  EXPECT_EQ(file.path(), (folder / "a").string());
  file.write_at(3, bytes_of("abc"));
  file.write_at(12, bytes_of("z"));
  file.write_at(0, {});
  EXPECT_EQ(file.size(), 13u);
  EXPECT_EQ(read_text(folder / "a"), std::string("012abc6789\0\0z", 13));
  file.truncate(4);
  EXPECT_EQ(read_text(folder / "a"), "012a");
  file.sync();
}

TEST(WritableFile, RefusesWhatCannotBeWritten) {
  const TempDir folder;
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::not_found, (folder / "a").string());
  EXPECT_ERROR(WritableFile::open(folder.path()), ErrorKind::io, "is a folder");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(WritableFile::open(folder / "pipe"), ErrorKind::io, "not a regular file");
}

TEST(WritableFile, IdentifiesTheFile) {
  const TempDir folder;
  write_text(folder / "a", "");
  write_text(folder / "b", "");
  std::filesystem::create_symlink("a", folder / "link");
  std::filesystem::create_symlink("nothing", folder / "dangling");
  const WritableFile file = WritableFile::open(folder / "link");
  EXPECT_EQ(file_id(folder / "a"), file.id());
  EXPECT_EQ(file_id(folder / "link"), file.id());
  EXPECT_NE(file_id(folder / "b"), file.id());
  EXPECT_EQ(file_id(folder / "c"), std::nullopt);
  EXPECT_EQ(file_id(folder / "a" / "c"), std::nullopt);
  EXPECT_EQ(file_id(folder / "dangling"), std::nullopt);
}

TEST(WritableFile, IsBusyWhileAnotherProcessHoldsIt) {
  const TempDir folder;
  write_text(folder / "a", "");
  const Pipe opened, finish;
  ChildProcess child([&] {
    const WritableFile file = WritableFile::open(folder / "a");
    opened.send();
    finish.receive();
    return 0;
  });
  opened.receive();
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::busy, (folder / "a").string(),
               "another process", "read-only");
  EXPECT_EQ(read_text(folder / "a"), "");  // reading goes on
  finish.send();
  EXPECT_EQ(child.wait(), 0);
  WritableFile::open(folder / "a");
}

TEST(WritableFile, IsFreeAfterItsOwnerWasKilled) {
  const TempDir folder;
  write_text(folder / "a", "");
  const Pipe opened, never;
  ChildProcess child([&] {
    const WritableFile file = WritableFile::open(folder / "a");
    opened.send();
    never.receive();
    return 0;
  });
  opened.receive();
  EXPECT_TRUE(is_busy(folder / "a"));
  ::kill(child.pid(), SIGKILL);
  EXPECT_EQ(child.wait(), -SIGKILL);
  EXPECT_FALSE(is_busy(folder / "a"));
}

TEST(WritableFile, WaitsForALockHeldOnlyForAMoment) {
  const TempDir folder;
  write_text(folder / "a", "");
  bool busy = true;
  for (int round = 0; busy && round < 5; ++round) {  // the child may get no processor in time
    const Pipe opened;
    ChildProcess child([&] {
      const WritableFile file = WritableFile::open(folder / "a");
      opened.send();
      ::usleep(4000);
      return 0;
    });
    opened.receive();
    busy = is_busy(folder / "a");
    EXPECT_EQ(child.wait(), 0);
  }
  EXPECT_FALSE(busy);
}

TEST(WritableFile, MovesWithItsLock) {
  const TempDir folder;
  write_text(folder / "a", "");
  write_text(folder / "b", "");
  WritableFile first = WritableFile::open(folder / "a");
  WritableFile second = std::move(first);
  EXPECT_TRUE(is_busy(folder / "a"));
  second.write_at(0, bytes_of("moved"));
  WritableFile third = WritableFile::open(folder / "b");
  third = std::move(second);  // closes b
  EXPECT_FALSE(is_busy(folder / "b"));
  EXPECT_TRUE(is_busy(folder / "a"));
  third.abandon();
  EXPECT_FALSE(is_busy(folder / "a"));
  EXPECT_EQ(read_text(folder / "a"), "moved");
}

TEST(WritableFile, KeepsItsLockWhenAForkedChildDropsItsCopy) {
  const TempDir folder;
  write_text(folder / "a", "");
  std::optional<WritableFile> file = WritableFile::open(folder / "a");
  EXPECT_EQ(test::run_in_child([&] {
              file.reset();
              return 0;
            }),
            0);
  EXPECT_TRUE(is_busy(folder / "a"));
  EXPECT_EQ(test::run_in_child([&] {
              file->abandon();
              return 0;
            }),
            0);
  EXPECT_TRUE(is_busy(folder / "a"));
}

TEST(WritableFile, ReleasesItsLockWhenAForkedChildStillHasTheDescriptor) {
  const TempDir folder;
  write_text(folder / "a", "");
  std::optional<WritableFile> file = WritableFile::open(folder / "a");
  const Pipe finish;
  ChildProcess child([&] {
    finish.receive();
    return 0;
  });
  EXPECT_TRUE(is_busy(folder / "a"));
  file.reset();
  EXPECT_FALSE(is_busy(folder / "a"));
  finish.send();
  EXPECT_EQ(child.wait(), 0);
}

TEST(WritableFile, LocksTheFileThatThePathNamesAfterAReplacement) {
  const TempDir folder;
  write_text(folder / "a", "old");
  write_text(folder / "b", "new");
  const Pipe opened;
  ChildProcess child([&] {
    const WritableFile file = WritableFile::open(folder / "a");
    opened.send();
    ::usleep(4000);  // the parent has opened the old file by now, and waits for its lock
    std::filesystem::rename(folder / "b", folder / "a");
    return 0;
  });
  opened.receive();
  std::optional<WritableFile> file;
  while (!file) {  // more than once only where the child gets no processor in time
    try {
      file = WritableFile::open(folder / "a");
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::busy) << error.what();
    }
  }
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(file->id(), file_id(folder / "a"));
}

TEST(WritableFile, ErrorsHaveErrnoAndPath) {
  const TempDir folder;
  const std::string missing = (folder / "a").string();
  EXPECT_EQ(test::system_error_of([&] { WritableFile::open(missing); }),
            std::to_string(ENOENT) + " " + missing);
  std::filesystem::create_symlink("nowhere", folder / "link");
  EXPECT_EQ(test::system_error_of([&] { WritableFile::open(folder / "link"); }),
            std::to_string(ENOENT) + " " + (folder / "link").string());
  write_text(folder / "b", "text");
  const WritableFile held = WritableFile::open(folder / "b");
  EXPECT_EQ(test::system_error_of([&] { WritableFile::open(folder / "b"); }),
            std::to_string(EWOULDBLOCK) + " " + (folder / "b").string());
  const system::Descriptor full(::open("/dev/full", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(
      test::system_error_of([&] { system::write_at(full.get(), 7, bytes_of("a"), "name"); }),
      std::to_string(ENOSPC) + " name");
}

TEST(WritableFile, ReportsAFullDisk) {
  const int fd = ::open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const system::Descriptor full(fd);
  EXPECT_ERROR(system::write_at(full.get(), 77, bytes_of("abc"), "the-name"), ErrorKind::io,
               "the-name", "3 bytes at offset 77", "No space left", "free some space");
}

TEST(WritableFile, ReportsAWriteThatStopsHalfWay) {
  const TempDir folder;
  write_text(folder / "a", "");
  const int status = test::run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {8192, 8192};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    WritableFile file = WritableFile::open(folder / "a");
    const std::string big(20'000, 'x');
    const auto error = test::error_of([&] { file.write_at(100, bytes_of(big)); });
    if (!error || error->kind() != ErrorKind::io) return 1;
    const std::string message = error->what();
    for (const char* part :
         {"20000 bytes at offset 100", "stopped after 8092", "File too large", "ulimit"}) {
      if (message.find(part) == std::string::npos) return 2;
    }
    return file.size() == 8192 ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

TEST(WritableFile, RefusesOffsetsBeyondWhatTheSystemKnows) {
  const TempDir folder;
  write_text(folder / "a", "");
  WritableFile file = WritableFile::open(folder / "a");
  constexpr std::uint64_t kFar = std::numeric_limits<std::uint64_t>::max();
  EXPECT_ERROR(file.write_at(kFar, bytes_of("abc")), ErrorKind::io, std::to_string(kFar));
  EXPECT_ERROR(file.truncate(kFar), ErrorKind::io, std::to_string(kFar));
  EXPECT_EQ(file.size(), 0u);
}

}  // namespace
}  // namespace mlarray::io
