#include "ndarray.hpp"

#include <string>

#include "mlarray/error.hpp"

namespace nb = nanobind;

namespace mlarray::bindings {

PinnedBuffer::PinnedBuffer(nb::handle exporter, Use use, std::int64_t itemsize) {
  const int flags = PyBUF_STRIDES | (use == Use::write ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(exporter.ptr(), &buffer_, flags) != 0) {
    throw nb::python_error();
  }
  if (buffer_.itemsize != itemsize) {
    const std::string found = std::to_string(buffer_.itemsize);
    PyBuffer_Release(&buffer_);
    throw Error(ErrorKind::invalid_value,
                "the buffer has elements of " + found + " bytes, but those of the array have " +
                    std::to_string(itemsize) + "; convert it to the array's dtype first");
  }
  try {
    shape_.assign(buffer_.shape, buffer_.shape + buffer_.ndim);
    strides_.assign(buffer_.strides, buffer_.strides + buffer_.ndim);
  } catch (...) {
    PyBuffer_Release(&buffer_);
    throw;
  }
}

PinnedBuffer::~PinnedBuffer() { PyBuffer_Release(&buffer_); }

ArrayView PinnedBuffer::view() const {
  return {static_cast<std::byte*>(buffer_.buf), shape_, strides_};
}

ConstArrayView PinnedBuffer::const_view() const {
  return {static_cast<const std::byte*>(buffer_.buf), shape_, strides_};
}

std::vector<ArrayView> PinnedBuffer::parts() const {
  std::vector<ArrayView> parts;
  if (shape_.empty()) {
    return parts;
  }
  const Shape shape(shape_.begin() + 1, shape_.end());
  const std::vector<std::int64_t> strides(strides_.begin() + 1, strides_.end());
  auto* data = static_cast<std::byte*>(buffer_.buf);
  for (std::int64_t i = 0; i < shape_[0]; ++i) {
    parts.push_back({data + i * strides_[0], shape, strides});
  }
  return parts;
}

}  // namespace mlarray::bindings
