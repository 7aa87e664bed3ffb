// The standard metadata of one image.
//
// Metadata is a validated tree of plain data. Its fields are defined in one table
// (src/metadata/schema.cpp); Python's classes are made from the same table.
// Value semantics; not synchronised.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/value.hpp"

namespace mlarray {

// One field, as the table describes it.
struct MetadataField {
  std::string_view section;      // "spatial", "stats", ...; see docs/metadata.md
  std::string_view name;         // "spacing"; equal to the section for single-value sections
  std::string_view kind;         // how it is validated: "float_vector", "matrix", "bool", ...
  std::string_view legacy_name;  // key in files of <= 0.0.46; empty if the field is newer
  std::string_view doc;          // one line: meaning, shape, unit
  bool read_only;                // managed by the library
};

class Metadata {
 public:
  Metadata() = default;

  static std::span<const MetadataField> fields();

  // From a tree with the keys of either generation ("original" or "source", ...).
  // Errors: invalid_type, invalid_value naming the field; invalid_value for an unknown key.
  static Metadata from_value(const Value& tree);
  // As nested maps with today's keys. With include_none, unset fields are present as None.
  Value to_value(bool include_none = false) const;

  // Value of a field, None if unset.
  // Errors: invalid_value for a field that the table does not have.
  const Value& get(std::string_view section, std::string_view name) const;
  // Validates and stores. Errors: invalid_type, invalid_value with "section.name", the value
  // and what is expected. On error nothing is changed.
  void set(std::string_view section, std::string_view name, Value value);

  // Checks what involves several fields (affine against spacing, lengths against ndim,
  // boxes against scores) for an array of `ndim` axes.
  // Errors: invalid_value naming the field, the length found and the length expected.
  void check(int ndim) const;

  // Everyday fields, in the array's axis order. Units: the file's axis_units, commonly mm.
  std::optional<std::vector<double>> spacing() const;
  std::optional<std::vector<double>> origin() const;
  std::optional<std::vector<std::vector<double>>> direction() const;
  std::optional<bool> is_seg() const;
  // 4x4 for three spatial axes, (n+1)x(n+1) in general: the stored one, or computed from
  // spacing, origin and direction (identity parts where unset) for `spatial_ndim` axes.
  std::vector<std::vector<double>> affine(int spatial_ndim) const;

  friend bool operator==(const Metadata&, const Metadata&) = default;

 private:
  Map sections_;
};

}  // namespace mlarray
