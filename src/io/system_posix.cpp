#ifndef _WIN32

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <thread>

#include "base/mutants.hpp"
#include "base/text.hpp"
#include "io/system.hpp"
#include "io/system_calls.hpp"
#include "mlarray/error.hpp"

namespace mlarray::io::system {
namespace {

// Linux moves at most about 2 GiB in one call, and macOS refuses to do more.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;
constexpr int kLockTries = 250;
constexpr auto kLockPause = std::chrono::milliseconds(2);

std::string way_out(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space there or write to another disk";
    case EFBIG:
      return "; raise the file-size limit (ulimit -f) or write to another file system";
    case EACCES:
    case EPERM:
      return "; check the permissions of the file and of its folder";
    case EROFS:
      return "; write to another folder";
    case EMFILE:
    case ENFILE:
      return "; close some files or raise the limit of open files (ulimit -n)";
    case ENOENT:
    case ENOTDIR:
      return "; check the path";
    case ENAMETOOLONG:
      return "; names end at 255 bytes and paths at 4096 on most systems, use a shorter one";
    case ELOOP:
      return "; its symbolic links lead in a circle, remove the link";
    case EIO:
    case ESTALE:
      return "; the disk or its network failed, check it and try again";
    default:
      return "";
  }
}

// Made while there is memory, and never destroyed: arrays may outlive every static object.
const Error& without_words = *new Error(
    ErrorKind::io,
    "a call of the operating system failed, and there was no memory to say which; free some "
    "memory and open the file again",
    "", ENOMEM);

// Errors: never std::bad_alloc instead: whoever writes must know that it was the system.
[[noreturn]] void fail(const std::string& action, const std::string& name, int code) {
  std::optional<Error> error;
  try {
    const bool missing = code == ENOENT || code == ENOTDIR;
    error.emplace(missing ? ErrorKind::not_found : ErrorKind::io,
                  "cannot " + action + " '" + name +
                      "': " + std::generic_category().message(code) + way_out(code),
                  name, code);
  } catch (const std::bad_alloc&) {
    throw without_words;
  }
  throw *error;
}

// The same with an action that is put into words only here.
template <typename Action>
[[noreturn]] void fail_at(Action action, const std::string& name, int code) {
  std::string text;
  try {
    text = action();
  } catch (const std::bad_alloc&) {
    throw without_words;
  }
  fail(text, name, code);
}

template <typename Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// What the system calls take ends at a zero: the rest of such a path would be lost.
void check_text(const std::filesystem::path& path) {
  const std::size_t zero = path.native().find('\0');
  if (zero == std::string::npos) return;
  throw Error(ErrorKind::invalid_value,
              "the path " + base::quote(path.native()) + " has a zero byte at position " +
                  std::to_string(zero) + "; no file name has one",
              path.native());
}

int try_open(const std::filesystem::path& path, int flags, mode_t mode = 0) {
  check_text(path);
  return retry_interrupted(
      [&] { return system_calls().open(path.c_str(), flags | O_CLOEXEC, mode); });
}

Status to_status(const struct stat& info) {
  Status status;
  status.id = {static_cast<std::uint64_t>(info.st_dev),
               static_cast<std::uint64_t>(info.st_ino)};
  status.size = static_cast<std::uint64_t>(std::max<off_t>(info.st_size, 0));
  status.type = S_ISREG(info.st_mode)   ? FileType::regular
                : S_ISDIR(info.st_mode) ? FileType::folder
                                        : FileType::other;
  status.permissions = info.st_mode & 0777u;
  status.has_names = info.st_nlink > 0;
  status.user = info.st_uid;
  status.group = info.st_gid;
  return status;
}

[[noreturn]] void fail_missing(const std::filesystem::path& path, const std::string& action,
                               const std::string& name) {
  const std::optional<std::filesystem::path> link = read_link(path);
  if (!link) fail(action, name, ENOENT);
  throw Error(ErrorKind::not_found,
              "cannot " + action + " '" + name + "': it is a symbolic link to '" +
                  display_name(*link) +
                  "', which does not exist; restore that or remove the "
                  "link",
              name, ENOENT);
}

Descriptor open_regular(const std::filesystem::path& path, int flags, const std::string& action,
                        std::uint64_t* size = nullptr) {
  const std::string name = display_name(path);
  // O_NONBLOCK: opening a pipe must not wait for its other end. Regular files ignore it,
  // except that a file somebody holds a lease on is then not opened at once.
  Descriptor file(try_open(path, flags | O_NONBLOCK));
  if (file.get() < 0 && errno == EWOULDBLOCK) file = Descriptor(try_open(path, flags));
  if (file.get() < 0 && errno == ENOENT) fail_missing(path, action, name);
  if (file.get() < 0 && errno != EISDIR) fail(action, name, errno);
  Status found;
  found.type = FileType::folder;
  if (file.get() >= 0) found = status(file.get(), name);
  const FileType type = found.type;
  if (type != FileType::regular) {
    throw Error(ErrorKind::io,
                "cannot " + action + " '" + name + "': it is " +
                    (type == FileType::folder ? "a folder" : "not a regular file") +
                    "; name a file",
                name, type == FileType::folder ? EISDIR : EINVAL);
  }
  if (size != nullptr) *size = found.size;
  return file;
}

// Errors: io, with what `action` says.
template <typename Action>
off_t to_offset(std::uint64_t offset, std::uint64_t length, Action action,
                const std::string& name) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (offset > kMax || length > kMax - offset) fail_at(action, name, EFBIG);
  return static_cast<off_t>(offset);
}

std::string transfer_text(const char* verb, std::size_t length, std::uint64_t offset,
                          std::size_t done) {
  std::string text = std::string(verb) + " " + std::to_string(length) + " bytes at offset " +
                     std::to_string(offset);
  if (done > 0) text += " (stopped after " + std::to_string(done) + ")";
  return text + " of";
}

}  // namespace

void Descriptor::reset() noexcept {
  if (fd_ >= 0) system_calls().close(release());
}

void Descriptor::close(const std::string& name) {
  if (fd_ < 0) return;
  // After EINTR the descriptor is gone on Linux and macOS: a second call could close another
  // one, which has got the number meanwhile.
  if (system_calls().close(release()) != 0 && errno != EINTR) fail("close", name, errno);
}

void report_close(int fd, const std::string& name) {
  const int copy = retry_interrupted([&] { return system_calls().dup(fd); });
  if (copy < 0) fail("close", name, errno);
  Descriptor(copy).close(name);
}

std::optional<Status> status(const std::filesystem::path& path) {
  check_text(path);
  struct stat info;
  if (system_calls().stat(path.c_str(), &info) == 0) return to_status(info);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("look at", display_name(path), errno);
}

Status status(int fd, const std::string& name) {
  struct stat info;
  if (system_calls().fstat(fd, &info) != 0) fail("look at", name, errno);
  return to_status(info);
}

FileType type_of_name(const std::filesystem::path& path) {
  check_text(path);
  struct stat info;
  if (system_calls().lstat(path.c_str(), &info) != 0) {
    fail("look at", display_name(path), errno);
  }
  return to_status(info).type;
}

std::optional<std::filesystem::path> read_link(const std::filesystem::path& path) {
  check_text(path);
  std::string text(256, '\0');
  for (;;) {
    const ssize_t length = system_calls().readlink(path.c_str(), text.data(), text.size());
    if (length < 0 && errno != EINVAL && errno != ENOENT && errno != ENOTDIR) {
      fail("look at", display_name(path), errno);
    }
    if (length <= 0) return std::nullopt;
    const auto used = static_cast<std::size_t>(length);
    if (used < text.size()) return std::filesystem::path(text.substr(0, used));
    text.resize(2 * text.size());  // it may have been cut off
  }
}

std::vector<std::string> list_folder(const std::filesystem::path& folder) {
  check_text(folder);
  std::vector<std::string> names;
  if (system_calls().list_folder(folder.c_str(), names) != 0) {
    fail("list folder", display_name(folder), errno);
  }
  return names;
}

bool descriptors_suffice(int fd) noexcept { return fd < system_calls().descriptor_limit() / 2; }

Descriptor open_to_read(const std::filesystem::path& path, std::uint64_t* size) {
  return open_regular(path, O_RDONLY, "open", size);
}

Descriptor open_to_write(const std::filesystem::path& path) {
  return open_regular(path, O_RDWR, "open for writing");
}

std::optional<Descriptor> create_new(const std::filesystem::path& path, bool open_to_all,
                                     const std::string& name) {
  // The kernel applies the umask: reading it from here would race with other threads.
  Descriptor file(
      try_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, open_to_all ? 0666 : 0600));
  if (file.get() >= 0) return file;
  if (errno == EEXIST) return std::nullopt;
  fail("create a temporary file beside", name, errno);
}

bool lock(int fd, Hold hold) noexcept {
  const int operation = (hold == Hold::alone ? LOCK_EX : LOCK_SH) | LOCK_NB;
  for (int tries = 1;; ++tries) {
    if (retry_interrupted([&] { return system_calls().flock(fd, operation); }) == 0)
      return true;
    // ENOLCK, EOPNOTSUPP, EINVAL and the like: this file system has no locks.
    if (errno != EWOULDBLOCK) return true;
    if (tries == kLockTries) return false;
    std::this_thread::sleep_for(kLockPause);
  }
}

void unlock(int fd) noexcept { system_calls().flock(fd, LOCK_UN); }

bool is_surely_unlocked(int fd) noexcept {
  return retry_interrupted([&] { return system_calls().flock(fd, LOCK_EX | LOCK_NB); }) == 0;
}

void read_at(int fd, std::uint64_t offset, std::span<std::byte> out, const std::string& name) {
  const off_t start = to_offset(
      offset, out.size(), [&] { return transfer_text("read", out.size(), offset, 0); }, name);
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t wanted = std::min(out.size() - done, kMaxTransfer);
    const ssize_t got = retry_interrupted([&] {
      return system_calls().pread(fd, out.data() + done, wanted,
                                  start + static_cast<off_t>(done));
    });
    if (got < 0) {
      const auto action = [&] { return transfer_text("read", out.size(), offset, done); };
      fail_at(action, name, errno);
    }
    if (got == 0) {
      throw Error(ErrorKind::corruption,
                  "cannot " + transfer_text("read", out.size(), offset, done) + " '" + name +
                      "': the file ends there; it was truncated, copy or write it again",
                  name);
    }
    done += static_cast<std::size_t>(got);
  }
}

bool try_read_at(int fd, std::uint64_t offset, std::span<std::byte> out) noexcept {
  const ssize_t got = retry_interrupted([&] {
    return system_calls().pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
  });
  return got >= 0 && static_cast<std::size_t>(got) == out.size();
}

void write_at(int fd, std::uint64_t offset, std::span<const std::byte> data,
              const std::string& name) {
  const off_t start = to_offset(
      offset, data.size(), [&] { return transfer_text("write", data.size(), offset, 0); },
      name);
  for (std::size_t done = 0; done < data.size();) {
    const std::size_t wanted = std::min(data.size() - done, kMaxTransfer);
    const ssize_t put = retry_interrupted([&] {
      return system_calls().pwrite(fd, data.data() + done, wanted,
                                   start + static_cast<off_t>(done));
    });
    if (put <= 0) {
      const auto action = [&] { return transfer_text("write", data.size(), offset, done); };
      fail_at(action, name, put < 0 ? errno : EIO);
    }
    done += base::mutant("short_write_believed") ? wanted : static_cast<std::size_t>(put);
  }
}

void truncate(int fd, std::uint64_t size, const std::string& name) {
  const auto action = [&] { return "set the size to " + std::to_string(size) + " bytes of"; };
  const off_t length = to_offset(size, 0, action, name);
  if (retry_interrupted([&] { return system_calls().ftruncate(fd, length); }) != 0) {
    fail_at(action, name, errno);
  }
}

void sync(int fd, const std::string& name) {
  if (retry_interrupted([&] { return system_calls().fsync(fd); }) != 0)
    fail("sync", name, errno);
}

void sync_data(int fd, const std::string& name) {
  if (retry_interrupted([&] { return system_calls().fdatasync(fd); }) != 0) {
    fail("sync", name, errno);
  }
}

void start_writeback(int fd, Range range) noexcept {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  // A length of 0 would mean all up to the end of the file.
  if (range.length == 0 || range.offset > kMax || range.length > kMax - range.offset) return;
  system_calls().start_writeback(fd, static_cast<off_t>(range.offset),
                                 static_cast<off_t>(range.length));
}

Descriptor open_folder(const std::filesystem::path& folder) {
  Descriptor file(try_open(folder, O_RDONLY | O_DIRECTORY));
  if (file.get() < 0) fail("open folder", display_name(folder), errno);
  return file;
}

void sync_folder(int fd, const std::string& name) {
  const int result = retry_interrupted([&] { return system_calls().fsync(fd); });
  // Some file systems cannot sync a folder, and need not.
  if (result != 0 && errno != EINVAL && errno != ENOTSUP) fail("sync folder", name, errno);
}

void replace(const std::filesystem::path& from, const std::filesystem::path& to,
             const std::string& name) {
  if (system_calls().rename(from.c_str(), to.c_str()) != 0)
    fail("put the new file in place of", name, errno);
}

bool place_new(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::string& name) {
  if (system_calls().rename_new(from.c_str(), to.c_str()) == 0) return true;
  const int code = errno;
  if (code == EEXIST) return false;
  // A file system that can neither rename like this nor link.
  const bool unable = code == EPERM || code == ENOSYS || code == EINVAL || code == ENOTSUP ||
                      code == EOPNOTSUPP || code == EMLINK;
  if (!unable) fail("put the new file at", name, code);
  struct stat found;
  if (system_calls().lstat(to.c_str(), &found) == 0) return false;
  replace(from, to, name);
  return true;
}

void remove_quietly(const std::filesystem::path& path) noexcept {
  system_calls().unlink(path.c_str());
}

void copy_permissions(int fd, const Status& from) noexcept {
  struct stat own;
  if (system_calls().fstat(fd, &own) != 0) return;
  if (own.st_uid != from.user && system_calls().fchown(fd, from.user, from.group) != 0) {
    // Only the superuser may give files away.
  }
  if (own.st_gid != from.group &&
      system_calls().fchown(fd, static_cast<uid_t>(-1), from.group) != 0) {
    // Not a group of this user.
  }
  system_calls().fchmod(fd, static_cast<mode_t>(from.permissions));
}

Map::Map(int fd, std::uint64_t size, const std::string& name) {
  if (size == 0) return;  // nothing to map, and mmap refuses it
  if (size > std::numeric_limits<std::size_t>::max()) {
    throw Error(ErrorKind::unsupported,
                "cannot map '" + name + "': its " + std::to_string(size) +
                    " bytes are more than this process can address; open it without a map",
                name);
  }
  const auto length = static_cast<std::size_t>(size);
  void* start = system_calls().mmap(fd, length);
  if (start == MAP_FAILED) {
    const int code = errno;
    throw Error(ErrorKind::io,
                "cannot map '" + name + "' (" + std::to_string(size) + " bytes): " +
                    std::generic_category().message(code) + "; open it without a memory map",
                name, code);
  }
  // What is needed is asked for by will_need(), all at once. The system's own guess would read
  // up to megabytes around each missing page, one after another.
  ::posix_madvise(start, length, POSIX_MADV_RANDOM);
  bytes_ = {static_cast<const std::byte*>(start), length};
}

Map::~Map() {
  if (!bytes_.empty())
    system_calls().munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::uint64_t page_size() noexcept {
  static const long size = ::sysconf(_SC_PAGESIZE);
  return size > 0 ? static_cast<std::uint64_t>(size) : 4096;
}

bool is_cached(int fd, std::uint64_t offset) noexcept {
#ifdef RWF_NOWAIT
  // mincore() would do, but says yes to everything in a file that belongs to somebody else.
  std::byte byte;
  struct iovec buffer = {&byte, 1};
  return ::preadv2(fd, &buffer, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
#else
  static_cast<void>(fd), static_cast<void>(offset);
  return false;
#endif
}

void will_need(const Map& map, Range range) noexcept {
  const std::byte* start = map.bytes().data() + range.offset;
  ::posix_madvise(const_cast<std::byte*>(start), static_cast<std::size_t>(range.length),
                  POSIX_MADV_WILLNEED);
}

void will_need(int fd, Range range) noexcept {
#ifdef POSIX_FADV_WILLNEED
  ::posix_fadvise(fd, static_cast<off_t>(range.offset), static_cast<off_t>(range.length),
                  POSIX_FADV_WILLNEED);
#else
  static_cast<void>(fd), static_cast<void>(range);
#endif
}

std::int64_t process_id() noexcept { return system_calls().process_id(); }

bool may_be_running(std::int64_t process) noexcept {
  return system_calls().probe_process(process) == 0 || errno != ESRCH;
}

std::string machine() {
  std::array<char, 256> host{};
  static_cast<void>(::gethostname(host.data(), host.size() - 1));
  std::string text = host.data();
  std::string id;
  std::getline(std::ifstream("/etc/machine-id"), id);
  std::error_code ignored;
  return text + "/" + id + "/" +
         std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
}

std::shared_ptr<std::byte[]> allocate(std::size_t size) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (size > std::numeric_limits<std::size_t>::max() - kHugePage) throw std::bad_alloc();
  if (size >= 2 * kHugePage) {
    const std::size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
    void* memory = std::aligned_alloc(kHugePage, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    ::madvise(memory, rounded, MADV_HUGEPAGE);  // a hint: its failure costs only speed
    return {static_cast<std::byte*>(memory), [](std::byte* held) { std::free(held); }};
  }
#endif
  return std::make_shared_for_overwrite<std::byte[]>(size);
}

}  // namespace mlarray::io::system

#endif  // !_WIN32
