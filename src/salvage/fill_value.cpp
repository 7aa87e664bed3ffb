#include "salvage/fill_value.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "base/half.hpp"
#include "mlarray/error.hpp"

namespace mlarray::salvaging {
namespace {

// A number as text knows it: an integer of up to 64 bits with its sign, or a float. A longer
// integer is a float that no integer type holds.
struct Number {
  bool is_integer = false;
  bool negative = false;
  std::uint64_t magnitude = 0;
  double real = 0;
};

[[noreturn]] void refuse(const Value& value, const DType& dtype, const std::string& allowed) {
  throw Error(ErrorKind::invalid_value, "fill is " + to_json(value) +
                                            ", which an element of type " + dtype.text() +
                                            " does not hold; it takes " + allowed);
}

// Of an integer beyond 64 bits, rounded to the nearest; infinite past all doubles.
double real_of(const std::string& decimal) {
  double out = 0;
  const char* end = decimal.data() + decimal.size();
  if (std::from_chars(decimal.data(), end, out).ec != std::errc::result_out_of_range)
    return out;
  const double infinity = std::numeric_limits<double>::infinity();
  return decimal.starts_with('-') ? -infinity : infinity;
}

std::optional<Number> number_of(const Value& value) {
  Number out;
  if (const bool* truth = value.get_if<bool>()) {
    out.is_integer = true;
    out.magnitude = *truth ? 1 : 0;
  } else if (const std::int64_t* integer = value.get_if<std::int64_t>()) {
    out.is_integer = true;
    out.negative = *integer < 0;
    out.magnitude = out.negative ? std::uint64_t{0} - static_cast<std::uint64_t>(*integer)
                                 : static_cast<std::uint64_t>(*integer);
  } else if (const BigInt* big = value.get_if<BigInt>()) {
    const std::string& text = big->decimal;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out.magnitude);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
      out.real = real_of(text);
      return out;
    }
    out.is_integer = true;
  } else if (const double* real = value.get_if<double>()) {
    out.real = *real;
    constexpr double kWhole = 9007199254740992.0;  // 2^53
    out.is_integer = std::abs(*real) <= kWhole && *real == std::trunc(*real);
    if (out.is_integer) {
      out.negative = *real < 0;
      out.magnitude = static_cast<std::uint64_t>(std::abs(*real));
    }
    return out;
  } else {
    return std::nullopt;
  }
  out.real = static_cast<double>(out.magnitude) * (out.negative ? -1 : 1);
  return out;
}

std::uint64_t float_bits(double value, std::int64_t size) {
  if (size == 2) return base::half_of_double(value);
  if (size == 4) {
    constexpr double kMost = std::numeric_limits<float>::max();
    if (std::isfinite(value)) value = std::clamp(value, -kMost, kMost);
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  }
  return std::bit_cast<std::uint64_t>(value);
}

// What rounds to more than the largest number of a type, which would be infinite.
double first_infinite(std::int64_t size) {
  if (size == 2) return 65520;
  return size == 4 ? std::ldexp(1 - std::ldexp(1.0, -25), 128)
                   : std::numeric_limits<double>::infinity();
}

const char* largest_float(std::int64_t size) {
  if (size == 2) return "65504";
  return size == 4 ? "3.4028235e38" : "1.7976931348623157e308";
}

// The low `size` bytes of `bits`, in the order of the type.
std::vector<std::byte> bytes_of(std::uint64_t bits, std::int64_t size, bool big_endian) {
  std::vector<std::byte> out(static_cast<std::size_t>(size));
  for (std::byte& byte : out) {
    byte = static_cast<std::byte>(bits & 0xff);
    bits >>= 8;
  }
  if (big_endian) std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<std::byte> element_of(const Value& value, const DType& dtype) {
  const std::int64_t size = dtype.itemsize();
  const char kind = dtype.structured() ? 'V' : dtype.kind();
  const std::optional<Number> number = number_of(value);
  if (!number) refuse(value, dtype, "a bool, an integer or a float");
  const bool is_zero = number->is_integer && number->magnitude == 0;
  if (is_zero) return std::vector<std::byte>(static_cast<std::size_t>(size));
  const bool is_real = kind == 'f' && (size == 2 || size == 4 || size == 8);
  const bool is_complex = kind == 'c' && (size == 8 || size == 16);
  if (is_real || is_complex) {
    const std::int64_t part = is_complex ? size / 2 : size;
    const bool is_infinity = value.get_if<double>() != nullptr && std::isinf(number->real);
    if (!is_infinity && std::abs(number->real) >= first_infinite(part)) {
      refuse(value, dtype,
             "NaN, infinities, and numbers up to " + std::string(largest_float(part)) +
                 " either way");
    }
    std::vector<std::byte> out =
        bytes_of(float_bits(number->real, part), part, dtype.big_endian());
    out.resize(static_cast<std::size_t>(size));  // no imaginary part
    return out;
  }
  const bool is_signed = kind == 'i' || kind == 'm' || kind == 'M';
  if ((kind == 'u' || kind == 'b' || is_signed) && size <= 8) {
    const std::uint64_t all =
        size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
    const std::uint64_t most = kind == 'b' ? 1 : is_signed ? all / 2 : all;
    const std::uint64_t least = is_signed ? most + 1 : 0;  // below zero
    if (!number->is_integer || number->magnitude > (number->negative ? least : most)) {
      refuse(value, dtype,
             "integers from " + std::string(is_signed ? "-" : "") + std::to_string(least) +
                 " to " + std::to_string(most));
    }
    const std::uint64_t bits =
        number->negative ? std::uint64_t{0} - number->magnitude : number->magnitude;
    return bytes_of(bits, size, dtype.big_endian());
  }
  refuse(value, dtype, "0 alone");
}

}  // namespace mlarray::salvaging
