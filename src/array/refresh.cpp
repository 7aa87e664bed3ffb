// Following a file that somebody else writes.
#include "array/impl.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray {
namespace {

bool is_whole(const array::ChunkStore& store) {
  try {
    store.watch();
    store.check();
    return true;
  } catch (const Error&) {
    return false;  // to be replaced, even by the same commit
  }
}

bool same_commit(const Content& a, const Content& b) {
  return a.store->anchor().is_sealed() && a.store->anchor() == b.store->anchor() &&
         a.seal == b.seal;
}

void check_same_kind(const std::string& path, const Content& old, const Content& now) {
  if (old.geometry.shape() == now.geometry.shape() && old.dtype == now.dtype) return;
  throw Error(ErrorKind::invalid_use,
              "'" + path + "' holds an array of shape " + to_string(now.geometry.shape()) +
                  " and type " + now.dtype.text() + " by now; this one has shape " +
                  to_string(old.geometry.shape()) + " and type " + old.dtype.text() +
                  " and keeps them: open the path again",
              path);
}

}  // namespace

bool Array::Impl::follows_file() const {
  if (absolute_path.empty()) return false;
  if (writer && generation == parallel::process_generation()) return false;
  if (mode == Mode::copy_on_write && edited) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' has edits in memory (mode 'c'), which a refresh would drop: save them "
                    "to another path, or open it again",
                path);
  }
  return true;
}

void Array::Impl::take_over(Impl& other) {
  const std::lock_guard lock(write_mutex);
  static_cast<void>(open_content());  // was it closed meanwhile?
  if (!follows_file()) return;
  layers = std::move(other.layers);
  committed_bytes = other.committed_bytes.load();
  write_codec = other.write_codec;
  set_content(other.content());
}

std::optional<Array> Array::newer() const {
  const parallel::OperationGuard guard;
  const auto content = impl_->open_content();
  {
    const std::lock_guard lock(impl_->write_mutex);
    if (!impl_->follows_file()) return std::nullopt;
  }
  Array now = open(impl_->absolute_path,
                   {.mode = impl_->mode == Mode::copy_on_write ? impl_->mode : Mode::read,
                    .access = impl_->access,
                    .threads = impl_->threads,
                    .verify = impl_->verify});
  const auto found = now.impl_->content();
  if (same_commit(*content, *found) && is_whole(*content->store)) return std::nullopt;
  check_same_kind(impl_->path, *content, *found);
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
