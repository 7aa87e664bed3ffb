// File systems without locks. The flock() of this program stands before the system's.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "io/file.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace {
std::atomic<int> lock_error = 0;
}

extern "C" int flock(int fd, int operation) {
  if (lock_error == 0) return static_cast<int>(::syscall(SYS_flock, fd, operation));
  errno = lock_error;
  return -1;
}

namespace mlarray::io {
namespace {

using test::read_text;
using test::TempDir;
using test::write_text;

TEST(NoLocks, FilesAreWrittenWithoutOne) {
  const TempDir folder;
  for (const int error : {ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL}) {
    write_text(folder / "a", "old");
    lock_error = error;
    WritableFile file = WritableFile::open(folder / "a");
    file.write_at(0, std::as_bytes(std::span("new", 3)));
    EXPECT_EQ(read_text(folder / "a"), "new");
    AtomicFile next(folder / "a");
    next.append(std::as_bytes(std::span("newer", 5)));
    next.publish(false);
    EXPECT_EQ(read_text(folder / "a"), "newer");
    lock_error = 0;
  }
}

// The same program with locks: the test above has not merely lost them.
TEST(NoLocks, LocksAreStillTakenWhereThereAreSome) {
  const TempDir folder;
  write_text(folder / "a", "");
  const WritableFile file = WritableFile::open(folder / "a");
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::busy, (folder / "a").string());
}

}  // namespace
}  // namespace mlarray::io
