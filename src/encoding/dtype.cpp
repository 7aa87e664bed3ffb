#include "mlarray/dtype.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "base/text.hpp"
#include "encoding/literal.hpp"
#include "mlarray/error.hpp"
#include "mlarray/value.hpp"

namespace mlarray {
namespace {

constexpr std::int64_t kMaxItemsize = std::numeric_limits<std::int32_t>::max();  // NumPy's

struct Type {
  char kind = 'V';
  std::int64_t itemsize = 0;
  std::int64_t alignment = 1;
  bool big_endian = false;
};

struct NamedType {
  std::string_view name;
  char kind;
  std::int64_t itemsize;
};

// NumPy's names, as on 64-bit Linux where they differ between systems.
constexpr NamedType kNames[] = {
    {"bool", 'b', 1},        {"bool_", 'b', 1},
    {"?", 'b', 1},           {"int8", 'i', 1},
    {"byte", 'i', 1},        {"b", 'i', 1},
    {"int16", 'i', 2},       {"short", 'i', 2},
    {"h", 'i', 2},           {"int32", 'i', 4},
    {"intc", 'i', 4},        {"i", 'i', 4},
    {"int64", 'i', 8},       {"int", 'i', 8},
    {"int_", 'i', 8},        {"intp", 'i', 8},
    {"longlong", 'i', 8},    {"l", 'i', 8},
    {"q", 'i', 8},           {"p", 'i', 8},
    {"uint8", 'u', 1},       {"ubyte", 'u', 1},
    {"B", 'u', 1},           {"uint16", 'u', 2},
    {"ushort", 'u', 2},      {"H", 'u', 2},
    {"uint32", 'u', 4},      {"uintc", 'u', 4},
    {"I", 'u', 4},           {"uint64", 'u', 8},
    {"uint", 'u', 8},        {"uintp", 'u', 8},
    {"ulonglong", 'u', 8},   {"L", 'u', 8},
    {"Q", 'u', 8},           {"P", 'u', 8},
    {"float16", 'f', 2},     {"half", 'f', 2},
    {"e", 'f', 2},           {"float32", 'f', 4},
    {"single", 'f', 4},      {"f", 'f', 4},
    {"float64", 'f', 8},     {"double", 'f', 8},
    {"float", 'f', 8},       {"d", 'f', 8},
    {"float128", 'f', 16},   {"longdouble", 'f', 16},
    {"g", 'f', 16},          {"complex64", 'c', 8},
    {"csingle", 'c', 8},     {"F", 'c', 8},
    {"complex128", 'c', 16}, {"cdouble", 'c', 16},
    {"complex", 'c', 16},    {"D", 'c', 16},
    {"complex256", 'c', 32}, {"clongdouble", 'c', 32},
    {"G", 'c', 32},          {"datetime64", 'M', 8},
    {"timedelta64", 'm', 8}, {"M", 'M', 8},
    {"m", 'm', 8},           {"str", 'U', 0},
    {"str_", 'U', 0},        {"U", 'U', 0},
    {"bytes", 'S', 0},       {"bytes_", 'S', 0},
    {"S", 'S', 0},           {"c", 'S', 1},
    {"void", 'V', 0},        {"V", 'V', 0},
};
constexpr std::array<std::string_view, 14> kTimeUnits = {
    "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic"};

std::optional<std::int64_t> parse_count(std::string_view digits) {
  std::int64_t count = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, count);
  if (parsed.ec != std::errc{} || parsed.ptr != end || count < 0) return std::nullopt;
  return count;
}

// "[ns]", "[25s]".
bool is_time_unit(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return false;
  text = text.substr(1, text.size() - 2);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits > 0 && parse_count(text.substr(0, digits)).value_or(0) == 0) return false;
  return std::find(kTimeUnits.begin(), kTimeUnits.end(), text.substr(digits)) !=
         kTimeUnits.end();
}

bool is_width_of(char kind, std::int64_t bytes) {
  switch (kind) {
    case 'b':
      return bytes == 1;
    case 'i':
    case 'u':
      return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    case 'f':
      return bytes == 2 || bytes == 4 || bytes == 8 || bytes == 12 || bytes == 16;
    case 'c':
      return bytes == 8 || bytes == 16 || bytes == 24 || bytes == 32;
    case 'M':
    case 'm':
      return bytes == 8;
    default:
      return kind == 'S' || kind == 'V';
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Type run() {
    const bool is_literal = text_.starts_with('[') || text_.starts_with('{');
    const Type type = is_literal ? structured(literal()) : simple(text_);
    if (type.itemsize == 0) fail(ErrorKind::unsupported, "elements of 0 bytes are not stored");
    return type;
  }

 private:
  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, "dtype " + base::quote(text_) + ": " + what);
  }
  [[noreturn]] void bad(const std::string& what) const { fail(ErrorKind::invalid_value, what); }

  Value literal() const {
    try {
      return encoding::decode_literal(text_);
    } catch (const Error& error) {
      bad(std::string("no Python literal: ") + error.what());
    }
  }

  std::int64_t checked(std::int64_t itemsize) const {
    if (itemsize > kMaxItemsize) {
      fail(ErrorKind::unsupported,
           "an element has " + std::to_string(itemsize) + " bytes; the limit is 2^31 - 1");
    }
    return itemsize;
  }

  // "<i2", "int16", "S5", "M8[ns]".
  Type simple(std::string_view text) const {
    std::string_view name = text;
    char order = '=';
    if (!name.empty() &&
        std::string_view("<>=|").find(name.front()) != std::string_view::npos) {
      order = name.front();
      name.remove_prefix(1);
    }
    const std::string_view digits = name.substr(std::min<std::size_t>(1, name.size()));
    const bool sized = !digits.empty() && parse_count(digits);
    if (name == "object" || name == "object_" ||
        (name.starts_with('O') && (digits.empty() || sized))) {
      fail(ErrorKind::unsupported,
           "Python objects are not stored; convert the array to a plain dtype");
    }
    const auto type = named(name);
    if (!type) {
      bad(base::quote(text) +
          " is no type of NumPy; expected for example '<i2' or [('a', '<f4')]");
    }
    const bool has_order = type->itemsize > 1 && type->kind != 'S' && type->kind != 'V';
    const bool is_big =
        order == '>' || (std::endian::native == std::endian::big && order != '<');
    return {type->kind, type->itemsize, alignment_of(*type), has_order && is_big};
  }

  std::optional<Type> named(std::string_view name) const {
    std::string_view without_unit = name;
    const std::size_t bracket = name.find('[');
    if (bracket != std::string_view::npos) {
      if (!is_time_unit(name.substr(bracket))) return std::nullopt;
      without_unit = name.substr(0, bracket);
    }
    std::optional<Type> type;
    for (const NamedType& known : kNames) {
      if (known.name == without_unit) type = Type{known.kind, known.itemsize};
    }
    if (!type) type = sized(without_unit);
    const bool is_time = type && (type->kind == 'M' || type->kind == 'm');
    if (bracket != std::string_view::npos && !is_time) return std::nullopt;
    return type;
  }

  // A kind and a number: bytes, or for 'U' letters.
  std::optional<Type> sized(std::string_view name) const {
    if (name.size() < 2) return std::nullopt;
    const auto count = parse_count(name.substr(1));
    if (!count) return std::nullopt;
    const char kind = name.front() == 'a' ? 'S' : name.front();
    checked(*count);
    if (kind == 'U') return Type{kind, checked(*count * 4)};
    if (!is_width_of(kind, *count)) return std::nullopt;
    return Type{kind, *count};
  }

  static std::int64_t alignment_of(const Type& type) {
    if (type.kind == 'U') return 4;
    if (type.kind == 'S' || type.kind == 'V') return 1;
    const std::int64_t part = type.kind == 'c' ? type.itemsize / 2 : type.itemsize;
    return part == 12 ? 4 : part;  // the long double of 32-bit x86
  }

  // Anything that can stand for a type inside a structured one.
  Type format(const Value& value) const {
    if (const auto* text = value.get_if<std::string>()) return simple(*text);
    const auto* pair = value.get_if<List>();
    if (pair == nullptr || !pair->is_tuple) return structured(value);
    if (pair->items.size() != 2)
      bad("a type of " + std::to_string(pair->items.size()) + " parts");
    return repeated(format(pair->items[0]), pair->items[1]);
  }

  Type structured(const Value& value) const {
    if (const auto* list = value.get_if<List>(); list && !list->is_tuple) return fields(*list);
    if (const auto* map = value.get_if<Map>()) return from_dict(*map);
    bad("a " + value.type_name() + " is no type");
  }

  Type repeated(Type type, const Value& shape) const {
    const auto* lengths = shape.get_if<List>();
    const List one{{shape}, true};
    for (const Value& item : (lengths != nullptr ? *lengths : one).items) {
      const auto* length = item.get_if<std::int64_t>();
      if (length == nullptr || *length < 0) bad("a shape with " + to_json(item));
      if (*length > kMaxItemsize) checked(*length);
      type.itemsize = checked(type.itemsize * *length);
    }
    return type;
  }

  // "[('a', '<i4'), ('b', '<f8', (3,)), (('title', 'c'), 'S2')]"
  Type fields(const List& list) const {
    Type all;
    std::set<std::string> names;
    for (const Value& item : list.items) {
      const auto* field = item.get_if<List>();
      if (field == nullptr || !field->is_tuple || field->items.size() < 2 ||
          field->items.size() > 3) {
        bad("a field is a tuple of name, type and perhaps shape, not " + to_json(item));
      }
      const Value* name = &field->items[0];
      if (const auto* titled = name->get_if<List>(); titled && titled->items.size() == 2) {
        add_name(names, titled->items[0]);
        name = &titled->items[1];
      }
      add_name(names, *name);
      Type type = format(field->items[1]);
      if (field->items.size() == 3) type = repeated(type, field->items[2]);
      all.itemsize = checked(all.itemsize + type.itemsize);
    }
    return all;
  }

  void add_name(std::set<std::string>& names, const Value& name) const {
    const auto* text = name.get_if<std::string>();
    if (text == nullptr) bad("a field's name is text, not " + to_json(name));
    // NumPy numbers fields without a name.
    if (!text->empty() && !names.insert(*text).second)
      bad("two fields named " + base::quote(*text));
  }

  // "{'names': [...], 'formats': [...], 'offsets': [...], 'itemsize': 16, 'aligned': True}"
  Type from_dict(const Map& map) const {
    for (const auto& [key, unused] : map.items) {
      const std::string name = to_json(key);
      constexpr std::array<std::string_view, 6> kKeys = {"\"names\"",    "\"formats\"",
                                                         "\"offsets\"",  "\"titles\"",
                                                         "\"itemsize\"", "\"aligned\""};
      if (std::find(kKeys.begin(), kKeys.end(), name) == kKeys.end()) bad("the key " + name);
    }
    const List& names = list_of(map, "names");
    const List& formats = list_of(map, "formats");
    const List* offsets = map.find("offsets") != nullptr ? &list_of(map, "offsets") : nullptr;
    if (formats.items.size() != names.items.size() ||
        (offsets != nullptr && offsets->items.size() != names.items.size())) {
      bad("names, formats and offsets differ in length");
    }
    const Value* aligned_value = map.find("aligned");
    const bool aligned = aligned_value != nullptr && *aligned_value == Value(true);

    Type all;
    std::set<std::string> known;
    for (std::size_t i = 0; i < names.items.size(); ++i) {
      add_name(known, names.items[i]);
      const Type type = format(formats.items[i]);
      if (aligned) all.alignment = std::max(all.alignment, type.alignment);
      std::int64_t offset = aligned ? rounded(all.itemsize, type.alignment) : all.itemsize;
      if (offsets != nullptr) {
        offset = size_of(offsets->items[i]);
        if (aligned && offset % type.alignment != 0) {
          bad("offset " + std::to_string(offset) + " is not aligned");
        }
      }
      all.itemsize = std::max(all.itemsize, checked(offset + type.itemsize));
    }
    all.itemsize = checked(rounded(all.itemsize, all.alignment));
    if (const Value* given = map.find("itemsize")) {
      const std::int64_t itemsize = size_of(*given);
      if (itemsize < all.itemsize || itemsize % all.alignment != 0) {
        bad("itemsize " + std::to_string(itemsize) + " does not hold the fields, which take " +
            std::to_string(all.itemsize) + " bytes");
      }
      all.itemsize = itemsize;
    }
    return all;
  }

  const List& list_of(const Map& map, const char* key) const {
    const Value* value = map.find(key);
    const auto* list = value != nullptr ? value->get_if<List>() : nullptr;
    if (list == nullptr) bad(std::string(key) + " is no list");
    return *list;
  }

  std::int64_t size_of(const Value& value) const {
    const auto* size = value.get_if<std::int64_t>();
    if (size == nullptr || *size < 0) bad("a size or offset of " + to_json(value));
    return checked(*size);
  }

  static std::int64_t rounded(std::int64_t size, std::int64_t alignment) {
    return (size + alignment - 1) / alignment * alignment;
  }

  std::string_view text_;
};

}  // namespace

DType DType::native(char kind, std::int64_t itemsize) {
  DType dtype;
  dtype.kind_ = kind;
  dtype.itemsize_ = itemsize;
  dtype.big_endian_ = itemsize > 1 && std::endian::native == std::endian::big;
  dtype.text_ = itemsize == 1 ? "|" : dtype.big_endian_ ? ">" : "<";
  dtype.text_ += kind + std::to_string(itemsize);
  return dtype;
}

bool DType::same_elements(const DType& other) const noexcept {
  constexpr std::string_view kNumbers = "biufc";
  return kNumbers.find(kind_) != std::string_view::npos && kind_ == other.kind_ &&
         itemsize_ == other.itemsize_ && big_endian_ == other.big_endian_;
}

DType DType::parse(std::string_view text) {
  const Type type = Parser(text).run();
  DType dtype;
  dtype.text_ = text;
  dtype.kind_ = type.kind;
  dtype.itemsize_ = type.itemsize;
  dtype.big_endian_ = type.big_endian;
  dtype.structured_ = text.starts_with('[') || text.starts_with('{');
  return dtype;
}

}  // namespace mlarray
