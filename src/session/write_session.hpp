// The only thing of an open file that changes: who writes it, where its end is, what of it is
// committed. What happens in which order, and why: docs/crash_safety.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "frame/frame.hpp"
#include "io/file.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"
#include "session/snapshot.hpp"
#include "store/chunk_index.hpp"
#include "store/tables.hpp"

namespace mlarray::session {

// Not synchronised: the array serialises its writers.
//
// An I/O error ends all writing, because nobody knows what of it reached the file: every later
// call throws the first error again, and the committed state stays.
class WriteSession {
 public:
  // Of a file whose committed state `committed` describes and `state` shows. `path` leads to it
  // wherever the process goes. `level`: of most commits. Errors: io.
  WriteSession(const std::filesystem::path& path, frame::Committed committed,
               const Snapshot& state, CommitLevel level);
  // Begins to write the file, which is open and locked. Before everything else.
  void start(io::WritableFile file) noexcept { file_ = std::move(file); }

  // Appends one encoded chunk behind everything. No reader sees it. An empty span is a chunk
  // of zeros. Errors: io.
  frame::IndexEntry append(std::span<const std::byte> chunk);
  // Where append() goes on; back to it, when what was appended since is to be forgotten.
  std::uint64_t end() const { return end_; }
  void roll_back(std::uint64_t end) noexcept;

  // Makes `state`, whose chunks are in this file, what a new reader sees. If this throws, the
  // file holds the old state, unless committed() says that the new one is there and only its
  // durability is unknown.
  // Errors: io; not_found if the file has no name any more; corruption if the file is not what
  // it was, or the metalayers.
  void commit(const Snapshot& state, CommitLevel level);
  bool committed() const { return committed_; }  // did the last commit() take place?
  // Makes the committed state as safe as `level` says, if it is not known to be. Errors: io;
  // not_found if the file has no name any more.
  void raise(CommitLevel level);

  bool due(const CommitBudget& budget) const;  // for a commit, if there is anything to commit
  // Appended and committed, by this session or one whose file it took: there may be dead
  // extents.
  bool ever_committed() const { return ever_committed_; }
  void note_commits() { ever_committed_ = true; }
  // Throws the error that ended all writing, if there was one.
  void check_usable() const;
  const std::optional<Error>& failure() const { return failure_; }

  const frame::Header& header() const { return header_; }
  const std::vector<std::byte>& header_bytes() const { return header_bytes_; }
  std::uint64_t committed_bytes() const { return header_.frame_len; }
  // What of the committed state is no chunk: header, index, trailer, records and checksums.
  std::uint64_t overhead() const {
    return header_.frame_len - static_cast<std::uint64_t>(header_.cbytes) +
           tables_.sums.stored_bytes() + tables_.offsets.stored_bytes() + record_bytes_;
  }
  io::FileId id() const { return file_.id(); }
  // For who goes on with the file, at the committed state.
  io::WritableFile take_file() && { return std::move(file_); }
  // Gives back the space of what was appended and not committed, where that is safe: not in a
  // file that is another one since `state`. Errors: io (of closing); it is closed then, too.
  void close(const Snapshot& state);
  // In a forked child: the file and its lock are the parent's.
  void abandon() noexcept { file_.abandon(); }

 private:
  template <class Body>
  void guarded(Body body);
  void poison(const Error& error) noexcept;
  void check_named();
  void count_records(const Snapshot& state);
  std::vector<std::byte> index_chunk(const store::ChunkIndex& index) const;
  void flip(std::span<const std::byte> header_bytes);
  bool take_flip_back() noexcept;
  void sync_file();
  // The folder that has the name of the file, where `level` asks to sync it. Errors: io.
  void open_folder(std::optional<io::Folder>& folder, CommitLevel level) const;
  void sync_committed(CommitLevel level, std::optional<io::Folder>& folder);

  io::WritableFile file_;  // from start() on
  std::filesystem::path path_;
  std::filesystem::path folder_;  // that has its name
  frame::Header header_;          // of the committed state
  std::vector<std::byte> header_bytes_;
  std::vector<std::byte> index_chunk_;
  store::ChunkIndex index_;
  store::WrittenTables tables_;
  std::uint64_t record_bytes_ = 0;  // but those of the tables
  std::uint64_t end_;    // where the next chunk goes: behind all that anybody may need
  std::uint64_t reach_;  // the furthest that a write was tried: the file may end there
  io::Writeback writeback_;
  std::chrono::steady_clock::time_point committed_at_;
  bool committed_ = false;
  bool ever_committed_ = false;
  CommitLevel reached_ = CommitLevel::none;  // of the committed state, as far as it is known
  bool name_synced_ = false;
  bool flip_unsure_ = false;  // the header may name a state that header_ does not
  std::optional<Error> failure_;
};

}  // namespace mlarray::session
