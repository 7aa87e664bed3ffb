// Elements out of their byte planes: the innermost loop of interleave_box(). Internal.
#pragma once

#include <cstddef>
#include <cstdint>

// Without it, GCC calls the step instead of keeping the planes in registers.
#if defined(__GNUC__)
#define MLARRAY_ALWAYS_INLINE [[gnu::always_inline]] inline
#else
#define MLARRAY_ALWAYS_INLINE inline
#endif

#if defined(__SSE2__) || defined(_M_X64)
#define MLARRAY_INTERLEAVE_SSE2
#include <emmintrin.h>
#endif

namespace mlarray::grid {

// One element: byte i comes from planes[i][at].
template <std::size_t kPlanes>
void interleave_one(std::byte* target, const std::byte* const* planes, std::int64_t at) {
  for (std::size_t i = 0; i < kPlanes; ++i) target[i] = planes[i][at];
}

#ifdef MLARRAY_INTERLEAVE_SSE2

inline constexpr std::int64_t kInterleaveStep = 16;  // elements

// Sixteen elements. Every round pairs register i with register i + half, so that after
// log2(kPlanes) rounds the bytes of an element are neighbours.
template <std::size_t kPlanes>
MLARRAY_ALWAYS_INLINE void interleave_step(std::byte* target, const std::byte* const* planes,
                                           std::int64_t at) {
  __m128i from[kPlanes];
  __m128i to[kPlanes];
  for (std::size_t i = 0; i < kPlanes; ++i) {
    from[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(planes[i] + at));
  }
  for (std::size_t round = 1; round < kPlanes; round *= 2) {
    for (std::size_t i = 0; i < kPlanes / 2; ++i) {
      to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + kPlanes / 2]);
      to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + kPlanes / 2]);
    }
    for (std::size_t i = 0; i < kPlanes; ++i) from[i] = to[i];
  }
  for (std::size_t i = 0; i < kPlanes; ++i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target) + i, from[i]);
  }
}

#else

inline constexpr std::int64_t kInterleaveStep = 8;

template <std::size_t kPlanes>
MLARRAY_ALWAYS_INLINE void interleave_step(std::byte* target, const std::byte* const* planes,
                                           std::int64_t at) {
  for (std::int64_t i = 0; i < kInterleaveStep; ++i) {
    interleave_one<kPlanes>(target + i * static_cast<std::int64_t>(kPlanes), planes, at + i);
  }
}

#endif

// `length` elements one after another, from element `at` of the planes on.
template <std::size_t kPlanes>
MLARRAY_ALWAYS_INLINE void interleave_run(std::byte* target, const std::byte* const* planes,
                                          std::int64_t at, std::int64_t length) {
  constexpr auto kBytes = static_cast<std::int64_t>(kPlanes);
  if (length < kInterleaveStep) {
    for (std::int64_t i = 0; i < length; ++i) {
      interleave_one<kPlanes>(target + i * kBytes, planes, at + i);
    }
    return;
  }
  const std::int64_t last = length - kInterleaveStep;
  for (std::int64_t i = 0; i < last; i += kInterleaveStep) {
    interleave_step<kPlanes>(target + i * kBytes, planes, at + i);
  }
  // What is left, with some elements a second time.
  interleave_step<kPlanes>(target + last * kBytes, planes, at + last);
}

}  // namespace mlarray::grid
