// Shapes, boxes and views of voxels: plain values, freely copyable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mlarray/dtype.hpp"
#include "mlarray/export.hpp"

namespace mlarray {

// One length per axis, slowest-varying axis first (C order). Empty for a 0-d array.
using Shape = std::vector<std::int64_t>;

// At most this many axes (the limit of the Blosc2 b2nd metalayer since version 3).
inline constexpr int kMaxDims = 16;

// A half-open box of voxels: start[i] <= index < stop[i] on every axis.
struct MLARRAY_EXPORT Box {
  Shape start;
  Shape stop;

  // All of an array of this shape.
  static Box whole(const Shape& shape) { return {Shape(shape.size(), 0), shape}; }
  // From `start` on, `size` voxels along each axis. Errors: invalid_value for another number of
  // axes; out_of_bounds past 2^63 - 1.
  static Box at(const Shape& start, const Shape& size);

  // Errors: none. A negative extent counts as empty.
  Shape shape() const;
  bool empty() const;
};

// Number of elements of a shape (1 for a 0-d array).
// Errors: invalid_value for a negative length, unsupported past 2^63 - 1.
MLARRAY_EXPORT std::int64_t element_count(const Shape& shape);

// "(3, 4, 5)", "(3,)", "()": as Python prints a tuple.
MLARRAY_EXPORT std::string to_string(const Shape& shape);

// Bytes from one element to the next along each axis, for elements of `itemsize` bytes in C
// order without gaps. Errors: none; an empty axis counts as one element.
MLARRAY_EXPORT std::vector<std::int64_t> c_strides(const Shape& shape, std::int64_t itemsize);

// Voxels of a caller: `data` points at element (0, ..., 0), strides in bytes, which may be
// negative, one for each axis. `itemsize`: bytes of an element, as view_of() sets it. Where it
// is not 0 and the array has elements of another size, the call is an error (invalid_type);
// otherwise the view is taken to have elements of the array's type.
struct ConstArrayView {
  const std::byte* data = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
  std::int64_t itemsize = 0;
};
struct ArrayView {
  std::byte* data = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
  std::int64_t itemsize = 0;
  operator ConstArrayView() const { return {data, shape, strides, itemsize}; }
};

// Numbers one after the other in memory, whose type is a T that voxels can have: a std::vector,
// std::array, std::span, C array.
template <class R>
concept Elements = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                   Element<std::ranges::range_value_t<R>>;
// Such that they can be written to, and outlive the call.
template <class R>
concept WritableElements =
    Elements<R> && std::ranges::borrowed_range<R> &&
    !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>;
// Their type.
template <Elements R>
using ElementOf = std::ranges::range_value_t<R>;

// `count` elements in C order without gaps, as a view of this shape.
// Errors: invalid_value where the shape has another number of elements.
MLARRAY_EXPORT ArrayView view_of(std::byte* data, std::size_t count, const Shape& shape,
                                 std::int64_t itemsize);
MLARRAY_EXPORT ConstArrayView view_of(const std::byte* data, std::size_t count,
                                      const Shape& shape, std::int64_t itemsize);
// The same of numbers, which must outlive the view: view_of(voxels, {48, 64, 80}).
template <Element T>
ArrayView view_of(std::span<T> voxels, const Shape& shape) {
  return view_of(std::as_writable_bytes(voxels).data(), voxels.size(), shape, sizeof(T));
}
template <Element T>
ConstArrayView view_of(std::span<const T> voxels, const Shape& shape) {
  return view_of(std::as_bytes(voxels).data(), voxels.size(), shape, sizeof(T));
}
template <Elements R>
  requires std::ranges::borrowed_range<R>
auto view_of(R&& voxels, const Shape& shape) {
  return view_of(std::span(std::ranges::data(voxels), std::ranges::size(voxels)), shape);
}

}  // namespace mlarray
