#include <cerrno>
#include <utility>

#include "io/file.hpp"
#include "io/locked_open.hpp"
#include "io/system.hpp"
#include "mlarray/error.hpp"

namespace mlarray::io {

std::optional<FileId> file_id(const std::filesystem::path& path) {
  const std::optional<system::Status> status = system::status(path);
  return status ? std::optional(status->id) : std::nullopt;
}

system::Descriptor open_locked(const std::filesystem::path& path, system::Hold hold) {
  const std::string name = system::display_name(path);
  constexpr int kTries = 100;
  for (int tries = 0; tries < kTries; ++tries) {
    system::Descriptor file = system::open_to_write(path);
    if (!system::lock(file.get(), hold)) break;
    // Somebody may have put another file in place between opening and locking.
    const std::optional<system::Status> named = system::status(path);
    if (named && named->id == system::status(file.get(), name).id) return file;
  }
  throw Error(ErrorKind::busy,
              "'" + name + "' is being written by another process, or by another open handle" +
                  " of this one; close it there first, open it read-only, or use another path",
              name, EWOULDBLOCK);
}

WritableFile WritableFile::open(const std::filesystem::path& path) {
  std::string name = system::display_name(path);
  // The superuser could, and would write what saving over the file refuses.
  if (const auto found = system::status(path); found && (found->permissions & 0222u) == 0) {
    throw Error(ErrorKind::io,
                "cannot open for writing '" + name + "': the file is read-only; " +
                    "make it writable or open it for reading",
                name, EACCES);
  }
  return {open_locked(path, system::Hold::alone).release(), std::move(name)};
}

WritableFile::WritableFile(int fd, std::string path)
    : fd_(fd), owner_(system::process_id()), path_(std::move(path)) {}

WritableFile::WritableFile(WritableFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), owner_(other.owner_), path_(std::move(other.path_)) {}

WritableFile& WritableFile::operator=(WritableFile&& other) noexcept {
  if (this != &other) {
    drop();
    fd_ = std::exchange(other.fd_, -1);
    owner_ = other.owner_;
    path_ = std::move(other.path_);
  }
  return *this;
}

WritableFile::~WritableFile() { drop(); }

void WritableFile::unlock() noexcept {
  // Children that were forked meanwhile share the lock, and closing would leave it to them;
  // in such a child it is the parent's to release.
  if (fd_ >= 0 && owner_ == system::process_id()) system::unlock(fd_);
}

void WritableFile::drop() noexcept {
  unlock();
  abandon();
}

void WritableFile::close() {
  unlock();
  system::Descriptor(std::exchange(fd_, -1)).close(path_);
}

void WritableFile::report_close() const { system::report_close(fd_, path_); }

void WritableFile::abandon() noexcept { system::Descriptor(std::exchange(fd_, -1)).reset(); }

void WritableFile::write_at(std::uint64_t offset, std::span<const std::byte> data) {
  system::write_at(fd_, offset, data, path_);
}

void WritableFile::truncate(std::uint64_t size) { system::truncate(fd_, size, path_); }

void WritableFile::sync() { system::sync(fd_, path_); }

void WritableFile::sync_data() { system::sync_data(fd_, path_); }

void WritableFile::start_writeback(Range range) noexcept {
  system::start_writeback(fd_, range);
}

std::uint64_t WritableFile::size() const { return system::status(fd_, path_).size; }

FileId WritableFile::id() const { return system::status(fd_, path_).id; }

bool WritableFile::has_name() const { return system::status(fd_, path_).names > 0; }

}  // namespace mlarray::io
