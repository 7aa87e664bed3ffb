#include "metadata/tree.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "mlarray/error.hpp"

namespace mlarray::metadata {
namespace {

constexpr std::string_view kChannelAxis = "channel_axis";

[[noreturn]] void fail_unknown(const std::string& path, const std::string& known) {
  throw Error(ErrorKind::invalid_value, path + ": unknown metadata key; known are " + known);
}

std::string known_sections() {
  std::string names;
  for (const Section& section : sections()) {
    if (!names.empty()) names += ", ";
    names += section.name;
  }
  return names;
}

std::string known_fields(const Section& section) {
  std::string names;
  for (const MetadataField& field : fields()) {
    if (field.section != section.name) continue;
    if (!names.empty()) names += ", ";
    names += field.name;
  }
  return names;
}

// The value of a section of one value: {"is_seg": True} and True mean the same, and an empty
// map is an unset value. A map that holds user data is taken as {"data": ...} only if that
// holds a map.
const Value& unwrapped(const Section& section, const Value& value) {
  static const Value kUnset;
  const MetadataField& field = single_field(section);
  const Map* map = value.get_if<Map>();
  if (map && map->items.empty() && field.kind != "json_object") return kUnset;
  if (!map || map->items.size() != 1) return value;
  const Value* inner = map->find(field.name);
  if (!inner) return value;
  if (field.kind == "json_object" && !inner->get_if<Map>() && !inner->is_none()) return value;
  return *inner;
}

const Value& unwrapped(const Section& section, Value&& value) = delete;

std::size_t list_length(const Map* map, std::string_view key) {
  const Value* value = map ? map->find(key) : nullptr;
  const List* list = value ? value->get_if<List>() : nullptr;
  return list ? list->items.size() : 0;
}

// Number of axes as an older tree tells it: 0 if it does not.
int axes_in_tree(const Map& root, const Map& spatial) {
  const Map* blosc2 = nullptr;
  for (const char* name : {"_blosc2", "blosc2"}) {
    if (const Value* value = root.find(name)) blosc2 = value->get_if<Map>();
    if (blosc2) break;
  }
  for (const std::size_t length :
       {list_length(&spatial, "shape"), list_length(blosc2, "chunk_size")}) {
    if (length > 0) return static_cast<int>(length);
  }
  for (const char* name : {"spacing", "origin", "direction"}) {
    const std::size_t length = list_length(&spatial, name);
    if (length > 0) return static_cast<int>(length) + 1;  // one per axis but the channel's
  }
  return 0;
}

class Reader {
 public:
  Reader(const Map& root, Leniency leniency, int ndim)
      : root_(root), leniency_(leniency), ndim_(ndim) {}

  Metadata read() {
    Map unknown;
    std::vector<const Section*> seen;
    for (const auto& [key, value] : root_.items) {
      const auto* name = key.get_if<std::string>();
      const Section* section = name ? find_section(*name) : nullptr;
      if (!section) {
        keep_unknown(unknown, key, value, "metadata", known_sections());
      } else if (std::ranges::find(seen, section) != seen.end()) {
        keep_unknown(unknown, key, value, "metadata",
                     "one of " + std::string(section->name) + " and " +
                         std::string(section->legacy_name));
      } else {
        seen.push_back(section);
        if (!read_section(*section, value)) unknown.items.emplace_back(key, value);
      }
    }
    append(Tree::sections(metadata_), std::move(unknown));
    if (leniency_ == Leniency::none) metadata_.check(-1);
    return std::move(metadata_);
  }

 private:
  static void append(Map& map, Map&& more) {
    std::ranges::move(more.items, std::back_inserter(map.items));
  }

  // False for a value that no section can have, to be kept as it is.
  bool read_section(const Section& section, const Value& value) {
    if (section.single) {
      store(single_field(section), unwrapped(section, value));
    } else if (const Map* map = value.get_if<Map>()) {
      read_fields(section, *map);
    } else if (!value.is_none()) {
      if (leniency_ != Leniency::none) return false;  // Metadata::check reports it
      throw Error(ErrorKind::invalid_type, std::string(section.name) + ": got " +
                                               described(value) + ", expected a dict");
    }
    return true;
  }

  void read_fields(const Section& section, const Map& map) {
    Map unknown;
    for (const auto& [key, value] : map.items) {
      const auto* name = key.get_if<std::string>();
      if (name && section.name == "spatial" && *name == kChannelAxis) {
        if (!read_channel_axis(map, value)) unknown.items.emplace_back(key, value);
        continue;
      }
      const MetadataField* field = name ? find_field(section, *name) : nullptr;
      if (field) {
        store(*field, value);
      } else {
        keep_unknown(unknown, key, value, std::string(section.name), known_fields(section));
      }
    }
    if (unknown.items.empty()) return;
    Map& all = Tree::sections(metadata_);
    if (!all.find(section.name)) all.set(section.name, Map{});
    append(*all.find(section.name)->get_if<Map>(), std::move(unknown));
  }

  // False if it cannot be expressed as axis_labels and is to be kept as it is.
  bool read_channel_axis(const Map& spatial, const Value& value) {
    if (value.is_none()) return true;
    const int ndim = ndim_ >= 0 ? ndim_ : axes_in_tree(root_, spatial);
    const auto* axis = value.get_if<std::int64_t>();
    try {
      if (!axis) {
        throw Error(ErrorKind::invalid_type,
                    "spatial.channel_axis: got " + described(value) + ", expected an integer");
      }
      const Value* labels = spatial.find("axis_labels");
      if (labels && !labels->is_none()) {
        throw Error(ErrorKind::invalid_value,
                    "spatial.channel_axis: set together with spatial.axis_labels, which "
                    "replaces it");
      }
      if (ndim == 0) {
        throw Error(ErrorKind::invalid_value,
                    "spatial.channel_axis: the number of axes is not known; set "
                    "spatial.axis_labels instead");
      }
      store(*find_field(*find_section("spatial"), "axis_labels"),
            labels_for_channel_axis(*axis, ndim));
      return true;
    } catch (const Error&) {
      if (leniency_ == Leniency::none) throw;
      return false;
    }
  }

  void store(const MetadataField& field, const Value& value) {
    try {
      Tree::store(metadata_, field, normalised(field, value));
    } catch (const Error&) {
      if (leniency_ == Leniency::none) throw;
      Tree::store(metadata_, field, value);
    }
  }

  void keep_unknown(Map& where, const Value& key, const Value& value, const std::string& path,
                    const std::string& known) {
    if (leniency_ == Leniency::none) fail_unknown(item_path(path, key), known);
    where.items.emplace_back(key, value);
  }

  const Map& root_;
  Leniency leniency_;
  int ndim_;
  Metadata metadata_;
};

// Brings entries of known names into the table's order, before all others.
template <class Rank>
void order(Map& map, Rank rank) {
  std::ranges::stable_sort(map.items, {}, [&](const auto& item) {
    const auto* name = item.first.template get_if<std::string>();
    return name ? rank(*name) : static_cast<int>(fields().size());
  });
}

}  // namespace

Metadata Tree::read(const Value& tree, Leniency leniency, int ndim) {
  if (tree.is_none()) return {};
  const Map* root = tree.get_if<Map>();
  if (!root) {
    const bool file = leniency == Leniency::everything;
    throw Error(file ? ErrorKind::corruption : ErrorKind::invalid_type,
                "metadata: got " + described(tree) + ", expected a dict of sections");
  }
  return Reader(*root, leniency, ndim).read();
}

const Map* Tree::section(const Metadata& metadata, std::string_view name) {
  const Value* value = metadata.sections_.find(name);
  return value ? value->get_if<Map>() : nullptr;
}

void Tree::store(Metadata& metadata, const MetadataField& field, Value value) {
  Map& all = metadata.sections_;
  const Map* dict = value.get_if<Map>();
  const bool unset =
      value.is_none() || (dict && dict->items.empty() && find_section(field.section)->single);
  Value* section = all.find(field.section);
  if (!section || !section->get_if<Map>()) {
    if (unset && !section) return;
    all.set(field.section, Map{});
    section = all.find(field.section);
  }
  Map& map = *section->get_if<Map>();
  if (unset) {
    map.erase(field.name);
    if (map.items.empty()) all.erase(field.section);
  } else {
    map.set(field.name, std::move(value));
    order(map, [&](std::string_view name) { return field_rank(field.section, name); });
  }
  order(all, [](std::string_view name) { return section_rank(name); });
}

}  // namespace mlarray::metadata

namespace mlarray {

List labels_for_channel_axis(std::int64_t channel_axis, int ndim) {
  const std::int64_t axis = channel_axis < 0 ? channel_axis + ndim : channel_axis;
  if (axis < 0 || axis >= ndim) {
    throw Error(ErrorKind::invalid_value,
                "spatial.channel_axis: got " + std::to_string(channel_axis) +
                    ", expected an axis of an array of " + std::to_string(ndim) + " axes");
  }
  List labels;
  for (int i = 0; i < ndim; ++i) labels.items.emplace_back(i == axis ? "channel" : "spatial");
  return labels;
}

std::optional<int> channel_axis_of(const List& labels) {
  std::optional<int> found;
  for (std::size_t i = 0; i < labels.items.size(); ++i) {
    const auto* text = labels.items[i].get_if<std::string>();
    if (text && metadata::is_spatial_label(*text)) continue;
    if (found) return std::nullopt;
    found = static_cast<int>(i);
  }
  return found;
}

}  // namespace mlarray
