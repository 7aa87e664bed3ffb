// Short ways to write trees of plain data, and metadata.
#pragma once

#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>

#include "metadata/stored.hpp"
#include "mlarray/metadata.hpp"
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

// An array for metadata that is written.
inline ArrayFacts facts() {
  ArrayFacts facts;
  facts.shape = {3, 20, 30};
  facts.layout = {{1, 20, 30}, {1, 10, 10}, {64, 64}};
  facts.codec = CodecParams{.codec = Codec::lz4, .level = 4};
  return facts;
}

// Metadata with one field.
inline Metadata with(std::string_view section, std::string_view name, Value value) {
  Metadata metadata;
  metadata.set(section, name, std::move(value));
  return metadata;
}

}  // namespace mlarray::metadata::testing
