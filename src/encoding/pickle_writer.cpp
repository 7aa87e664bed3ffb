// Writes protocol 4 with the fewest opcodes: no memo, no frames, one batch per container.
#include <bit>
#include <cstdint>
#include <limits>

#include "base/text.hpp"
#include "encoding/integers.hpp"
#include "encoding/msgpack.hpp"
#include "encoding/pickle.hpp"
#include "encoding/value_path.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

// What Python's dict accepts as a key.
bool is_hashable(const Value& key) {
  if (key.get_if<Map>() != nullptr) return false;
  const auto* list = key.get_if<List>();
  if (list == nullptr) return true;
  if (!list->is_tuple) return false;
  for (const Value& item : list->items) {
    if (!is_hashable(item)) return false;
  }
  return true;
}

class Writer {
 public:
  std::string run(const Value& value) {
    put(0x80);  // PROTO
    put(4);
    write(value, {});
    put('.');  // STOP
    return std::move(out_);
  }

 private:
  void write(const Value& value, const ValuePath& path) {
    std::visit([&](const auto& held) { write_held(held, path); }, value.storage());
  }

  void write_held(std::monostate, const ValuePath&) { put('N'); }
  void write_held(bool value, const ValuePath&) { put(value ? 0x88 : 0x89); }

  void write_held(std::int64_t value, const ValuePath&) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0 && value <= 0xFF) return sized('K', bits, 1);
    if (value >= 0 && value <= 0xFFFF) return sized('M', bits, 2);
    if (value >= std::numeric_limits<std::int32_t>::min() &&
        value <= std::numeric_limits<std::int32_t>::max()) {
      return sized('J', bits, 4);
    }
    put(0x8a);  // LONG1
    std::size_t size = 8;
    while (size > 5 && is_sign_only(value, size)) --size;
    sized(static_cast<std::uint8_t>(size), bits, static_cast<unsigned>(size));
  }

  // Whether the top byte of `size` only repeats the sign.
  static bool is_sign_only(std::int64_t value, std::size_t size) {
    const std::int64_t rest = value >> (8 * (size - 1) - 1);
    return rest == 0 || rest == -1;
  }

  void write_held(const BigInt& value, const ValuePath& path) {
    std::string bytes;
    try {
      bytes = twos_complement(value);
    } catch (const Error& error) {
      path.fail(error.kind(), error.what());
    }
    bytes.size() <= 0xFF ? sized(0x8a, bytes.size(), 1) : sized(0x8b, bytes.size(), 4);
    out_.append(bytes);
  }

  void write_held(double value, const ValuePath&) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    put('G');
    for (int shift = 56; shift >= 0; shift -= 8) put(static_cast<std::uint8_t>(bits >> shift));
  }

  void write_held(const std::string& value, const ValuePath& path) {
    if (!base::is_text(value)) {
      path.fail(ErrorKind::invalid_value, base::quote(value) + " is no UTF-8");
    }
    text_header(value.size(), 0x8c, 'X', 0x8d);
    out_.append(value);
  }

  void write_held(const Bytes& value, const ValuePath&) {
    text_header(value.data.size(), 'C', 'B', 0x8e);
    out_.append(value.data);
  }

  void write_held(const List& list, const ValuePath& path) {
    path.check_depth(DecodeLimits{}.max_depth);
    const std::size_t count = list.items.size();
    const bool is_short_tuple = list.is_tuple && count <= 3;
    if (!list.is_tuple) put(']');
    if (count > 0 && !is_short_tuple) put('(');
    for (std::size_t i = 0; i < count; ++i) write(list.items[i], ValuePath(path, i));
    if (is_short_tuple) {
      put(count == 0 ? std::uint8_t{')'} : static_cast<std::uint8_t>(0x84 + count));
    } else if (count > 0) {
      put(list.is_tuple ? 't' : 'e');
    }
  }

  void write_held(const Map& map, const ValuePath& path) {
    path.check_depth(DecodeLimits{}.max_depth);
    put('}');
    if (map.items.empty()) return;
    put('(');
    for (const auto& [key, value] : map.items) {
      const ValuePath entry(path, key);
      write(key, entry);
      if (!is_hashable(key)) {
        entry.fail(ErrorKind::unsupported,
                   "a " + key.type_name() + " cannot be a key in Python; use text");
      }
      write(value, entry);
    }
    put('u');
  }

  void write_held(const Opaque& object, const ValuePath& path) {
    path.fail(ErrorKind::unsupported,
              "an object of class " + base::quote(object.class_name) +
                  ", which can be kept only while the metadata is not edited; replace it by "
                  "plain data");
  }

  void text_header(std::size_t size, std::uint8_t code8, std::uint8_t code32,
                   std::uint8_t code64) {
    if (size <= 0xFF) return sized(code8, size, 1);
    if (size <= 0xFFFFFFFF) return sized(code32, size, 4);
    sized(code64, size, 8);
  }

  void put(std::uint8_t byte) { out_ += static_cast<char>(byte); }

  void sized(std::uint8_t code, std::uint64_t value, unsigned size) {
    put(code);
    for (unsigned i = 0; i < size; ++i) put(static_cast<std::uint8_t>(value >> (8 * i)));
  }

  std::string out_;
};

}  // namespace

std::string encode_pickle(const Value& value) { return Writer().run(value); }

}  // namespace mlarray::encoding
