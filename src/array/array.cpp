// The members of Array that look at an open one.
#include "mlarray/array.hpp"

#include <algorithm>

#include "array/impl.hpp"
#include "array/read_box.hpp"
#include "base/naming.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

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

void check_view(const Shape& view_shape, std::size_t strides, const Box& box) {
  if (view_shape != box.shape() || strides != view_shape.size()) {
    throw Error(ErrorKind::invalid_value, "a buffer of shape " + to_string(view_shape) +
                                              " with " + std::to_string(strides) +
                                              " strides for a box of shape " +
                                              to_string(box.shape()));
  }
}

// Whether the stored metadata says that the array counts; true where it says nothing.
bool has_array(const StoredLayers& layers, std::size_t ndim) {
  try {
    const Metadata metadata = layers.metadata(ndim);
    const bool* value = metadata.get("_has_array", "has_array").get_if<bool>();
    return value == nullptr || *value || layers.find(kMetadataLayer) == nullptr;
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

Shape Array::shape() const { return impl_->content()->geometry.shape(); }
DType Array::dtype() const { return impl_->content()->dtype; }
Shape Array::chunk_shape() const { return impl_->content()->geometry.chunk(); }
Shape Array::block_shape() const { return impl_->content()->geometry.block(); }
CodecParams Array::codec() const { return impl_->content()->codec; }
std::string Array::path() const { return impl_->path; }
Seal Array::seal() const { return impl_->content()->seal; }
bool Array::closed() const { return impl_->closed; }

std::string Array::commit_name() const {
  const parallel::OperationGuard guard;
  const auto content = impl_->open_content();
  if (impl_->mode != Mode::read || !impl_->verifies()) return {};
  if (content->seal != Seal::valid || !content->store->is_covered_by_seal()) return {};
  return content->store->anchor().name();
}

std::int64_t Array::file_bytes() const {
  return impl_->path.empty() ? 0 : static_cast<std::int64_t>(impl_->committed_bytes.load());
}

bool Array::writable() const {
  return !impl_->closed && !impl_->detached && impl_->mode != Mode::read;
}

std::int64_t Array::compressed_bytes() const {
  const parallel::OperationGuard guard;
  const auto content = impl_->open_content();
  return io::checked(*content->store, [&] { return content->store->stored_bytes(); });
}

void Array::read(const Box& box, const ArrayView& out, int threads) const {
  const parallel::OperationGuard guard;
  const auto content = impl_->open_content();
  base::naming(impl_->path, [&] {
    check_box(box, content->geometry.shape());
    check_view(out.shape, out.strides.size(), box);
    io::checked(*content->store, [&] {
      array::read_box(
          *content->store, content->geometry, box, out,
          {.threads = threads > 0 ? threads : impl_->threads, .verify = impl_->verifies()});
    });
  });
}

void Array::read(const Box& box, std::span<std::byte> out, int threads) const {
  const auto content = impl_->open_content();
  const std::int64_t itemsize = content->geometry.itemsize();
  check_box(box, content->geometry.shape());
  const Shape shape = box.shape();
  if (static_cast<std::int64_t>(out.size()) != element_count(shape) * itemsize) {
    throw Error(ErrorKind::invalid_value, "a buffer of " + std::to_string(out.size()) +
                                              " bytes for a box of shape " + to_string(shape) +
                                              ", which needs " +
                                              std::to_string(element_count(shape) * itemsize));
  }
  read(box, ArrayView{out.data(), shape, array::c_strides(shape, itemsize)}, threads);
}

void Array::write(const Box& box, const ConstArrayView& voxels, int threads) {
  const parallel::OperationGuard guard;
  base::naming(impl_->path, [&] {
    check_box(box, impl_->content()->geometry.shape());
    check_view(voxels.shape, voxels.strides.size(), box);
    impl_->write(box, voxels, threads);
  });
}

Metadata Array::metadata() const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_state();
  const auto& content = *state.first;
  return base::naming(impl_->path, [&] {
    return io::checked(*content.store,
                       [&] { return state.second.metadata(content.geometry.ndim()); });
  });
}

void Array::set_metadata(const Metadata& metadata) {
  const parallel::OperationGuard guard;
  const std::lock_guard lock(impl_->write_mutex);
  const auto content = impl_->open_content();
  impl_->check_writable();
  const array::Geometry& geometry = content->geometry;
  base::naming(impl_->path, [&] {
    const auto options = io::checked(*content->store, [&] {
      return array::MetadataLayerOptions{{},
                                         has_array(impl_->layers, geometry.ndim()),
                                         MetadataEncoding::current,
                                         impl_->layers.stored_metadata()};
    });
    impl_->layers.set(kMetadataLayer,
                      array::build_metadata_layer(metadata, geometry, content->codec, options));
  });
  impl_->layers_dirty = impl_->edited = true;
}

void Array::flush(bool durable) {
  const parallel::OperationGuard guard;
  impl_->flush(durable);
}

void Array::close() {
  const parallel::OperationGuard guard;
  impl_->close();
}

void Array::set_commit_budget(const CommitBudget& budget) {
  const std::lock_guard lock(impl_->write_mutex);
  impl_->budget = budget;
}

std::vector<std::string> Array::take_detached_notice() {
  const parallel::OperationGuard guard;
  return array::WriterRegistry::instance().take_notice();
}

void Array::close_all_writers() noexcept {
  const parallel::OperationGuard guard;
  for (const auto& writer : array::WriterRegistry::instance().all()) {
    try {
      writer->close();
    } catch (...) {
      // One writer that cannot commit must not keep the others from it.
    }
  }
}

void set_num_threads(int n) { parallel::set_num_threads(n); }
int num_threads() { return parallel::num_threads(); }

}  // namespace mlarray
