// What the layer makes of system calls that are interrupted, do half of their work, or fail.
#include "io/system_calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>

#include "io/file.hpp"
#include "io/system.hpp"
#include "io/temporary.hpp"
#include "support/bytes.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::bytes_of;
using test::read_text;
using test::TempDir;
using test::write_text;

// The real calls, but for one name: that one fails with `code` for `times` calls.
class Failing final : public SystemCalls {
 public:
  Failing(std::string name, int code, int times = 1000)
      : name_(std::move(name)), code_(code), left_(times) {}

  int count(const std::string& name) const {
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }

  int open(const char* path, int flags, mode_t mode) override {
    return fails("open") ? -1 : SystemCalls::open(path, flags, mode);
  }
  int close(int fd) override {
    const int result = SystemCalls::close(fd);  // a close that fails has closed
    return fails("close") ? -1 : result;
  }
  ssize_t pread(int fd, void* to, std::size_t size, off_t offset) override {
    return fails("pread") ? -1
                          : SystemCalls::pread(fd, to, std::min<std::size_t>(size, 3), offset);
  }
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override {
    return fails("pwrite")
               ? -1
               : SystemCalls::pwrite(fd, from, std::min<std::size_t>(size, 3), offset);
  }
  int ftruncate(int fd, off_t size) override {
    return fails("ftruncate") ? -1 : SystemCalls::ftruncate(fd, size);
  }
  ssize_t readlink(const char* path, char* to, std::size_t size) override {
    return fails("readlink") ? -1 : SystemCalls::readlink(path, to, size);
  }
  int rename_new(const char* from, const char* to) override {
    return fails("rename_new") ? -1 : SystemCalls::rename_new(from, to);
  }
  int fsync(int fd) override { return fails("fsync") ? -1 : SystemCalls::fsync(fd); }
  int fdatasync(int fd) override {
    return fails("fdatasync") ? -1 : SystemCalls::fdatasync(fd);
  }
  int start_writeback(int fd, off_t offset, off_t size) override {
    return fails("start_writeback") ? -1 : SystemCalls::start_writeback(fd, offset, size);
  }

 private:
  bool fails(const std::string& name) {
    ++calls_[name];
    if (name != name_ || left_ == 0) return false;
    --left_;
    errno = code_;
    return true;
  }

  std::string name_;
  int code_;
  int left_;
  std::map<std::string, int> calls_;
};

TEST(SystemCalls, InterruptedCallsAreRepeated) {
  const TempDir folder;
  for (const std::string name :
       {"open", "pread", "pwrite", "ftruncate", "fsync", "fdatasync", "close"}) {
    write_text(folder / "a", "0123456789");
    Failing calls(name, EINTR, 2);
    const ScopedSystemCalls scope(calls);
    WritableFile file = WritableFile::open(folder / "a");
    file.write_at(2, bytes_of("abcdefg"));  // three bytes at a time
    file.truncate(9);
    file.sync();
    file.sync_data();
    file.close();
    std::string text(9, ' ');
    open_buffered(folder / "a")->read({0, 9}, std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(text, "01abcdefg") << name;
    EXPECT_GT(calls.count(name), name == "close" ? 1 : 2) << name;
  }
}

TEST(SystemCalls, AFailedOneNamesPathAndReason) {
  const TempDir folder;
  const std::string path = (folder / "a").string();
  for (const std::string name : {"pwrite", "ftruncate", "fsync", "fdatasync", "close"}) {
    for (const int code : {EIO, ENOSPC, EDQUOT}) {
      write_text(folder / "a", "0123456789");
      Failing calls(name, code);
      const ScopedSystemCalls scope(calls);
      WritableFile file = WritableFile::open(folder / "a");
      const auto all = [&] {
        file.write_at(0, bytes_of("abc"));
        file.truncate(9);
        file.sync();
        file.sync_data();
        file.close();
      };
      EXPECT_ERROR(all(), ErrorKind::io, path, std::generic_category().message(code));
    }
  }
}

TEST(SystemCalls, ADescriptorIsClosedOnceWhateverCloseSays) {
  const TempDir folder;
  write_text(folder / "a", "");
  for (const int code : {EINTR, EIO}) {
    Failing calls("close", code);
    const ScopedSystemCalls scope(calls);
    {
      WritableFile file = WritableFile::open(folder / "a");
      EXPECT_EQ(test::error_of([&] { file.close(); }).has_value(), code == EIO);
      EXPECT_NO_THROW(file.close());  // nothing is left to close
    }
    EXPECT_EQ(calls.count("close"), 1);
    const WritableFile again = WritableFile::open(folder / "a");  // it is unlocked
  }
}

TEST(SystemCalls, WhatClosingWouldReportIsKnownBeforeIt) {
  const TempDir folder;
  write_text(folder / "a", "");
  WritableFile file = WritableFile::open(folder / "a");
  EXPECT_NO_THROW(file.report_close());
  {
    Failing calls("close", EDQUOT);
    const ScopedSystemCalls scope(calls);
    EXPECT_ERROR(file.report_close(), ErrorKind::io, (folder / "a").string(), "quota");
  }
  // Open and locked as before.
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::busy, "");
  file.write_at(0, bytes_of("new"));
  EXPECT_EQ(read_text(folder / "a"), "new");
}

TEST(SystemCalls, StartingToWriteBackIsAHint) {
  const TempDir folder;
  write_text(folder / "a", "0123");
  for (const int code : {EINTR, EIO, ESPIPE}) {
    Failing calls("start_writeback", code);
    const ScopedSystemCalls scope(calls);
    WritableFile file = WritableFile::open(folder / "a");
    file.start_writeback({0, 4});
    file.start_writeback({0, 0});
    file.start_writeback({~std::uint64_t{0}, 4});
    EXPECT_EQ(calls.count("start_writeback"), 1);
  }
}

// Also on file systems that can neither rename without replacing nor link.
TEST(SystemCalls, ANewFileTakesTheNameOfNone) {
  const TempDir dir;
  const auto place = [&] {
    AtomicFile file(dir / "a.bin");
    file.append(bytes_of("new"));
    return file.publish_new_and_close();
  };
  for (const int code : {0, EPERM, EINVAL, ENOSYS, ENOTSUP}) {
    Failing calls("rename_new", code, code == 0 ? 0 : 1000);
    const ScopedSystemCalls scope(calls);
    EXPECT_FALSE(place().has_value());
    EXPECT_EQ(dir.names(), std::vector<std::string>{"a.bin"});
    EXPECT_ERROR(place(), ErrorKind::invalid_use, (dir / "a.bin").string(), "exists by now");
    EXPECT_EQ(dir.names(), std::vector<std::string>{"a.bin"});
    std::filesystem::remove(dir / "a.bin");
  }
  Failing calls("rename_new", EIO);
  const ScopedSystemCalls scope(calls);
  EXPECT_ERROR(place(), ErrorKind::io, (dir / "a.bin").string());
  EXPECT_TRUE(dir.names().empty());
}

TEST(SystemCalls, EndWithTheirScope) {
  const TempDir folder;
  write_text(folder / "a", "");
  Failing outer("none", 0), inner("none", 0);
  {
    const ScopedSystemCalls one(outer);
    {
      const ScopedSystemCalls two(inner);
      WritableFile::open(folder / "a");
    }
    EXPECT_EQ(outer.count("open"), 0);
    WritableFile::open(folder / "a");
  }
  WritableFile::open(folder / "a");
  EXPECT_EQ(inner.count("open"), 1);
  EXPECT_EQ(outer.count("open"), 1);
}

TEST(SystemCalls, FoldersAndLinksAreReadAsTheyAre) {
  const TempDir folder;
  const std::string target(300, 'x');
  write_text(folder / "a", "");
  std::filesystem::create_symlink(target, folder / "link");
  std::vector<std::string> names = system::list_folder(folder.path());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "link"}));
  EXPECT_EQ(system::read_link(folder / "link"), target);
  EXPECT_EQ(system::read_link(folder / "a"), std::nullopt);
  EXPECT_EQ(system::type_of_name(folder / "a"), system::FileType::regular);
  EXPECT_EQ(system::type_of_name(folder / "link"), system::FileType::other);
  EXPECT_EQ(system::type_of_name(folder.path()), system::FileType::folder);
  EXPECT_ERROR(system::type_of_name(folder / "none"), ErrorKind::not_found, "none");
  EXPECT_ERROR(system::list_folder(folder / "none"), ErrorKind::not_found, "none");
}

// It would be replaced by a file, and what it leads to would keep the old content.
TEST(SystemCalls, ALinkThatCannotBeReadIsNotTakenForAFile) {
  const TempDir folder;
  write_text(folder / "a", "old");
  std::filesystem::create_symlink("a", folder / "link");
  Failing calls("readlink", EIO);
  const ScopedSystemCalls scope(calls);
  EXPECT_ERROR(AtomicFile(folder / "link"), ErrorKind::io, (folder / "link").string());
}

}  // namespace
}  // namespace mlarray::io
