// The members of Array that read and write voxels.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/naming.hpp"
#include "base/text.hpp"
#include "base/views.hpp"
#include "grid/strided.hpp"
#include "mlarray/array.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/read_box.hpp"
#include "session/impl.hpp"

namespace mlarray {
namespace {

// Errors: invalid_value.
void check_axes(const Box& box, const Shape& shape) {
  if (box.start.size() != shape.size() || box.stop.size() != shape.size()) {
    throw Error(ErrorKind::invalid_value, "a box of " + std::to_string(box.start.size()) +
                                              " and " + std::to_string(box.stop.size()) +
                                              " axes for an array of shape " +
                                              to_string(shape));
  }
}

// Errors: out_of_bounds, invalid_value.
void check_box(const Box& box, const Shape& shape) {
  check_axes(box, shape);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (box.start[i] < 0 || box.stop[i] < box.start[i] || box.stop[i] > shape[i]) {
      throw Error(ErrorKind::out_of_bounds,
                  "the box from " + to_string(box.start) + " to " + to_string(box.stop) +
                      " is not inside the array of shape " + to_string(shape));
    }
  }
}

// For a box that may reach beyond the array. Within 2^62, no distance exceeds 2^63 - 1.
// Errors: out_of_bounds, invalid_value.
void check_padded_box(const Box& box, const Shape& shape) {
  constexpr std::int64_t kFarthest = std::int64_t{1} << 62;
  check_axes(box, shape);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (box.stop[i] < box.start[i]) {
      throw Error(ErrorKind::invalid_value, "the box from " + to_string(box.start) + " to " +
                                                to_string(box.stop) + " ends on axis " +
                                                std::to_string(i) + " before it starts");
    }
    if (box.start[i] < -kFarthest || box.stop[i] > kFarthest) {
      throw Error(ErrorKind::out_of_bounds, "the box from " + to_string(box.start) + " to " +
                                                to_string(box.stop) +
                                                " leaves the range -2^62 to 2^62");
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

[[noreturn]] void fail_elements(const DType& stored, const DType& wanted) {
  throw Error(ErrorKind::invalid_type,
              "an array of dtype " + base::quote(stored.text()) + " for a buffer of " +
                  base::quote(wanted.text()) +
                  "; use a buffer of the array's type, or one of std::byte and convert");
}

// Errors: invalid_type where voxels are not read into elements of `wanted`.
void check_readable(const DType& stored, const DType& wanted) {
  const bool bools_as_bytes =
      stored.kind() == 'b' && wanted.kind() == 'u' && wanted.itemsize() == 1;
  if (!bools_as_bytes && !stored.same_elements(wanted)) fail_elements(stored, wanted);
}

void check_view(const ConstArrayView& view, const Box& box, std::int64_t itemsize) {
  base::check_view(view, itemsize);
  if (view.shape != box.shape()) {
    throw Error(ErrorKind::invalid_value, "a buffer of shape " + to_string(view.shape) +
                                              " for a box of shape " + to_string(box.shape()));
  }
}

void check_fill(std::span<const std::byte> fill, std::int64_t itemsize) {
  if (fill.empty() || fill.size() == static_cast<std::size_t>(itemsize)) return;
  throw Error(ErrorKind::invalid_value, "a fill value of " + std::to_string(fill.size()) +
                                            " bytes for voxels of " + std::to_string(itemsize));
}

void check_count(std::size_t boxes, std::size_t views) {
  if (boxes == views) return;
  throw Error(ErrorKind::invalid_value,
              std::to_string(views) + " buffers for " + std::to_string(boxes) + " boxes");
}

// A file may hold any byte; in C++, a bool must not.
void normalise_bools(std::span<std::byte> voxels) {
  for (std::byte& voxel : voxels) voxel = voxel == std::byte{0} ? voxel : std::byte{1};
}

// The same of a view whose last axis has no gaps.
void normalise_bools(const ArrayView& view) {
  const std::size_t axes = view.shape.size();
  const std::int64_t row = axes > 0 ? view.shape.back() : 1;
  const std::int64_t rows = element_count(view.shape) / row;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::int64_t offset = 0;
    std::int64_t rest = i;
    for (std::size_t a = axes; a-- > 1;) {
      offset += rest % view.shape[a - 1] * view.strides[a - 1];
      rest /= view.shape[a - 1];
    }
    normalise_bools(std::span(view.data + offset, static_cast<std::size_t>(row)));
  }
}

// The part of `out` (of `box`) for `inner`, which lies in the box.
ArrayView part_of(const ArrayView& out, const Box& box, const Box& inner) {
  ArrayView part{out.data, inner.shape(), out.strides};
  for (std::size_t a = 0; a < inner.start.size(); ++a) {
    part.data += (inner.start[a] - box.start[a]) * out.strides[a];
  }
  return part;
}

// Puts `element` everywhere in `out` (of `box`) but into `inside`: slab by slab, those of an
// axis as wide as `inside` along the axes before it.
void fill_outside(const Box& box, const Box& inside, const ArrayView& out,
                  std::span<const std::byte> element) {
  const auto fill = [&](const Box& slab) {
    const ArrayView part = part_of(out, box, slab);
    grid::fill_box(part.data, part.strides, element, part.shape);
  };
  if (inside.empty()) return fill(box);
  Box slab = box;
  for (std::size_t a = 0; a < box.start.size(); ++a) {
    slab.stop[a] = inside.start[a];
    if (!slab.empty()) fill(slab);
    slab.start[a] = inside.stop[a];
    slab.stop[a] = box.stop[a];
    if (!slab.empty()) fill(slab);
    slab.start[a] = inside.start[a];
    slab.stop[a] = inside.stop[a];
  }
}

// Views of the boxes in one buffer. Errors: invalid_value, out_of_bounds.
std::vector<ArrayView> one_after_the_other(std::span<const Box> boxes, std::span<std::byte> out,
                                           const grid::Geometry& geometry, bool padded) {
  const std::int64_t itemsize = geometry.itemsize();
  std::vector<ArrayView> views;
  views.reserve(boxes.size());
  std::size_t used = 0;
  for (const Box& box : boxes) {
    padded ? check_padded_box(box, geometry.shape()) : check_box(box, geometry.shape());
    const Shape shape = box.shape();
    const std::int64_t count = element_count(shape);
    // By division: a box that reaches beyond the array may have more than 2^63 bytes.
    if (static_cast<std::size_t>(count) >
        (out.size() - used) / static_cast<std::size_t>(itemsize)) {
      throw Error(ErrorKind::invalid_value, "a buffer of " + std::to_string(out.size()) +
                                                " bytes for " + std::to_string(boxes.size()) +
                                                " boxes, which need more");
    }
    views.push_back({out.data() + used, shape, c_strides(shape, itemsize)});
    used += static_cast<std::size_t>(count * itemsize);
  }
  if (used != out.size()) {
    throw Error(ErrorKind::invalid_value, "a buffer of " + std::to_string(out.size()) +
                                              " bytes for " + std::to_string(boxes.size()) +
                                              " boxes, which need " + std::to_string(used));
  }
  return views;
}

// The checked boxes of what an array shows.
void read_from(const Array::Impl& array, const session::Snapshot& state,
               std::span<const Box> boxes, std::span<const ArrayView> out, int threads) {
  io::checked(*state.chunks, [&] {
    pipeline::read_boxes(
        *state.chunks, state.geometry(), boxes, out,
        {.threads = threads > 0 ? threads : array.threads, .verify = array.verifies()});
  });
}

void read_from(const Array::Impl& array, const session::Snapshot& state, const Box& box,
               const ArrayView& out, int threads) {
  read_from(array, state, std::span(&box, 1), std::span(&out, 1), threads);
}

}  // namespace

void Array::read(const Box& box, const ArrayView& out, int threads) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  base::naming(impl_->path, [&] {
    check_box(box, state->geometry().shape());
    check_view(out, box, state->geometry().itemsize());
    read_from(*impl_, *state, box, out, threads);
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

void Array::read_padded(const Box& box, const ArrayView& out, std::span<const std::byte> fill,
                        int threads) const {
  read_many_padded(std::span(&box, 1), std::span(&out, 1), fill, threads);
}

void Array::read_many(std::span<const Box> boxes, std::span<const ArrayView> out,
                      int threads) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  base::naming(impl_->path, [&] {
    check_count(boxes.size(), out.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      check_box(boxes[i], state->geometry().shape());
      check_view(out[i], boxes[i], state->geometry().itemsize());
    }
    read_from(*impl_, *state, boxes, out, threads);
  });
}

void Array::read_many_padded(std::span<const Box> boxes, std::span<const ArrayView> out,
                             std::span<const std::byte> fill, int threads) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  base::naming(impl_->path, [&] {
    const Shape& shape = state->geometry().shape();
    const std::int64_t itemsize = state->geometry().itemsize();
    check_count(boxes.size(), out.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      check_padded_box(boxes[i], shape);
      check_view(out[i], boxes[i], itemsize);
    }
    check_fill(fill, itemsize);
    const std::vector<std::byte> zero(fill.empty() ? static_cast<std::size_t>(itemsize) : 0);
    std::vector<Box> insides;
    std::vector<ArrayView> parts;
    insides.reserve(boxes.size());
    parts.reserve(boxes.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (boxes[i].empty()) continue;
      const Box inside = grid::intersect(boxes[i], Box::whole(shape));
      fill_outside(boxes[i], inside, out[i], fill.empty() ? std::span(zero) : fill);
      if (inside.empty()) continue;
      parts.push_back(part_of(out[i], boxes[i], inside));
      insides.push_back(inside);
    }
    read_from(*impl_, *state, insides, parts, threads);
  });
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
    const auto state = impl_->snapshot();
    check_box(box, state->geometry().shape());
    check_view(voxels, box, state->geometry().itemsize());
    impl_->write(box, voxels, threads);
  });
}

std::size_t Array::Typed::voxels_of(const Array& array, const Box& box, const DType& type,
                                    bool padded) {
  const parallel::OperationGuard guard;
  const auto state = array.impl_->open_snapshot();
  return base::naming(array.impl_->path, [&] {
    check_readable(state->array->dtype, type);
    padded ? check_padded_box(box, state->geometry().shape())
           : check_box(box, state->geometry().shape());
    const std::int64_t count = element_count(box.shape());
    if (count > std::numeric_limits<std::ptrdiff_t>::max() / type.itemsize()) {
      throw Error(ErrorKind::unsupported, "a box of shape " + to_string(box.shape()) +
                                              " has more bytes than memory can have");
    }
    return static_cast<std::size_t>(count);
  });
}

void Array::Typed::read(const Array& array, const Box& box, Bytes out, const DType& type,
                        int threads) {
  const parallel::OperationGuard guard;
  voxels_of(array, box, type, false);
  array.read(box, out, threads);
  if (array.dtype().kind() == 'b') normalise_bools(out);
}

void Array::Typed::read_padded(const Array& array, const Box& box, Bytes out, const DType& type,
                               ConstBytes fill, int threads) {
  const parallel::OperationGuard guard;
  voxels_of(array, box, type, true);
  base::naming(array.impl_->path, [&] { check_bytes(out.size(), box, type.itemsize()); });
  read_many_padded(array, std::span(&box, 1), out, type, fill, threads);
}

void Array::Typed::read_many(const Array& array, std::span<const Box> boxes, Bytes out,
                             const DType& type, int threads) {
  const parallel::OperationGuard guard;
  const auto state = array.impl_->open_snapshot();
  const std::vector<ArrayView> views = base::naming(array.impl_->path, [&] {
    check_readable(state->array->dtype, type);
    return one_after_the_other(boxes, out, state->geometry(), false);
  });
  array.read_many(boxes, views, threads);
  if (state->array->dtype.kind() == 'b') normalise_bools(out);
}

void Array::Typed::read_many_padded(const Array& array, std::span<const Box> boxes, Bytes out,
                                    const DType& type, ConstBytes fill, int threads) {
  const parallel::OperationGuard guard;
  const auto state = array.impl_->open_snapshot();
  const std::vector<ArrayView> views = base::naming(array.impl_->path, [&] {
    check_readable(state->array->dtype, type);
    return one_after_the_other(boxes, out, state->geometry(), true);
  });
  array.read_many_padded(boxes, views, fill, threads);
  if (state->array->dtype.kind() != 'b') return;
  // The fill value is the caller's own.
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].empty()) continue;
    const Box inside = grid::intersect(boxes[i], Box::whole(state->geometry().shape()));
    if (!inside.empty()) normalise_bools(part_of(views[i], boxes[i], inside));
  }
}

void Array::Typed::write(Array& array, const Box& box, ConstBytes voxels, const DType& type,
                         int threads) {
  const parallel::OperationGuard guard;
  base::naming(array.impl_->path, [&] {
    const DType mine = array.dtype();
    if (!mine.same_elements(type)) fail_elements(mine, type);
  });
  array.write(box, voxels, threads);
}

}  // namespace mlarray
