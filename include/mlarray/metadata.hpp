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

#include "mlarray/affine.hpp"
#include "mlarray/export.hpp"
#include "mlarray/value.hpp"

namespace mlarray {

namespace metadata {
class Tree;
}

// One field, as the table describes it.
struct MetadataField {
  std::string_view section;      // "spatial", "stats", ...; see docs/metadata.md
  std::string_view name;         // "spacing"; "data" of the single-value section "source"
  std::string_view kind;         // how it is validated: "number_list", "matrix", "bool", ...
  std::string_view extent;       // length: "axes", "spatial", "spatial+1"; empty if free
  std::string_view legacy_name;  // key in files of <= 0.0.33; empty if the field is newer
  std::string_view doc;          // one line: meaning, shape, unit
  bool read_only;                // managed by the library: what is set is replaced on saving
};

class MLARRAY_EXPORT Metadata {
 public:
  Metadata() = default;

  static std::span<const MetadataField> fields();

  // From a tree with the keys of either generation ("original" or "source", ...). Sections of
  // one value may be given as that value or as a map of one key.
  // Errors: invalid_type, invalid_value naming the field; invalid_value for an unknown key.
  static Metadata from_value(const Value& tree);
  // As nested maps with today's keys: {"source": {"data": {...}}, "spatial": {...}, ...}.
  // With include_none, unset fields are present as None.
  Value to_value(bool include_none = false) const;

  // Value of a field, None if unset (as is an empty source); of a field
  // read from a file, as it lies there. For a section of one value, `name` may also be the
  // section's: get("is_seg", "is_seg"). Errors: invalid_value for a field that the table does
  // not have.
  // The reference lives as long as this object is not changed; a temporary gives a copy.
  const Value& get(std::string_view section, std::string_view name) const&;
  Value get(std::string_view section, std::string_view name) && { return get(section, name); }
  // Validates and stores. Errors: invalid_type, invalid_value with "section.name", the value
  // and what is expected. On error nothing is changed.
  void set(std::string_view section, std::string_view name, Value value);

  // Checks what involves several fields (affine against spacing, lengths against ndim,
  // boxes against scores) and every field's own rule, for an array of `ndim` axes; below 0,
  // the number of axes is not known and only the fields are compared with each other.
  // Fields that the library manages are left out: it replaces them.
  // Errors: invalid_type, invalid_value naming the field, what is found and what is expected.
  void check(int ndim) const;

  // Which of `ndim` axes are axes of space, by axis_labels; all if there are no labels.
  // Errors: invalid_value if there are labels and not one per axis.
  std::vector<bool> spatial_axes(int ndim) const;

  // How many axes, and axes of space among them, the metadata itself tells, for files that hold
  // no array: by axis_labels, else by the length of affine, spacing, origin or direction, which
  // tell axes of space. Nothing if none of them is set.
  std::optional<int> ndim() const;
  std::optional<int> spatial_ndim() const;

  // Everyday fields, in the array's axis order. Units: the file's axis_units, commonly mm.
  // Errors: invalid_type, invalid_value where a file holds something else in the field.
  std::optional<std::vector<double>> spacing() const;
  std::optional<std::vector<double>> origin() const;
  std::optional<Matrix> direction() const;
  std::optional<bool> is_seg() const;
  // 4x4 for three spatial axes, (n+1)x(n+1) in general: the stored one, or computed from
  // spacing, origin and direction (identity parts where unset) for `spatial_ndim` axes.
  // Errors: as above; invalid_value for lengths that are not spatial_ndim's.
  Matrix affine(int spatial_ndim) const;

  // Same content, so that nothing need be written: types count (1 is not 1.0, a tuple is no
  // list), the order of keys in user data counts, and NaN equals NaN.
  friend MLARRAY_EXPORT bool operator==(const Metadata& a, const Metadata& b);

 private:
  friend class metadata::Tree;
  // Section -> map of field -> value, in the table's order; unset fields are absent. Then what
  // a file held that no table row knows.
  Map sections_;
};

}  // namespace mlarray
