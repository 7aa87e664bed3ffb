// Short ways to write trees of plain data.
#pragma once

#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>

#include "mlarray/value.hpp"

namespace mlarray::metadata::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline Value list(std::initializer_list<Value> items) { return List{{items}, false}; }
inline Value tuple(std::initializer_list<Value> items) { return List{{items}, true}; }

inline Value map(std::initializer_list<std::pair<std::string_view, Value>> items) {
  Map map;
  for (const auto& [key, value] : items) map.set(key, value);
  return map;
}

// The value in `tree` at a path of string keys; None if there is none.
inline const Value& at(const Value& tree, std::initializer_list<std::string_view> path) {
  static const Value none;
  const Value* value = &tree;
  for (const std::string_view key : path) {
    const Map* here = value->get_if<Map>();
    value = here ? here->find(key) : nullptr;
    if (!value) return none;
  }
  return *value;
}

}  // namespace mlarray::metadata::testing
