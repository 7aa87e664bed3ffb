// to_json: as Python's json.dumps(sort_keys=True), and what JSON lacks (mlarray/value.hpp).
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "mlarray/value.hpp"

namespace mlarray {
namespace {

// Deeper trees would risk the stack; every decoder stops far earlier.
constexpr int kMaxJsonDepth = 500;
// The text of a key is escaped once more in each map around it, which doubles its backslashes:
// without a limit, 200 bytes of maps in keys of maps would fill any memory.
constexpr int kMaxKeyDepth = 3;

void append_unicode_escape(std::string& out, char32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 0xF];
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t position = 0; position < text.size();) {
    const char32_t code = base::next_code_point(text, position).value_or(0xFFFD);
    switch (code) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (code >= ' ' && code < 0x7F) {
          out += static_cast<char>(code);
        } else if (code < 0x10000) {
          append_unicode_escape(out, code);
        } else {
          append_unicode_escape(out, 0xD800 + ((code - 0x10000) >> 10));
          append_unicode_escape(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
        }
    }
  }
  out += '"';
}

std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return base::float_repr(value);
}

std::string base64(std::string_view data) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, data.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (k < have ? static_cast<unsigned char>(data[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= have ? kAlphabet[(group >> (18 - 6 * k)) & 0x3F] : '=';
    }
  }
  return out;
}

// A number as a sort key; nullopt for anything else, and for NaN, which has no order.
std::optional<double> sortable_number(const Value& key) {
  if (const auto* flag = key.get_if<bool>()) return *flag ? 1.0 : 0.0;
  if (const auto* integer = key.get_if<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* real = key.get_if<double>(); real && !std::isnan(*real)) return *real;
  if (const auto* big = key.get_if<BigInt>()) {
    double value = 0;
    const char* end = big->decimal.data() + big->decimal.size();
    const auto parsed = std::from_chars(big->decimal.data(), end, value);
    if (parsed.ec == std::errc{}) return value;
    return big->decimal.starts_with('-') ? -HUGE_VAL : HUGE_VAL;
  }
  return std::nullopt;
}

class Writer {
 public:
  explicit Writer(int indent, int depth = 0, int key_depth = 0)
      : indent_(indent), depth_(depth), key_depth_(key_depth) {}

  std::string take() { return std::move(out_); }

  void write(const Value& value) {
    std::visit([this](const auto& held) { write_held(held); }, value.storage());
  }

 private:
  struct Entry {
    std::string key;
    std::optional<double> number;
    const Value* value;
  };

  std::string key_text(const Value& key) const {
    if (const auto* text = key.get_if<std::string>()) return *text;
    if (key_depth_ == kMaxKeyDepth) {
      throw Error(ErrorKind::unsupported,
                  "keys that hold maps whose keys hold maps, more than " +
                      std::to_string(kMaxKeyDepth) + " levels, cannot be written as JSON");
    }
    Writer writer(-1, depth_ + 1, key_depth_ + 1);
    writer.write(key);
    return writer.take();
  }

  void write_held(std::monostate) { out_ += "null"; }
  void write_held(bool value) { out_ += value ? "true" : "false"; }
  void write_held(std::int64_t value) { out_ += std::to_string(value); }
  void write_held(const BigInt& value) { out_ += value.decimal; }
  void write_held(double value) { out_ += float_text(value); }
  void write_held(const std::string& value) { append_string(out_, value); }

  void write_held(const Bytes& value) {
    const Value text(base64(value.data));
    write_entries({{"__bytes__", std::nullopt, &text}});
  }

  void write_held(const List& list) {
    open('[');
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      next_item(i == 0);
      write(list.items[i]);
    }
    close(']', list.items.empty());
  }

  void write_held(const Map& map) {
    std::vector<Entry> entries;
    entries.reserve(map.items.size());
    for (const auto& [key, value] : map.items) {
      entries.push_back({key_text(key), sortable_number(key), &value});
    }
    // Python sorts the keys before it turns them into text: numbers by value.
    if (std::all_of(entries.begin(), entries.end(), [](const Entry& e) { return e.number; })) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const Entry& a, const Entry& b) { return *a.number < *b.number; });
    } else {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const Entry& a, const Entry& b) { return a.key < b.key; });
    }
    write_entries(entries);
  }

  void write_held(const Opaque& object) {
    const Value name(object.class_name);
    const Value state(List{object.state});
    write_entries({{"__class__", std::nullopt, &name}, {"__state__", std::nullopt, &state}});
  }

  void write_entries(const std::vector<Entry>& entries) {
    open('{');
    for (std::size_t i = 0; i < entries.size(); ++i) {
      next_item(i == 0);
      append_string(out_, entries[i].key);
      out_ += indent_ < 0 ? ":" : ": ";
      write(*entries[i].value);
    }
    close('}', entries.empty());
  }

  void open(char bracket) {
    if (++depth_ > kMaxJsonDepth) {
      throw Error(ErrorKind::unsupported, "a value nested deeper than " +
                                              std::to_string(kMaxJsonDepth) +
                                              " levels cannot be written as JSON");
    }
    out_ += bracket;
  }

  void next_item(bool first) {
    if (!first) out_ += ',';
    new_line();
  }

  void close(char bracket, bool empty) {
    --depth_;
    if (!empty) new_line();
    out_ += bracket;
  }

  void new_line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(indent_), ' ');
  }

  const int indent_;
  int depth_;
  const int key_depth_;  // keys around this text
  std::string out_;
};

}  // namespace

std::string to_json(const Value& value, int indent) {
  Writer writer(indent);
  writer.write(value);
  return writer.take();
}

}  // namespace mlarray
