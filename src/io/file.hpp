// Files for writing: positional writes, locks, and replacement by rename.
// Operating-system calls and #ifdef for systems are in this folder (and, for threads and fork,
// in src/parallel) and nowhere else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "io/byte_source.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"

namespace mlarray::io {

// Identifies a file whatever it is called (device and inode).
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};
// Follows symbolic links. Empty if there is no such file. Errors: io.
std::optional<FileId> file_id(const std::filesystem::path& path);

// An existing file, open for reading and positional writing, and locked against writers of
// other processes for as long as it is open (advisory, flock; where the file system has no
// locks, opened without one). The lock belongs to the open file: a second WritableFile of the
// same file is busy in this process too. Closing releases it, also where forked children have
// inherited the descriptor; a child that destroys its copy does not release it.
// Movable, not copyable, not synchronised.
class WritableFile {
 public:
  WritableFile() = default;  // no file, until one is moved here
  // Errors: not_found; busy if somebody else holds the lock; io (a folder, not writable).
  static WritableFile open(const std::filesystem::path& path);
  WritableFile(WritableFile&& other) noexcept;
  WritableFile& operator=(WritableFile&& other) noexcept;
  ~WritableFile();

  // Errors: io (disk full included), naming path, offset and reason.
  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  void truncate(std::uint64_t size);
  void sync();       // fsync (F_FULLFSYNC on macOS)
  void sync_data();  // fdatasync: bytes and size (the same on macOS)
  // Lets the system begin to write these bytes to the disk. A hint.
  void start_writeback(Range range) noexcept;
  // What closing would report (network file systems, quotas), without closing. Errors: io.
  void report_close() const;
  // Closes it and reports what went wrong: in any case it is closed and unlocked. Errors: io.
  void close();
  std::uint64_t size() const;
  FileId id() const;
  // Whether it has no name any more, neither `path` nor another, because it was removed or
  // another file has got its last name: what is written is lost when it is closed. Errors of
  // these three: io.
  bool is_removed(const std::filesystem::path& path) const;
  const std::string& path() const noexcept { return path_; }
  // Closes the descriptor without unlocking it for the parent: for a forked child.
  void abandon() noexcept;

 private:
  WritableFile(int fd, std::string path);
  void unlock() noexcept;
  void drop() noexcept;  // close() without a report
  friend class AtomicFile;
  int fd_ = -1;
  std::int64_t owner_ = 0;  // the process that opened it
  std::string path_;
};

// What stands in the place of the old file.
struct Published {
  WritableFile file;  // open, and locked for writing
  // It is in place, but a power cut may undo that: why.
  std::optional<Error> unsure;
};

// Who appends much asks the system in pieces to begin to write, so that the wait for the disk
// at the end is short. At level `none` nobody waits.
class Writeback {
 public:
  explicit Writeback(CommitLevel level, std::uint64_t begin = 0)
      : waits_(level != CommitLevel::none), asked_(begin) {}
  // The file has bytes up to `end`.
  void reach(WritableFile& file, std::uint64_t end) noexcept;
  void skip_to(std::uint64_t end) noexcept { asked_ = end; }  // the disk has what is before
  void roll_back(std::uint64_t end) noexcept { asked_ = std::min(asked_, end); }

 private:
  bool waits_;
  std::uint64_t asked_;  // up to here
};

// Builds a new file beside its target and puts it in place by rename. Until publish() the
// target is as it was; without publish() the temporary file
// (".<name>.<pid>-<machine>-<random>.tmp") is removed, except by a forked child; what a killed
// process leaves is removed by a later AtomicFile in the same folder (io/temporary.hpp).
// Symbolic links are followed, so that the file they name is replaced or, if it does not exist
// yet, made; the other names of a hard-linked file keep the old content. The target's
// permission bits are kept, its owner where the system allows it (a new file gets 0666 less the
// umask); access lists and extended attributes are not.
class AtomicFile {
 public:
  // `level` is what publish() promises of a power cut. Pass `own_writer_open` if this process
  // has a WritableFile of the target open: the target is not tested for other writers then,
  // because its lock would look like theirs.
  // Errors: not_found if the parent folder is missing (the message names it); busy if somebody
  // else holds the target for writing; io (a folder or other special file, a read-only folder
  // or target).
  explicit AtomicFile(const std::filesystem::path& target,
                      CommitLevel level = CommitLevel::ordered, bool own_writer_open = false);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  // Appends. Errors of these two: io; invalid_use after publish().
  void append(std::span<const std::byte> data);
  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  std::uint64_t position() const noexcept { return position_; }  // bytes appended so far
  io::FileId id() const { return file_.id(); }  // Errors: io, invalid_use after publish().
  // Where it is until publish(), for reading back.
  const std::filesystem::path& temporary() const noexcept { return temporary_; }

  // Puts the file in the place of the target, for the caller to go on with. Its bytes reach the
  // disk before the rename (not at level `none`), the rename before the return (`durable`).
  // A rename that reports a failure and has happened counts as done.
  // What closing the file would report is asked for before the rename. Errors: io; busy if
  // somebody has opened the target for writing meanwhile; invalid_use the second time;
  // std::bad_alloc. The target is then as it was: nothing is thrown once it is replaced.
  Published publish(bool own_writer_open);
  // The same for who has no more to write: the file is in place without a lock, so that any
  // number of processes may save to one path and none is in another's way.
  // Returns what publish() gives as unsure. Errors: as above.
  [[nodiscard]] std::optional<Error> publish_and_close(bool own_writer_open);
  // The same where nothing may be replaced. Errors: as above; invalid_use if the target exists.
  [[nodiscard]] std::optional<Error> publish_new_and_close();

 private:
  enum class Replace { yes, no };
  Published put_in_place(bool own_writer_open, bool keep_lock, Replace replace = Replace::yes);

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  WritableFile file_;
  CommitLevel level_;
  std::uint64_t position_ = 0;
  Writeback writeback_;
};

// The path that the last name of `path` leads to, whether or not there is a file. Errors: io.
std::filesystem::path follow_links(std::filesystem::path path);
// The folder that has the name of a file; symbolic links are followed, whether or not there is
// a file. Errors: io.
std::filesystem::path folder_of_name(const std::filesystem::path& path);
// Lets the disk have the names in a folder, which syncing a file does not promise. Made before
// the change that is to be synced, so that nothing but the sync can fail after it.
class Folder {
 public:
  explicit Folder(const std::filesystem::path& folder);  // Errors: io.
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  void sync();  // Errors: io.

 private:
  std::string name_;
  int fd_;
};

}  // namespace mlarray::io
