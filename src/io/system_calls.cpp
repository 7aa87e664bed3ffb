#ifndef _WIN32

#include "io/system_calls.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>

namespace mlarray::io {
namespace {

class RealCalls final : public SystemCalls {};

// Never destroyed: arrays may outlive every static object.
constinit RealCalls real;
constinit std::atomic<SystemCalls*> in_force = &real;

#ifdef F_FULLFSYNC
// On macOS fsync leaves the data in the cache of the drive. Not every file system has the call.
int sync_fully(int fd) { return ::fcntl(fd, F_FULLFSYNC) != -1 ? 0 : ::fsync(fd); }
#endif

}  // namespace

int SystemCalls::open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags, mode);
}
int SystemCalls::close(int fd) { return ::close(fd); }
int SystemCalls::dup(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }
ssize_t SystemCalls::pread(int fd, void* to, std::size_t size, off_t offset) {
  return ::pread(fd, to, size, offset);
}
ssize_t SystemCalls::pwrite(int fd, const void* from, std::size_t size, off_t offset) {
  return ::pwrite(fd, from, size, offset);
}
int SystemCalls::ftruncate(int fd, off_t size) { return ::ftruncate(fd, size); }

int SystemCalls::fsync(int fd) {
#ifdef F_FULLFSYNC
  return sync_fully(fd);
#else
  return ::fsync(fd);
#endif
}

int SystemCalls::fdatasync(int fd) {
#ifdef F_FULLFSYNC
  return sync_fully(fd);
#else
  return ::fdatasync(fd);
#endif
}

int SystemCalls::start_writeback(int fd, off_t offset, off_t size) {
#ifdef SYNC_FILE_RANGE_WRITE
  return ::sync_file_range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
#else
  static_cast<void>(fd), static_cast<void>(offset), static_cast<void>(size);
  return 0;
#endif
}

int SystemCalls::rename(const char* from, const char* to) { return ::rename(from, to); }

int SystemCalls::rename_new(const char* from, const char* to) {
#if defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE, which older headers lack
  if (::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, kNoReplace) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
#elif defined(RENAME_EXCL)
  if (::renamex_np(from, to, RENAME_EXCL) == 0) return 0;
  if (errno != ENOTSUP && errno != EINVAL) return -1;
#endif
  if (::link(from, to) != 0) return -1;
  ::unlink(from);  // a second name does no harm
  return 0;
}

int SystemCalls::unlink(const char* path) { return ::unlink(path); }
int SystemCalls::stat(const char* path, struct stat* out) { return ::stat(path, out); }
int SystemCalls::lstat(const char* path, struct stat* out) { return ::lstat(path, out); }
int SystemCalls::fstat(int fd, struct stat* out) { return ::fstat(fd, out); }
ssize_t SystemCalls::readlink(const char* path, char* to, std::size_t size) {
  return ::readlink(path, to, size);
}

int SystemCalls::list_folder(const char* path, std::vector<std::string>& names) {
  names.clear();
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  errno = error.value();
  return error ? -1 : 0;
}

int SystemCalls::fchmod(int fd, mode_t mode) { return ::fchmod(fd, mode); }
int SystemCalls::fchown(int fd, uid_t user, gid_t group) { return ::fchown(fd, user, group); }
int SystemCalls::flock(int fd, int operation) { return ::flock(fd, operation); }

void* SystemCalls::mmap(int fd, std::size_t size) {
  return ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
}
int SystemCalls::munmap(void* start, std::size_t size) { return ::munmap(start, size); }

std::int64_t SystemCalls::process_id() { return static_cast<std::int64_t>(::getpid()); }

std::int64_t SystemCalls::descriptor_limit() {
  rlimit limit{};
  constexpr rlim_t kMost = std::numeric_limits<std::int64_t>::max();
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > kMost) limit.rlim_cur = kMost;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

int SystemCalls::probe_process(std::int64_t process) {
  if (process > std::numeric_limits<pid_t>::max()) {
    errno = EPERM;  // no number of ours: nothing is known of it
    return -1;
  }
  return ::kill(static_cast<pid_t>(process), 0);
}

SystemCalls& system_calls() noexcept { return *in_force.load(std::memory_order_acquire); }

ScopedSystemCalls::ScopedSystemCalls(SystemCalls& calls) noexcept
    : before_(*in_force.exchange(&calls, std::memory_order_acq_rel)) {}

ScopedSystemCalls::~ScopedSystemCalls() { in_force.store(&before_, std::memory_order_release); }

}  // namespace mlarray::io

#endif  // !_WIN32
