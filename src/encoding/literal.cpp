#include "encoding/literal.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "encoding/budget.hpp"
#include "encoding/integers.hpp"
#include "encoding/map_builder.hpp"
#include "encoding/unescape.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_word(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         letter == '_' || is_digit(letter);
}

class Parser {
 public:
  Parser(std::string_view text, const DecodeLimits& limits)
      : text_(text), budget_(limits, "literal") {}

  Value run() {
    Value value = read(0);
    if (peek() != '\0' || position_ < text_.size()) fail("something after the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::corruption, "literal: " + what + " at position " +
                                           std::to_string(position_) + " of " +
                                           base::quote(text_));
  }

  // The next letter that is no white space; '\0' at the end.
  char peek() {
    while (position_ < text_.size() &&
           std::string_view(" \t\r\n\f").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
    return here();
  }
  char here(std::size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  bool skip(char letter) {
    if (peek() != letter) return false;
    ++position_;
    return true;
  }

  Value read(std::size_t depth) {
    budget_.take_item();
    const char letter = peek();
    switch (letter) {
      case '[':
        return list(depth);
      case '(':
        return tuple(depth);
      case '{':
        return dict(depth);
      case '\'':
      case '"':
        return strings();
      default:
        break;
    }
    if (is_digit(letter) || letter == '.' || letter == '-' || letter == '+') return number();
    return word();
  }

  Value list(std::size_t depth) {
    ++position_;
    List list;
    items(list, ']', depth);
    return list;
  }

  // "()", "(1,)", "(1, 2)"; "(1)" is 1.
  Value tuple(std::size_t depth) {
    ++position_;
    List tuple{{}, true};
    const bool ends_in_comma = items(tuple, ')', depth);
    if (tuple.items.size() == 1 && !ends_in_comma) return std::move(tuple.items.front());
    return tuple;
  }

  bool items(List& list, char end, std::size_t depth) {
    budget_.check_depth(depth + 1);
    bool after_comma = true;
    while (!skip(end)) {
      if (!after_comma) fail("a comma or a closing bracket is missing");
      list.items.push_back(read(depth + 1));
      after_comma = skip(',');
    }
    return after_comma;
  }

  Value dict(std::size_t depth) {
    ++position_;
    budget_.check_depth(depth + 1);
    MapBuilder map;
    bool after_comma = true;
    while (!skip('}')) {
      if (!after_comma) fail("a comma or a closing brace is missing");
      Value key = read(depth + 1);
      if (!skip(':')) fail("a colon is missing");
      map.add(std::move(key), read(depth + 1));
      after_comma = skip(',');
    }
    return map.take();
  }

  Value word() {
    std::size_t length = 0;
    while (is_word(here(length))) ++length;
    const std::string_view word = text_.substr(position_, length);
    if (here(length) == '\'' || here(length) == '"') return strings();
    if (length == 0) fail("no literal");
    Value value;
    if (word == "True" || word == "False") {
      value = word == "True";
    } else if (word != "None") {
      fail("the name " + base::quote(word) + ", which is no literal,");
    }
    position_ += length;
    return value;
  }

  // One string, or several side by side, which Python joins.
  Value strings() {
    std::string joined;
    bool is_bytes = false;
    for (bool is_first = true;; is_first = false) {
      std::size_t prefix = 0;
      bool raw = false;
      bool bytes = false;
      bool unicode = false;
      for (char letter = peek(); is_word(letter); letter = here(prefix)) {
        const char lower = static_cast<char>(letter | 0x20);
        bool& flag = lower == 'r' ? raw : lower == 'b' ? bytes : unicode;
        const bool known = lower == 'r' || lower == 'b' || lower == 'u';
        if (!known || flag) {
          if (is_first) fail("an unknown string prefix");
          prefix = 0;
          break;
        }
        flag = true;
        ++prefix;
      }
      const char quote = here(prefix);
      if (quote != '\'' && quote != '"') break;
      if (unicode && (raw || bytes)) fail("an unknown string prefix");
      if (!is_first && bytes != is_bytes) fail("text and bytes side by side");
      is_bytes = bytes;
      position_ += prefix;
      joined += string_body(quote, raw, bytes);
    }
    if (is_bytes) return Bytes{std::move(joined)};
    return joined;
  }

  std::string string_body(char quote, bool raw, bool bytes) {
    const std::size_t start = ++position_;
    if (here() == quote && here(1) == quote) fail("a triple-quoted string");
    while (here() != quote) {
      if (position_ >= text_.size() || here() == '\n') fail("a string without an end");
      position_ += here() == '\\' && position_ + 1 < text_.size() ? 2U : 1U;
    }
    const std::string_view body = text_.substr(start, position_ - start);
    budget_.take_bytes(body.size());
    auto held = raw     ? std::optional<std::string>(body)
                : bytes ? unescape_bytes(body)
                        : unescape_text(body);
    if (!held) fail("a bad escape before the end of the string");
    if (!bytes && !base::is_text(*held)) fail("text that is no UTF-8");
    ++position_;
    return std::move(*held);
  }

  Value number() {
    const std::size_t start = position_;
    const bool negative = here() == '-';
    if (negative || here() == '+') {
      ++position_;
      peek();  // Python allows "- 1"
    }
    std::string digits(negative ? 1 : 0, '-');
    if (here() == '0' && (here(1) | 0x20) != 'e' && is_word(here(1)) && !is_digit(here(1)) &&
        here(1) != '_') {
      return based_integer(negative);
    }
    bool is_float = false;
    while (is_word(here()) || here() == '.' ||
           ((here() == '-' || here() == '+') && (text_[position_ - 1] | 0x20) == 'e')) {
      const char letter = text_[position_++];
      is_float = is_float || letter == '.' || letter == 'e' || letter == 'E';
      if (letter != '_') {
        digits += letter;
      } else if (!is_digit(text_[position_ - 2]) || !is_digit(here())) {
        fail("a misplaced underscore");
      }
    }
    if (!is_float) {
      const std::size_t first = negative ? 1 : 0;
      if (digits.size() > first + 1 && digits[first] == '0' &&
          digits.find_first_not_of('0', first) != std::string::npos) {
        fail("an integer with leading zeros");
      }
      return integer_from_decimal(digits);
    }
    double value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ptr != digits.data() + digits.size() || parsed.ec != std::errc{}) {
      position_ = start;
      fail("no number that a float holds");
    }
    return value;
  }

  // "0x1f", "0o17", "0b101", up to 63 bits.
  Value based_integer(bool negative) {
    const char letter = static_cast<char>(here(1) | 0x20);
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (base == 0) fail("no number");
    position_ += 2;
    std::int64_t value = 0;
    const char* end = text_.data() + text_.size();
    const auto parsed = std::from_chars(text_.data() + position_, end, value, base);
    const bool signed_twice = here() == '-';
    if (parsed.ec != std::errc{} || signed_twice ||
        (parsed.ptr != end && is_word(*parsed.ptr))) {
      fail("no number of at most 63 bits");
    }
    position_ = static_cast<std::size_t>(parsed.ptr - text_.data());
    return negative ? -value : value;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  Budget budget_;
};

}  // namespace

Value decode_literal(std::string_view text, const DecodeLimits& limits) {
  return Parser(text, limits).run();
}

}  // namespace mlarray::encoding
