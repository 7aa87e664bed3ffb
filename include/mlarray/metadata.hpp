// The standard metadata of one image.
//
// Metadata is a validated tree of plain data. Its fields are defined in one table
// (src/metadata/schema.cpp); Python's classes are made from the same table.
// Value semantics; not synchronised.
#pragma once

#include <cstddef>
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

// A group of fields.
struct MetadataSection {
  std::string_view name;         // key in the tree and in files of today
  std::string_view legacy_name;  // key in files of <= 0.0.33
  bool single;                   // one field, which stands for the whole section
};

// One field, as the table describes it.
struct MLARRAY_EXPORT MetadataField {
  std::string_view section;      // "spatial", "stats", ...; see docs/metadata.md
  std::string_view name;         // "spacing"; "data" of the single-value section "source"
  std::string_view kind;         // how it is validated: "number_list", "matrix", "bool", ...
  std::string_view extent;       // length: "axes", "spatial", "spatial+1"; empty if free
  std::string_view legacy_name;  // key in files of <= 0.0.33; empty if the field is newer
  std::string_view doc;          // one line: meaning, shape, unit
  bool read_only;                // managed by the library: what is set is replaced on saving

  // As errors name it: "spatial.spacing"; of a section of one value, that section.
  std::string path() const;
};

// A label of axis_labels that has a meaning. Any other one is allowed and is not spatial.
struct AxisRole {
  std::string_view name;
  bool spatial;
};

// Deepest nesting of a field's value; with the levels around it, a file stays within what its
// readers allow.
inline constexpr int kMaxFieldDepth = 56;

class MLARRAY_EXPORT Metadata {
 public:
  Metadata() = default;

  static std::span<const MetadataSection> sections();
  static std::span<const MetadataField> fields();
  // By the names of either generation; for a section of one value, `name` may also be the
  // section's. Errors: invalid_value for a field that the table does not have.
  static const MetadataField& field(std::string_view section, std::string_view name);
  static std::span<const AxisRole> axis_roles();
  static std::span<const std::string_view> coord_systems();

  // From a tree with the keys of either generation ("original" or "source", ...). Sections of
  // one value may be given as that value or as a map of one key.
  // Errors: invalid_type, invalid_value naming the field; invalid_value for an unknown key.
  static Metadata from_value(const Value& tree);
  // The same of a tree that may be wrong: what is not understood is kept as it is, and check()
  // says what is wrong. Errors: corruption for a tree that is no map.
  static Metadata from_unchecked(const Value& tree);
  // As nested maps with today's keys: {"source": {"data": {...}}, "spatial": {...}, ...}.
  // With include_none, unset fields are present as None.
  Value to_value(bool include_none = false) const;

  // Value of a field, None if unset; an empty source counts as unset. A field that was read
  // from a file is not validated. For a section of one value, `name` may also be the section's:
  // get("is_seg", "is_seg"). Errors: invalid_value for a field that the table does not have.
  // The reference lives as long as this object is not changed; a temporary gives a copy.
  const Value& get(std::string_view section, std::string_view name) const&;
  Value get(std::string_view section, std::string_view name) && { return get(section, name); }
  // Validates and stores. Errors: invalid_type, invalid_value with "section.name", the value
  // and what is expected. On error nothing is changed.
  void set(std::string_view section, std::string_view name, Value value);
  // What set() would store. Errors: as set().
  static Value checked(const MetadataField& field, Value value);

  // Checks what involves several fields (affine against spacing, lengths against ndim,
  // boxes against scores) and every field's own rule, for an array of `ndim` axes; below 0,
  // the number of axes is not known and only the fields are compared with each other.
  // Fields that the library manages are left out: it replaces them.
  // Errors: invalid_type, invalid_value naming the field, what is found and what is expected.
  void check(int ndim) const;
  // The same of one section, given as a map of its fields: what these demand of each other.
  // Errors: invalid_value, also for a section that there is not.
  static void check_section(std::string_view section, const Map& values);

  // Which of `ndim` axes are axes of space, by axis_labels; all if there are no labels.
  // Errors: invalid_value if there are labels and not one per axis.
  std::vector<bool> spatial_axes(int ndim) const;

  // How many axes, and axes of space among them, the metadata itself tells, for files that hold
  // no array: by axis_labels, else by the length of affine, spacing, origin or direction, which
  // tell axes of space. Nothing if none of them is set.
  std::optional<int> ndim() const;
  std::optional<int> spatial_ndim() const;

  // Everyday fields, in the array's axis order. Units: the file's axis_units, commonly mm.
  // As they are stored: an image with an affine has no spacing, origin and direction of its
  // own; affine_scale(affine(3)) is its spacing (affine.hpp). Errors: invalid_type,
  // invalid_value where a file holds something else in the field.
  std::optional<std::vector<double>> spacing() const;
  std::optional<std::vector<double>> origin() const;
  std::optional<Matrix> direction() const;
  std::optional<bool> is_seg() const;
  // Whether the file that this was read from has voxels; empty where it does not say. False of
  // a file by save_metadata (metadata_only.hpp).
  std::optional<bool> has_array() const;
  // 4x4 for three spatial axes, (n+1)x(n+1) in general: the stored one, or computed from
  // spacing, origin and direction (identity parts where unset) for `spatial_ndim` axes.
  // Errors: as above; invalid_value for lengths that are not spatial_ndim's.
  Matrix affine(int spatial_ndim) const;
  // Errors: as set(); lengths are compared with the array's axes when the file is written.
  void set_spacing(const std::vector<double>& spacing);
  void set_origin(const std::vector<double>& origin);
  void set_direction(const Matrix& direction);  // column j is the direction of axis j
  void set_affine(const Matrix& affine);        // instead of the three, which it unsets
  // One for each axis. Without them, the first axis of space counts as x (orientation.hpp).
  void set_axis_labels(const std::vector<std::string>& labels);
  void set_is_seg(bool value);

  // Takes what is unset here from another image, as for a result made of it. An empty list or
  // map is unset. What the library manages stays, but for the patch size and the name of the
  // format that the source comes from. An affine says the same as spacing, origin and direction
  // together: where one image has the affine and the other the parts, the missing parts are
  // taken out of the affine, and an affine here leaves nothing to take.
  // Errors: invalid_value where the parts cannot say what the affine of `other` does, and then
  // nothing is changed.
  void fill_from(const Metadata& other);

  // Same content, so that nothing need be written: types count (1 is not 1.0, a tuple is no
  // list), the order of keys in user data counts, and NaN equals NaN.
  friend MLARRAY_EXPORT bool operator==(const Metadata& a, const Metadata& b);

 private:
  friend class metadata::Tree;
  // Section -> map of field -> value, in the table's order; unset fields are absent. Then what
  // a file held that no table row knows.
  Map sections_;
};

// How errors name an item of a list or of a map at `path` (empty: the root):
// "source.study.date[2]". Keys that are no strings are put in brackets, long ones are cut.
MLARRAY_EXPORT std::string item_path(std::string_view path, std::size_t index);
MLARRAY_EXPORT std::string item_path(std::string_view path, const Value& key);

// Labels for `ndim` axes of which `channel_axis` (negative: from the end) is the channel and
// the others are spatial. Errors: invalid_value for an axis outside the array.
MLARRAY_EXPORT List labels_for_channel_axis(std::int64_t channel_axis, int ndim);
// The only axis that is not spatial; empty if there is none or more than one.
MLARRAY_EXPORT std::optional<int> channel_axis_of(const List& labels);

}  // namespace mlarray
