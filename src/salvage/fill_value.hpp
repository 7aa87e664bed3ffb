// One element of a type, from a number.
#pragma once

#include <cstddef>
#include <vector>

#include "mlarray/types.hpp"
#include "mlarray/value.hpp"

namespace mlarray::salvaging {

// The bytes of an element that holds `value`: a bool, an integer, a float. Types that are no
// numbers take 0, which is zero bytes. Errors: invalid_value for what the type does not hold,
// naming the limits.
std::vector<std::byte> element_of(const Value& value, const DType& dtype);

}  // namespace mlarray::salvaging
