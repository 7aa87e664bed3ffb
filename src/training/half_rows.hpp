// Rows of float16 from and to float32, in loops that a compiler vectorises without instructions
// for float16. As base/half.hpp, value by value.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace mlarray::training {

// A float16 as its bits: a type of its own.
struct Half {
  std::uint16_t bits = 0;
};

inline float to_float(float value) { return value; }
inline float to_float(Half value) {
  const std::uint32_t size = value.bits & 0x7fffu;
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  // The exponent is moved by a multiplication, which makes subnormal numbers normal.
  const float scaled = std::bit_cast<float>(size << 13) * 0x1p112f;
  const std::uint32_t infinite = size >= 0x7c00u ? 0x7f800000u : 0u;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | infinite | sign);
}

// Rounded to the nearest, ties to even; infinite from 65520 on.
inline void store(float value, float& out) { out = value; }
inline void store(float value, Half& out) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t size = bits & 0x7fffffffu;
  // Normal: the exponent is moved, and the 13 bits that go are rounded.
  const std::uint32_t normal = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
  // Subnormal: adding 0.5 leaves the bits of float16 at the end, rounded by the addition.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000u;
  const std::uint32_t finite = size < 0x38800000u ? small : normal;
  const std::uint32_t large = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const std::uint32_t found = size >= 0x477ff000u ? large : finite;
  out.bits = static_cast<std::uint16_t>(found | ((bits >> 16) & 0x8000u));
}

template <class T>
void to_floats(const T* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = to_float(from[i]);
}

}  // namespace mlarray::training
