#include "mlarray/metadata.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "metadata/tree.hpp"
#include "mlarray/error.hpp"

namespace mlarray {

using metadata::Axes;
using metadata::Leniency;
using metadata::Section;
using metadata::Tree;

namespace {

bool is_field(const Section& section, const Value& key) {
  const auto* name = key.get_if<std::string>();
  return name && metadata::find_field(section, *name);
}

bool same(const Value& a, const Value& b);

struct SameStorage {
  template <class A, class B>
  bool operator()(const A&, const B&) const {
    return false;
  }
  template <class A>
  bool operator()(const A& a, const A& b) const {
    return a == b;
  }
  // Bit by bit, except that one NaN is like the other.
  bool operator()(double a, double b) const {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
           (std::isnan(a) && std::isnan(b));
  }
  bool operator()(const List& a, const List& b) const {
    if (a.is_tuple != b.is_tuple || a.items.size() != b.items.size()) return false;
    for (std::size_t i = 0; i < a.items.size(); ++i) {
      if (!same(a.items[i], b.items[i])) return false;
    }
    return true;
  }
  bool operator()(const Map& a, const Map& b) const {
    if (a.items.size() != b.items.size()) return false;
    for (std::size_t i = 0; i < a.items.size(); ++i) {
      if (!same(a.items[i].first, b.items[i].first)) return false;
      if (!same(a.items[i].second, b.items[i].second)) return false;
    }
    return true;
  }
  bool operator()(const Opaque& a, const Opaque& b) const {
    if (a.class_name != b.class_name || a.state.size() != b.state.size()) return false;
    for (std::size_t i = 0; i < a.state.size(); ++i) {
      if (!same(a.state[i], b.state[i])) return false;
    }
    return true;
  }
};

bool same(const Value& a, const Value& b) {
  return std::visit(SameStorage{}, a.storage(), b.storage());
}

}  // namespace

std::string MetadataField::path() const {
  if (metadata::find_section(section)->single) return std::string(section);
  return std::string(section) + "." + std::string(name);
}

std::span<const MetadataSection> Metadata::sections() { return metadata::sections(); }
std::span<const MetadataField> Metadata::fields() { return metadata::fields(); }
std::span<const AxisRole> Metadata::axis_roles() { return metadata::axis_roles(); }
std::span<const std::string_view> Metadata::coord_systems() {
  return metadata::coord_systems();
}

const MetadataField& Metadata::field(std::string_view section, std::string_view name) {
  const Section* group = metadata::find_section(section);
  const MetadataField* found = group ? metadata::find_field(*group, name) : nullptr;
  if (!found) {
    throw Error(ErrorKind::invalid_value, std::string(section) + "." + std::string(name) +
                                              ": no such metadata field (docs/metadata.md "
                                              "lists them)");
  }
  return *found;
}

Metadata Metadata::from_value(const Value& tree) { return Tree::read(tree, Leniency::none); }
Metadata Metadata::from_unchecked(const Value& tree) {
  return Tree::read(tree, Leniency::everything);
}

Value Metadata::to_value(bool include_none) const {
  if (!include_none) return sections_;
  Map tree;
  for (const Section& section : metadata::sections()) {
    const Value* found = sections_.find(section.name);
    if (found && !found->get_if<Map>()) continue;  // kept below, as a file held it
    Map values;
    for (const MetadataField& field : metadata::fields()) {
      if (field.section != section.name) continue;
      const Value* value = found ? found->get_if<Map>()->find(field.name) : nullptr;
      if (value) {
        values.set(field.name, *value);
      } else if (section.single && field.kind == "json_object") {
        values.set(field.name, Map{});
      } else if (field.kind == "flag") {
        values.set(field.name, false);
      } else {
        values.set(field.name, Value());
      }
    }
    if (found) {
      for (const auto& [key, value] : found->get_if<Map>()->items) {
        if (!is_field(section, key)) values.items.emplace_back(key, value);
      }
    }
    tree.set(section.name, std::move(values));
  }
  for (const auto& [key, value] : sections_.items) {
    const auto* name = key.get_if<std::string>();
    const Section* section = name ? metadata::find_section(*name) : nullptr;
    const bool written = section && section->name == *name && value.get_if<Map>();
    if (!written) tree.items.emplace_back(key, value);
  }
  return tree;
}

const Value& Metadata::get(std::string_view section, std::string_view name) const& {
  static const Value unset;
  const MetadataField& known = field(section, name);
  const Map* values = Tree::section(*this, known.section);
  const Value* value = values ? values->find(known.name) : nullptr;
  return value ? *value : unset;
}

void Metadata::set(std::string_view section, std::string_view name, Value value) {
  const MetadataField& known = field(section, name);
  Tree::store(*this, known, checked(known, std::move(value)));
}

Value Metadata::checked(const MetadataField& field, Value value) {
  return metadata::normalised(field, std::move(value));
}

void Metadata::check(int ndim) const {
  for (const MetadataField& field : metadata::fields()) {
    if (field.read_only) continue;
    const Value& value = get(field.section, field.name);
    if (!value.is_none()) metadata::normalised(field, value);
  }
  Axes axes = metadata::axes_for(ndim, Tree::section(*this, "spatial"));
  if (!axes.spatial) axes.spatial = spatial_ndim();
  for (const Section& section : metadata::sections()) {
    const Value* found = sections_.find(section.name);
    if (!found) continue;
    const Map* values = found->get_if<Map>();
    if (!values && metadata::is_managed(section)) continue;
    if (!values) {
      throw Error(ErrorKind::invalid_type, std::string(section.name) + ": the file holds " +
                                               metadata::described(*found) +
                                               ", expected a dict; set a field of the " +
                                               "section to replace it");
    }
    metadata::check_section(section, *values, axes);
  }
}

void Metadata::check_section(std::string_view section, const Map& values) {
  const Section* known = metadata::find_section(section);
  if (!known) {
    throw Error(ErrorKind::invalid_value,
                std::string(section) +
                    ": no such metadata section (docs/metadata.md lists "
                    "them)");
  }
  const Map* spatial = known->name == "spatial" ? &values : nullptr;
  metadata::check_section(*known, values, metadata::axes_for(-1, spatial));
}

std::vector<bool> Metadata::spatial_axes(int ndim) const {
  const MetadataField& field = Metadata::field("spatial", "axis_labels");
  const Value labels = metadata::normalised(field, get("spatial", "axis_labels"));
  if (labels.is_none()) return std::vector<bool>(static_cast<std::size_t>(ndim), true);
  std::vector<bool> spatial;
  for (const Value& label : labels.get_if<List>()->items) {
    spatial.push_back(metadata::is_spatial_label(*label.get_if<std::string>()));
  }
  if (spatial.size() != static_cast<std::size_t>(ndim)) {
    throw Error(ErrorKind::invalid_value, "spatial.axis_labels: length " +
                                              std::to_string(spatial.size()) + ", expected " +
                                              std::to_string(ndim) + " (one per axis)");
  }
  return spatial;
}

std::optional<int> Metadata::ndim() const {
  const Axes axes = metadata::axes_for(-1, Tree::section(*this, "spatial"));
  return axes.all ? axes.all : spatial_ndim();
}

std::optional<int> Metadata::spatial_ndim() const {
  const Map* spatial = Tree::section(*this, "spatial");
  if (const auto by_labels = metadata::axes_for(-1, spatial).spatial) return by_labels;
  const auto length = [&](std::string_view name) -> std::optional<int> {
    const Value* value = spatial ? spatial->find(name) : nullptr;
    const List* list = value ? value->get_if<List>() : nullptr;
    if (!list) return std::nullopt;
    return static_cast<int>(list->items.size());
  };
  if (const auto rows = length("affine")) return std::max(*rows - 1, 0);
  for (const char* name : {"spacing", "origin", "direction"}) {
    if (const auto axes = length(name)) return axes;
  }
  return std::nullopt;
}

std::optional<bool> Metadata::is_seg() const {
  const Value value =
      metadata::normalised(Metadata::field("is_seg", "is_seg"), get("is_seg", "is_seg"));
  if (value.is_none()) return std::nullopt;
  return *value.get_if<bool>();
}

std::optional<bool> Metadata::has_array() const {
  const bool* value = get("_has_array", "has_array").get_if<bool>();
  return value ? std::optional(*value) : std::nullopt;
}

void Metadata::set_is_seg(bool value) { set("is_seg", "is_seg", value); }

bool operator==(const Metadata& a, const Metadata& b) { return same(a.sections_, b.sections_); }

}  // namespace mlarray
