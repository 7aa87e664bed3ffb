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
// All ones where it holds: chosen by masks, not by branches, which would not be vectorised.
inline std::uint32_t mask_of(bool holds) { return 0u - static_cast<std::uint32_t>(holds); }
inline std::uint32_t chosen(std::uint32_t mask, std::uint32_t one, std::uint32_t other) {
  return (one & mask) | (other & ~mask);
}

inline float to_float(Half value) {
  const auto size = static_cast<std::int32_t>(value.bits & 0x7fff);
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000) << 16;
  // The exponent is moved by a multiplication, which makes subnormal numbers normal.
  const float scaled = std::bit_cast<float>(size << 13) * 0x1p112f;
  const std::uint32_t infinite = mask_of(size >= 0x7c00) & 0x7f800000u;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | infinite | sign);
}

// Rounded to the nearest, ties to even; infinite from 65520 on.
inline void store(float value, float& out) { out = value; }
inline void store(float value, Half& out) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto size = static_cast<std::int32_t>(bits & 0x7fffffffu);
  const auto unsigned_size = static_cast<std::uint32_t>(size);
  // Normal: the exponent is moved, and the 13 bits that go are rounded.
  const std::uint32_t normal =
      (unsigned_size - 0x38000000u + 0xfffu + ((unsigned_size >> 13) & 1u)) >> 13;
  // Subnormal: adding 0.5 leaves the bits of float16 at the end, rounded by the addition.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000u;
  const std::uint32_t finite = chosen(mask_of(size < 0x38800000), small, normal);
  const std::uint32_t large = 0x7c00u | (mask_of(size > 0x7f800000) & 0x200u);
  const std::uint32_t found = chosen(mask_of(size >= 0x477ff000), large, finite);
  out.bits = static_cast<std::uint16_t>(found | ((bits >> 16) & 0x8000u));
}

template <class T>
void to_floats(const T* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = to_float(from[i]);
}

}  // namespace mlarray::training
