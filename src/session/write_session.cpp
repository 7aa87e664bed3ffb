#include "session/write_session.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/mutants.hpp"
#include "session/tail.hpp"

namespace mlarray::session {
namespace {

// What a failed call means, behind what it says.
Error with_meaning(const Error& error, const std::string& meaning) {
  return Error(ErrorKind::io, error.what() + ("; " + meaning), error.path(),
               error.system_error());
}

// Both lengths and the vlmeta flag.
std::span<const std::byte> flip_of(std::span<const std::byte> header_bytes) {
  return header_bytes.subspan(frame::kFlipBegin, frame::kFlipEnd - frame::kFlipBegin);
}

}  // namespace

WriteSession::WriteSession(const std::filesystem::path& path, frame::Committed committed,
                           const Snapshot& state, CommitLevel level)
    : path_(path),
      folder_(io::folder_of_name(path)),
      header_(std::move(committed.header)),
      header_bytes_(std::move(committed.header_bytes)),
      index_chunk_(std::move(committed.index_chunk)),
      index_(state.chunks->index()),
      tables_(store::tables_of_opened(index_, state.geometry().block_count())),
      end_(header_.frame_len),
      reach_(end_),
      writeback_(level, end_),
      committed_at_(std::chrono::steady_clock::now()) {
  count_records(state);
}

void WriteSession::count_records(const Snapshot& state) {
  record_bytes_ = 0;
  if (!state.records) return;
  for (const store::Record& record : *state.records) {
    record_bytes_ += record.pages.stored_bytes();
  }
}

template <class Body>
void WriteSession::guarded(Body body) {
  check_usable();
  try {
    body();
  } catch (const Error& error) {
    poison(error);
    throw;
  }
}

void WriteSession::poison(const Error& error) noexcept {
  // The end is moved as well, in commit(): one of both is enough.
  if (base::mutant("not_poisoned") || base::mutant("end_not_moved")) return;
  failure_ = error;
}

void WriteSession::check_usable() const {
  if (failure_) throw *failure_;
}

// What goes into a file without a name is lost when it is closed. One that was only moved has
// one.
void WriteSession::check_named() {
  guarded([&] {
    if (!file_.is_removed(path_) || base::mutant("nameless_commits")) return;
    throw Error(
        ErrorKind::not_found,
        "'" + file_.path() + "' was " +
            (io::file_id(path_) ? "replaced by another file" : "removed") +
            " while it was open, so that edits would be lost; save() the array to another "
            "path to keep what it shows",
        file_.path(), ENOENT);
  });
}

frame::IndexEntry WriteSession::append(std::span<const std::byte> chunk) {
  if (chunk.empty()) return {};
  const auto entry = frame::IndexEntry::at(end_ - header_.header_len);
  reach_ = std::max(reach_, end_ + chunk.size());
  guarded([&] { file_.write_at(end_, chunk); });
  end_ += chunk.size();
  writeback_.reach(file_, end_);
  return entry;
}

void WriteSession::roll_back(std::uint64_t end) noexcept {
  end_ = std::max(end, header_.frame_len);  // a commit may have followed
  writeback_.roll_back(end_);
}

// Only what changed since the last commit is encoded.
std::vector<std::byte> WriteSession::index_chunk(const store::ChunkIndex& index) const {
  std::set<std::int64_t> parts;
  index.for_each_changed(
      index_, [&](std::int64_t number) { parts.insert(number / frame::kIndexPart); });
  return frame::build_index(
      index.size(), index_chunk_, [&](std::int64_t part) { return parts.contains(part); },
      [&](std::int64_t number) { return index.entry(number); });
}

void WriteSession::commit(const Snapshot& state, CommitLevel level) {
  committed_ = false;
  check_named();
  frame::Header header = header_;
  std::vector<std::byte> header_bytes = header_bytes_;
  // Nothing may be committed into a file that somebody has overwritten, nor zeros for what it
  // lost.
  state.chunks->watch();
  const store::ChunkIndex& index = state.chunks->index();
  Tail tail = build_tail(
      header, header_bytes, end_, index_chunk(index),
      store::tables_to_commit(index, index_, tables_, state.geometry().block_count(), end_),
      state.layers->all(), records_that_hold(state));
  state.chunks->check();
  std::optional<io::Folder> folder;
  open_folder(folder, level);
  guarded([&] {
    const std::uint64_t position = end_;
    // From here on the tail may become live, whatever fails: nothing is written over it.
    if (!base::mutant("end_not_moved")) end_ = header.frame_len;
    reach_ = std::max(reach_, header.frame_len);
    const auto write_tail = [&] {
      if (!tail.pages.empty()) file_.write_at(position, tail.pages);
      file_.write_at(position + tail.pages.size(), tail.bytes);
    };
    if (!base::mutant("flip_before_tail")) write_tail();
    const bool late = base::mutant("sync_after_flip");
    if (level != CommitLevel::none && !late && !base::mutant("no_sync_before_flip"))
      sync_file();
    flip(header_bytes);
    if (base::mutant("flip_before_tail")) write_tail();
    if (level != CommitLevel::none && late) sync_file();
    header_ = std::move(header);
    header_bytes_ = std::move(header_bytes);
    index_ = index;
    index_chunk_ = std::move(tail.bytes);
    index_chunk_.resize(tail.index_bytes);
    tables_ = std::move(tail.tables);
    count_records(state);
    writeback_.skip_to(end_);
    committed_ = ever_committed_ = true;
    reached_ = std::min(level, CommitLevel::ordered);
    committed_at_ = std::chrono::steady_clock::now();
    if (level == CommitLevel::durable) sync_committed(level, folder);
  });
  if (base::mutant("end_not_moved")) end_ = header_.frame_len;
}

void WriteSession::flip(std::span<const std::byte> header_bytes) {
  flip_unsure_ = true;
  try {
    // One small write: all of it changes together.
    file_.write_at(frame::kFlipBegin, flip_of(header_bytes));
    flip_unsure_ = false;
  } catch (const Error& error) {
    if (take_flip_back()) throw;
    throw with_meaning(error,
                       "the header may be half written: if the file does not open, "
                       "'mlarray salvage' finds its last commit");
  } catch (...) {  // no memory for the text of an error
    static_cast<void>(take_flip_back());
    throw;
  }
}

// The write of the flip may have stopped half way, and such a header opens in no way. False if
// that cannot be mended.
bool WriteSession::take_flip_back() noexcept {
  if (base::mutant("flip_left_half")) return true;
  try {
    file_.write_at(frame::kFlipBegin, flip_of(header_bytes_));
    // The disk may have got the other one, whose tail must stay then.
    file_.sync_data();
    flip_unsure_ = false;
    return true;
  } catch (...) {
    return false;
  }
}

void WriteSession::raise(CommitLevel level) {
  check_named();
  if (level <= reached_) return;
  check_usable();
  std::optional<io::Folder> folder;
  open_folder(folder, level);
  guarded([&] { sync_committed(level, folder); });
}

void WriteSession::open_folder(std::optional<io::Folder>& folder, CommitLevel level) const {
  // Whoever put the file in place may not have waited for its name.
  if (level == CommitLevel::durable && !name_synced_) folder.emplace(folder_);
}

void WriteSession::sync_file() {
  try {
    file_.sync_data();
  } catch (const Error& error) {
    if (base::mutant("failed_sync_ignored")) return;
    if (!ever_committed_ || reached_ != CommitLevel::none) throw;
    // The system forgets what it could not write: a later sync does not try again.
    throw with_meaning(
        error,
        "what was committed at level none before may never reach the disk: "
        "save() the array, over its path or to another, to write all of it anew");
  }
}

void WriteSession::sync_committed(CommitLevel level, std::optional<io::Folder>& folder) {
  try {
    if (!base::mutant("no_sync_after_flip")) sync_file();
    if (folder) {
      if (!base::mutant("name_forgotten")) folder->sync();
      name_synced_ = true;
    }
    reached_ = level;
  } catch (const Error& error) {
    poison(error);  // now: there may be no memory for more words
    throw with_meaning(error,
                       "the edits are in the file, but it is not known whether they would "
                       "survive a power cut");
  }
}

bool WriteSession::due(const CommitBudget& budget) const {
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - committed_at_;
  return end_ - header_.frame_len >= static_cast<std::uint64_t>(budget.bytes) ||
         age.count() >= budget.seconds;
}

void WriteSession::close(const Snapshot& state) {
  if ((base::mutant("space_kept") ? end_ : reach_) > header_.frame_len && !flip_unsure_) {
    try {
      state.chunks->check();
      file_.truncate(header_.frame_len);
    } catch (...) {
      // Bytes behind the end belong to nobody: the next writer cuts them off.
    }
  }
  file_.close();
}

}  // namespace mlarray::session
