#include "mlarray/value.hpp"

#include <algorithm>
#include <cstdlib>

namespace mlarray {

// Not defaulted in the header: clang 14 looks into a defaulted one before Value is complete.
bool operator==(const List& a, const List& b) {
  return a.items == b.items && a.is_tuple == b.is_tuple;
}
bool operator==(const Map& a, const Map& b) { return a.items == b.items; }
bool operator==(const Opaque& a, const Opaque& b) {
  return a.class_name == b.class_name && a.state == b.state;
}
namespace {

bool has_key(const std::pair<Value, Value>& item, std::string_view key) {
  const auto* text = item.first.get_if<std::string>();
  return text != nullptr && *text == key;
}

}  // namespace

const Value* Map::find(std::string_view key) const& {
  for (const auto& item : items) {
    if (has_key(item, key)) return &item.second;
  }
  return nullptr;
}

Value* Map::find(std::string_view key) & {
  for (auto& item : items) {
    if (has_key(item, key)) return &item.second;
  }
  return nullptr;
}

void Map::set(std::string_view key, Value value) {
  if (Value* found = find(key)) {
    *found = std::move(value);
  } else {
    items.emplace_back(Value(key), std::move(value));
  }
}

bool Map::erase(std::string_view key) {
  return std::erase_if(items, [&](const auto& item) { return has_key(item, key); }) > 0;
}

std::optional<double> Value::number() const {
  if (const auto* integer = get_if<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* real = get_if<double>()) return *real;
  const auto* big = get_if<BigInt>();
  return big ? std::optional(std::strtod(big->decimal.c_str(), nullptr)) : std::nullopt;
}

std::string Value::type_name() const {
  struct Names {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool) const { return "bool"; }
    std::string operator()(std::int64_t) const { return "int"; }
    std::string operator()(const BigInt&) const { return "int"; }
    std::string operator()(double) const { return "float"; }
    std::string operator()(const std::string&) const { return "str"; }
    std::string operator()(const Bytes&) const { return "bytes"; }
    std::string operator()(const List& list) const { return list.is_tuple ? "tuple" : "list"; }
    std::string operator()(const Map&) const { return "dict"; }
    std::string operator()(const Opaque& object) const { return object.class_name; }
  };
  return std::visit(Names{}, storage_);
}

}  // namespace mlarray
