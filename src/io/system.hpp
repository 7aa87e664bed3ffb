// The operating-system calls of this folder: one implementation per system (system_posix.cpp,
// system_windows.cpp). `name` is the path as messages show it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/file.hpp"

namespace mlarray::io::system {

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset() noexcept;
  // Closes it, and reports what the system says of it: network file systems and quotas tell of
  // a failed write only here. It is closed in any case. `name`: as messages show it.
  // Errors: io.
  void close(const std::string& name);

 private:
  int fd_ = -1;
};

// A path as messages show it.
inline std::string display_name(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

enum class FileType { regular, folder, other };

struct Status {
  FileId id;
  std::uint64_t size = 0;
  FileType type = FileType::other;
  std::uint32_t permissions = 0;  // the nine rwx bits
  bool has_names = true;          // false: removed, or the file system does not say it
  std::uint32_t user = 0;
  std::uint32_t group = 0;
};

// Follows symbolic links. Empty if there is no such file. Errors: io.
std::optional<Status> status(const std::filesystem::path& path);
Status status(int fd, const std::string& name);  // Errors: io.

// Of the name itself: a symbolic link is `other`. Errors: not_found, io.
FileType type_of_name(const std::filesystem::path& path);
// Where a symbolic link leads; empty if it is none, or is not there. Errors: io: who takes a
// link that cannot be read for a file would replace it by one.
std::optional<std::filesystem::path> read_link(const std::filesystem::path& path);
// The names in a folder, in any order. Errors: not_found, io.
std::vector<std::string> list_folder(const std::filesystem::path& folder);

// Whether an open file's descriptor is in the lower half of what a process may have (on POSIX
// the soft limit of RLIMIT_NOFILE; a system gives the lowest that is free), so that it may
// stay.
bool descriptors_suffice(int fd) noexcept;
// A regular file; other types are refused without waiting on them (a pipe). `size`: where to
// put how large it is. Errors: not_found, io.
Descriptor open_to_read(const std::filesystem::path& path, std::uint64_t* size = nullptr);
Descriptor open_to_write(const std::filesystem::path& path);
// Empty if the name is taken. `open_to_all`: 0666 less the umask, else owner only.
// Errors: not_found (the folder), io.
std::optional<Descriptor> create_new(const std::filesystem::path& path, bool open_to_all,
                                     const std::string& name);

// Who changes a file holds its lock alone. Who replaces it by another one shares it with others
// who do, and with nobody who changes it.
enum class Hold { alone, shared };

// Takes the advisory lock of an open file, waiting half a second at most: who replaces a file
// holds it for a moment, which can last on a busy machine. False if somebody holds it; true
// also where the file system has no locks.
bool lock(int fd, Hold hold) noexcept;
void unlock(int fd) noexcept;
// Takes the lock too, but only where the system says for certain that nobody holds it.
bool is_surely_unlocked(int fd) noexcept;

// Fills `out`. Errors: io; corruption if the file ends before.
void read_at(int fd, std::uint64_t offset, std::span<std::byte> out, const std::string& name);
// The same for who has another way to the bytes: false where they cannot be read.
bool try_read_at(int fd, std::uint64_t offset, std::span<std::byte> out) noexcept;
// The following: errors io.
void write_at(int fd, std::uint64_t offset, std::span<const std::byte> data,
              const std::string& name);
void truncate(int fd, std::uint64_t size, const std::string& name);
// Waits until the disk has the file: its bytes, its size, its times. Not its name.
void sync(int fd, const std::string& name);
// The same for bytes and size.
void sync_data(int fd, const std::string& name);
// Lets the system begin to write these bytes to the disk, so that a later sync is short. A hint
// that does nothing where it fails.
void start_writeback(int fd, Range range) noexcept;
// What closing the file would report (see Descriptor::close); it stays open and locked.
void report_close(int fd, const std::string& name);
// For sync_folder(), which then needs no other descriptor.
Descriptor open_folder(const std::filesystem::path& folder);
void sync_folder(int fd, const std::string& name);
void replace(const std::filesystem::path& from, const std::filesystem::path& to,
             const std::string& name);
// The same where nothing has the name `to`; false if something has. Whoever makes such a name
// meanwhile loses nothing, but on file systems that can neither rename like this nor link.
bool place_new(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::string& name);
void remove_quietly(const std::filesystem::path& path) noexcept;
// Gives an open file the permissions and, where allowed, the owner of another one.
void copy_permissions(int fd, const Status& from) noexcept;

// A read-only shared map of the first `size` bytes of a file. Errors: io, unsupported.
class Map {
 public:
  Map(int fd, std::uint64_t size, const std::string& name);
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;
  ~Map();
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

// Hints that do nothing when they fail. Offsets are multiples of page_size().
std::uint64_t page_size() noexcept;
// Whether the byte at `offset` is in memory, so that a hint would be wasted; false where the
// system does not tell.
bool is_cached(int fd, std::uint64_t offset) noexcept;
void will_need(const Map& map, Range range) noexcept;
void will_need(int fd, Range range) noexcept;

std::int64_t process_id() noexcept;
// False only if no process of this machine has the number.
bool may_be_running(std::int64_t process) noexcept;
// Tells the machines apart whose process numbers mean different processes: containers that
// count their own are machines of their own.
std::string machine();

// Memory for a large read, not cleared; in huge pages where the system has them, since for
// tens of megabytes the page faults of small ones cost as much as the read itself.
std::shared_ptr<std::byte[]> allocate(std::size_t size);

}  // namespace mlarray::io::system
