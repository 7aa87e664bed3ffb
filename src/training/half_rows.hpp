// Scores as float32 or float16, in loops that do not know which.
#pragma once

#include <cstddef>

#include "training/small_floats.hpp"

namespace mlarray::training {

inline float to_float(float value) { return value; }

// Rounded to the nearest, ties to even.
inline void store(float value, float& out) { out = value; }
inline void store(float value, Half& out) { out = half_of(value); }

template <class T>
void to_floats(const T* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = to_float(from[i]);
}

}  // namespace mlarray::training
