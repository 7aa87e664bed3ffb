#include "encoding/pickle_numpy.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "mlarray/types.hpp"

namespace mlarray::encoding {
namespace {

std::uint64_t load(const std::string& bytes, bool big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = big_endian ? i : bytes.size() - 1 - i;
    value = (value << 8) | static_cast<unsigned char>(bytes[at]);
  }
  return value;
}

// IEEE 754 binary16.
double half_to_double(std::uint64_t bits) {
  const int exponent = static_cast<int>((bits >> 10) & 0x1f);
  const auto fraction = static_cast<double>(bits & 0x3ff);
  double value = 0;
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(fraction + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

Value integer(std::uint64_t bits, std::size_t size, bool is_signed) {
  if (is_signed) {
    const int shift = static_cast<int>(64 - size * 8);
    return static_cast<std::int64_t>(bits << shift) >> shift;
  }
  if (bits > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return BigInt{std::to_string(bits)};
  }
  return static_cast<std::int64_t>(bits);
}

// UTF-32 of NumPy's fixed-length text, without the padding.
std::optional<Value> text(const std::string& bytes, bool big_endian) {
  std::string out;
  std::string held;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    const std::uint64_t code = load(bytes.substr(i, 4), big_endian);
    if (code > 0x10ffff) return std::nullopt;
    base::append_code_point(held, static_cast<char32_t>(code));
    if (code != 0) {
      out += held;
      held.clear();
    }
  }
  return out;
}

}  // namespace

std::optional<Value> numpy_dtype(const std::vector<Value>& arguments,
                                 const std::vector<Value>& states) {
  if (arguments.empty()) return std::nullopt;
  const auto* code = arguments[0].get_if<std::string>();
  if (code == nullptr || code->empty()) return std::nullopt;
  std::string order = "|";
  if (!states.empty()) {
    const auto* state = states[0].get_if<List>();
    if (state != nullptr && state->items.size() > 1) {
      if (const auto* stored = state->items[1].get_if<std::string>()) order = *stored;
    }
  }
  const bool has_order = (*code)[0] == '<' || (*code)[0] == '>' || (*code)[0] == '|';
  return Opaque{"numpy.dtype", {has_order ? *code : order + *code}};
}

std::optional<Value> numpy_scalar(const std::vector<Value>& arguments) {
  if (arguments.size() != 2) return std::nullopt;
  const auto* type = arguments[0].get_if<Opaque>();
  const auto* data = arguments[1].get_if<Bytes>();
  if (type == nullptr || data == nullptr || type->class_name != "numpy.dtype") {
    return std::nullopt;
  }
  DType dtype;
  try {
    dtype = DType::parse(*type->state.front().get_if<std::string>());
  } catch (const Error&) {
    return std::nullopt;
  }
  const std::string& bytes = data->data;
  if (static_cast<std::int64_t>(bytes.size()) != dtype.itemsize()) return std::nullopt;
  const std::uint64_t bits = bytes.size() <= 8 ? load(bytes, dtype.big_endian()) : 0;
  switch (dtype.kind()) {
    case 'b': return bits != 0;
    case 'i': return integer(bits, bytes.size(), true);
    case 'u': return integer(bits, bytes.size(), false);
    case 'f':
      if (bytes.size() == 2) return half_to_double(bits);
      if (bytes.size() == 4) {
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
      }
      if (bytes.size() == 8) return std::bit_cast<double>(bits);
      return std::nullopt;
    case 'U': return text(bytes, dtype.big_endian());
    case 'S': return Bytes{bytes.substr(0, bytes.find_last_not_of('\0') + 1)};
    default: return std::nullopt;
  }
}

}  // namespace mlarray::encoding
