#include "metadata/rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"

namespace mlarray::metadata {
namespace {

constexpr std::size_t kShownCharacters = 80;

[[noreturn]] void fail(ErrorKind kind, const std::string& path, const Value& value,
                       const std::string& expected) {
  throw Error(kind, path + ": got " + described(value) + ", expected " + expected);
}

// Messages are ASCII: they reach terminals and Python strings of any encoding.
void make_printable(std::string& text) {
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
}

bool is_number(const Value& value) {
  return value.get_if<std::int64_t>() || value.get_if<double>() || value.get_if<BigInt>();
}

void require_number(const Value& value, const std::string& path) {
  if (!is_number(value)) fail(ErrorKind::invalid_type, path, value, "a number");
}

// The items of a list or tuple, as a list.
List list_of(Value value, const std::string& path, const char* expected) {
  List* list = value.get_if<List>();
  if (!list) fail(ErrorKind::invalid_type, path, value, expected);
  list->is_tuple = false;
  return std::move(*list);
}

Value number(Value value, const std::string& path) {
  require_number(value, path);
  return value;
}

Value number_list(Value value, const std::string& path) {
  List list = list_of(std::move(value), path, "a list of numbers");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    require_number(list.items[i], item_path(path, i));
  }
  return list;
}

Value matrix(Value value, const std::string& path) {
  List rows = list_of(std::move(value), path, "a list of rows of numbers");
  for (std::size_t i = 0; i < rows.items.size(); ++i) {
    Value row = number_list(std::move(rows.items[i]), item_path(path, i));
    const std::size_t length = row.get_if<List>()->items.size();
    if (length != rows.items.size()) {
      fail(ErrorKind::invalid_value, item_path(path, i), row,
           "a row of " + std::to_string(rows.items.size()) + " numbers (the matrix is square)");
    }
    rows.items[i] = std::move(row);
  }
  return rows;
}

Value count(Value value, const std::string& path) {
  const auto* integer = value.get_if<std::int64_t>();
  if (!integer) fail(ErrorKind::invalid_type, path, value, "an integer");
  if (*integer < 0) fail(ErrorKind::invalid_value, path, value, "an integer of at least 0");
  return value;
}

Value size_list(Value value, const std::string& path) {
  List list = list_of(std::move(value), path, "a list of integers");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    list.items[i] = count(std::move(list.items[i]), item_path(path, i));
  }
  return list;
}

Value string(Value value, const std::string& path) {
  if (!value.get_if<std::string>()) fail(ErrorKind::invalid_type, path, value, "a string");
  return value;
}

Value string_list(Value value, const std::string& path) {
  List list = list_of(std::move(value), path, "a list of strings");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    list.items[i] = string(std::move(list.items[i]), item_path(path, i));
  }
  return list;
}

Value boolean(Value value, const std::string& path) {
  if (!value.get_if<bool>()) fail(ErrorKind::invalid_type, path, value, "True, False or None");
  return value;
}

std::size_t axes_of(const Value& box) { return box.get_if<List>()->items.size(); }

Value box_list(Value value, const std::string& path) {
  List boxes = list_of(std::move(value), path, "a list of boxes");
  for (std::size_t i = 0; i < boxes.items.size(); ++i) {
    const std::string box_path = item_path(path, i);
    List box =
        list_of(std::move(boxes.items[i]), box_path, "a box: one [lower, upper] pair per axis");
    for (std::size_t axis = 0; axis < box.items.size(); ++axis) {
      const std::string pair_path = item_path(box_path, axis);
      if (!box.items[axis].get_if<List>()) {
        fail(ErrorKind::invalid_value, pair_path, box.items[axis], "a [lower, upper] pair");
      }
      Value pair = number_list(std::move(box.items[axis]), pair_path);
      if (pair.get_if<List>()->items.size() != 2) {
        fail(ErrorKind::invalid_value, pair_path, pair, "a [lower, upper] pair");
      }
      const std::vector<Value>& bounds = pair.get_if<List>()->items;
      if (!(bounds[0].number() <= bounds[1].number())) {  // so that NaN is none either
        fail(ErrorKind::invalid_value, pair_path, pair,
             "a lower bound that is not above the upper");
      }
      box.items[axis] = std::move(pair);
    }
    const std::size_t axes = i == 0 ? box.items.size() : axes_of(boxes.items[0]);
    if (box.items.size() != axes) {
      fail(ErrorKind::invalid_value, box_path, box,
           std::to_string(axes) + " pairs, as many as the first box has");
    }
    boxes.items[i] = std::move(box);
  }
  return boxes;
}

Value label_list(Value value, const std::string& path) {
  List list = list_of(std::move(value), path, "a list of labels");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Value& label = list.items[i];
    if (!label.get_if<std::string>() && !is_number(label)) {
      fail(ErrorKind::invalid_type, item_path(path, i), label, "a string or a number");
    }
  }
  return list;
}

// What may be a key in JSON, and holds nothing that could be wrong.
bool is_json_scalar(const Value& value) {
  return value.is_none() || value.get_if<bool>() != nullptr || is_number(value) ||
         value.get_if<std::string>() != nullptr;
}

// What Python's json can write, which is what every reader of the format demands.
void require_json(const Value& value, const std::string& path, int depth) {
  if (depth > kMaxFieldDepth) {
    throw Error(ErrorKind::invalid_value,
                path + ": nested more than " + std::to_string(kMaxFieldDepth) + " levels deep");
  }
  if (value.get_if<Bytes>() || value.get_if<Opaque>()) {
    fail(ErrorKind::invalid_type, path, value,
         "JSON-like data: None, bool, int, float, str, list, tuple or dict");
  }
  if (const List* list = value.get_if<List>()) {
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const Value& item = list->items[i];
      // Long lists are mostly of numbers and texts: no path for each.
      if (depth < kMaxFieldDepth && is_json_scalar(item)) continue;
      require_json(item, item_path(path, i), depth + 1);
    }
  } else if (const Map* map = value.get_if<Map>()) {
    for (const auto& [key, item] : map->items) {
      const std::string inner = item_path(path, key);
      if (!is_json_scalar(key)) {
        fail(ErrorKind::invalid_type, inner, key,
             "a key that is str, int, float, bool or None");
      }
      require_json(item, inner, depth + 1);
    }
  }
}

Value json_object(Value value, const std::string& path) {
  if (!value.get_if<Map>()) fail(ErrorKind::invalid_type, path, value, "a dict");
  require_json(value, path, 0);
  return value;
}

struct Kind {
  std::string_view name;
  Value (*rule)(Value, const std::string&);
};
constexpr std::array kKinds = {
    Kind{"json_object", json_object},
    Kind{"number", number},
    Kind{"number_list", number_list},
    Kind{"matrix", matrix},
    Kind{"count", count},
    Kind{"size_list", size_list},
    Kind{"string", string},
    Kind{"string_list", string_list},
    Kind{"bool", boolean},
    Kind{"flag", boolean},
    Kind{"box_list", box_list},
    Kind{"label_list", label_list},
};

std::optional<std::size_t> length_of(const Map& values, std::string_view name) {
  const Value* value = values.find(name);
  const List* list = value ? value->get_if<List>() : nullptr;
  if (!list) return std::nullopt;
  return list->items.size();
}

std::optional<int> expected_length(std::string_view extent, const Axes& axes) {
  if (extent == "axes") return axes.all;
  if (extent == "spatial") return axes.spatial;
  if (extent == "spatial+1" && axes.spatial) return *axes.spatial + 1;
  return std::nullopt;
}

void check_spatial(const Map& values) {
  if (!values.find("affine")) return;
  for (const char* other : {"spacing", "origin", "direction"}) {
    if (values.find(other)) {
      throw Error(ErrorKind::invalid_value,
                  "spatial.affine: set together with spatial." + std::string(other) +
                      "; an affine already holds spacing, origin and direction: set one of "
                      "the two to None");
    }
  }
}

void check_boxes(const Map& values, const Axes& axes) {
  const auto boxes = length_of(values, "bboxes");
  if (!boxes) return;
  if (*boxes > 0 && axes.all && axes.spatial) {
    const Value& first = values.find("bboxes")->get_if<List>()->items[0];
    const List* box = first.get_if<List>();
    const auto pairs = static_cast<int>(box ? box->items.size() : 0);
    if (pairs != *axes.all && pairs != *axes.spatial) {
      const std::string all = std::to_string(*axes.all);
      fail(ErrorKind::invalid_value, "bbox.bboxes[0]", first,
           *axes.all == *axes.spatial
               ? all + " pairs (one per axis)"
               : all + " pairs (one per axis) or " + std::to_string(*axes.spatial) +
                     " (one per spatial axis)");
    }
  }
  for (const char* other : {"scores", "labels"}) {
    const auto length = length_of(values, other);
    if (length && *length != *boxes) {
      throw Error(ErrorKind::invalid_value, "bbox." + std::string(other) + ": length " +
                                                std::to_string(*length) + ", expected " +
                                                std::to_string(*boxes) + " (one per box)");
    }
  }
}

}  // namespace

Value normalised(const MetadataField& field, Value value) {
  if (value.is_none()) return value;
  const auto* kind = std::ranges::find(kKinds, field.kind, &Kind::name);
  return kind->rule(std::move(value), field.path());
}

Axes axes_for(int ndim, const Map* spatial) {
  Axes axes;
  if (ndim >= 0) axes.all = axes.spatial = ndim;
  const Value* labels = spatial ? spatial->find("axis_labels") : nullptr;
  if (const List* list = labels ? labels->get_if<List>() : nullptr) {
    if (!axes.all) axes.all = static_cast<int>(list->items.size());
    axes.spatial = static_cast<int>(std::ranges::count_if(list->items, [](const Value& label) {
      const auto* text = label.get_if<std::string>();
      return text && is_spatial_label(*text);
    }));
  }
  return axes;
}

Error wrong_length(const std::string& path, const std::string& got, std::size_t found,
                   std::size_t expected, std::string_view extent) {
  return {ErrorKind::invalid_value, path + ": got " + got + " of length " +
                                        std::to_string(found) + ", expected length " +
                                        std::to_string(expected) +
                                        (extent == "axes"      ? " (one per axis)"
                                         : extent == "spatial" ? " (one per spatial axis)"
                                                               : " (spatial axes + 1)")};
}

void check_section(const Section& section, const Map& values, const Axes& axes) {
  if (section.name == "spatial") check_spatial(values);
  if (section.name == "bbox") check_boxes(values, axes);
  for (const MetadataField& field : fields()) {
    if (field.section != section.name || field.read_only) continue;
    const auto expected = expected_length(field.extent, axes);
    const auto found = length_of(values, field.name);
    if (expected && found && *found != static_cast<std::size_t>(*expected)) {
      throw wrong_length(field.path(), described(*values.find(field.name)), *found,
                         static_cast<std::size_t>(*expected), field.extent);
    }
  }
}

std::string described(const Value& value) {
  std::string text;
  if (const auto* string = value.get_if<std::string>()) {
    text = "'" + *string + "'";
  } else if (value.get_if<Bytes>() || value.get_if<Opaque>()) {
    text = "a value";
  } else {
    text = to_json(value);
    if (value.is_none()) text = "None";
    if (const auto* flag = value.get_if<bool>()) text = *flag ? "True" : "False";
  }
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  make_printable(text);
  return text + " (" + value.type_name() + ")";
}

}  // namespace mlarray::metadata

namespace mlarray {

std::string item_path(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

std::string item_path(std::string_view path, const Value& key) {
  const auto* text = key.get_if<std::string>();
  if (!text) return std::string(path) + "[" + metadata::described(key) + "]";
  std::string shown = text->substr(0, metadata::kShownCharacters);
  metadata::make_printable(shown);
  return path.empty() ? shown : std::string(path) + "." + shown;
}

}  // namespace mlarray
