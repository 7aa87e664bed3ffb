// Integers of any size: decimal text, and two's complement as pickle stores it.
#pragma once

#include <string>
#include <string_view>

#include "mlarray/value.hpp"

namespace mlarray::encoding {

// The most digits that Python itself turns into text or back.
inline constexpr std::size_t kMaxIntegerDigits = 4300;

// "-12" -> int or BigInt. Errors: corruption if it is no number; unsupported past the limit.
Value integer_from_decimal(std::string_view text);

// Little-endian two's complement; empty: 0. Errors: unsupported past the limit.
Value integer_from_twos_complement(std::string_view bytes);

// The shortest little-endian two's complement.
// Errors: invalid_value if `value` is no decimal number; unsupported past the limit.
std::string twos_complement(const BigInt& value);

}  // namespace mlarray::encoding
