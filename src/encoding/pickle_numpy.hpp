// NumPy's element types and scalars, as pickles describe them.
#pragma once

#include <optional>
#include <vector>

#include "mlarray/value.hpp"

namespace mlarray::encoding {

// numpy.dtype(text, align, copy) with its state (version, byte order, ...): Opaque
// "numpy.dtype" with the full type string ("<f8") as its only state; nothing if it is none.
std::optional<Value> numpy_dtype(const std::vector<Value>& arguments,
                                 const std::vector<Value>& states);

// A scalar of (dtype, bytes): bool, int, float, str or bytes; nothing for other kinds and for
// bytes of the wrong length.
std::optional<Value> numpy_scalar(const std::vector<Value>& arguments);

}  // namespace mlarray::encoding
