#include "session/impl.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "base/mutants.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "mlarray/process.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/encode_chunks.hpp"
#include "session/edit.hpp"
#include "session/publish.hpp"
#include "session/registry.hpp"

namespace mlarray {
namespace {

// A file is rewritten without its dead extents on close() where they pass both. To rewrite
// costs one copy of the live bytes, twice what the edits wrote that made a third dead.
constexpr std::uint64_t kMaxDeadPart = 3;  // one third
std::uint64_t min_dead() { return base::limit("min_dead", std::uint64_t{64} << 10); }
// Between closes, where the file passes so many times its live bytes and this.
constexpr std::uint64_t kMaxGrowth = 2;
std::uint64_t min_growth() { return base::limit("min_growth", std::uint64_t{16} << 20); }

}  // namespace

Array::Impl::Impl(const OpenOptions& options)
    : mode(options.mode),
      access(options.access),
      threads(options.threads),
      verify(options.verify),
      level(options.level) {}

std::shared_ptr<const session::Snapshot> Array::Impl::snapshot() const { return shown.get(); }

std::shared_ptr<const session::Snapshot> Array::Impl::open_snapshot() const {
  auto found = shown.get();
  if (!found->chunks) {  // not `closed`, which may come true in between
    throw Error(ErrorKind::closed,
                "'" + (path.empty() ? "the array" : path) + "' is closed: open it again", path);
  }
  return found;
}

bool Array::Impl::verifies() const { return verify.value_or(verification()); }

bool Array::Impl::writes_file() const {
  return writer_ && generation_ == parallel::process_generation();
}

std::optional<io::FileId> Array::Impl::written_file() const {
  return writes_file() ? std::optional(writer_->id()) : std::nullopt;
}

void Array::Impl::check_writable() const {
  if (mode == Mode::read) {
    throw Error(ErrorKind::read_only,
                "'" + path +
                    "' is open for reading (mode 'r'): open it with 'r+' to edit the "
                    "file, or with 'c' to edit a copy in memory",
                path);
  }
  if (detached) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' was opened for writing again or replaced in this process; its "
                    "older handle is only for reading now: use the newer one",
                path);
  }
  if (mode != Mode::read_write) return;
  if (generation_ != parallel::process_generation()) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' was opened for writing by the parent of this process: open it "
                    "in the process that writes it",
                path);
  }
  writer_->check_usable();
}

void Array::Impl::write(const Box& box, const ConstArrayView& voxels, int call_threads) {
  bool grown = false;
  {
    const std::lock_guard lock(edit_mutex);
    const auto now = open_snapshot();
    check_writable();
    if (box.empty()) return;
    // To append to a file that somebody has overwritten would damage it.
    now->chunks->watch();
    now->chunks->check();
    const int used = call_threads > 0 ? call_threads : threads;
    if (writer_) {
      const std::uint64_t end = writer_->end();
      try {
        auto next = session::with_voxels(
            *now, box, voxels, write_codec, used, [&](auto& chunks, auto&& chunk) {
              chunks.replace(chunk.number, writer_->append(chunk.bytes), chunk.checksums,
                             chunk.bytes);
              if (base::mutant("half_edit_published")) {
                auto half = std::make_shared<Snapshot>(*now);
                half->chunks = std::make_shared<const store::ChunkStore>(chunks);
                shown.set(std::move(half));
                pending_ = true;
              }
            });
        io::checked(*now->chunks,
                    [&] { next->chunks->index().check_kept_sums(now->chunks->index()); });
        publish_edit(std::move(next));
      } catch (...) {
        if (!writer_->failure()) writer_->roll_back(end);
        throw;
      }
      grown = writer_->end() > look_again_;
    } else {
      publish_edit(session::with_voxels(
          *now, box, voxels, write_codec, used, [](auto& chunks, auto&& chunk) {
            if (chunk.bytes.empty()) {
              chunks.replace(chunk.number, frame::IndexEntry(), {}, {});
            } else {
              chunks.replace(chunk.number, std::make_shared<const std::vector<std::byte>>(
                                               std::move(chunk.bytes)));
            }
          }));
    }
  }
  if (grown) compact(false);
}

void Array::Impl::set_metadata(const Metadata& metadata) {
  const std::lock_guard lock(edit_mutex);
  const auto now = open_snapshot();
  check_writable();
  publish_edit(session::with_metadata(*now, metadata));
}

void Array::Impl::publish_edit(std::shared_ptr<const Snapshot> next) {
  if (writer_ && writer_->due(budget)) {
    commit(*next, level);  // shows it
  } else {
    pending_ = writer_ != nullptr;
    shown.set(std::move(next));
  }
  edited_ = true;
}

void Array::Impl::commit(const Snapshot& state, CommitLevel at) {
  const auto now = std::make_shared<Snapshot>(state);
  const auto show = [&]() noexcept {
    now->file_bytes = writer_->committed_bytes();
    shown.set(now);
    committed_ = now;
    pending_ = false;
  };
  try {
    writer_->commit(state, at);
  } catch (...) {
    if (writer_->committed()) show();
    throw;
  }
  show();
}

void Array::Impl::commit_pending(CommitLevel at) {
  if (!writes_file()) return;
  writer_->check_usable();
  if (pending_) commit(*snapshot(), at);
  // What was committed at a lower level before gets this one.
  if (writer_->ever_committed()) writer_->raise(at);
}

void Array::Impl::flush(CommitLevel at) {
  bool grown = false;
  {
    const std::lock_guard lock(edit_mutex);
    if (closed) return;
    commit_pending(at);
    if (!writes_file()) return;
    writer_->raise(at);  // also what others have put in place
    grown = writer_->end() > look_again_;
  }
  if (grown) compact(false);
}

void Array::Impl::close() {
  if (closed || !snapshot()) return;  // or it was never opened
  // Of the file. Where there is no memory the array stays open, to be closed again: nothing
  // that was edited is lost.
  std::exception_ptr failure;
  {
    const std::lock_guard lock(edit_mutex);
    if (closed) return;
    try {
      commit_pending(level);
    } catch (const Error&) {
      failure = std::current_exception();
    }
  }
  compact(true);
  const std::lock_guard lock(edit_mutex);
  if (closed) return;
  auto rest = std::make_shared<Snapshot>(*snapshot());
  rest->chunks.reset();
  rest->layers.reset();
  if (failure_) failure = std::make_exception_ptr(*failure_);
  try {
    if (writes_file()) writer_->close(*snapshot());
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  writer_.reset();
  closed = true;
  shown.set(std::move(rest));
  committed_.reset();
  if (failure) std::rethrow_exception(failure);
}

io::WritableFile Array::Impl::detach(const std::optional<Error>& lost) noexcept {
  failure_ = writer_->failure() ? writer_->failure() : lost;
  // What was not committed will be written over.
  if (lost) shown.set(committed_);
  committed_.reset();
  io::WritableFile file = std::move(*writer_).take_file();
  writer_.reset();
  pending_ = false;
  detached = true;
  return file;
}

void Array::Impl::after_fork() noexcept {
  // No other thread was inside an operation when the process forked, so nothing is locked.
  if (writer_) writer_->abandon();
}

Array::Impl::Adoption Array::Impl::prepare_to_adopt(frame::Committed committed,
                                                    session::Snapshot state,
                                                    bool had_commits) const {
  Adoption out;
  out.codec = codec::params_for_edits(state.array->codec, state.array->dtype);
  out.writer =
      std::make_unique<session::WriteSession>(file_path, std::move(committed), state, level);
  if (had_commits) out.writer->note_commits();
  out.state = std::make_shared<const Snapshot>(std::move(state));
  return out;
}

void Array::Impl::adopt(io::WritableFile file, Adoption prepared) noexcept {
  write_codec = prepared.codec;
  prepared.writer->start(std::move(file));
  writer_ = std::move(prepared.writer);
  generation_ = parallel::process_generation();
  pending_ = false;
  look_again_ = kMaxGrowth * writer_->committed_bytes() + min_growth();
  committed_ = std::move(prepared.state);
  shown.set(committed_);
}

bool Array::Impl::may_have_dead_extents() const {
  return writes_file() && writer_->ever_committed();
}

void Array::Impl::compact(bool closing) noexcept {
  if (mode != Mode::read_write || detached || closed) return;  // before the name is locked
  try {
    const session::Registry::NameLock name(file_path);
    const std::lock_guard lock(edit_mutex);
    if (closed || !writes_file() || writer_->failure()) return;
    if (closing && !writer_->ever_committed()) return;
    try {
      compact_if_worth(closing);
    } catch (...) {
      // The edits are safe where they are; a file with dead extents is whole. Not again at
      // once.
      look_again_ = writer_->end() + std::max(min_growth(), writer_->end());
    }
  } catch (...) {
    // No memory for the name.
  }
}

void Array::Impl::compact_if_worth(bool closing) {
  const auto now = snapshot();
  now->chunks->watch();
  const auto live = static_cast<std::uint64_t>(now->chunks->stored_bytes());
  const std::uint64_t total = writer_->end();
  const std::uint64_t overhead = writer_->overhead();
  const std::uint64_t dead = total - std::min(total, live + overhead);
  const bool worth = closing ? dead >= min_dead() && dead * kMaxDeadPart >= total
                             : total > kMaxGrowth * (live + overhead) + min_growth();
  look_again_ = kMaxGrowth * (live + overhead) + min_growth();
  if (!worth) return;
  // Replaced by somebody else meanwhile: nobody would see the new file.
  if (io::file_id(file_path) != writer_->id()) return;
  // Safe against power cuts whatever the level: the file that it replaces may be.
  const CommitLevel at = std::max(level, CommitLevel::ordered);
  // If a power cut undoes the rename, the old file has all that was promised: no matter.
  static_cast<void>(session::compact_file(
      *this, *now, *writer_, base::mutant("compaction_unsynced") ? CommitLevel::none : at));
}

}  // namespace mlarray
