#include "session/impl.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/mutants.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
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
constexpr std::uint64_t kMinDeadBytes = std::uint64_t{64} << 10;
// Between closes, where the file passes so many times its live bytes and this.
constexpr std::uint64_t kMaxGrowth = 2;
constexpr std::uint64_t kMinGrowth = std::uint64_t{16} << 20;

}  // namespace

Array::Impl::Impl(const OpenOptions& options)
    : mode(options.mode),
      access(options.access),
      threads(options.threads),
      verify(options.verify),
      level(options.level) {}

Array::Impl::~Impl() {
  const parallel::OperationGuard guard;
  try {
    close();
  } catch (...) {
    // A destructor has nobody to tell; close() is there for those who want to know.
  }
}

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
        publish_edit(session::with_voxels(
            *now, box, voxels, write_codec, used, [&](auto& chunks, auto&& chunk) {
              chunks.replace(chunk.number, writer_->append(chunk.bytes), chunk.checksums);
              if (base::mutant("half_edit_published")) {
                auto half = std::make_shared<Snapshot>(*now);
                half->chunks = std::make_shared<const store::ChunkStore>(chunks);
                shown.set(std::move(half));
                pending_ = true;
              }
            }));
      } catch (...) {
        if (!writer_->failure()) writer_->roll_back(end);
        throw;
      }
      grown = writer_->end() > look_again_;
    } else {
      publish_edit(session::with_voxels(
          *now, box, voxels, write_codec, used, [](auto& chunks, auto&& chunk) {
            if (chunk.bytes.empty()) {
              chunks.replace(chunk.number, frame::IndexEntry(), {});
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
    try {
      commit(*next, level);  // shows it
    } catch (...) {
      if (writer_->committed()) edited_ = true;
      throw;
    }
  } else {
    pending_ = writer_ != nullptr;
    shown.set(std::move(next));
  }
  edited_ = true;
}

void Array::Impl::commit(const Snapshot& state, CommitLevel at) {
  const auto show = [&] {
    auto now = std::make_shared<Snapshot>(state);
    now->file_bytes = writer_->committed_bytes();
    shown.set(std::move(now));
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
  // What was committed at a lower level before gets this one.
  const bool raises =
      at == CommitLevel::durable || (at == CommitLevel::ordered && writer_->unsynced());
  if (pending_ || raises) commit(*snapshot(), at);
}

void Array::Impl::flush(CommitLevel at) {
  const std::lock_guard lock(edit_mutex);
  if (!closed) commit_pending(at);
}

void Array::Impl::close() {
  if (!snapshot()) return;  // it was never opened
  std::optional<Error> failure;
  const auto trying = [&](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  };
  trying([&] { flush(level); });
  trying([&] { compact(true); });
  const std::lock_guard lock(edit_mutex);
  if (closed) return;
  if (failure_) failure = failure_;
  if (writes_file()) trying([&] { writer_->close(*snapshot()); });
  writer_.reset();
  closed = true;
  auto rest = std::make_shared<Snapshot>(*snapshot());
  rest->chunks.reset();
  rest->layers.reset();
  shown.set(std::move(rest));
  if (failure) throw *failure;
}

io::WritableFile Array::Impl::detach() {
  failure_ = writer_->failure();
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

void Array::Impl::adopt(io::WritableFile file, frame::Header header,
                        std::vector<std::byte> header_bytes, session::Snapshot state) {
  write_codec = codec::params_for_edits(state.array->codec, state.array->dtype);
  writer_ = std::make_unique<session::WriteSession>(
      std::move(file), file_path, std::move(header), std::move(header_bytes), level);
  generation_ = parallel::process_generation();
  pending_ = false;
  look_again_ = kMaxGrowth * writer_->committed_bytes() + kMinGrowth;
  shown.set(std::make_shared<const Snapshot>(std::move(state)));
}

void Array::Impl::compact(bool closing) {
  if (mode != Mode::read_write || detached) return;  // before the name is locked
  const session::Registry::NameLock name(file_path);
  const std::lock_guard lock(edit_mutex);
  if (closed || !writes_file() || writer_->failure()) return;
  if (closing && !writer_->ever_committed()) return;
  const auto now = snapshot();
  now->chunks->watch();
  const auto live = static_cast<std::uint64_t>(now->chunks->stored_bytes());
  const std::uint64_t total = writer_->end();
  const std::uint64_t overhead = writer_->overhead();
  const std::uint64_t dead = total - std::min(total, live + overhead);
  const bool worth = closing ? dead >= kMinDeadBytes && dead * kMaxDeadPart >= total
                             : total > kMaxGrowth * (live + overhead) + kMinGrowth;
  look_again_ = kMaxGrowth * (live + overhead) + kMinGrowth;
  if (!worth) return;
  // Replaced by somebody else meanwhile: nobody would see the new file.
  if (io::file_id(file_path) != writer_->id()) return;
  try {
    // Safe against power cuts whatever the level: the file that it replaces may be.
    const CommitLevel at = std::max(level, CommitLevel::ordered);
    session::compact_file(*this, *now, *writer_,
                          base::mutant("compaction_unsynced") ? CommitLevel::none : at);
    edited_ = true;
  } catch (const Error&) {
    // The edits are safe where they are; a file with dead extents is whole.
  }
}

}  // namespace mlarray
