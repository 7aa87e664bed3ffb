// What this process writes: which array writes which file, and who changes what a path names.
// Work on one file never waits for work on another.
#pragma once

#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/file.hpp"
#include "mlarray/array.hpp"

namespace mlarray::session {

// Thread safe.
//
// Locks, in this order: the name of a path, Array::Impl::edit_mutex, those in here (which are
// held for a look-up only). Who holds a name lock keeps shared pointers to writers outside of
// it: the last one closes its file, and that locks the name.
class Registry {
 public:
  static Registry& instance();

  // Held over all that changes what a path names, and over opening it for writing: creating,
  // publishing, superseding, compacting. By the path with its symbolic links resolved.
  class NameLock {
   public:
    explicit NameLock(const std::filesystem::path& path);
    NameLock(const NameLock&) = delete;
    NameLock& operator=(const NameLock&) = delete;
    ~NameLock();

   private:
    std::string name_;
    std::shared_ptr<std::mutex> mutex_;
  };

  // Both in two steps, of which the second cannot fail.
  using Writers = std::map<io::FileId, std::weak_ptr<Array::Impl>>;
  using Entry = Writers::node_type;
  static Entry entry_of(io::FileId file, const std::shared_ptr<Array::Impl>& writer);
  // An empty entry adds nothing.
  void add(Entry entry) noexcept;
  // The open writer of the file that `path` names now, or nullptr.
  std::shared_ptr<Array::Impl> writer_of(const std::filesystem::path& path);
  // A newer writer took the file of `older`, as take_notice() will tell.
  using Notice = std::list<std::string>;
  static Notice notice_of(const Array::Impl& older);
  void note_detached(Notice notice) noexcept;
  std::vector<std::string> take_notice();
  std::vector<std::shared_ptr<Array::Impl>> all();

 private:
  Registry();
  static void after_fork();

  std::mutex mutex_;
  Writers writers_;
  std::map<std::string, std::weak_ptr<std::mutex>> names_;
  Notice notice_;
};

// Where `path` leads, wherever the process goes and whether or not there is a file: the same
// for all names of a file that are no hard links. Errors: io.
std::filesystem::path resolved(const std::filesystem::path& path);

// Begins a new file for `path`, which an array of this process may be writing. Locks the name.
// Errors: as AtomicFile.
void begin_file(std::optional<io::AtomicFile>& out, const std::filesystem::path& path,
                CommitLevel level);

// Commits what a writer of this process has pending on `path`, so that who opens it sees it.
// Errors: none; where the commit fails, that writer says so when it is closed.
void commit_own_writer(const std::filesystem::path& path);

}  // namespace mlarray::session
