// Files for writing: positional writes, locks, and replacement by rename.
// This folder is the only one with operating-system calls and #ifdef for systems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "io/byte_source.hpp"

namespace mlarray::io {

// Identifies a file whatever it is called (device and inode).
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};
// Follows symbolic links. Empty if there is no such file.
std::optional<FileId> file_id(const std::filesystem::path& path);

// An existing file, open for reading and positional writing, and locked against writers of
// other processes for as long as it is open (advisory, flock; where the file system has no
// locks, opened without one). Movable, not copyable, not synchronised.
class WritableFile {
 public:
  // Errors: not_found; busy if another process holds the lock; io.
  static WritableFile open(const std::filesystem::path& path);
  WritableFile(WritableFile&& other) noexcept;
  WritableFile& operator=(WritableFile&& other) noexcept;
  ~WritableFile();

  // Errors: io (disk full included), naming path, offset and reason.
  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  void truncate(std::uint64_t size);
  void sync();  // fsync (F_FULLFSYNC on macOS)
  std::uint64_t size() const;
  FileId id() const;
  const std::string& path() const noexcept { return path_; }
  // Closes the descriptor without unlocking it for the parent: for a forked child.
  void abandon() noexcept;

 private:
  WritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  friend class AtomicFile;
  int fd_ = -1;
  std::string path_;
};

// Builds a new file beside its target and puts it in place by rename. Until publish() the
// target is as it was; without publish() the temporary file is removed. Symbolic links are
// followed, so that the file they name is replaced; the target's permission bits are kept
// (a new file gets 0666 less the umask).
class AtomicFile {
 public:
  // Errors: not_found if the parent folder is missing (the message names it); busy if another
  // process holds the target for writing; io (a folder, a read-only folder or target).
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  // Appends. Errors: io.
  void append(std::span<const std::byte> data);
  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  std::uint64_t position() const noexcept { return position_; }  // bytes appended so far

  // Renames over the target; `durable` syncs file and folder. Returns the file, still open
  // and locked for writing, for the caller to keep or to drop. Errors: io.
  WritableFile publish(bool durable);

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  WritableFile file_;
  std::uint64_t position_ = 0;
  bool published_ = false;
};

}  // namespace mlarray::io
