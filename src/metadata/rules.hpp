// What a field accepts, by its kind, and what fields of one section demand of each other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "metadata/schema.hpp"
#include "mlarray/error.hpp"
#include "mlarray/value.hpp"

namespace mlarray::metadata {

// The value as the field keeps it: None stays None; lists of numbers and the like become lists
// (not tuples); user data is kept as it is. Numbers keep their type.
// Errors: invalid_type, invalid_value with "section.field", the value and what is expected.
Value normalised(const MetadataField& field, Value value);

// Number of axes, where it is known.
struct Axes {
  std::optional<int> all;
  std::optional<int> spatial;
};

// Rules between the fields of one section, and lengths where `axes` knows them. Values of a
// wrong type count as unset, and fields that the library manages are its own affair.
// Errors: invalid_value.
void check_section(const Section& section, const Map& values, const Axes& axes);

// `ndim` axes (below 0: as many as there are axis_labels, or not known), of which axis_labels
// in `spatial` (may be null) tell the spatial ones.
Axes axes_for(int ndim, const Map* spatial);

// A list of the wrong length. `got` names the list; `extent`: "axes", "spatial" or
// "spatial+1", as a field has it.
Error wrong_length(const std::string& path, const std::string& got, std::size_t found,
                   std::size_t expected, std::string_view extent);

// "'abc' (str)", shortened and in ASCII, for messages.
std::string described(const Value& value);

}  // namespace mlarray::metadata
