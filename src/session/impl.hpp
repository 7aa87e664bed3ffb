// The state behind an Array. Readers take a Snapshot and wait for nobody; everything else is
// under one lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/file.hpp"
#include "mlarray/array.hpp"
#include "session/snapshot.hpp"
#include "session/write_session.hpp"

namespace mlarray {

class Array::Impl : public std::enable_shared_from_this<Array::Impl> {
 public:
  Impl() = default;
  explicit Impl(const OpenOptions& options);

  // All of these hold an OperationGuard already.
  std::shared_ptr<const session::Snapshot> snapshot() const;       // also after close
  std::shared_ptr<const session::Snapshot> open_snapshot() const;  // Errors: closed
  void write(const Box& box, const ConstArrayView& voxels, int threads);
  void set_metadata(const Metadata& metadata);
  void flush(CommitLevel level);
  void close();
  void write_record(const session::Snapshot& state, std::string_view name,
                    std::span<const std::byte> bytes, CommitLevel level);
  // What write_record() throws whatever the bytes are.
  void check_record(const session::Snapshot& state, std::string_view name) const;
  void after_fork() noexcept;

  // Does a block's checksum have to be right for the block to be decoded?
  bool verifies() const;
  // Does the file belong to this object and this process, so that nobody else changes it?
  bool writes_file() const;
  // May the file have a commit that this object does not show? Under edit_mutex.
  // Errors: invalid_use for edits in memory.
  bool follows_file() const;
  // Shows what `other`, which nobody else has, shows.
  void take_over(const Impl& other);

  // The following are for whoever changes what a path names, with the path's name locked
  // (session/registry.hpp) and edit_mutex held.
  //
  // Begins to write a file in two steps, of which the second cannot fail: it follows on what
  // cannot be undone. The file is open and locked, and holds the state that `shown` and
  // `committed` describe. `had_commits`: of an array that wrote it before, which may have left
  // dead extents.
  struct Adoption {
    std::unique_ptr<session::WriteSession> writer;
    std::shared_ptr<const session::Snapshot> state;
    CodecParams codec;
  };
  Adoption prepare_to_adopt(frame::Committed committed, session::Snapshot shown,
                            bool had_commits = false) const;
  void adopt(io::WritableFile file, Adoption prepared) noexcept;
  // Commits what is pending, if anything, so that all commits of this array are safe as `level`
  // says. Errors: io, corruption.
  void commit_pending(CommitLevel level);
  // Gives the file up: later writes are errors, reads go on. `lost`: why pending edits could
  // not be committed before; they are gone then, and close() says it.
  io::WritableFile detach(const std::optional<Error>& lost = {}) noexcept;
  bool may_have_dead_extents() const;
  std::optional<io::FileId> written_file() const;  // nothing: it writes none

  std::string path;                 // as it was given; empty in memory
  std::string absolute_path;        // the same, wherever the process goes
  std::filesystem::path file_path;  // of a writer: with symbolic links resolved
  Mode mode = Mode::read;
  Access access = Access::mapped;
  int threads = 0;
  std::optional<bool> verify;  // as it was opened; empty: the process-wide choice
  CommitLevel level = CommitLevel::ordered;
  CommitBudget budget;            // under edit_mutex
  CodecParams write_codec;        // under edit_mutex
  session::SnapshotCell shown;    // changed under edit_mutex
  std::mutex refresh_mutex;       // so that no refresh takes back what a later one has seen
  mutable std::mutex edit_mutex;  // one edit, commit or change of file at a time
  std::atomic<bool> closed{false};
  std::atomic<bool> detached{false};

 private:
  using Snapshot = session::Snapshot;
  // Errors: read_only; invalid_use (detached, or of another process); the error that ended
  // all writing.
  void check_writable() const;
  // Shows `next`, an edit of what is shown now, or throws and shows what it did before.
  void publish_edit(std::shared_ptr<const Snapshot> next);
  void commit(const Snapshot& state, CommitLevel at);
  // Rewrites the file without its dead extents, if they pass the limits. Locks the name.
  // A file that could not be rewritten is whole, so that it is no error.
  void compact(bool closing) noexcept;
  void compact_if_worth(bool closing);

  std::unique_ptr<session::WriteSession> writer_;  // under edit_mutex
  std::uint64_t generation_ = 0;                   // of the process that opened it
  std::shared_ptr<const Snapshot> committed_;      // under edit_mutex: what the file holds
  bool pending_ = false;                           // under edit_mutex: shown, and not committed
  bool edited_ = false;                            // under edit_mutex: since it was opened
  std::optional<Error> failure_;  // under edit_mutex: what ended all writing, after detach()
  std::uint64_t look_again_ = 0;  // under edit_mutex: at this size, whether to compact
};

}  // namespace mlarray
