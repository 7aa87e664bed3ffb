// Text as Python's str holds it: UTF-8 in which lone surrogates are allowed, encoded as the
// three bytes that UTF-8 would give them. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mlarray::base {

// The code point at `position` (< text.size()), which is moved behind it.
// Where the bytes are no UTF-8: nullopt, and `position` moves by one.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& position);

// Appends `code` (<= 0x10ffff, surrogates included).
void append_code_point(std::string& text, char32_t code);

bool is_text(std::string_view text);         // well-formed throughout
bool has_surrogates(std::string_view text);  // at least one; then it is no strict UTF-8

// `text` for an error message: in double quotes, shortened, only printable ASCII.
std::string quote(std::string_view text);

// A float as Python's repr writes it: "1.0", "1e-05", "1e+16", "nan", "-inf".
std::string float_repr(double value);

}  // namespace mlarray::base
