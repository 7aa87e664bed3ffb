// The members of Array that look at an open one.
#include "mlarray/array.hpp"

#include <algorithm>

#include "base/naming.hpp"
#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/read_box.hpp"
#include "session/impl.hpp"
#include "session/registry.hpp"

namespace mlarray {
namespace {

// Errors: out_of_bounds, invalid_value.
void check_box(const Box& box, const Shape& shape) {
  if (box.start.size() != shape.size() || box.stop.size() != shape.size()) {
    throw Error(ErrorKind::invalid_value, "a box of " + std::to_string(box.start.size()) +
                                              " and " + std::to_string(box.stop.size()) +
                                              " axes for an array of shape " +
                                              to_string(shape));
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (box.start[i] < 0 || box.stop[i] < box.start[i] || box.stop[i] > shape[i]) {
      throw Error(ErrorKind::out_of_bounds,
                  "the box from " + to_string(box.start) + " to " + to_string(box.stop) +
                      " is not inside the array of shape " + to_string(shape));
    }
  }
}

void check_bytes(std::size_t bytes, const Box& box, std::int64_t itemsize) {
  const std::int64_t wanted = element_count(box.shape()) * itemsize;
  if (static_cast<std::uint64_t>(wanted) != bytes) {
    throw Error(ErrorKind::invalid_value,
                "a buffer of " + std::to_string(bytes) + " bytes for a box of shape " +
                    to_string(box.shape()) + ", which needs " + std::to_string(wanted));
  }
}

bool may_be_read_as(const DType& stored, const DType& wanted) {
  return stored.same_elements(wanted) ||
         (stored.kind() == 'b' && wanted.kind() == 'u' && wanted.itemsize() == 1);
}

// `fit`: whether a buffer of elements of `wanted` suits.
void check_elements(const DType& stored, const DType& wanted, bool fit) {
  if (fit) return;
  throw Error(ErrorKind::invalid_type,
              "an array of dtype " + base::quote(stored.text()) + " for a buffer of " +
                  base::quote(wanted.text()) +
                  "; use a buffer of the array's type, or one of std::byte and convert");
}

void check_view(const Shape& view_shape, std::size_t strides, const Box& box) {
  if (view_shape != box.shape() || strides != view_shape.size()) {
    throw Error(ErrorKind::invalid_value, "a buffer of shape " + to_string(view_shape) +
                                              " with " + std::to_string(strides) +
                                              " strides for a box of shape " +
                                              to_string(box.shape()));
  }
}

}  // namespace

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

void Array::read(const Box& box, const ArrayView& out, int threads) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  base::naming(impl_->path, [&] {
    check_box(box, state->geometry().shape());
    check_view(out.shape, out.strides.size(), box);
    io::checked(*state->chunks, [&] {
      pipeline::read_box(
          *state->chunks, state->geometry(), box, out,
          {.threads = threads > 0 ? threads : impl_->threads, .verify = impl_->verifies()});
    });
  });
}

void Array::read(const Box& box, std::span<std::byte> out, int threads) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  const ArrayView view = base::naming(impl_->path, [&] {
    check_box(box, state->geometry().shape());
    const std::int64_t itemsize = state->geometry().itemsize();
    check_bytes(out.size(), box, itemsize);
    return ArrayView{out.data(), box.shape(), c_strides(box.shape(), itemsize)};
  });
  read(box, view, threads);
}

std::size_t Array::voxels_of(const Box& box, const DType& type) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  return base::naming(impl_->path, [&] {
    check_elements(state->array->dtype, type, may_be_read_as(state->array->dtype, type));
    check_box(box, state->geometry().shape());
    return static_cast<std::size_t>(element_count(box.shape()));
  });
}

void Array::read_elements(const Box& box, std::span<std::byte> out, const DType& type,
                          int threads) const {
  const parallel::OperationGuard guard;
  voxels_of(box, type);
  read(box, out, threads);
  if (dtype().kind() != 'b') return;
  // A file may hold any byte; in C++, a bool must not.
  for (std::byte& voxel : out) voxel = voxel == std::byte{0} ? voxel : std::byte{1};
}

void Array::write_elements(const Box& box, std::span<const std::byte> voxels, const DType& type,
                           int threads) {
  const parallel::OperationGuard guard;
  base::naming(impl_->path, [&] {
    const DType mine = dtype();
    check_elements(mine, type, mine.same_elements(type));
  });
  write(box, voxels, threads);
}

void Array::write(const Box& box, std::span<const std::byte> voxels, int threads) {
  const parallel::OperationGuard guard;
  const auto state = impl_->snapshot();
  const ConstArrayView view = base::naming(impl_->path, [&] {
    const grid::Geometry& geometry = state->geometry();
    check_box(box, geometry.shape());
    check_bytes(voxels.size(), box, geometry.itemsize());
    return ConstArrayView{voxels.data(), box.shape(),
                          c_strides(box.shape(), geometry.itemsize())};
  });
  write(box, view, threads);
}

void Array::write(const Box& box, const ConstArrayView& voxels, int threads) {
  const parallel::OperationGuard guard;
  base::naming(impl_->path, [&] {
    check_box(box, impl_->snapshot()->geometry().shape());
    check_view(voxels.shape, voxels.strides.size(), box);
    impl_->write(box, voxels, threads);
  });
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

std::vector<std::string> Array::take_detached_notice() {
  const parallel::OperationGuard guard;
  return session::Registry::instance().take_notice();
}

void Array::close_all_writers() noexcept {
  const parallel::OperationGuard guard;
  try {
    for (const auto& writer : session::Registry::instance().all()) {
      try {
        writer->close();
      } catch (...) {
        // One writer that cannot commit must not keep the others from it.
      }
    }
  } catch (...) {
    // No memory for the list.
  }
}

void set_num_threads(int n) { parallel::set_num_threads(n); }
int num_threads() { return parallel::num_threads(); }

}  // namespace mlarray
