#include "encoding/unescape.hpp"

#include <charconv>
#include <cstdint>

#include "base/text.hpp"

namespace mlarray::encoding {
namespace {

// `count` hexadecimal digits at `position`, which is moved behind them.
std::optional<char32_t> hex(std::string_view body, std::size_t& position, std::size_t count) {
  if (body.size() - position < count) return std::nullopt;
  std::uint32_t value = 0;
  const char* start = body.data() + position;
  const auto parsed = std::from_chars(start, start + count, value, 16);
  if (parsed.ptr != start + count || value > 0x10FFFF) return std::nullopt;
  position += count;
  return value;
}

char32_t octal(std::string_view body, std::size_t& position) {
  char32_t value = 0;
  for (int i = 0; i < 3 && position < body.size(); ++i) {
    if (body[position] < '0' || body[position] > '7') break;
    value = value * 8 + static_cast<char32_t>(body[position++] - '0');
  }
  return value;
}

std::optional<std::string> unescape(std::string_view body, bool is_bytes) {
  const auto append = [is_bytes](std::string& out, char32_t code) {
    if (is_bytes) {
      out += static_cast<char>(code & 0xFF);
    } else {
      base::append_code_point(out, code);
    }
  };
  std::string out;
  out.reserve(body.size());
  for (std::size_t position = 0; position < body.size();) {
    const char letter = body[position++];
    if (letter != '\\') {
      out += letter;
      continue;
    }
    if (position == body.size()) return std::nullopt;
    const char kind = body[position++];
    switch (kind) {
      case '\n':
        break;  // a continued line
      case '\\':
      case '\'':
      case '"':
        out += kind;
        break;
      case 'a':
        out += '\a';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'v':
        out += '\v';
        break;
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7':
        append(out, octal(body, --position));
        break;
      case 'N':
        if (!is_bytes) return std::nullopt;
        out.append("\\N");
        break;
      case 'x':
      case 'u':
      case 'U': {
        if (is_bytes && kind != 'x') {
          out.append(1, '\\').append(1, kind);
          break;
        }
        const auto code = hex(body, position, kind == 'x' ? 2 : kind == 'u' ? 4 : 8);
        if (!code) return std::nullopt;
        append(out, *code);
        break;
      }
      default:
        out.append(1, '\\').append(1, kind);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> unescape_text(std::string_view body) {
  return unescape(body, false);
}

std::optional<std::string> unescape_bytes(std::string_view body) {
  return unescape(body, true);
}

std::optional<std::string> unescape_raw_unicode(std::string_view body) {
  std::string out;
  for (std::size_t position = 0; position < body.size();) {
    const char letter = body[position++];
    const char kind = position < body.size() ? body[position] : '\0';
    if (letter != '\\' || (kind != 'u' && kind != 'U')) {
      base::append_code_point(out, static_cast<unsigned char>(letter));
      // An escaped backslash hides the letter behind it from being an escape.
      if (letter == '\\' && kind == '\\') {
        out += '\\';
        ++position;
      }
      continue;
    }
    ++position;
    const auto code = hex(body, position, kind == 'u' ? 4 : 8);
    if (!code) return std::nullopt;
    base::append_code_point(out, *code);
  }
  return out;
}

}  // namespace mlarray::encoding
