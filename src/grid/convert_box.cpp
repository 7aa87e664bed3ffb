#include "grid/convert_box.hpp"

#include <cstring>
#include <type_traits>

#include "grid/interleave.hpp"
#include "grid/loops.hpp"

namespace mlarray::grid {
namespace {

// Elements that are converted at once.
constexpr std::int64_t kAtOnce = 16;

struct AsTheyAre {
  float operator()(float value) const { return value; }
#ifdef MLARRAY_INTERLEAVE_SSE2
  __m128 operator()(__m128 values) const { return values; }
#endif
};

struct Scaled {
  float mean, std;
  float operator()(float value) const { return (value - mean) / std; }
#ifdef MLARRAY_INTERLEAVE_SSE2
  __m128 operator()(__m128 values) const {
    return _mm_div_ps(_mm_sub_ps(values, _mm_set1_ps(mean)), _mm_set1_ps(std));
  }
#endif
};

struct ClippedAndScaled {
  Scaled scaled;
  float low, high;
  float operator()(float value) const {
    value = value < low ? low : value;
    return scaled(value > high ? high : value);
  }
#ifdef MLARRAY_INTERLEAVE_SSE2
  __m128 operator()(__m128 values) const {
    return scaled(_mm_min_ps(_mm_max_ps(values, _mm_set1_ps(low)), _mm_set1_ps(high)));
  }
#endif
};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T, class Scale>
void convert_one(std::byte* to, const std::byte* from, const Scale& scale) {
  const float value = scale(static_cast<float>(load<T>(from)));
  std::memcpy(to, &value, sizeof value);
}

#ifdef MLARRAY_INTERLEAVE_SSE2

// Eight integers of two bytes.
template <bool kSigned, class Scale>
MLARRAY_ALWAYS_INLINE void convert_eight(std::byte* to, __m128i integers, const Scale& scale) {
  auto* floats = reinterpret_cast<float*>(to);
  __m128i low;
  __m128i high;
  if constexpr (kSigned) {
    low = _mm_srai_epi32(_mm_unpacklo_epi16(integers, integers), 16);
    high = _mm_srai_epi32(_mm_unpackhi_epi16(integers, integers), 16);
  } else {
    low = _mm_unpacklo_epi16(integers, _mm_setzero_si128());
    high = _mm_unpackhi_epi16(integers, _mm_setzero_si128());
  }
  _mm_storeu_ps(floats, scale(_mm_cvtepi32_ps(low)));
  _mm_storeu_ps(floats + 4, scale(_mm_cvtepi32_ps(high)));
}

__m128i load_sixteen_bytes(const std::byte* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// kAtOnce elements.
template <class T, class Scale>
MLARRAY_ALWAYS_INLINE void convert_step(std::byte* to, const std::byte* from,
                                        const Scale& scale) {
  const __m128i first = load_sixteen_bytes(from);
  if constexpr (sizeof(T) == 2) {
    convert_eight<std::is_signed_v<T>>(to, first, scale);
    convert_eight<std::is_signed_v<T>>(to + 32, load_sixteen_bytes(from + 16), scale);
  } else if constexpr (std::is_signed_v<T>) {
    convert_eight<true>(to, _mm_srai_epi16(_mm_unpacklo_epi8(first, first), 8), scale);
    convert_eight<true>(to + 32, _mm_srai_epi16(_mm_unpackhi_epi8(first, first), 8), scale);
  } else {
    const __m128i zero = _mm_setzero_si128();
    convert_eight<false>(to, _mm_unpacklo_epi8(first, zero), scale);
    convert_eight<false>(to + 32, _mm_unpackhi_epi8(first, zero), scale);
  }
}

template <class T, class Scale>
MLARRAY_ALWAYS_INLINE void convert_plane_step(std::byte* to, const std::byte* const* planes,
                                              std::int64_t at, const Scale& scale) {
  const __m128i low = load_sixteen_bytes(planes[0] + at);
  const __m128i high = load_sixteen_bytes(planes[1] + at);
  convert_eight<std::is_signed_v<T>>(to, _mm_unpacklo_epi8(low, high), scale);
  convert_eight<std::is_signed_v<T>>(to + 32, _mm_unpackhi_epi8(low, high), scale);
}

#else

template <class T, class Scale>
void convert_step(std::byte* to, const std::byte* from, const Scale& scale) {
  for (std::int64_t i = 0; i < kAtOnce; ++i) {
    convert_one<T>(to + 4 * i, from + i * static_cast<std::int64_t>(sizeof(T)), scale);
  }
}

template <class T, class Scale>
void convert_plane_step(std::byte* to, const std::byte* const* planes, std::int64_t at,
                        const Scale& scale) {
  std::byte elements[kAtOnce * sizeof(T)];
  for (std::int64_t i = 0; i < kAtOnce; i += kInterleaveStep) {
    interleave_step<sizeof(T)>(elements + i * static_cast<std::int64_t>(sizeof(T)), planes,
                               at + i);
  }
  convert_step<T>(to, elements, scale);
}

#endif

// `length` elements one after another. What does not fill a step, with some a second time.
template <class T, class Scale>
MLARRAY_ALWAYS_INLINE void convert_run(std::byte* to, const std::byte* from,
                                       std::int64_t length, const Scale& scale) {
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(T));
  if (length < kAtOnce) {
    for (std::int64_t i = 0; i < length; ++i) {
      convert_one<T>(to + 4 * i, from + i * kBytes, scale);
    }
    return;
  }
  const std::int64_t last = length - kAtOnce;
  for (std::int64_t at = 0; at < last; at += kAtOnce) {
    convert_step<T>(to + 4 * at, from + at * kBytes, scale);
  }
  convert_step<T>(to + 4 * last, from + last * kBytes, scale);
}

template <class T, class Scale>
MLARRAY_ALWAYS_INLINE void convert_plane_run(std::byte* to, const std::byte* const* planes,
                                             std::int64_t first, std::int64_t length,
                                             const Scale& scale) {
  if (length < kAtOnce) {
    for (std::int64_t i = 0; i < length; ++i) {
      std::byte element[sizeof(T)];
      interleave_one<sizeof(T)>(element, planes, first + i);
      convert_one<T>(to + 4 * i, element, scale);
    }
    return;
  }
  const std::int64_t last = length - kAtOnce;
  for (std::int64_t at = 0; at < last; at += kAtOnce) {
    convert_plane_step<T>(to + 4 * at, planes, first + at, scale);
  }
  convert_plane_step<T>(to + 4 * last, planes, first + last, scale);
}

template <class T, class Scale>
void convert_loops(std::byte* target, const std::byte* source, const Loops& loops,
                   const Scale& scale, std::span<const std::byte> ahead) {
  const Axis rows = loops.count > 0 ? loops.axes[0] : Axis{1, 0, 0};
  Requests requests(loops.run * 4, rows.target_stride, ahead);
  for_each_row(loops, [&](std::int64_t target_at, std::int64_t source_at) {
    std::byte* to = target + target_at;
    const std::byte* from = source + source_at;
    for (std::int64_t i = 0; i < rows.length; ++i) {
      requests.before_row(to);
      convert_run<T>(to, from, loops.run, scale);
      to += rows.target_stride;
      from += rows.source_stride;
    }
  });
}

template <class T, class Scale>
void convert_plane_loops(std::byte* target, const std::byte* const* planes, const Loops& loops,
                         const Scale& scale, std::span<const std::byte> ahead) {
  const Axis rows = loops.count > 0 ? loops.axes[0] : Axis{1, 0, 0};
  Requests requests(loops.run * 4, rows.target_stride, ahead);
  for_each_row(loops, [&](std::int64_t target_at, std::int64_t source_at) {
    std::byte* to = target + target_at;
    std::int64_t at = source_at;
    for (std::int64_t i = 0; i < rows.length; ++i) {
      requests.before_row(to);
      convert_plane_run<T>(to, planes, at, loops.run, scale);
      to += rows.target_stride;
      at += rows.source_stride;
    }
  });
}

// Calls body with what is done to a float.
template <class Body>
void with_scale(const ToFloats& how, Body body) {
  if (!how.scales) return body(AsTheyAre{});
  if (!how.clips) return body(Scaled{how.mean, how.std});
  body(ClippedAndScaled{{how.mean, how.std}, how.low, how.high});
}

}  // namespace

void convert_box(std::byte* target, std::span<const std::int64_t> target_strides,
                 const std::byte* source, std::span<const std::int64_t> source_strides,
                 std::span<const std::int64_t> shape, const ToFloats& how,
                 std::span<const std::byte> ahead) {
  const bool two = how.from == Integers::u16 || how.from == Integers::i16;
  Loops loops;
  if (!plan_loops(target_strides, source_strides, shape, 4, two ? 2 : 1, loops)) return;
  with_scale(how, [&](const auto& scale) {
    switch (how.from) {
      case Integers::u8:
        return convert_loops<std::uint8_t>(target, source, loops, scale, ahead);
      case Integers::i8:
        return convert_loops<std::int8_t>(target, source, loops, scale, ahead);
      case Integers::u16:
        return convert_loops<std::uint16_t>(target, source, loops, scale, ahead);
      case Integers::i16:
        return convert_loops<std::int16_t>(target, source, loops, scale, ahead);
    }
  });
}

void convert_planes(std::byte* target, std::span<const std::int64_t> target_strides,
                    std::span<const std::byte* const> planes,
                    std::span<const std::int64_t> source_strides,
                    std::span<const std::int64_t> shape, const ToFloats& how,
                    std::span<const std::byte> ahead) {
  Loops loops;
  if (!plan_loops(target_strides, source_strides, shape, 4, 1, loops)) return;
  with_scale(how, [&](const auto& scale) {
    if (how.from == Integers::i16) {
      convert_plane_loops<std::int16_t>(target, planes.data(), loops, scale, ahead);
    } else {
      convert_plane_loops<std::uint16_t>(target, planes.data(), loops, scale, ahead);
    }
  });
}

}  // namespace mlarray::grid
