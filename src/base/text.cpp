#include "base/text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace mlarray::base {
namespace {

constexpr std::size_t kLongestQuote = 80;

unsigned byte_at(std::string_view text, std::size_t position) {
  return static_cast<unsigned char>(text[position]);
}

bool is_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

}  // namespace

std::optional<char32_t> next_code_point(std::string_view text, std::size_t& position) {
  const std::size_t start = position++;
  const unsigned lead = byte_at(text, start);
  if (lead < 0x80) return lead;
  std::size_t more = 0;
  char32_t code = 0;
  char32_t smallest = 0;  // overlong forms are refused
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1, code = lead & 0x1Fu, smallest = 0x80;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2, code = lead & 0x0Fu, smallest = 0x800;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3, code = lead & 0x07u, smallest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() - start <= more) return std::nullopt;
  for (std::size_t i = 1; i <= more; ++i) {
    const unsigned next = byte_at(text, start + i);
    if ((next & 0xC0u) != 0x80u) return std::nullopt;
    code = (code << 6) | (next & 0x3Fu);
  }
  if (code < smallest || code > 0x10FFFF) return std::nullopt;
  position = start + more + 1;
  return code;
}

void append_code_point(std::string& text, char32_t code) {
  const auto put = [&text](char32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool is_text(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    if (!next_code_point(text, position)) return false;
  }
  return true;
}

bool has_surrogates(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    const auto code = next_code_point(text, position);
    if (code && is_surrogate(*code)) return true;
  }
  return false;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text.substr(0, kLongestQuote)) {
    out += letter >= ' ' && letter <= '~' ? letter : '?';
  }
  if (text.size() > kLongestQuote) out += "...";
  return out + '"';
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  // Shortest digits that read back as the same value: [-]d[.ddd]e[+-]xx.
  std::array<char, 40> buffer{};
  const auto done = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                  std::chars_format::scientific);
  const std::string_view text(buffer.data(),
                              static_cast<std::size_t>(done.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::size_t digits_of_exponent = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + digits_of_exponent, text.data() + text.size(), exponent);

  std::string digits;
  for (const char letter : text.substr(0, e)) {
    if (letter >= '0' && letter <= '9') digits += letter;
  }
  std::string out(text.front() == '-' ? 1 : 0, '-');
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out.append(1, '.').append(digits, 1);
    const std::string magnitude = std::to_string(std::abs(exponent));
    out.append(exponent < 0 ? "e-" : "e+");
    return out.append(magnitude.size() < 2 ? 1 : 0, '0').append(magnitude);
  }
  if (exponent < 0) {
    return out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
  }
  const auto before_point = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= before_point) {
    return out.append(digits).append(before_point - digits.size(), '0').append(".0");
  }
  return out.append(digits, 0, before_point).append(1, '.').append(digits, before_point);
}

}  // namespace mlarray::base
