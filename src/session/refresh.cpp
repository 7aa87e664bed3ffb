// Following a file that somebody else writes.
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"

namespace mlarray {
namespace {

using session::Snapshot;

bool is_whole(const store::ChunkStore& chunks) {
  try {
    chunks.watch();
    chunks.check();
    return true;
  } catch (const Error&) {
    return false;  // to be replaced, even by the same commit
  }
}

bool same_commit(const Snapshot& a, const Snapshot& b) {
  return a.chunks->anchor().is_sealed() && a.chunks->anchor() == b.chunks->anchor() &&
         a.seal == b.seal;
}

void check_same_kind(const std::string& path, const Snapshot& old, const Snapshot& now) {
  const auto& before = *old.array;
  const auto& after = *now.array;
  if (before.geometry.shape() == after.geometry.shape() && before.dtype == after.dtype) return;
  throw Error(ErrorKind::invalid_use,
              "'" + path + "' holds an array of shape " + to_string(after.geometry.shape()) +
                  " and type " + after.dtype.text() + " by now; this one has shape " +
                  to_string(before.geometry.shape()) + " and type " + before.dtype.text() +
                  " and keeps them: open the path again",
              path);
}

}  // namespace

bool Array::Impl::follows_file() const {
  if (absolute_path.empty()) return false;
  if (writes_file()) return false;
  if (mode == Mode::copy_on_write && edited_) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' has edits in memory (mode 'c'), which a refresh would drop: save them "
                    "to another path, or open it again",
                path);
  }
  return true;
}

void Array::Impl::take_over(const Impl& other) {
  const std::lock_guard lock(edit_mutex);
  static_cast<void>(open_snapshot());  // was it closed meanwhile?
  if (!follows_file()) return;
  write_codec = other.write_codec;
  shown.set(other.snapshot());
}

std::optional<Array> Array::newer() const {
  const parallel::OperationGuard guard;
  const auto shown = impl_->open_snapshot();
  {
    const std::lock_guard lock(impl_->edit_mutex);
    if (!impl_->follows_file()) return std::nullopt;
  }
  Array now = open(impl_->absolute_path,
                   {.mode = impl_->mode == Mode::copy_on_write ? impl_->mode : Mode::read,
                    .access = impl_->access,
                    .threads = impl_->threads,
                    .verify = impl_->verify});
  const auto found = now.impl_->snapshot();
  if (same_commit(*shown, *found) && is_whole(*shown->chunks)) return std::nullopt;
  check_same_kind(impl_->path, *shown, *found);
  now.impl_->path = impl_->path;
  return now;
}

bool Array::refresh() {
  const parallel::OperationGuard guard;
  const std::lock_guard one_at_a_time(impl_->refresh_mutex);
  std::optional<Array> now = newer();
  if (now) impl_->take_over(*now->impl_);
  return now.has_value();
}

}  // namespace mlarray
