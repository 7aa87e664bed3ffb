// What a view of a caller must have, whatever is read or written through it.
#pragma once

#include <cstdint>
#include <string>

#include "mlarray/error.hpp"
#include "mlarray/types.hpp"

namespace mlarray::base {

// Errors: invalid_value without a stride for each axis, and for voxels at the address 0;
// invalid_type where the view says that its elements are not of `itemsize` bytes.
inline void check_view(const ConstArrayView& view, std::int64_t itemsize) {
  if (view.strides.size() != view.shape.size()) {
    throw Error(ErrorKind::invalid_value, "a view of shape " + to_string(view.shape) +
                                              " needs one stride for each axis, not " +
                                              std::to_string(view.strides.size()));
  }
  if (view.itemsize != 0 && view.itemsize != itemsize) {
    throw Error(ErrorKind::invalid_type,
                "a view of elements of " + std::to_string(view.itemsize) +
                    " bytes for voxels of " + std::to_string(itemsize) +
                    " bytes; give a view of elements of the array's type");
  }
  if (view.data == nullptr && element_count(view.shape) > 0) {
    throw Error(ErrorKind::invalid_value, "a view of shape " + to_string(view.shape) +
                                              " at the address 0; let it point at the first "
                                              "voxel");
  }
}

}  // namespace mlarray::base
