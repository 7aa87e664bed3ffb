// A file system in memory that takes the place of the system's calls (io/system_calls.hpp),
// writes down every operation that changes something, and can kill the process at any of them
// or let any call fail. What a power cut leaves of the operations: power_cuts.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/system_calls.hpp"

namespace mlarray::test {

using FileBytes = std::vector<std::byte>;

// What a disk holds: names, and what the files of their numbers contain.
struct Disk {
  std::map<std::string, int> names;
  std::vector<FileBytes> files;

  const FileBytes* find(const std::string& path) const {
    const auto found = names.find(path);
    return found == names.end() ? nullptr : &files[static_cast<std::size_t>(found->second)];
  }
};

// One operation that changes what the disk holds, or what of it is safe.
struct Operation {
  enum class Kind { create, write, truncate, rename, unlink, sync, sync_folder };
  Kind kind = Kind::write;
  int file = -1;             // its number; none for sync_folder
  std::string path = {};     // create, unlink: the name; rename: the old one
  std::string to = {};       // rename
  std::uint64_t offset = 0;  // write
  std::uint64_t size = 0;    // truncate
  FileBytes data = {};       // write
  // Of a sync: what it was to write down never reaches the disk, also by a later one. Linux
  // forgets such pages.
  bool failed = false;
};

// One call of the process, changing or not.
struct Call {
  std::string name;  // as of the system; "create" and "open_folder", "close_read" for what
                     // was open for reading, and "sync_folder" by themselves
  int file = -1;
  int code = 0;  // of errno, where it was made to fail
};

// How a call fails.
struct Fault {
  int code = 0;  // of errno; 0: it transfers half of the bytes, at least one
  // Only this call, or every later one of the same name, too.
  bool lasting = false;
  enum class Way {
    nothing,   // was done
    happened,  // it was done, and fails all the same
    half       // of a write is done, and the call for the rest fails
  };
  Way way = Way::nothing;
};

// One folder, "/fault". Thread safe.
class MemoryFiles final : public io::SystemCalls {
 public:
  static constexpr const char* kFolder = "/fault";
  static constexpr const char* kOutside = "/fault/outside";  // what others rename

  explicit MemoryFiles(Disk disk = {});
  MemoryFiles(const MemoryFiles&) = delete;
  MemoryFiles& operator=(const MemoryFiles&) = delete;
  ~MemoryFiles();

  // Another process puts a file with these bytes in the place of `path`, or removes what is
  // there. No fault hits it; false: this process was killed before.
  bool replace_outside(const std::string& path, FileBytes bytes);
  bool remove_outside(const std::string& path);

  // A symbolic link, which is on the disk from the start.
  void put_link(const std::string& path, const std::string& target);

  // What was there at first, and what was done since.
  const Disk& first() const { return first_; }
  const std::vector<Operation>& log() const { return log_; }
  const std::vector<Call>& calls() const { return calls_; }
  // As processes see it now, synced or not.
  const Disk& now() const { return now_; }
  // The number of the file that `path` names; -1 if there is none.
  int file_at(const std::string& path) const;

  // From this operation on (its number in the log) the process is dead: nothing that it does
  // has an effect, and every call fails. `whole` false: half of a write is done before.
  void kill_at(std::size_t operation, bool whole);
  bool dead() const { return dead_; }
  // The call of this name fails that has this number among those of the name.
  void fail_at(const std::string& name, std::size_t number, Fault fault);
  void stop_failing() { fault_.reset(); }
  // The calls that failed by it.
  const std::vector<Call>& failed() const { return failed_; }
  // A new process, after the old one has ended: no descriptors, no locks, another number.
  void restart();

  // Called before each operation takes place, by the thread that does it. May read, which no
  // fault hits and nothing counts.
  std::function<void()> before_operation;

  int open(const char* path, int flags, mode_t mode) override;
  int close(int fd) override;
  std::int64_t descriptor_limit() override { return std::int64_t{1} << 31; }
  int dup(int fd) override;
  ssize_t pread(int fd, void* to, std::size_t size, off_t offset) override;
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override;
  int ftruncate(int fd, off_t size) override;
  int fsync(int fd) override;
  int fdatasync(int fd) override;
  int start_writeback(int fd, off_t offset, off_t size) override;
  int rename(const char* from, const char* to) override;
  int rename_new(const char* from, const char* to) override;
  int unlink(const char* path) override;
  int stat(const char* path, struct stat* out) override;
  int lstat(const char* path, struct stat* out) override;
  int fstat(int fd, struct stat* out) override;
  ssize_t readlink(const char* path, char* to, std::size_t size) override;
  int list_folder(const char* path, std::vector<std::string>& names) override;
  int fchmod(int fd, mode_t mode) override;
  int fchown(int fd, uid_t user, gid_t group) override;
  int flock(int fd, int operation) override;
  void* mmap(int fd, std::size_t size) override;
  int munmap(void* start, std::size_t size) override;
  std::int64_t process_id() override { return process_; }
  int probe_process(std::int64_t process) override;

 private:
  struct File {
    mode_t mode = 0644;
    // What the server of a network file system has got, where that is less than `now_` shows:
    // what is left of the file when closing it fails.
    std::unique_ptr<FileBytes> acknowledged;
  };
  struct OpenFile {
    int file = -1;  // -1: the folder
    bool writable = false;
    int lock = 0;  // LOCK_SH, LOCK_EX or 0
  };
  struct Map {
    std::byte* start = nullptr;
    std::size_t size = 0;
    int file = -1;
  };

  // Notes the call. True: it must fail at once, with errno.
  bool fails(const char* name, int file);
  bool is_short() const { return short_; }  // the call just noted
  int result();  // of a call that was done: 0, or -1 with errno where it must fail even so
  // Notes an operation. False: the process is dead, with errno; `half` as kill_at() says.
  bool happens(Operation operation, bool* half = nullptr);
  OpenFile* find(int fd);  // nullptr with errno
  int new_descriptor(std::shared_ptr<OpenFile> open);
  int follow(std::string& path) const;  // its file; -1 with errno
  int look(const std::string& path, struct stat* out) const;
  void fill(int file, struct stat* out) const;
  int sync_file(const char* name, int fd);
  FileBytes& bytes_of(int file) { return now_.files[static_cast<std::size_t>(file)]; }
  File& state_of(int file) { return files_[static_cast<std::size_t>(file)]; }
  void put(int file, std::uint64_t offset, const std::byte* data, std::size_t size);
  void resize(int file, std::uint64_t size);
  void keep_acknowledged(int file);
  void show_in_maps(int file, std::uint64_t begin, std::uint64_t end);

  mutable std::recursive_mutex mutex_;
  Disk first_;
  Disk now_;
  std::vector<File> files_;
  std::map<std::string, std::string> links_;
  std::map<int, std::shared_ptr<OpenFile>> open_;
  std::vector<Map> maps_;
  std::vector<Operation> log_;
  std::vector<Call> calls_;
  std::vector<Call> failed_;
  int next_descriptor_;
  std::uint64_t device_;
  std::int64_t process_;
  std::size_t kill_at_ = ~std::size_t{0};
  bool kill_whole_ = true;
  bool dead_ = false;
  std::unique_ptr<Fault> fault_;
  std::string fail_name_;
  std::size_t fail_number_ = 0;  // counts down
  bool failing_ = false;         // from now on
  bool short_ = false;
  int late_ = 0;          // errno of a call that is done and fails
  bool looking_ = false;  // in before_operation()
};

}  // namespace mlarray::test
