// IEEE 754 binary16, which C++20 has no type for.
#pragma once

#include <cstdint>

namespace mlarray::base {

double half_to_double(std::uint16_t bits);
// Rounded to the nearest, ties to even; infinite from 65520 on.
std::uint16_t half_of_double(double value);

}  // namespace mlarray::base
