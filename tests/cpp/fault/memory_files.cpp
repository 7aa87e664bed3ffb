#include "memory_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace mlarray::test {
namespace {

// Never those of real descriptors, so that a call that goes past this file system fails.
constexpr int kFirstDescriptor = 1 << 20;
constexpr std::int64_t kFirstProcess = 1'000'000'000;

// Another one for every file system and every process in it: what a dead process had open is
// never taken for what the next one opens.
std::atomic<std::uint64_t> next_number = 1;

std::size_t round_up(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

int fail_with(int code) {
  errno = code;
  return -1;
}

}  // namespace

MemoryFiles::MemoryFiles(Disk disk)
    : first_(std::move(disk)),
      now_(first_),
      files_(first_.files.size()),
      next_descriptor_(kFirstDescriptor),
      device_(next_number++),
      process_(kFirstProcess + static_cast<std::int64_t>(device_)) {}

MemoryFiles::~MemoryFiles() {
  for (const Map& map : maps_) ::munmap(map.start, round_up(map.size));
}

void MemoryFiles::put_link(const std::string& path, const std::string& target) {
  links_[path] = target;
}

bool MemoryFiles::replace_outside(const std::string& path, FileBytes bytes) {
  const std::lock_guard lock(mutex_);
  const std::string other = kOutside;
  const int file = static_cast<int>(now_.files.size());
  using Kind = Operation::Kind;
  if (!happens({.kind = Kind::create, .file = file, .path = other})) return false;
  now_.files.emplace_back();
  files_.emplace_back();
  now_.names[other] = file;
  if (!happens({.kind = Kind::write, .file = file, .data = bytes})) return false;
  bytes_of(file) = std::move(bytes);
  if (!happens({.kind = Kind::sync, .file = file})) return false;
  if (!happens({.kind = Kind::rename, .file = file, .path = other, .to = path})) return false;
  now_.names.erase(other);
  now_.names[path] = file;
  return true;
}

bool MemoryFiles::remove_outside(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!happens({.kind = Operation::Kind::unlink, .file = file_at(path), .path = path}))
    return false;
  now_.names.erase(path);
  return true;
}

int MemoryFiles::file_at(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  std::string followed = path;
  return follow(followed);
}

void MemoryFiles::kill_at(std::size_t operation, bool whole) {
  kill_at_ = operation;
  kill_whole_ = whole;
}

void MemoryFiles::fail_at(const std::string& name, std::size_t number, Fault fault) {
  fail_name_ = name;
  fail_number_ = number;
  failing_ = false;
  fault_ = std::make_unique<Fault>(fault);
}

void MemoryFiles::restart() {
  const std::lock_guard lock(mutex_);
  open_.clear();
  for (const Map& map : maps_) ::munmap(map.start, round_up(map.size));
  maps_.clear();
  device_ = next_number++;
  process_ = kFirstProcess + static_cast<std::int64_t>(device_);
  dead_ = false;
  kill_at_ = ~std::size_t{0};
  fault_.reset();
}

bool MemoryFiles::fails(const char* name, int file) {
  short_ = false;
  late_ = 0;
  if (dead_) {
    errno = EIO;
    return true;
  }
  if (looking_) return false;
  calls_.push_back({name, file, 0});
  if (!fault_ || fail_name_ != name) return false;
  if (!failing_ && fail_number_-- != 0) return false;
  const Fault now = *fault_;
  const bool half = now.way == Fault::Way::half;
  const int code = half ? 0 : now.code;
  calls_.back().code = code;
  failed_.push_back(calls_.back());
  failing_ = now.lasting || half;
  if (half) {
    fault_->way = Fault::Way::nothing;  // of the rest
  } else if (!failing_) {
    fault_.reset();
  }
  short_ = code == 0;
  if (now.way == Fault::Way::happened) late_ = code;
  errno = code;
  return code != 0 && late_ == 0;
}

int MemoryFiles::result() { return late_ != 0 && !looking_ ? fail_with(late_) : 0; }

bool MemoryFiles::happens(Operation operation, bool* half) {
  if (before_operation) {
    looking_ = true;
    before_operation();
    looking_ = false;
  }
  if (log_.size() == kill_at_) {
    dead_ = true;
    errno = EIO;
    if (half == nullptr || kill_whole_ || operation.data.size() < 2) return false;
    operation.data.resize(operation.data.size() / 2);
    *half = true;
  }
  log_.push_back(std::move(operation));
  return true;
}

MemoryFiles::OpenFile* MemoryFiles::find(int fd) {
  const auto found = open_.find(fd);
  if (found != open_.end()) return found->second.get();
  errno = EBADF;
  return nullptr;
}

int MemoryFiles::new_descriptor(std::shared_ptr<OpenFile> open) {
  open_[next_descriptor_] = std::move(open);
  return next_descriptor_++;
}

int MemoryFiles::follow(std::string& path) const {
  for (int links = 0; links < 40; ++links) {
    const auto link = links_.find(path);
    if (link == links_.end()) {
      const auto found = now_.names.find(path);
      return found != now_.names.end() ? found->second : fail_with(ENOENT);
    }
    path = link->second.starts_with('/') ? link->second
                                         : std::string(kFolder) + "/" + link->second;
  }
  return fail_with(ELOOP);
}

int MemoryFiles::open(const char* name, int flags, mode_t mode) {
  const std::lock_guard lock(mutex_);
  std::string path = name;
  const bool create = (flags & O_CREAT) != 0;
  const bool folder = path == kFolder;
  if (fails(create ? "create" : folder ? "open_folder" : "open", folder ? -1 : file_at(path))) {
    return -1;
  }
  auto open = std::make_shared<OpenFile>();
  open->writable = (flags & O_ACCMODE) != O_RDONLY;
  if (folder) return open->writable ? fail_with(EISDIR) : new_descriptor(std::move(open));
  if (create) {
    if (now_.names.contains(path) || links_.contains(path)) return fail_with(EEXIST);
    if (!path.starts_with(std::string(kFolder) + "/")) return fail_with(ENOENT);
    const int file = static_cast<int>(now_.files.size());
    if (!happens({.kind = Operation::Kind::create, .file = file, .path = path})) return -1;
    now_.files.emplace_back();
    files_.emplace_back().mode = mode & 0777u & ~022u;
    now_.names[path] = file;
  }
  open->file = follow(path);
  return open->file < 0 ? -1 : new_descriptor(std::move(open));
}

int MemoryFiles::close(int fd) {
  const std::lock_guard lock(mutex_);
  OpenFile* const open = find(fd);
  if (open == nullptr) return -1;
  const int file = open->file;
  const bool writable = open->writable;
  const bool failed = fails(writable ? "close" : "close_read", file);
  open_.erase(fd);
  if (file < 0 || !writable) return failed ? -1 : 0;
  std::unique_ptr<FileBytes> kept = std::move(state_of(file).acknowledged);
  if (!failed) return 0;
  const int code = errno;
  if (code == EINTR || dead_) {
    state_of(file).acknowledged = std::move(kept);
  } else if (kept) {
    // What had not reached the server is lost; the length is what was told to it.
    kept->resize(bytes_of(file).size());
    bytes_of(file) = *kept;
    log_.push_back({.kind = Operation::Kind::truncate, .file = file, .size = 0});
    log_.push_back({.kind = Operation::Kind::write, .file = file, .data = *kept});
    show_in_maps(file, 0, kept->size());
  }
  return fail_with(code);
}

int MemoryFiles::dup(int fd) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return fail_with(EBADF);
  if (fails("dup", found->second->file)) return -1;
  return new_descriptor(found->second);
}

ssize_t MemoryFiles::pread(int fd, void* to, std::size_t size, off_t offset) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("pread", open->file)) return -1;
  const FileBytes& bytes = bytes_of(open->file);
  const auto at = static_cast<std::size_t>(offset);
  if (at >= bytes.size()) return 0;
  size = std::min(size, bytes.size() - at);
  if (is_short() && size > 1) size /= 2;
  if (size > 0) std::memcpy(to, bytes.data() + at, size);
  return static_cast<ssize_t>(size);
}

ssize_t MemoryFiles::pwrite(int fd, const void* from, std::size_t size, off_t offset) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("pwrite", open->file)) return -1;
  if (!open->writable) return fail_with(EBADF);
  if (is_short() && size > 1) size /= 2;
  const auto* const data = static_cast<const std::byte*>(from);
  const auto at = static_cast<std::uint64_t>(offset);
  bool half = false;
  if (!happens({.kind = Operation::Kind::write,
                .file = open->file,
                .offset = at,
                .data = FileBytes(data, data + size)},
               &half)) {
    return -1;
  }
  put(open->file, at, data, half ? size / 2 : size);
  if (half) return fail_with(EIO);
  return result() == 0 ? static_cast<ssize_t>(size) : -1;
}

void MemoryFiles::keep_acknowledged(int file) {
  std::unique_ptr<FileBytes>& kept = state_of(file).acknowledged;
  if (!kept) kept = std::make_unique<FileBytes>(bytes_of(file));
}

void MemoryFiles::put(int file, std::uint64_t offset, const std::byte* data, std::size_t size) {
  keep_acknowledged(file);
  FileBytes& bytes = bytes_of(file);
  const auto at = static_cast<std::size_t>(offset);
  if (bytes.size() < at + size) bytes.resize(at + size);
  std::copy(data, data + size, bytes.begin() + static_cast<std::ptrdiff_t>(at));
  show_in_maps(file, offset, offset + size);
}

void MemoryFiles::resize(int file, std::uint64_t size) {
  keep_acknowledged(file);
  const std::uint64_t before = bytes_of(file).size();
  bytes_of(file).resize(static_cast<std::size_t>(size));
  show_in_maps(file, std::min(before, size), std::max(before, size));
}

void MemoryFiles::show_in_maps(int file, std::uint64_t begin, std::uint64_t end) {
  const FileBytes& bytes = bytes_of(file);
  for (const Map& map : maps_) {
    if (map.file != file) continue;
    for (auto i = static_cast<std::size_t>(begin); i < std::min<std::size_t>(end, map.size);
         ++i) {
      map.start[i] = i < bytes.size() ? bytes[i] : std::byte{0};
    }
  }
}

int MemoryFiles::ftruncate(int fd, off_t size) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("ftruncate", open->file)) return -1;
  if (!open->writable) return fail_with(EBADF);
  const auto length = static_cast<std::uint64_t>(size);
  if (!happens({.kind = Operation::Kind::truncate, .file = open->file, .size = length})) {
    return -1;
  }
  resize(open->file, length);
  return result();
}

int MemoryFiles::sync_file(const char* name, int fd) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr) return -1;
  const int file = open->file;
  const bool failed = fails(file < 0 ? "sync_folder" : name, file);
  const int code = errno;
  if (failed && (dead_ || code == EINTR)) return -1;
  if (!happens({.kind = file < 0 ? Operation::Kind::sync_folder : Operation::Kind::sync,
                .file = file,
                .failed = failed})) {
    return -1;
  }
  if (failed) return fail_with(code);
  if (file >= 0) state_of(file).acknowledged.reset();
  return result();
}

int MemoryFiles::fsync(int fd) { return sync_file("fsync", fd); }
int MemoryFiles::fdatasync(int fd) { return sync_file("fdatasync", fd); }

int MemoryFiles::start_writeback(int fd, off_t, off_t) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  return open == nullptr || fails("start_writeback", open->file) ? -1 : 0;
}

int MemoryFiles::rename(const char* from, const char* to) {
  const std::lock_guard lock(mutex_);
  const auto found = now_.names.find(from);
  const int file = found == now_.names.end() ? -1 : found->second;
  if (fails("rename", file)) return -1;
  if (file < 0) return fail_with(ENOENT);
  if (!happens({.kind = Operation::Kind::rename,
                .file = file,
                .path = from,
                .to = std::string(to)})) {
    return -1;
  }
  now_.names.erase(from);
  links_.erase(to);
  now_.names[to] = file;
  return result();
}

int MemoryFiles::rename_new(const char* from, const char* to) {
  {
    const std::lock_guard lock(mutex_);
    if (now_.names.contains(to) || links_.contains(to)) return fail_with(EEXIST);
  }
  return rename(from, to);
}

int MemoryFiles::unlink(const char* path) {
  const std::lock_guard lock(mutex_);
  const auto found = now_.names.find(path);
  const int file = found == now_.names.end() ? -1 : found->second;
  if (fails("unlink", file)) return -1;
  if (file < 0) return fail_with(ENOENT);
  if (!happens({.kind = Operation::Kind::unlink, .file = file, .path = path})) return -1;
  now_.names.erase(path);
  return result();
}

void MemoryFiles::fill(int file, struct stat* out) const {
  *out = {};
  out->st_dev = static_cast<dev_t>(device_);
  out->st_ino = static_cast<ino_t>(file) + 2;
  out->st_mode = S_IFDIR | 0755;
  out->st_nlink = 1;
  out->st_uid = ::getuid();
  out->st_gid = ::getgid();
  if (file < 0) return;
  out->st_mode = S_IFREG | files_[static_cast<std::size_t>(file)].mode;
  out->st_nlink =
      static_cast<nlink_t>(std::count_if(now_.names.begin(), now_.names.end(),
                                         [&](const auto& one) { return one.second == file; }));
  out->st_size = static_cast<off_t>(now_.files[static_cast<std::size_t>(file)].size());
}

int MemoryFiles::look(const std::string& path, struct stat* out) const {
  if (path == kFolder) {
    fill(-1, out);
    return 0;
  }
  const auto found = now_.names.find(path);
  if (found == now_.names.end()) return fail_with(ENOENT);
  fill(found->second, out);
  return 0;
}

int MemoryFiles::stat(const char* name, struct stat* out) {
  const std::lock_guard lock(mutex_);
  std::string path = name;
  if (path != kFolder) follow(path);
  const int code = errno;
  if (fails("stat", -1)) return -1;
  errno = code;
  return links_.contains(path) ? -1 : look(path, out);
}

int MemoryFiles::lstat(const char* path, struct stat* out) {
  const std::lock_guard lock(mutex_);
  if (fails("lstat", -1)) return -1;
  if (!links_.contains(path)) return look(path, out);
  fill(-1, out);
  out->st_mode = S_IFLNK | 0777;
  return 0;
}

int MemoryFiles::fstat(int fd, struct stat* out) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("fstat", open->file)) return -1;
  fill(open->file, out);
  return 0;
}

ssize_t MemoryFiles::readlink(const char* path, char* to, std::size_t size) {
  const std::lock_guard lock(mutex_);
  if (fails("readlink", -1)) return -1;
  const auto link = links_.find(path);
  if (link == links_.end()) return fail_with(now_.names.contains(path) ? EINVAL : ENOENT);
  const std::size_t length = std::min(size, link->second.size());
  link->second.copy(to, length);
  return static_cast<ssize_t>(length);
}

int MemoryFiles::list_folder(const char* path, std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  if (fails("list_folder", -1)) return -1;
  if (std::string(path) != kFolder) return fail_with(ENOENT);
  names.clear();
  const std::size_t skipped = std::strlen(kFolder) + 1;
  for (const auto& [name, file] : now_.names) names.push_back(name.substr(skipped));
  for (const auto& [name, target] : links_) names.push_back(name.substr(skipped));
  return 0;
}

int MemoryFiles::fchmod(int fd, mode_t mode) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("fchmod", open->file)) return -1;
  state_of(open->file).mode = mode & 0777u;
  return 0;
}

int MemoryFiles::fchown(int fd, uid_t, gid_t) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  return open == nullptr || fails("fchown", open->file) ? -1 : 0;
}

int MemoryFiles::flock(int fd, int operation) {
  const std::lock_guard lock(mutex_);
  OpenFile* const open = find(fd);
  if (open == nullptr) return -1;
  const int wanted = operation & ~LOCK_NB;
  if (wanted == LOCK_UN) {
    open->lock = 0;
    return dead_ ? fail_with(EIO) : 0;
  }
  if (fails("flock", open->file)) return -1;
  for (const auto& [number, other] : open_) {
    if (other.get() == open || other->file != open->file || other->lock == 0) continue;
    if (other->lock == LOCK_EX || wanted == LOCK_EX) return fail_with(EWOULDBLOCK);
  }
  open->lock = wanted;
  return 0;
}

void* MemoryFiles::mmap(int fd, std::size_t size) {
  const std::lock_guard lock(mutex_);
  const OpenFile* const open = find(fd);
  if (open == nullptr || fails("mmap", open->file)) return MAP_FAILED;
  void* const start = ::mmap(nullptr, round_up(size), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return start;
  maps_.push_back({static_cast<std::byte*>(start), size, open->file});
  const FileBytes& bytes = bytes_of(open->file);
  if (!bytes.empty()) std::memcpy(start, bytes.data(), std::min(size, bytes.size()));
  return start;
}

int MemoryFiles::munmap(void* start, std::size_t) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(maps_.begin(), maps_.end(),
                                  [&](const Map& map) { return map.start == start; });
  if (found == maps_.end()) return fail_with(EINVAL);
  const int result = ::munmap(found->start, round_up(found->size));
  maps_.erase(found);
  return result;
}

int MemoryFiles::probe_process(std::int64_t process) {
  return process == process_ ? 0 : fail_with(ESRCH);
}

}  // namespace mlarray::test
