// The section "spatial" as numbers, and what one image takes from another.
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "metadata/tree.hpp"
#include "mlarray/error.hpp"
#include "mlarray/metadata.hpp"

namespace mlarray {

using metadata::Tree;

namespace {

std::vector<double> as_doubles(const Value& list) {
  std::vector<double> numbers;
  for (const Value& item : list.get_if<List>()->items) {
    numbers.push_back(item.number().value_or(0));  // checked: there is one
  }
  return numbers;
}

template <class T>
Value as_list(const std::vector<T>& items) {
  List list;
  for (const T& item : items) list.items.emplace_back(item);
  return list;
}

Value as_rows(const Matrix& matrix) {
  List rows;
  for (const auto& row : matrix) rows.items.push_back(as_list(row));
  return rows;
}

Value checked_field(const Metadata& metadata, std::string_view name) {
  return metadata::normalised(Metadata::field("spatial", name), metadata.get("spatial", name));
}

// A field that holds rows of numbers, checked.
std::optional<Matrix> matrix_field(const Metadata& metadata, std::string_view name) {
  const Value value = checked_field(metadata, name);
  if (value.is_none()) return std::nullopt;
  Matrix rows;
  for (const Value& row : value.get_if<List>()->items) rows.push_back(as_doubles(row));
  return rows;
}

std::optional<std::vector<double>> numbers_field(const Metadata& metadata,
                                                 std::string_view name) {
  const Value value = checked_field(metadata, name);
  if (value.is_none()) return std::nullopt;
  return as_doubles(value);
}

bool is_unset(const Value& value) {
  const auto* list = value.get_if<List>();
  const auto* map = value.get_if<Map>();
  return value.is_none() || (list && list->items.empty()) || (map && map->items.empty());
}

// Puts spacing, origin and direction that give the same in the place of the affine.
void split_affine(Metadata& metadata, const Matrix& affine, bool needs_direction) {
  const std::vector<double> spacing = affine_scale(affine);
  const std::size_t axes = spacing.size();
  std::vector<double> last(axes + 1, 0.0);
  last[axes] = 1.0;
  if (affine[axes] != last) {
    std::string row;
    for (const double item : affine[axes]) row += (row.empty() ? "" : ", ") + to_json(item);
    throw Error(
        ErrorKind::invalid_value,
        "spatial.affine of the other image has the last row [" + row +
            "], which spacing, origin and direction cannot say; set an affine here, too");
  }
  Matrix direction = affine_rotation(affine);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (spacing[axis] != 0.0) continue;
    if (needs_direction) {
      throw Error(ErrorKind::invalid_value,
                  "spatial.affine of the other image: axis " + std::to_string(axis) +
                      " has length 0 and no direction, so that a spacing here is not enough; "
                      "set a direction, too, or an affine");
    }
    for (std::size_t row = 0; row < axes; ++row) {  // whichever it is, times 0
      direction[row][axis] = row == axis ? 1.0 : 0.0;
    }
  }
  metadata.set("spatial", "affine", {});
  metadata.set_spacing(spacing);
  metadata.set_origin(affine_translation(affine));
  metadata.set_direction(direction);
}

// What `other` can give of position and size to an image that has what `mine` has.
Metadata to_give(const Metadata& mine, Metadata other) {
  const auto has = [&](const char* name) { return !is_unset(mine.get("spatial", name)); };
  constexpr const char* kParts[] = {"spacing", "origin", "direction"};
  if (has("affine")) {
    for (const char* part : kParts) other.set("spatial", part, {});
  } else if (has("spacing") || has("origin") || has("direction")) {
    if (const auto affine = matrix_field(other, "affine")) {
      split_affine(other, *affine, !has("direction") && has("spacing"));
    }
  }
  return other;
}

bool is_taken(const MetadataField& field) {
  return !field.read_only || field.section == "_image_meta_format" ||
         field.path() == "blosc2.patch_size";
}

// What a file held in a section and no row of the table knows.
void take_unknown(Metadata& metadata, const metadata::Section& section, const Map& theirs) {
  for (const auto& theirs_item : theirs.items) {
    const auto* name = theirs_item.first.get_if<std::string>();
    if (name && metadata::find_field(section, *name)) continue;
    Map& all = Tree::sections(metadata);
    if (!all.find(section.name)) all.set(section.name, Map{});
    Map* mine = all.find(section.name)->get_if<Map>();
    if (!mine) return;
    const bool known = std::ranges::any_of(
        mine->items, [&](const auto& item) { return item.first == theirs_item.first; });
    if (!known) mine->items.push_back(theirs_item);
  }
}

}  // namespace

std::optional<std::vector<double>> Metadata::spacing() const {
  return numbers_field(*this, "spacing");
}
std::optional<std::vector<double>> Metadata::origin() const {
  return numbers_field(*this, "origin");
}
std::optional<Matrix> Metadata::direction() const { return matrix_field(*this, "direction"); }

Matrix Metadata::affine(int spatial_ndim) const {
  if (auto stored = matrix_field(*this, "affine")) {
    if (spatial_ndim < 0 || stored->size() != static_cast<std::size_t>(spatial_ndim) + 1) {
      throw Error(ErrorKind::invalid_value,
                  "spatial.affine: " + std::to_string(stored->size()) + " rows, expected " +
                      std::to_string(spatial_ndim + 1) + " (spatial axes + 1)");
    }
    return *std::move(stored);
  }
  return make_affine(spatial_ndim, spacing().value_or(std::vector<double>{}),
                     origin().value_or(std::vector<double>{}), direction().value_or(Matrix{}));
}

void Metadata::set_spacing(const std::vector<double>& spacing) {
  set("spatial", "spacing", as_list(spacing));
}
void Metadata::set_origin(const std::vector<double>& origin) {
  set("spatial", "origin", as_list(origin));
}
void Metadata::set_direction(const Matrix& direction) {
  set("spatial", "direction", as_rows(direction));
}
void Metadata::set_affine(const Matrix& affine) {
  set("spatial", "affine", as_rows(affine));
  for (const char* part : {"spacing", "origin", "direction"}) set("spatial", part, {});
}
void Metadata::set_axis_labels(const std::vector<std::string>& labels) {
  set("spatial", "axis_labels", as_list(labels));
}

void Metadata::fill_from(const Metadata& other) {
  const Metadata given = to_give(*this, other);
  Metadata filled = *this;
  for (const MetadataField& field : fields()) {
    const Value& theirs = given.get(field.section, field.name);
    if (!is_taken(field) || theirs.is_none()) continue;
    if (is_unset(get(field.section, field.name))) Tree::store(filled, field, theirs);
  }
  for (const metadata::Section& section : sections()) {
    if (const Map* theirs = Tree::section(given, section.name)) {
      take_unknown(filled, section, *theirs);
    }
  }
  *this = std::move(filled);
}

}  // namespace mlarray
