// Ownership of voxels between Python and C++, in one place.
//
// Python allocates every array and C++ only fills or reads it: the core never owns memory that
// NumPy sees, and never keeps a pointer into an array beyond the call that received it.
// A PinnedBuffer holds the exporter of a buffer alive and in place for the length of one call;
// it is made and destroyed with the GIL, its bytes may be used without.
//
// Element types are the caller's business: NumPy exports no datetime or object buffers, so the
// Python side passes such arrays as views of plain bytes of the same item size.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mlarray/array.hpp"

namespace mlarray::bindings {

class PinnedBuffer {
 public:
  enum class Use { read, write };

  // `itemsize` is the array's bytes per element. Errors: a Python exception from the exporter
  // (not a buffer, read-only); invalid_value for elements of another size.
  PinnedBuffer(nanobind::handle exporter, Use use, std::int64_t itemsize);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  ArrayView view() const;
  ConstArrayView const_view() const;
  // The views along the first axis; none of a buffer without axes.
  std::vector<ArrayView> parts() const;

 private:
  Py_buffer buffer_{};
  Shape shape_;
  std::vector<std::int64_t> strides_;
};

// The elements of a view that the Python side made in C order.
template <class T>
std::span<T> span_of(const ArrayView& view) {
  return {reinterpret_cast<T*>(view.data), static_cast<std::size_t>(element_count(view.shape))};
}

}  // namespace mlarray::bindings
