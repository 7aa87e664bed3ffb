// float16 and bfloat16 in loops that compilers turn into vectors. Internal.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace mlarray::training {

struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

// Without branches; NaN stays NaN.
inline float to_float(Half half) {
  const std::uint32_t shifted = static_cast<std::uint32_t>(half.bits & 0x7fff) << 13;
  // The exponent of float16 has 15 as its zero, that of float32 127.
  const float value = std::bit_cast<float>(shifted) * 0x1p112F;
  const std::uint32_t special = (half.bits & 0x7c00) == 0x7c00 ? 0x7f800000U : 0U;
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000) << 16;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | special | sign);
}

inline float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

// By bits: compilers make a branch of ?: where they may not compute both sides.
inline std::int32_t chosen(bool first, std::int32_t a, std::int32_t b) {
  const std::int32_t mask = -static_cast<std::int32_t>(first);
  return (a & mask) | (b & ~mask);
}

// To the nearest, ties to even; infinite from 65520 on. With signed comparisons, because SSE2
// has no others.
inline Half half_of(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  const std::int32_t sign = bits >> 16 & 0x8000;
  const std::int32_t size = bits & 0x7fffffff;
  // Below 2^-14 the steps are those of 2^-24: adding 0.5 makes the unit round them.
  const float shifted = std::bit_cast<float>(size) + 0.5F;
  const std::int32_t small = std::bit_cast<std::int32_t>(shifted) - 0x3f000000;
  const std::int32_t odd = size >> 13 & 1;
  const std::int32_t normal = (size - 0x38000000 + 0xfff + odd) >> 13;
  std::int32_t result = chosen(size < 0x38800000, small, normal);
  result = chosen(size >= 0x477ff000, 0x7c00, result);
  result = chosen(size > 0x7f800000, 0x7e00, result);
  return {static_cast<std::uint16_t>(sign | result)};
}

inline BFloat16 bfloat16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t odd = bits >> 16 & 1;
  const std::uint32_t rounded = (bits + 0x7fff + odd) >> 16;
  const bool is_nan = static_cast<std::int32_t>(bits & 0x7fffffff) > 0x7f800000;
  return {
      static_cast<std::uint16_t>(chosen(is_nan, static_cast<std::int32_t>(bits >> 16 | 0x40),
                                        static_cast<std::int32_t>(rounded)))};
}

// Such that a second rounding, to half the digits or fewer, gives what one rounding would.
inline float rounded_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (!std::isfinite(nearest)) {  // beyond float32 it is also beyond the others
    return nearest;
  }
  const auto back = static_cast<double>(nearest);
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (back == value || (bits & 1) != 0) return nearest;
  // The neighbour on the other side of the value is odd.
  if (nearest == 0) return std::copysign(std::bit_cast<float>(1U), static_cast<float>(value));
  bits += (std::abs(back) < std::abs(value)) ? 1U : ~0U;
  return std::bit_cast<float>(bits);
}

}  // namespace mlarray::training
