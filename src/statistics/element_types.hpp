// Element types that have an order: one C++ type for each, keys that sort as the values do, and
// the call that goes from a DType to the type.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "mlarray/error.hpp"
#include "mlarray/types.hpp"

namespace mlarray::statistics {

// IEEE binary16, which C++20 has no type for.
struct Half {
  std::uint16_t bits;
};

inline double to_double(Half half) {
  const int exponent = (half.bits >> 10) & 31;
  const int fraction = half.bits & 1023;
  const double sign = (half.bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * fraction * 0x1p-24;
  // The bits of a double: a fraction of 52 bits, and 1023 instead of 15 added to the exponent.
  const auto bits = static_cast<std::uint64_t>(exponent + 1008) << 52 |
                    static_cast<std::uint64_t>(fraction) << 42;
  return sign * std::bit_cast<double>(bits);
}

template <class T>
double to_double(T value) {
  return static_cast<double>(value);
}

// Values as unsigned integers of their own width that sort as they do. Negative zero has the
// key of zero; NaN has keys outside those of the infinities.
template <class T>
struct Ordered {
  static constexpr bool kFloat = std::is_floating_point_v<T> || std::is_same_v<T, Half>;
  using Key = std::conditional_t<
      sizeof(T) == 1, std::uint8_t,
      std::conditional_t<sizeof(T) == 2, std::uint16_t,
                         std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;
  static constexpr Key kSign =
      std::is_unsigned_v<T> ? Key{0} : static_cast<Key>(Key{1} << (8 * sizeof(T) - 1));

  static Key key(T value) {
    Key bits = std::bit_cast<Key>(value);
    if constexpr (kFloat) {
      if (bits == kSign) bits = 0;
      return static_cast<Key>((bits & kSign) != 0 ? ~bits : bits | kSign);
    } else {
      return static_cast<Key>(bits ^ kSign);
    }
  }
  static T value(Key key) {
    if constexpr (kFloat) {
      key = static_cast<Key>((key & kSign) != 0 ? key ^ kSign : ~key);
    } else {
      key = static_cast<Key>(key ^ kSign);
    }
    return std::bit_cast<T>(key);
  }
};

// Calls body.template operator()<T>() for the type of `dtype`.
// Errors: invalid_type for a type that is no bool, integer or float of up to 8 bytes.
template <class Body>
auto with_type(const DType& dtype, Body body) {
  const auto is = [&](char kind, std::int64_t size) {
    return !dtype.structured() && dtype.kind() == kind && dtype.itemsize() == size;
  };
  if (is('b', 1) || is('u', 1)) return body.template operator()<std::uint8_t>();
  if (is('u', 2)) return body.template operator()<std::uint16_t>();
  if (is('u', 4)) return body.template operator()<std::uint32_t>();
  if (is('u', 8)) return body.template operator()<std::uint64_t>();
  if (is('i', 1)) return body.template operator()<std::int8_t>();
  if (is('i', 2)) return body.template operator()<std::int16_t>();
  if (is('i', 4)) return body.template operator()<std::int32_t>();
  if (is('i', 8)) return body.template operator()<std::int64_t>();
  if (is('f', 2)) return body.template operator()<Half>();
  if (is('f', 4)) return body.template operator()<float>();
  if (is('f', 8)) return body.template operator()<double>();
  throw Error(ErrorKind::invalid_type,
              "elements of dtype " + dtype.text() +
                  " have no statistics: they must be bool, integers or floats of up to 8 "
                  "bytes; convert the array first");
}

}  // namespace mlarray::statistics
