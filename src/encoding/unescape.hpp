// Backslash escapes of Python's strings. nullopt: an escape that Python refuses too, or
// \N{...}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mlarray::encoding {

// The inside of 'text': \n \x41 \101 \u00e9 \U0001f600; unknown escapes stay as they are.
std::optional<std::string> unescape_text(std::string_view body);
// The inside of b'bytes': the same without \u and \U.
std::optional<std::string> unescape_bytes(std::string_view body);
// "raw-unicode-escape", which pickle protocol 0 uses: Latin-1, and only \u and \U are escapes.
std::optional<std::string> unescape_raw_unicode(std::string_view body);

}  // namespace mlarray::encoding
