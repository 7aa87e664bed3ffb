#include "metadata/stored_legacy.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "encoding/msgpack.hpp"
#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "metadata/tree.hpp"
#include "mlarray/affine.hpp"
#include "mlarray/error.hpp"

namespace mlarray::metadata {
namespace {

using encoding::kTupleMark;
constexpr std::string_view kWayOut =
    "; change the value, or write the current encoding (readers of 0.0.49 and later)";

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::unsupported,
              path + ": the legacy encoding cannot hold " + what + std::string(kWayOut));
}

bool beyond_64_bits(const BigInt& number) {
  constexpr std::string_view kLargest = "18446744073709551615";
  const std::string_view digits = number.decimal;
  if (digits.starts_with('-') || digits.size() > kLargest.size()) return true;
  return digits.size() == kLargest.size() && digits > kLargest;
}

// msgpack of that generation, as its readers accept it.
void require_storable(const Value& value, const std::string& path) {
  if (const auto* text = value.get_if<std::string>()) {
    if (base::has_surrogates(*text)) refuse(path, "text with lone surrogates");
  } else if (const auto* number = value.get_if<BigInt>()) {
    if (beyond_64_bits(*number)) refuse(path, "integers beyond 64 bits");
  } else if (value.get_if<Opaque>()) {
    refuse(path, "an object of class " + value.type_name());
  } else if (const auto* list = value.get_if<List>()) {
    if (!list->is_tuple && !list->items.empty() && list->items[0] == Value(kTupleMark)) {
      refuse(path, "a list that starts with the text '__tuple__', which marks a tuple in it");
    }
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      require_storable(list->items[i], item_path(path, i));
    }
  } else if (const auto* map = value.get_if<Map>()) {
    for (const auto& [key, item] : map->items) {
      const std::string inner = item_path(path, key);
      if (!key.get_if<std::string>()) refuse(inner, "keys that are no strings");
      require_storable(key, inner);
      require_storable(item, inner);
    }
  }
}

Value numbers(const std::vector<double>& values) {
  List list;
  for (const double value : values) list.items.emplace_back(value);
  return list;
}

Value rows(const Matrix& matrix) {
  List list;
  for (const auto& row : matrix) list.items.push_back(numbers(row));
  return list;
}

// spacing, origin and direction that give the same affine.
void add_affine_parts(Map& spatial, const Metadata& metadata) {
  const Value& stored = metadata.get("spatial", "affine");
  if (stored.is_none()) return;
  const List* list = stored.get_if<List>();
  const Matrix affine = metadata.affine(list ? static_cast<int>(list->items.size()) - 1 : 0);
  const std::size_t n = affine.size() - 1;
  for (std::size_t j = 0; j <= n; ++j) {
    if (affine[n][j] != (j == n ? 1.0 : 0.0)) {
      refuse("spatial.affine", "an affine whose last row is not 0, ..., 0, 1");
    }
  }
  const std::vector<double> scale = affine_scale(affine);
  Matrix direction = affine_rotation(affine);
  for (std::size_t j = 0; j < n; ++j) {
    if (scale[j] != 0.0) continue;
    for (std::size_t i = 0; i < n; ++i) direction[i][j] = i == j ? 1.0 : 0.0;
  }
  spatial.set("spacing", numbers(scale));
  spatial.set("origin", numbers(affine_translation(affine)));
  spatial.set("direction", rows(direction));
}

void add_channel_axis(Map& spatial, const Metadata& metadata) {
  const List* labels = metadata.get("spatial", "axis_labels").get_if<List>();
  if (!labels) return;
  std::size_t others = 0;
  for (const Value& label : labels->items) {
    const auto* text = label.get_if<std::string>();
    if (!text || !is_spatial_label(*text)) ++others;
  }
  if (others > 1) {
    refuse("spatial.axis_labels",
           "more than one axis that is not spatial (it has one channel_axis)");
  }
  if (const auto axis = channel_axis_of(*labels)) spatial.set("channel_axis", *axis);
}

}  // namespace

Value to_legacy_tree(const Metadata& metadata) {
  Map tree;
  for (const Section& section : sections()) {
    const Map* values = Tree::section(metadata, section.name);
    if (!values) continue;
    Map kept;
    for (const MetadataField& field : fields()) {
      if (field.section != section.name || field.legacy_name != field.name) continue;
      const Value* value = values->find(field.name);
      if (!value) continue;
      std::string path(section.name);
      if (!section.single) path += "." + std::string(field.name);
      require_storable(*value, path);
      kept.set(field.name, with_tuples_marked(*value));
    }
    if (section.name == "spatial") {
      add_affine_parts(kept, metadata);
      add_channel_axis(kept, metadata);
    }
    if (!kept.items.empty()) tree.set(section.legacy_name, std::move(kept));
  }
  // Readers from 0.0.42 on refuse the key _blosc2. Where nothing else keeps them from reading
  // the file, it is worth more to them than the patch size is to the older ones, which know
  // chunks and blocks from the container.
  const Value* written = tree.find("spatial");
  const bool has_channel_axis = written && written->get_if<Map>()->find("channel_axis");
  if (!tree.find("original") && !has_channel_axis) tree.erase("_blosc2");
  return tree;
}

Value to_tree_like(const Map& previous, const Metadata& metadata) {
  const bool renamed = previous.find("source") || previous.find("blosc2");
  Map tree;
  for (const auto& [key, value] : Tree::sections(metadata).items) {
    const std::string path = item_path("", key);
    require_storable(value, path);
    const auto* name = key.get_if<std::string>();
    if (!name) refuse(path, "keys that are no strings");
    const Section* section = find_section(*name);
    const Map* values = value.get_if<Map>();
    if (!section || !values) {
      tree.set(*name, with_tuples_marked(value));
      continue;
    }
    const bool older =
        previous.find(section->legacy_name) || (!previous.find(section->name) && !renamed);
    const std::string_view written = older ? section->legacy_name : section->name;
    const Value* before = previous.find(written);
    const Map* known = before ? before->get_if<Map>() : nullptr;
    Map kept;
    for (const auto& [field_key, item] : values->items) {
      const auto* text = field_key.get_if<std::string>();
      const MetadataField* field = text ? find_field(*section, *text) : nullptr;
      const bool writable =
          !field || field->legacy_name == field->name || (known && known->find(field->name));
      if (writable) kept.items.emplace_back(field_key, with_tuples_marked(item));
    }
    const bool has_labels = kept.find("axis_labels");
    if (section->name == "spatial" && !has_labels) add_channel_axis(kept, metadata);
    // The one section whose key is unknown to some of those who can read the others.
    const bool droppable = section->name == "blosc2" && !before;
    if (!kept.items.empty() && !droppable) tree.set(written, std::move(kept));
  }
  return tree;
}

Value with_tuples_marked(Value value) {
  if (auto* list = value.get_if<List>()) {
    for (Value& item : list->items) item = with_tuples_marked(std::move(item));
    if (list->is_tuple) {
      list->items.insert(list->items.begin(), Value(kTupleMark));
      list->is_tuple = false;
    }
  } else if (auto* map = value.get_if<Map>()) {
    for (auto& [key, item] : map->items) item = with_tuples_marked(std::move(item));
  }
  return value;
}

Value with_marked_tuples(Value value) {
  if (auto* list = value.get_if<List>()) {
    const auto* first = list->items.empty() ? nullptr : list->items[0].get_if<std::string>();
    if (first && *first == kTupleMark) {
      list->items.erase(list->items.begin());
      list->is_tuple = true;
    }
    for (Value& item : list->items) item = with_marked_tuples(std::move(item));
  } else if (auto* map = value.get_if<Map>()) {
    for (auto& [key, item] : map->items) item = with_marked_tuples(std::move(item));
  }
  return value;
}

}  // namespace mlarray::metadata
