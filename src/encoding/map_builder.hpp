// Builds a Map as Python builds a dict: of two equal keys the first keeps its place and the
// last gives the value; 1, 1.0 and True are equal, a NaN equals nothing.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "mlarray/value.hpp"

namespace mlarray::encoding {

class MapBuilder {
 public:
  void add(Value key, Value value);
  Map take() { return std::move(map_); }

 private:
  Map map_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace mlarray::encoding
