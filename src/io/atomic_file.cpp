#include <cerrno>
#include <new>
#include <utility>

#include "base/mutants.hpp"
#include "io/file.hpp"
#include "io/locked_open.hpp"
#include "io/system.hpp"
#include "io/temporary.hpp"
#include "mlarray/error.hpp"

namespace mlarray::io {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? std::filesystem::path(".") : folder;
}

[[noreturn]] void refuse(const std::string& name, const std::string& reason, int code) {
  throw Error(ErrorKind::io, "cannot write '" + name + "': " + reason, name, code);
}

void check_folder(const std::filesystem::path& folder, const std::string& name) {
  const std::optional<system::Status> status = system::status(folder);
  if (status && status->type == system::FileType::folder) return;
  throw Error(ErrorKind::not_found,
              "cannot write '" + name + "': folder '" + system::display_name(folder) +
                  (status ? "' is a file" : "' does not exist") +
                  "; make the folder first or check the path",
              name, status ? ENOTDIR : ENOENT);
}

void check_target(const system::Status& target, const std::string& name) {
  if (target.type == system::FileType::folder)
    refuse(name, "it is a folder; name a file", EISDIR);
  if (target.type != system::FileType::regular) {
    refuse(name, "it is not a regular file; name another path", EINVAL);
  }
  // Nothing stops a rename over a read-only file, nor the superuser from writing to it.
  if ((target.permissions & 0222u) == 0) {
    refuse(name, "the file is read-only; make it writable or remove it first", EACCES);
  }
}

// Does `path` lead to this file? False also where the system does not tell.
bool leads_to(const std::filesystem::path& path, const WritableFile& file) noexcept {
  try {
    return file_id(path) == file.id();
  } catch (...) {
    return false;
  }
}

// Keeps writers away from a file that is about to be replaced.
class HeldLock {
 public:
  HeldLock(const std::filesystem::path& path, system::Hold hold)
      : file_(open_locked(path, hold)) {}
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() { system::unlock(file_.get()); }

 private:
  system::Descriptor file_;
};

}  // namespace

std::filesystem::path follow_links(std::filesystem::path path) {
  const std::filesystem::path given = path;
  for (int links = 0; links < 40; ++links) {
    const std::optional<std::filesystem::path> link = system::read_link(path);
    if (!link) return path;
    path = link->is_absolute() ? *link : folder_of(path) / *link;
  }
  refuse(system::display_name(given), "its symbolic links lead in a circle; remove the link",
         ELOOP);
}

std::filesystem::path folder_of_name(const std::filesystem::path& path) {
  return folder_of(follow_links(path));
}

Folder::Folder(const std::filesystem::path& folder)
    : name_(system::display_name(folder)), fd_(system::open_folder(folder).release()) {}
Folder::~Folder() { system::Descriptor(fd_).reset(); }
void Folder::sync() { system::sync_folder(fd_, name_); }

void Writeback::reach(WritableFile& file, std::uint64_t end) noexcept {
  constexpr std::uint64_t kPiece = std::uint64_t{8} << 20;
  if (!waits_ || end - asked_ < base::limit("writeback", kPiece)) return;
  file.start_writeback({asked_, end - asked_});
  asked_ = end;
}

AtomicFile::AtomicFile(const std::filesystem::path& target, CommitLevel level,
                       bool own_writer_open)
    : target_(follow_links(target)),
      file_(-1, system::display_name(target)),
      level_(level),
      writeback_(level) {
  const std::string& name = file_.path();
  if (!target_.has_filename()) refuse(name, "it names no file; add a file name", EISDIR);
  check_folder(folder_of(target_), name);
  const std::optional<system::Status> existing = system::status(target_);
  if (existing) {
    check_target(*existing, name);
    if (!own_writer_open) const HeldLock is_free(target_, system::Hold::shared);
  }
  remove_leftovers(folder_of(target_));
  std::optional<system::Descriptor> file;
  while (!file) {
    temporary_ = temporary_name(target_);
    // Until it has the permissions of the target, nobody else may look into it.
    file = system::create_new(temporary_, !existing, name);
  }
  file_.fd_ = file->release();
  if (existing) system::copy_permissions(file_.fd_, *existing);
  system::lock(file_.fd_, system::Hold::alone);
}

AtomicFile::~AtomicFile() {
  if (file_.fd_ < 0 || file_.owner_ != system::process_id()) return;
  file_.drop();  // first: Windows removes no open file
  system::remove_quietly(temporary_);
}

void AtomicFile::append(std::span<const std::byte> data) {
  write_at(position_, data);
  position_ += data.size();
  writeback_.reach(file_, position_);
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> data) {
  if (file_.fd_ < 0) {
    const std::string name = system::display_name(target_);
    throw Error(ErrorKind::invalid_use,
                "'" + name + "' is already in place; write to what publish() returned", name);
  }
  file_.write_at(offset, data);
}

Published AtomicFile::publish(bool own_writer_open) {
  return put_in_place(own_writer_open, true);
}

std::optional<Error> AtomicFile::publish_and_close(bool own_writer_open) {
  return put_in_place(own_writer_open, false).unsure;
}

std::optional<Error> AtomicFile::publish_new_and_close() {
  return put_in_place(true, false, Replace::no).unsure;
}

Published AtomicFile::put_in_place(bool own_writer_open, bool keep_lock, Replace replace) {
  if (file_.fd_ < 0) {
    const std::string name = system::display_name(target_);
    throw Error(ErrorKind::invalid_use, "'" + name + "' is already in place; publish() once",
                name);
  }
  const std::string name = file_.path();
  // What follows the rename needs no memory and no descriptor that it could not do without.
  std::optional<Folder> folder;
  if (level_ == CommitLevel::durable && !base::mutant("no_folder_sync")) {
    folder.emplace(folder_of(target_));
  }
  const std::string unknown =
      "'" + name + "' was replaced, but it is not known whether it would survive a power cut";
  const Error unsure(ErrorKind::io, unknown, name, EIO);
  const bool late = base::mutant("rename_before_sync");
  if (level_ != CommitLevel::none && !late && !base::mutant("no_sync_before_rename")) {
    file_.sync();
  }
  if (!base::mutant("close_unchecked")) file_.report_close();
  // Held over the rename, so that nobody starts to edit a file that is about to go; alone by
  // who goes on to edit the new one, so that no saver, who looked at the old one, replaces
  // that.
  std::optional<HeldLock> replaced;
  if (!own_writer_open) {
    try {
      replaced.emplace(target_, keep_lock ? system::Hold::alone : system::Hold::shared);
    } catch (const Error& error) {
      // There is no such file, or one that nobody can write to: no edits to lose. Nothing is
      // known where the system has no room for one more open file or failed.
      const int code = error.system_error();
      const bool nobody_writes = error.kind() == ErrorKind::not_found || code == EACCES ||
                                 code == EPERM || code == EROFS || code == ETXTBSY ||
                                 code == EISDIR || code == EINVAL;
      if (!nobody_writes) throw;
    }
  }
  if (!keep_lock) system::unlock(file_.fd_);
  try {
    if (replace == Replace::yes) {
      system::replace(temporary_, target_, name);
    } else if (!system::place_new(temporary_, target_, name)) {
      throw Error(ErrorKind::invalid_use,
                  "'" + name + "' exists by now, and is left as it is; name another path",
                  name);
    }
  } catch (...) {
    // It may have happened all the same: the answer of a server can get lost.
    if (base::mutant("rename_believed") || !leads_to(target_, file_)) throw;
  }
  if (level_ != CommitLevel::none && late) file_.sync();
  Published published{std::move(file_), std::nullopt};
  if (!folder) return published;
  try {
    folder->sync();
  } catch (const Error& error) {
    published.unsure = unsure;
    try {
      published.unsure =
          Error(ErrorKind::io, unknown + ": " + error.what(), name, error.system_error());
    } catch (const std::bad_alloc&) {
      // It goes without the reason.
    }
  }
  return published;
}

}  // namespace mlarray::io
