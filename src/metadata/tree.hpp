// Between a tree of plain data, with the keys of either generation, and Metadata.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "mlarray/metadata.hpp"
#include "mlarray/value.hpp"

namespace mlarray::metadata {

enum class Leniency {
  none,        // unknown keys and wrong values are errors
  everything,  // what cannot be understood is kept as it lies there: Metadata::check reports it
};

class Tree {
 public:
  // `ndim` is the number of axes of the array if known (else below 0), to turn the older
  // channel_axis into axis_labels. Errors: as Metadata::from_value; with Leniency::everything
  // only corruption, for a tree that is no map.
  static Metadata read(const Value& tree, Leniency leniency, int ndim = -1);

  // As kept: section -> map of field -> value; unset fields absent; then unknown keys.
  static const Map& sections(const Metadata& metadata) { return metadata.sections_; }
  static Map& sections(Metadata& metadata) { return metadata.sections_; }

  // The fields of one section; nullptr if none is set.
  static const Map* section(const Metadata& metadata, std::string_view name);

  // Stores a checked value at its place in the table's order; the value of an unset field
  // (None, an empty source) removes it.
  static void store(Metadata& metadata, const MetadataField& field, Value value);
};

}  // namespace mlarray::metadata
