#include "base/half.hpp"

#include <algorithm>
#include <cmath>

namespace mlarray::base {

double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F;
  const double fraction = static_cast<double>(bits & 0x3FF) / 1024;
  double value =
      exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
  if (exponent == 0x1F) value = fraction == 0 ? HUGE_VAL : NAN;
  return (bits & 0x8000) != 0 ? -value : value;
}

std::uint16_t half_of_double(double value) {
  const unsigned sign = std::signbit(value) ? 0x8000u : 0u;
  if (std::isnan(value)) return static_cast<std::uint16_t>(0x7e00u);
  const double size = std::abs(value);
  if (size >= 65520) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (size == 0) return static_cast<std::uint16_t>(sign);
  const int exponent = std::max(std::ilogb(size), -14);
  const auto steps = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  // The leading 1 of a normal number adds itself to the exponent.
  return static_cast<std::uint16_t>(sign |
                                    (static_cast<unsigned>(exponent + 14) * 1024u + steps));
}

}  // namespace mlarray::base
