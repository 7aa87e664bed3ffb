// A tree of plain data: what metadata is made of.
//
// Value holds what JSON holds, plus what files in the wild contain: integers of any size,
// bytes, tuples, map keys that are no strings, and the name of a class that is not known.
// It has value semantics: copies are deep. Not synchronised.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mlarray/export.hpp"

namespace mlarray {

class Value;

// An integer outside [-2^63, 2^63 - 1], as decimal text ("1208925819614629174706176").
struct BigInt {
  std::string decimal;
  friend bool operator==(const BigInt&, const BigInt&) = default;
};

struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

struct List {
  std::vector<Value> items;
  bool is_tuple = false;  // a tuple in Python; valid wherever a list is
  friend MLARRAY_EXPORT bool operator==(const List& a, const List& b);
};

// Keeps the order of insertion. Keys are usually strings, but any scalar is allowed.
struct MLARRAY_EXPORT Map {
  std::vector<std::pair<Value, Value>> items;

  // First entry with this string key, or nullptr. Not of a temporary: it would dangle.
  const Value* find(std::string_view key) const&;
  Value* find(std::string_view key) &;
  const Value* find(std::string_view key) const&& = delete;
  // Replaces the entry with this string key, or appends it.
  void set(std::string_view key, Value value);
  bool erase(std::string_view key);

  friend MLARRAY_EXPORT bool operator==(const Map& a, const Map& b);
};

// An object of a class that is neither plain data nor known to be harmless. It names the class
// and keeps what the file says of it; it is never instantiated.
struct Opaque {
  std::string class_name;    // "package.module.ClassName"
  std::vector<Value> state;  // arguments of the constructor, then the restored state
  friend MLARRAY_EXPORT bool operator==(const Opaque& a, const Opaque& b);
};

class MLARRAY_EXPORT Value {
 public:
  // Text is UTF-8. A lone surrogate, which Python strings may hold, is stored as the three
  // bytes that UTF-8 would give it (Python's "surrogatepass").
  using Storage = std::variant<std::monostate, bool, std::int64_t, BigInt, double, std::string,
                               Bytes, List, Map, Opaque>;

  Value() = default;
  // Exactly bool: a pointer would convert to it.
  template <std::same_as<bool> Bool>
  Value(Bool value) : storage_(value) {}
  Value(int value) : storage_(std::int64_t{value}) {}
  Value(std::int64_t value) : storage_(value) {}
  Value(double value) : storage_(value) {}
  Value(const char* text) : storage_(std::string(text)) {}
  Value(std::nullptr_t) = delete;  // None is Value()
  Value(std::string text) : storage_(std::move(text)) {}
  Value(std::string_view text) : storage_(std::string(text)) {}
  Value(BigInt value) : storage_(std::move(value)) {}
  Value(Bytes value) : storage_(std::move(value)) {}
  Value(List value) : storage_(std::move(value)) {}
  Value(Map value) : storage_(std::move(value)) {}
  Value(Opaque value) : storage_(std::move(value)) {}

  bool is_none() const noexcept { return std::holds_alternative<std::monostate>(storage_); }
  // The value if it is a T, or nullptr. Not of a temporary: it would dangle.
  template <class T>
  const T* get_if() const& noexcept {
    return std::get_if<T>(&storage_);
  }
  template <class T>
  T* get_if() & noexcept {
    return std::get_if<T>(&storage_);
  }
  template <class T>
  const T* get_if() const&& = delete;

  const Storage& storage() const& noexcept { return storage_; }
  Storage storage() && noexcept { return std::move(storage_); }

  // An integer of any size, or a real: a field of kind "number" holds either. Not of a bool.
  std::optional<double> number() const;

  // "None", "bool", "int", "float", "str", "bytes", "list", "tuple", "dict" or the class name.
  std::string type_name() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  Storage storage_;
};

// JSON with sorted keys, ASCII only, laid out as Python's json.dumps does: on one line without
// spaces for indent < 0. What JSON lacks: bytes are written as {"__bytes__": base64}, an object
// of an unknown class as {"__class__": name, "__state__": [...]}, NaN and infinities as in
// Python's json, keys that are no strings as their JSON text.
// Errors: unsupported for a value nested deeper than 500 levels, and for keys within keys (maps
// as keys of maps) deeper than 3.
MLARRAY_EXPORT std::string to_json(const Value& value, int indent = -1);

}  // namespace mlarray
