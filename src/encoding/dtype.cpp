// DType::parse (include/mlarray/types.hpp). It stands here because structured types are
// written as Python literals, which this layer reads.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "encoding/literal.hpp"
#include "mlarray/error.hpp"
#include "mlarray/types.hpp"

namespace mlarray {
namespace {

// Names that NumPy knows besides its type strings; which of them a writer stores is up to it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kLongNames = {{
    {"bool", "|b1"},        {"bool_", "|b1"},      {"int8", "|i1"},       {"int16", "<i2"},
    {"int32", "<i4"},       {"int64", "<i8"},      {"uint8", "|u1"},      {"uint16", "<u2"},
    {"uint32", "<u4"},      {"uint64", "<u8"},     {"float16", "<f2"},    {"float32", "<f4"},
    {"float64", "<f8"},     {"complex64", "<c8"},  {"complex128", "<c16"}, {"byte", "|i1"},
    {"ubyte", "|u1"},       {"short", "<i2"},      {"ushort", "<u2"},     {"half", "<f2"},
    {"single", "<f4"},      {"double", "<f8"},     {"float", "<f8"},      {"int", "<i8"},
    {"uint", "<u8"},        {"complex", "<c16"},
}};

// Far above any element, far below an overflow.
constexpr std::int64_t kMaxItemsize = std::numeric_limits<std::int32_t>::max();

struct Parsed {
  char kind = 'V';
  std::int64_t itemsize = 0;
  bool big_endian = false;
  bool structured = false;
};

[[noreturn]] void bad(std::string_view text, const std::string& why) {
  throw Error(ErrorKind::invalid_value,
              base::quote(text) + " is no element type: " + why +
                  "; expected NumPy's notation, for example '<i2' or [('a', '<f4')]");
}

[[noreturn]] void refuse_objects(std::string_view text) {
  throw Error(ErrorKind::unsupported,
              base::quote(text) +
                  " holds Python objects, which are not stored: convert the array to numbers, "
                  "text or bytes");
}

std::int64_t checked_size(std::int64_t a, std::int64_t b, std::string_view text) {
  if (a < 0 || b < 0 || (a > 0 && b > kMaxItemsize / a)) {
    bad(text, "an element of more than " + std::to_string(kMaxItemsize) + " bytes");
  }
  return a * b;
}

bool size_allowed(char kind, std::int64_t size) {
  switch (kind) {
    case 'b': return size == 1;
    case 'i':
    case 'u': return size == 1 || size == 2 || size == 4 || size == 8;
    case 'f': return size == 2 || size == 4 || size == 8 || size == 12 || size == 16;
    case 'c': return size == 8 || size == 16 || size == 24 || size == 32;
    case 'm':
    case 'M': return size == 8;
    default: return true;  // S, U, V
  }
}

Parsed parse_simple(std::string_view text) {
  for (const auto& [name, stands_for] : kLongNames) {
    if (text == name) return parse_simple(stands_for);
  }
  std::string_view rest = text;
  Parsed out;
  bool has_order = false;
  if (!rest.empty() && std::string_view("<>=|").find(rest[0]) != std::string_view::npos) {
    out.big_endian = rest[0] == '>';
    has_order = true;
    rest.remove_prefix(1);
  }
  if (rest.empty()) bad(text, "no kind of element");
  out.kind = rest[0] == '?' ? 'b' : rest[0];
  if (out.kind == 'O' || text == "object") refuse_objects(text);
  if (std::string_view("biufcmMSUV").find(out.kind) == std::string_view::npos) {
    bad(text, "an unknown kind of element");
  }
  rest.remove_prefix(1);
  std::int64_t size = rest.empty() && text.find('?') != std::string_view::npos ? 1 : 0;
  const char* end = rest.data() + rest.size();
  const auto parsed = std::from_chars(rest.data(), end, size);
  const bool has_size = parsed.ptr != rest.data();
  if (parsed.ec == std::errc::result_out_of_range) bad(text, "a size out of range");
  rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
  const bool is_time = out.kind == 'm' || out.kind == 'M';
  if (!has_size && size == 0 && std::string_view("SUV").find(out.kind) == std::string_view::npos) {
    bad(text, "no size");
  }
  if (!rest.empty()) {
    const bool is_unit = is_time && rest.size() >= 3 && rest.front() == '[' &&
                         rest.back() == ']' && rest.find(']') == rest.size() - 1;
    if (!is_unit) bad(text, "something follows the size");
  }
  if (!size_allowed(out.kind, size)) bad(text, "a size that this kind does not have");
  out.itemsize = checked_size(size, out.kind == 'U' ? 4 : 1, text);
  if (!has_order || out.itemsize == 1) out.big_endian = false;
  return out;
}

class StructParser {
 public:
  explicit StructParser(std::string_view text) : text_(text) {}

  Parsed run() {
    Value tree;
    try {
      tree = encoding::decode_literal(text_, {.max_depth = 32, .max_items = 100'000});
    } catch (const Error& error) {
      bad(text_, error.what());
    }
    return any(tree);
  }

 private:
  // A type string, a list of fields, a dict of names and formats, or (type, shape).
  Parsed any(const Value& value) const {
    if (const auto* text = value.get_if<std::string>()) return parse_simple(*text);
    if (const auto* map = value.get_if<Map>()) return dict(*map);
    const auto* list = value.get_if<List>();
    if (list == nullptr) bad(text_, "a field type that is neither text nor a list");
    if (!list->is_tuple) return fields(*list);
    if (list->items.size() != 2) bad(text_, "a sub-array needs a type and a shape");
    Parsed out = any(list->items[0]);
    out.itemsize = checked_size(out.itemsize, shape_size(list->items[1]), text_);
    return out;
  }

  Parsed fields(const List& list) const {
    Parsed out = structure();
    for (const Value& item : list.items) {
      const auto* field = item.get_if<List>();
      if (field == nullptr || field->items.size() < 2 || field->items.size() > 3) {
        bad(text_, "a field that is no (name, type) or (name, type, shape)");
      }
      std::int64_t size = any(field->items[1]).itemsize;
      if (field->items.size() == 3) {
        size = checked_size(size, shape_size(field->items[2]), text_);
      }
      out.itemsize = checked_size(out.itemsize + size, 1, text_);
    }
    return out;
  }

  Parsed dict(const Map& map) const {
    const auto* formats = list_of(map, "formats");
    const auto* names = list_of(map, "names");
    const auto* offsets = list_of(map, "offsets");
    if (formats == nullptr || names == nullptr ||
        names->items.size() != formats->items.size() ||
        (offsets != nullptr && offsets->items.size() != formats->items.size())) {
      bad(text_, "names, formats and offsets that do not match");
    }
    Parsed out = structure();
    for (std::size_t i = 0; i < formats->items.size(); ++i) {
      std::int64_t offset = out.itemsize;
      if (offsets != nullptr) offset = number(offsets->items[i]);
      const std::int64_t end =
          checked_size(offset, 1, text_) + any(formats->items[i]).itemsize;
      out.itemsize = std::max(out.itemsize, checked_size(end, 1, text_));
    }
    if (const Value* itemsize = map.find("itemsize")) {
      const std::int64_t given = number(*itemsize);
      if (given < out.itemsize) bad(text_, "an itemsize smaller than its fields");
      out.itemsize = checked_size(given, 1, text_);
    }
    return out;
  }

  static Parsed structure() {
    Parsed out;
    out.structured = true;
    return out;
  }

  static const List* list_of(const Map& map, std::string_view key) {
    const Value* value = map.find(key);
    return value == nullptr ? nullptr : value->get_if<List>();
  }

  std::int64_t number(const Value& value) const {
    const auto* held = value.get_if<std::int64_t>();
    if (held == nullptr || *held < 0 || *held > kMaxItemsize) bad(text_, "a size out of range");
    return *held;
  }

  std::int64_t shape_size(const Value& value) const {
    const auto* list = value.get_if<List>();
    if (list == nullptr) return number(value);
    std::int64_t product = 1;
    for (const Value& length : list->items) product = checked_size(product, number(length), text_);
    return product;
  }

  std::string_view text_;
};

}  // namespace

DType DType::parse(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  const bool is_literal =
      first != std::string_view::npos && std::string_view("[{(").find(text[first]) !=
                                             std::string_view::npos;
  const Parsed parsed = is_literal ? StructParser(text).run() : parse_simple(text);
  DType out;
  out.text_ = std::string(text);
  out.kind_ = parsed.structured ? 'V' : parsed.kind;
  out.itemsize_ = parsed.itemsize;
  out.big_endian_ = parsed.big_endian;
  out.structured_ = parsed.structured;
  return out;
}

}  // namespace mlarray
