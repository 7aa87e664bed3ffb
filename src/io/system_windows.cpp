#ifdef _WIN32

#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <windows.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

#include "io/system.hpp"
#include "mlarray/error.hpp"

namespace mlarray::io::system {
namespace {

constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;
constexpr int kLockTries = 250;
constexpr auto kLockPause = std::chrono::milliseconds(2);
// Locks are mandatory here, so they cover one byte that no file reaches.
constexpr DWORD kLockOffsetHigh = 0x7fffffff;

// 0 where there is no errno for it.
int to_errno(DWORD code) {
  const std::error_condition condition =
      std::system_category().default_error_condition(static_cast<int>(code));
  return condition.category() == std::generic_category() ? condition.value() : 0;
}

[[noreturn]] void fail(const std::string& action, const std::string& name, DWORD code) {
  const bool missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
  throw Error(missing ? ErrorKind::not_found : ErrorKind::io,
              "cannot " + action + " '" + name +
                  "': " + std::system_category().message(static_cast<int>(code)) +
                  "; check the path, its permissions and the free space",
              name, to_errno(code));
}

HANDLE handle_of(int fd) noexcept { return reinterpret_cast<HANDLE>(::_get_osfhandle(fd)); }

OVERLAPPED at_offset(std::uint64_t offset) noexcept {
  OVERLAPPED position = {};
  position.Offset = static_cast<DWORD>(offset);
  position.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return position;
}

// Everything is shared, so that a file can be replaced while somebody reads it.
HANDLE create_file(const std::filesystem::path& path, DWORD access, DWORD disposition,
                   DWORD flags = FILE_ATTRIBUTE_NORMAL) noexcept {
  return ::CreateFileW(path.c_str(), access,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                       disposition, flags, nullptr);
}

Descriptor to_descriptor(HANDLE handle, int flags, const std::string& name) {
  const int fd =
      ::_open_osfhandle(reinterpret_cast<intptr_t>(handle), flags | _O_BINARY | _O_NOINHERIT);
  if (fd >= 0) return Descriptor(fd);
  ::CloseHandle(handle);
  fail("open", name, ERROR_TOO_MANY_OPEN_FILES);
}

Descriptor open_regular(const std::filesystem::path& path, DWORD access, int flags,
                        const std::string& action) {
  const std::string name = display_name(path);
  const std::optional<Status> found = status(path);
  if (found && found->type != FileType::regular) {
    throw Error(ErrorKind::io,
                "cannot " + action + " '" + name + "': it is " +
                    (found->type == FileType::folder ? "a folder" : "not a regular file") +
                    "; name a file",
                name, found->type == FileType::folder ? EISDIR : EINVAL);
  }
  const HANDLE handle = create_file(path, access, OPEN_EXISTING);
  if (handle == INVALID_HANDLE_VALUE) fail(action, name, ::GetLastError());
  return to_descriptor(handle, flags, name);
}

Status status_of(HANDLE handle, const std::string& name) {
  BY_HANDLE_FILE_INFORMATION info;
  if (!::GetFileInformationByHandle(handle, &info)) fail("look at", name, ::GetLastError());
  const auto join = [](DWORD high, DWORD low) {
    return (static_cast<std::uint64_t>(high) << 32) | low;
  };
  Status status;
  status.id = {info.dwVolumeSerialNumber, join(info.nFileIndexHigh, info.nFileIndexLow)};
  status.size = join(info.nFileSizeHigh, info.nFileSizeLow);
  status.has_names = info.nNumberOfLinks > 0;
  const bool folder = (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  const bool disk = ::GetFileType(handle) == FILE_TYPE_DISK;
  status.type = folder ? FileType::folder : disk ? FileType::regular : FileType::other;
  status.permissions = (info.dwFileAttributes & FILE_ATTRIBUTE_READONLY) ? 0444u : 0666u;
  return status;
}

}  // namespace

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::_close(release());
}

void Descriptor::close(const std::string& name) {
  if (fd_ < 0 || ::_close(release()) == 0) return;
  throw Error(ErrorKind::io, "cannot close '" + name +
                                 "': " + std::generic_category().message(errno) +
                                 "; check the disk and its network");
}

void report_close(int, const std::string&) {}  // CloseHandle reports no writes

std::optional<Status> status(const std::filesystem::path& path) {
  const HANDLE handle = create_file(path, 0, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
  if (handle == INVALID_HANDLE_VALUE) {
    const DWORD code = ::GetLastError();
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return std::nullopt;
    fail("look at", display_name(path), code);
  }
  const std::string name = display_name(path);
  const Descriptor closes_it = to_descriptor(handle, _O_RDONLY, name);
  return status_of(handle, name);
}

Status status(int fd, const std::string& name) { return status_of(handle_of(fd), name); }

FileType type_of_name(const std::filesystem::path& path) {
  switch (std::filesystem::symlink_status(path).type()) {
    case std::filesystem::file_type::regular:
      return FileType::regular;
    case std::filesystem::file_type::directory:
      return FileType::folder;
    default:
      return FileType::other;
  }
}

std::optional<std::filesystem::path> read_link(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::path link = std::filesystem::read_symlink(path, ignored);
  return link.empty() ? std::nullopt : std::optional(std::move(link));
}

std::vector<std::string> list_folder(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(display_name(entry.path().filename()));
  }
  return names;
}

bool descriptors_suffice(int fd) noexcept {
  constexpr int kMost = 8192;  // of the C library, whatever _setmaxstdio says
  return fd < kMost / 2;
}

Descriptor open_to_read(const std::filesystem::path& path, std::uint64_t* size) {
  Descriptor file = open_regular(path, GENERIC_READ, _O_RDONLY, "open");
  if (size != nullptr) *size = status(file.get(), display_name(path)).size;
  return file;
}

Descriptor open_to_write(const std::filesystem::path& path) {
  return open_regular(path, GENERIC_READ | GENERIC_WRITE, _O_RDWR, "open for writing");
}

std::optional<Descriptor> create_new(const std::filesystem::path& path, bool,
                                     const std::string& name) {
  const HANDLE handle = create_file(path, GENERIC_READ | GENERIC_WRITE, CREATE_NEW);
  if (handle != INVALID_HANDLE_VALUE) return to_descriptor(handle, _O_RDWR, name);
  const DWORD code = ::GetLastError();
  if (code == ERROR_FILE_EXISTS) return std::nullopt;
  fail("create a temporary file beside", name, code);
}

bool lock(int fd, Hold hold) noexcept {
  const DWORD flags = LOCKFILE_FAIL_IMMEDIATELY |
                      (hold == Hold::alone ? DWORD{LOCKFILE_EXCLUSIVE_LOCK} : DWORD{0});
  for (int tries = 1;; ++tries) {
    OVERLAPPED position = at_offset(std::uint64_t{kLockOffsetHigh} << 32);
    if (::LockFileEx(handle_of(fd), flags, 0, 1, 0, &position)) return true;
    const DWORD code = ::GetLastError();
    if (code != ERROR_LOCK_VIOLATION && code != ERROR_IO_PENDING) return true;
    if (tries == kLockTries) return false;
    std::this_thread::sleep_for(kLockPause);
  }
}

bool is_surely_unlocked(int fd) noexcept {
  OVERLAPPED position = at_offset(std::uint64_t{kLockOffsetHigh} << 32);
  return ::LockFileEx(handle_of(fd), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1,
                      0, &position) != 0;
}

void unlock(int fd) noexcept {
  OVERLAPPED position = at_offset(std::uint64_t{kLockOffsetHigh} << 32);
  ::UnlockFileEx(handle_of(fd), 0, 1, 0, &position);
}

void read_at(int fd, std::uint64_t offset, std::span<std::byte> out, const std::string& name) {
  for (std::size_t done = 0; done < out.size();) {
    OVERLAPPED position = at_offset(offset + done);
    const auto wanted = static_cast<DWORD>(std::min(out.size() - done, kMaxTransfer));
    DWORD got = 0;
    const bool read = ::ReadFile(handle_of(fd), out.data() + done, wanted, &got, &position);
    if (!read && ::GetLastError() != ERROR_HANDLE_EOF) {
      fail("read at offset " + std::to_string(offset + done) + " of", name, ::GetLastError());
    }
    if (got == 0) {
      throw Error(ErrorKind::corruption,
                  "cannot read " + std::to_string(out.size()) + " bytes at offset " +
                      std::to_string(offset) + " of '" + name +
                      "': the file ends there; it was truncated, copy or write it again",
                  name);
    }
    done += got;
  }
}

bool try_read_at(int fd, std::uint64_t offset, std::span<std::byte> out) noexcept {
  OVERLAPPED position = at_offset(offset);
  DWORD got = 0;
  return out.size() <= kMaxTransfer &&
         ::ReadFile(handle_of(fd), out.data(), static_cast<DWORD>(out.size()), &got,
                    &position) != 0 &&
         got == out.size();
}

void write_at(int fd, std::uint64_t offset, std::span<const std::byte> data,
              const std::string& name) {
  for (std::size_t done = 0; done < data.size();) {
    OVERLAPPED position = at_offset(offset + done);
    const auto wanted = static_cast<DWORD>(std::min(data.size() - done, kMaxTransfer));
    DWORD put = 0;
    if (!::WriteFile(handle_of(fd), data.data() + done, wanted, &put, &position) || put == 0) {
      fail("write " + std::to_string(data.size()) + " bytes at offset " +
               std::to_string(offset) + " of",
           name, ::GetLastError());
    }
    done += put;
  }
}

void truncate(int fd, std::uint64_t size, const std::string& name) {
  FILE_END_OF_FILE_INFO info = {};
  info.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  if (!::SetFileInformationByHandle(handle_of(fd), FileEndOfFileInfo, &info, sizeof info)) {
    fail("set the size to " + std::to_string(size) + " bytes of", name, ::GetLastError());
  }
}

void sync(int fd, const std::string& name) {
  if (!::FlushFileBuffers(handle_of(fd))) fail("sync", name, ::GetLastError());
}

void sync_data(int fd, const std::string& name) { sync(fd, name); }

void start_writeback(int, Range) noexcept {}

Descriptor open_folder(const std::filesystem::path&) { return {}; }
void sync_folder(int, const std::string&) {}  // replace() writes through

void replace(const std::filesystem::path& from, const std::filesystem::path& to,
             const std::string& name) {
  if (!::MoveFileExW(from.c_str(), to.c_str(),
                     MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    fail("put the new file in place of", name, ::GetLastError());
  }
}

bool place_new(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::string& name) {
  if (::MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_WRITE_THROUGH)) return true;
  const DWORD code = ::GetLastError();
  if (code == ERROR_ALREADY_EXISTS || code == ERROR_FILE_EXISTS) return false;
  fail("put the new file at", name, code);
}

void remove_quietly(const std::filesystem::path& path) noexcept { ::DeleteFileW(path.c_str()); }

void copy_permissions(int, const Status&) noexcept {}  // inherited from the folder

Map::Map(int fd, std::uint64_t size, const std::string& name) {
  if (size == 0) return;  // nothing to map
  if (size > std::numeric_limits<std::size_t>::max()) {
    throw Error(ErrorKind::unsupported,
                "cannot map '" + name + "': its " + std::to_string(size) +
                    " bytes are more than this process can address; open it without a map",
                name);
  }
  const HANDLE mapping =
      ::CreateFileMappingW(handle_of(fd), nullptr, PAGE_READONLY,
                           static_cast<DWORD>(size >> 32), static_cast<DWORD>(size), nullptr);
  if (mapping == nullptr) fail("map", name, ::GetLastError());
  const void* start =
      ::MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, static_cast<std::size_t>(size));
  const DWORD code = ::GetLastError();
  ::CloseHandle(mapping);  // the view keeps it
  if (start == nullptr) fail("map", name, code);
  bytes_ = {static_cast<const std::byte*>(start), static_cast<std::size_t>(size)};
}

Map::~Map() {
  if (!bytes_.empty()) ::UnmapViewOfFile(bytes_.data());
}

std::uint64_t page_size() noexcept {
  SYSTEM_INFO info;
  ::GetSystemInfo(&info);
  return info.dwPageSize;
}

bool is_cached(int, std::uint64_t) noexcept { return false; }

void will_need(const Map& map, Range range) noexcept {
  WIN32_MEMORY_RANGE_ENTRY entry = {const_cast<std::byte*>(map.bytes().data() + range.offset),
                                    static_cast<std::size_t>(range.length)};
  ::PrefetchVirtualMemory(::GetCurrentProcess(), 1, &entry, 0);
}

void will_need(int, Range) noexcept {}

std::int64_t process_id() noexcept { return ::_getpid(); }

bool may_be_running(std::int64_t process) noexcept {
  const HANDLE handle = ::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(process));
  if (handle == nullptr) return ::GetLastError() != ERROR_INVALID_PARAMETER;
  const bool running = ::WaitForSingleObject(handle, 0) == WAIT_TIMEOUT;
  ::CloseHandle(handle);
  return running;
}

std::string machine() {
  char name[MAX_COMPUTERNAME_LENGTH + 1] = {};
  DWORD size = sizeof name;
  return ::GetComputerNameA(name, &size) ? std::string(name, size) : std::string();
}

std::shared_ptr<std::byte[]> allocate(std::size_t size) {
  return std::make_shared_for_overwrite<std::byte[]>(size);
}

}  // namespace mlarray::io::system

#endif  // _WIN32
