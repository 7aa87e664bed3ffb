#include "encoding/integers.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include "base/text.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

// Bytes of the largest number with kMaxIntegerDigits digits, and one for the sign.
constexpr std::size_t kMaxIntegerBytes = 1787;
constexpr std::uint32_t kLimb = 1'000'000'000;  // digits are grouped by nine
constexpr std::size_t kLimbDigits = 9;

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void check_digits(std::size_t digits) {
  if (digits > kMaxIntegerDigits) {
    throw Error(ErrorKind::unsupported, "an integer of more than " +
                                            std::to_string(kMaxIntegerDigits) +
                                            " digits, which is the limit");
  }
}

void negate(std::string& bytes) {
  unsigned carry = 1;
  for (char& byte : bytes) {
    const unsigned sum = (~static_cast<unsigned char>(byte) & 0xFFu) + carry;
    byte = static_cast<char>(sum);
    carry = sum >> 8;
  }
}

bool top_bit(const std::string& bytes) {
  return !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80u) != 0;
}

}  // namespace

Value integer_from_decimal(std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (!is_digits(digits)) {
    throw Error(ErrorKind::corruption, base::quote(text) + " is no integer");
  }
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  check_digits(digits.size());
  std::string decimal(negative ? 1 : 0, '-');
  decimal.append(digits);
  std::int64_t small = 0;
  const auto parsed = std::from_chars(decimal.data(), decimal.data() + decimal.size(), small);
  if (parsed.ec == std::errc{}) return small;
  return BigInt{std::move(decimal)};
}

Value integer_from_twos_complement(std::string_view bytes) {
  check_digits(bytes.size() > kMaxIntegerBytes ? kMaxIntegerDigits + 1 : 0);
  std::string magnitude(bytes);
  const bool negative = top_bit(magnitude);
  if (negative) negate(magnitude);
  std::vector<std::uint32_t> limbs{0};
  for (auto byte = magnitude.rbegin(); byte != magnitude.rend(); ++byte) {
    std::uint64_t carry = static_cast<unsigned char>(*byte);
    for (std::uint32_t& limb : limbs) {
      carry += std::uint64_t{limb} << 8;
      limb = static_cast<std::uint32_t>(carry % kLimb);
      carry /= kLimb;
    }
    if (carry > 0) limbs.push_back(static_cast<std::uint32_t>(carry));
  }
  std::string decimal(negative ? 1 : 0, '-');
  for (auto limb = limbs.rbegin(); limb != limbs.rend(); ++limb) {
    const std::string group = std::to_string(*limb);
    if (limb != limbs.rbegin()) decimal.append(kLimbDigits - group.size(), '0');
    decimal.append(group);
  }
  return integer_from_decimal(decimal);
}

std::string twos_complement(const BigInt& value) {
  std::string_view digits = value.decimal;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (!is_digits(digits)) {
    throw Error(ErrorKind::invalid_value, base::quote(value.decimal) + " is no integer");
  }
  check_digits(digits.size());
  std::string bytes;
  for (const char digit : digits) {
    unsigned carry = static_cast<unsigned>(digit - '0');
    for (char& byte : bytes) {
      carry += static_cast<unsigned char>(byte) * 10u;
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
    if (carry > 0) bytes += static_cast<char>(carry);
  }
  bytes += '\0';  // room for the sign
  if (negative) negate(bytes);
  // Drop sign bytes that say nothing.
  while (bytes.size() > 1) {
    const bool sign = top_bit(bytes);
    const char last = bytes.back();
    if (last != (sign ? '\xff' : '\0')) break;
    const bool next_sign = (static_cast<unsigned char>(bytes[bytes.size() - 2]) & 0x80u) != 0;
    if (next_sign != sign) break;
    bytes.pop_back();
  }
  return bytes;
}

}  // namespace mlarray::encoding
