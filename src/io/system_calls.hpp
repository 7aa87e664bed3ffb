// What system_posix.cpp asks the operating system for. A test puts its own file system in place
// of the real one, one that is killed, loses power or fails where the test wants it to.
// POSIX only; system_windows.cpp calls its system directly.
#pragma once

#ifndef _WIN32

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mlarray::io {

// The real calls. Each does what POSIX says of the function of its name: -1 and errno where it
// fails, EINTR and short transfers included. Derive a final class from it to change some or all
// of them.
class SystemCalls {
 public:
  constexpr SystemCalls() = default;
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  virtual int open(const char* path, int flags, mode_t mode);
  virtual int close(int fd);
  // One above the highest that the process may have now: RLIMIT_NOFILE, its soft limit.
  virtual std::int64_t descriptor_limit();
  virtual int dup(int fd);  // closed by exec, as all descriptors of the library
  virtual ssize_t pread(int fd, void* to, std::size_t size, off_t offset);
  virtual ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset);
  virtual int ftruncate(int fd, off_t size);
  // To the medium, past the cache of the drive (F_FULLFSYNC on macOS).
  virtual int fsync(int fd);
  // The same without times and the like. The size of the file is included.
  virtual int fdatasync(int fd);
  // Begins to write these bytes to the disk and does not wait; promises nothing
  // (sync_file_range). 0 where the system has no such call.
  virtual int start_writeback(int fd, off_t offset, off_t size);

  virtual int rename(const char* from, const char* to);
  // The same where nothing has the name `to`; else EEXIST. By another call where the system has
  // none for it, and a code of that one where the file system has neither.
  virtual int rename_new(const char* from, const char* to);
  virtual int unlink(const char* path);
  virtual int stat(const char* path, struct stat* out);
  virtual int lstat(const char* path, struct stat* out);
  virtual int fstat(int fd, struct stat* out);
  virtual ssize_t readlink(const char* path, char* to, std::size_t size);
  // The names in a folder without "." and "..", in any order.
  virtual int list_folder(const char* path, std::vector<std::string>& names);
  virtual int fchmod(int fd, mode_t mode);
  virtual int fchown(int fd, uid_t user, gid_t group);

  virtual int flock(int fd, int operation);
  // A read-only shared map from the start of the file; MAP_FAILED where it fails.
  virtual void* mmap(int fd, std::size_t size);
  virtual int munmap(void* start, std::size_t size);

  virtual std::int64_t process_id();
  // kill(process, 0).
  virtual int probe_process(std::int64_t process);

 protected:
  ~SystemCalls() = default;
};

// The ones in force.
SystemCalls& system_calls() noexcept;

// Puts `calls` in place of the ones in force, for the whole process, until this is destroyed.
// For tests. Descriptors and maps must not outlive the calls that they came from; scopes end in
// the reverse order of their beginning.
class ScopedSystemCalls {
 public:
  explicit ScopedSystemCalls(SystemCalls& calls) noexcept;
  ScopedSystemCalls(const ScopedSystemCalls&) = delete;
  ScopedSystemCalls& operator=(const ScopedSystemCalls&) = delete;
  ~ScopedSystemCalls();

 private:
  SystemCalls& before_;
};

}  // namespace mlarray::io

#endif  // !_WIN32
