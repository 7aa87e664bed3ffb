// What is behind an Array, for layers above this one whose functions are not members of it.
#pragma once

#include "mlarray/array.hpp"
#include "session/impl.hpp"

namespace mlarray {

struct Array::Inside {
  static Impl& impl(const Array& array) { return *array.impl_; }
};

}  // namespace mlarray
