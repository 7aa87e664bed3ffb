#include "training/convert.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "training/small_floats.hpp"

namespace mlarray::training {
namespace {

template <class T>
constexpr bool kIsSmallFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
float float_of(T value) {
  if constexpr (kIsSmallFloat<T>) {
    return to_float(value);
  } else {
    return static_cast<float>(value);
  }
}

// Does every S fit in T?
template <class S, class T>
constexpr bool kFits =
    std::cmp_greater_equal(std::numeric_limits<S>::min(), std::numeric_limits<T>::min()) &&
    std::cmp_less_equal(std::numeric_limits<S>::max(), std::numeric_limits<T>::max());

// One voxel. `bad` becomes true where it does not fit.
template <class T, class S>
T cast(S value, [[maybe_unused]] bool& bad) {
  if constexpr (std::is_same_v<S, T>) {
    return value;
  } else if constexpr (std::is_same_v<T, Half>) {
    if constexpr (sizeof(S) <= 2 || std::is_same_v<S, float>) {
      return half_of(float_of(value));
    } else {
      return half_of(rounded_to_odd(static_cast<double>(value)));
    }
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    if constexpr (sizeof(S) <= 2 || std::is_same_v<S, float>) {
      return bfloat16_of(float_of(value));
    } else {
      return bfloat16_of(rounded_to_odd(static_cast<double>(value)));
    }
  } else if constexpr (kIsSmallFloat<S>) {
    return cast<T>(to_float(value), bad);
  } else if constexpr (std::is_floating_point_v<S> && std::is_integral_v<T>) {
    // 2^63 is a float, 2^63 - 1 is none.
    constexpr auto kLow = static_cast<S>(std::numeric_limits<T>::min());
    constexpr T kHalf = std::numeric_limits<T>::max() / 2 + 1;
    constexpr S kEnd = static_cast<S>(kHalf) * 2;
    const S rounded = std::nearbyint(value);
    const bool fits = rounded >= kLow && rounded < kEnd;
    bad |= !fits;
    return fits ? static_cast<T>(rounded) : T{};
  } else {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (!kFits<S, T>) bad |= !std::in_range<T>(value);
    }
    return static_cast<T>(value);
  }
}

// What voxels of type S are scaled in.
template <class S>
using Exact =
    std::conditional_t<std::is_same_v<S, double> || (std::is_integral_v<S> && sizeof(S) >= 4),
                       double, float>;

template <class S>
Exact<S> exact_of(S value) {
  if constexpr (std::is_same_v<Exact<S>, double>) {
    return static_cast<double>(value);
  } else {
    return float_of(value);
  }
}

template <class F>
F scale(F value, F mean, F std) {
  return (value - mean) / std;
}

template <class F>
F clip(F value, F low, F high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

template <class S, class T>
bool convert_run(const std::byte* source, std::byte* target, std::int64_t count,
                 const Scaling* scaling) {
  const auto* from = reinterpret_cast<const S*>(source);
  auto* to = reinterpret_cast<T*>(target);
  bool bad = false;
  if (scaling == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = cast<T>(from[i], bad);
    return !bad;
  }
  using F = Exact<S>;
  const auto mean = static_cast<F>(scaling->mean);
  const auto rounded = static_cast<F>(scaling->std);
  const F std = rounded == 0 ? F{1} : rounded;
  if (scaling->clips) {
    const auto low = static_cast<F>(scaling->low);
    const auto high = static_cast<F>(scaling->high);
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = cast<T>(scale<F>(clip<F>(exact_of(from[i]), low, high), mean, std), bad);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = cast<T>(scale<F>(exact_of(from[i]), mean, std), bad);
    }
  }
  return !bad;
}

template <class T>
struct Tag {
  using type = T;
};

// Calls `body` with the type of a kind. Not of Kind::other.
template <class Body>
auto with_type(Kind kind, Body body) {
  switch (kind) {
    case Kind::u8:
      return body(Tag<std::uint8_t>{});
    case Kind::i8:
      return body(Tag<std::int8_t>{});
    case Kind::u16:
      return body(Tag<std::uint16_t>{});
    case Kind::i16:
      return body(Tag<std::int16_t>{});
    case Kind::u32:
      return body(Tag<std::uint32_t>{});
    case Kind::i32:
      return body(Tag<std::int32_t>{});
    case Kind::u64:
      return body(Tag<std::uint64_t>{});
    case Kind::i64:
      return body(Tag<std::int64_t>{});
    case Kind::f16:
      return body(Tag<Half>{});
    case Kind::bf16:
      return body(Tag<BFloat16>{});
    case Kind::f64:
      return body(Tag<double>{});
    case Kind::f32:
    case Kind::other:
      break;
  }
  return body(Tag<float>{});
}

// Sums of eight voxels at a time, side by side: a compiler may not change the order of one sum.
template <class S, class Term>
double sum(const S* voxels, std::int64_t count, const std::uint8_t* mask, Term term) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  if (mask == nullptr) {
    for (; i + kLanes <= count; i += kLanes) {
      for (std::int64_t k = 0; k < kLanes; ++k) {
        lanes[static_cast<std::size_t>(k)] += term(exact_of(voxels[i + k]));
      }
    }
    for (; i < count; ++i) lanes[0] += term(exact_of(voxels[i]));
  } else {
    for (; i < count; ++i) {
      if (mask[i] != 0)
        lanes[static_cast<std::size_t>(i % kLanes)] += term(exact_of(voxels[i]));
    }
  }
  double all = 0;
  for (const double lane : lanes) all += lane;
  return all;
}

}  // namespace

Kind kind_of(const DType& dtype) {
  const bool foreign =
      std::endian::native == std::endian::little ? dtype.big_endian() : !dtype.big_endian();
  if (dtype.structured() || (foreign && dtype.itemsize() > 1)) return Kind::other;
  const auto pick = [&](Kind one, Kind two, Kind four, Kind eight) {
    switch (dtype.itemsize()) {
      case 1:
        return one;
      case 2:
        return two;
      case 4:
        return four;
      case 8:
        return eight;
      default:
        return Kind::other;
    }
  };
  switch (dtype.kind()) {
    case 'b':
      return Kind::u8;
    case 'u':
      return pick(Kind::u8, Kind::u16, Kind::u32, Kind::u64);
    case 'i':
      return pick(Kind::i8, Kind::i16, Kind::i32, Kind::i64);
    case 'f':
      return pick(Kind::other, Kind::f16, Kind::f32, Kind::f64);
    default:
      return Kind::other;
  }
}

Kind kind_of(VoxelType type) {
  switch (type) {
    case VoxelType::uint8:
      return Kind::u8;
    case VoxelType::int16:
      return Kind::i16;
    case VoxelType::int32:
      return Kind::i32;
    case VoxelType::int64:
      return Kind::i64;
    case VoxelType::float16:
      return Kind::f16;
    case VoxelType::bfloat16:
      return Kind::bf16;
    case VoxelType::float64:
      return Kind::f64;
    case VoxelType::float32:
    case VoxelType::stored:
      break;
  }
  return Kind::f32;
}

std::int64_t size_of(Kind kind) {
  return with_type(kind, [](auto tag) {
    return static_cast<std::int64_t>(sizeof(typename decltype(tag)::type));
  });
}

bool is_integer(Kind kind) { return kind < Kind::f16; }

DType dtype_of(Kind kind) {
  switch (kind) {
    case Kind::f16:
      return DType::parse(std::endian::native == std::endian::little ? "<f2" : ">f2");
    case Kind::bf16:
      return DType::of<std::uint16_t>();
    default:
      return with_type(kind, [](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (kIsSmallFloat<T>) {
          return DType::of<std::uint16_t>();
        } else {
          return DType::of<T>();
        }
      });
  }
}

std::string name_of(Kind kind) {
  static constexpr const char* kNames[] = {
      "uint8", "int8",    "uint16",   "int16",   "uint32",  "int32",       "uint64",
      "int64", "float16", "bfloat16", "float32", "float64", "another type"};
  return kNames[static_cast<std::size_t>(kind)];
}

void check_channel(const Normalization::Channel& channel, const std::string& what) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::invalid_value, what + " has " + why);
  };
  if (!std::isfinite(channel.mean)) {
    refuse("a mean of " + base::float_repr(channel.mean) + "; give a finite number");
  }
  if (!std::isfinite(channel.std) || channel.std < 0) {
    refuse("a std of " + base::float_repr(channel.std) + "; give a finite number of 0 or more");
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double low = channel.low.value_or(-kInfinity);
  const double high = channel.high.value_or(kInfinity);
  if (!(low <= high)) {
    refuse("the limits " + base::float_repr(low) + " and " + base::float_repr(high) +
           "; give numbers, the lower one first");
  }
}

Scaling scaling_of(const Normalization::Channel& channel) {
  Scaling scaling;
  scaling.mean = channel.mean;
  scaling.std = channel.std;
  scaling.clips = channel.low.has_value() || channel.high.has_value();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  scaling.low = channel.low.value_or(-kInfinity);
  scaling.high = channel.high.value_or(kInfinity);
  return scaling;
}

bool convert(Kind from, const std::byte* source, Kind to, std::byte* target, std::int64_t count,
             const Scaling* scaling) {
  if (from == to && scaling == nullptr) {
    std::memcpy(target, source, static_cast<std::size_t>(count * size_of(from)));
    return true;
  }
  return with_type(from, [&](auto s) {
    return with_type(to, [&](auto t) {
      return convert_run<typename decltype(s)::type, typename decltype(t)::type>(
          source, target, count, scaling);
    });
  });
}

Moments moments(Kind kind, const std::byte* voxels, std::int64_t count,
                const std::uint8_t* mask) {
  std::int64_t counted = count;
  if (mask != nullptr) {
    counted = 0;
    for (std::int64_t i = 0; i < count; ++i) counted += mask[i] != 0 ? 1 : 0;
    if (counted == 0) mask = nullptr;
  }
  if (mask == nullptr) counted = count;
  if (counted == 0) return {};
  return with_type(kind, [&](auto tag) {
    const auto* from = reinterpret_cast<const typename decltype(tag)::type*>(voxels);
    const auto n = static_cast<double>(counted);
    // Less the first of them, so that equal voxels have a deviation of exactly 0.
    std::int64_t i = 0;
    while (mask != nullptr && mask[i] == 0) ++i;
    const auto first = static_cast<double>(exact_of(from[i]));
    const double mean = first + sum(from, count, mask, [first](auto v) {
                                  return static_cast<double>(v) - first;
                                }) / n;
    const double squares = sum(from, count, mask, [mean](auto v) {
      const double d = static_cast<double>(v) - mean;
      return d * d;
    });
    return Moments{mean, std::sqrt(squares / n)};
  });
}

void mark_positive(Kind kind, const std::byte* voxels, std::int64_t count, std::uint8_t* mask) {
  with_type(kind, [&](auto tag) {
    const auto* from = reinterpret_cast<const typename decltype(tag)::type*>(voxels);
    for (std::int64_t i = 0; i < count; ++i) mask[i] = float_of(from[i]) > 0 ? 1 : 0;
  });
}

std::optional<std::int64_t> whole_number(Kind kind, const std::byte* voxel) {
  return with_type(kind, [&](auto tag) -> std::optional<std::int64_t> {
    using T = typename decltype(tag)::type;
    const T value = load<T>(voxel);
    if constexpr (std::integral<T>) {
      return static_cast<std::int64_t>(value);
    } else {
      double number = 0;
      if constexpr (kIsSmallFloat<T>) {
        number = to_float(value);
      } else {
        number = static_cast<double>(value);
      }
      if (!(std::abs(number) < 0x1p62) || number != std::nearbyint(number)) return std::nullopt;
      return static_cast<std::int64_t>(number);
    }
  });
}

}  // namespace mlarray::training
