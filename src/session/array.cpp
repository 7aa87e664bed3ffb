// The members of Array that look at an open one.
#include "mlarray/array.hpp"

#include "base/naming.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"

namespace mlarray {

// Each of these holds a guard: a fork must find no lock held, not even that of a pointer.
Shape Array::shape() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->geometry().shape();
}

DType Array::dtype() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->array->dtype;
}

Shape Array::chunk_shape() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->geometry().chunk();
}

Shape Array::block_shape() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->geometry().block();
}

CodecParams Array::codec() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->array->codec;
}

std::string Array::path() const { return impl_->path; }

Seal Array::seal() const {
  const parallel::OperationGuard guard;
  return impl_->snapshot()->seal;
}

bool Array::closed() const { return impl_->closed; }

std::string Array::commit_name() const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  if (impl_->mode != Mode::read || !impl_->verifies()) return {};
  if (state->seal != Seal::valid || !state->chunks->is_covered_by_seal()) return {};
  return state->chunks->anchor().name();
}

std::int64_t Array::file_bytes() const {
  const parallel::OperationGuard guard;
  return static_cast<std::int64_t>(impl_->snapshot()->file_bytes);
}

bool Array::writable() const {
  return !impl_->closed && !impl_->detached && impl_->mode != Mode::read;
}

std::int64_t Array::compressed_bytes() const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  return io::checked(*state->chunks, [&] { return state->chunks->stored_bytes(); });
}

Metadata Array::metadata() const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  return base::naming(impl_->path, [&] {
    return io::checked(*state->chunks, [&] { return state->metadata(); });
  });
}

void Array::set_metadata(const Metadata& metadata) {
  const parallel::OperationGuard guard;
  base::naming(impl_->path, [&] { impl_->set_metadata(metadata); });
}

void Array::flush() {
  const parallel::OperationGuard guard;
  impl_->flush(impl_->level);
}

void Array::flush(CommitLevel level) {
  const parallel::OperationGuard guard;
  impl_->flush(level);
}

void Array::close() {
  const parallel::OperationGuard guard;
  impl_->close();
}

void Array::set_commit_budget(const CommitBudget& budget) {
  const parallel::OperationGuard guard;
  const std::lock_guard lock(impl_->edit_mutex);
  impl_->budget = budget;
}

}  // namespace mlarray
