#include "encoding/pickle_expand.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "encoding/map_builder.hpp"
#include "encoding/pickle.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

constexpr std::array<std::string_view, 3> kMappings = {
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter"};
constexpr std::array<std::string_view, 2> kNumpyScalars = {"numpy._core.multiarray.scalar",
                                                           "numpy.core.multiarray.scalar"};

template <std::size_t n>
bool is_one_of(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_integer(NodeKind kind) {
  return kind == NodeKind::integer || kind == NodeKind::big_integer;
}

// What a subclass of a plain type is made from.
bool is_plain(NodeKind kind) {
  return is_integer(kind) || kind == NodeKind::real || kind == NodeKind::text ||
         kind == NodeKind::bytes || kind == NodeKind::tuple;
}

bool is_sequence(NodeKind kind) {
  return kind == NodeKind::list || kind == NodeKind::tuple || kind == NodeKind::set ||
         kind == NodeKind::frozenset;
}

bool is_container(NodeKind kind) {
  return is_sequence(kind) || kind == NodeKind::dict || kind == NodeKind::object;
}

// Latin-1, as `codecs.encode(text, 'latin1')` would.
std::optional<std::string> latin1(std::string_view text) {
  std::string bytes;
  for (std::size_t position = 0; position < text.size();) {
    const auto code = base::next_code_point(text, position);
    if (!code || *code > 0xFF) return std::nullopt;
    bytes += static_cast<char>(*code);
  }
  return bytes;
}

// Functions are named in lower case: `os._exit` is no enum.
bool looks_like_class(std::string_view full_name) {
  std::string_view name = full_name.substr(full_name.rfind('.') + 1);
  name.remove_prefix(std::min(name.find_first_not_of('_'), name.size()));
  return !name.empty() && name.front() >= 'A' && name.front() <= 'Z';
}

bool is_call(const Node& node) {
  return node.kind == NodeKind::object && node.made_by == MadeBy::call;
}

// The arguments (text, 'latin1') of a call.
std::optional<std::string> encoded_text(PickleMachine& machine, const Node& call) {
  if (call.items.size() != 2) return std::nullopt;
  const Node& text = machine.node(call.items[0]);
  const Node& encoding = machine.node(call.items[1]);
  if (text.kind != NodeKind::text || encoding.kind != NodeKind::text ||
      (encoding.text != "latin1" && encoding.text != "latin-1")) {
    return std::nullopt;
  }
  return latin1(text.text);
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> bytes_of(PickleMachine& machine, const Node& node) {
  // Text: a string of Python 2.
  if (node.kind == NodeKind::bytes || node.kind == NodeKind::text) return node.text;
  if (!is_call(node)) return std::nullopt;
  const std::string& name = machine.class_name(node);
  if (name == "_codecs.encode") return encoded_text(machine, node);
  if (name != "builtins.bytes" && name != "builtins.bytearray") return std::nullopt;
  if (node.items.empty()) return std::string();
  if (node.items.size() == 2) return encoded_text(machine, node);
  const Node& only = machine.node(node.items[0]);
  if (only.kind == NodeKind::bytes) return only.text;
  if (is_call(only) && machine.class_name(only) == "_codecs.encode") {
    return encoded_text(machine, only);
  }
  return std::nullopt;
}

Value PickleExpander::expand(NodeId id, std::size_t depth) {
  Node& node = machine_.node(id);
  budget_.take_item();
  if (!is_container(node.kind)) return expand_node(node, depth);
  if (node.is_open) {
    throw Error(ErrorKind::corruption, "pickle: a container inside itself is no plain data");
  }
  budget_.check_depth(depth + 1);
  node.is_open = true;  // an error ends all, so nothing closes it again then
  Value value = expand_node(node, depth);
  node.is_open = false;
  return value;
}

Value PickleExpander::expand_node(const Node& node, std::size_t depth) {
  budget_.take_bytes(node.text.size());
  switch (node.kind) {
    case NodeKind::none:
      return {};
    case NodeKind::boolean:
      return node.integer != 0;
    case NodeKind::integer:
      return node.integer;
    case NodeKind::big_integer:
      return BigInt{node.text};
    case NodeKind::real:
      return node.real;
    case NodeKind::text:
      return node.text;
    case NodeKind::bytes:
      return Bytes{node.text};
    case NodeKind::list:
    case NodeKind::set:
    case NodeKind::frozenset:
      return sequence(node.items, false, depth);
    case NodeKind::tuple:
      return sequence(node.items, true, depth);
    case NodeKind::dict:
      return dict({&node.items}, depth);
    case NodeKind::global:
      return Opaque{node.text, {}};
    case NodeKind::object:
      break;
  }
  return expand_object(node, depth);
}

Value PickleExpander::sequence(const std::vector<NodeId>& items, bool is_tuple,
                               std::size_t depth) {
  List list{{}, is_tuple};
  for (const NodeId item : items) list.items.push_back(expand(item, depth + 1));
  return list;
}

Value PickleExpander::dict(std::initializer_list<const std::vector<NodeId>*> parts,
                           std::size_t depth) {
  MapBuilder map;
  for (const std::vector<NodeId>* items : parts) {
    for (std::size_t i = 0; i + 1 < items->size(); i += 2) {
      Value key = expand((*items)[i], depth + 1);
      map.add(std::move(key), expand((*items)[i + 1], depth + 1));
    }
  }
  return map.take();
}

Value PickleExpander::expand_object(const Node& node, std::size_t depth) {
  const ObjectParts& parts = machine_.object(node);
  std::optional<Value> value;
  if (parts.keywords.empty()) {
    value = node.made_by == MadeBy::call ? from_call(node, depth) : from_bare(node, depth);
  }
  return value ? std::move(*value) : opaque(node, depth);
}

std::optional<Value> PickleExpander::from_call(const Node& node, std::size_t depth) {
  const ObjectParts& parts = machine_.object(node);
  const std::string& name = machine_.class_name(node);
  if (auto bytes = bytes_of(machine_, node)) return charged(Bytes{std::move(*bytes)});
  if (is_one_of(kNumpyScalars, name)) {
    auto scalar = numpy_scalar(machine_, node);
    return scalar ? std::optional<Value>(charged(std::move(*scalar))) : std::nullopt;
  }
  if (name == "numpy.dtype") {
    auto text = numpy_type_text(machine_, node);
    if (!text) return std::nullopt;
    return Opaque{name, {charged(std::move(*text))}};
  }
  if (is_one_of(kMappings, name)) return mapping(node, depth);
  if (!parts.dict_items.empty()) return dict({&parts.dict_items}, depth);
  if (!parts.list_items.empty()) return sequence(parts.list_items, false, depth);
  if (name.starts_with("builtins.")) return from_builtin(node, name.substr(9), depth);
  if (node.items.size() != 1) return std::nullopt;

  const Node& argument = machine_.node(node.items[0]);
  if (name == "pydicom.valuerep.DSdecimal" && argument.kind == NodeKind::text) {
    budget_.take_bytes(argument.text.size());
    if (const auto number = parse_double(argument.text)) return *number;
    return expand(node.items[0], depth + 1);
  }
  if (name == "collections.deque" && is_sequence(argument.kind)) {
    return sequence(argument.items, false, depth);
  }
  // The reference's own frozen lists and dicts, and its enums of text.
  if (name.starts_with("mlarray.") && parts.states.empty()) {
    if (argument.kind == NodeKind::dict) return dict({&argument.items}, depth);
    if (is_sequence(argument.kind)) {
      return sequence(argument.items, argument.kind == NodeKind::tuple, depth);
    }
    if (is_plain(argument.kind)) return expand(node.items[0], depth + 1);
  }
  // An enum member: its class called with its number.
  if (is_integer(argument.kind) && parts.states.empty() && looks_like_class(name)) {
    return expand(node.items[0], depth + 1);
  }
  return std::nullopt;
}

std::optional<Value> PickleExpander::from_builtin(const Node& node, std::string_view name,
                                                  std::size_t depth) {
  const bool is_sequence_type =
      name == "list" || name == "tuple" || name == "set" || name == "frozenset";
  if (node.items.empty()) {
    if (is_sequence_type) return List{{}, name == "tuple"};
    if (name == "dict") return Map{};
    return std::nullopt;
  }
  if (node.items.size() != 1) return std::nullopt;
  const Node& argument = machine_.node(node.items[0]);
  if (is_sequence_type && is_sequence(argument.kind)) {
    return sequence(argument.items, name == "tuple", depth);
  }
  const bool same_type = (name == "dict" && argument.kind == NodeKind::dict) ||
                         (name == "str" && argument.kind == NodeKind::text) ||
                         (name == "int" && is_integer(argument.kind)) ||
                         (name == "float" && argument.kind == NodeKind::real) ||
                         (name == "bool" && argument.kind == NodeKind::boolean);
  if (same_type) return expand(node.items[0], depth + 1);
  return std::nullopt;
}

// NEWOBJ and _reconstructor: an object of a class that may have a plain type as its base.
std::optional<Value> PickleExpander::from_bare(const Node& node, std::size_t depth) {
  const ObjectParts& parts = machine_.object(node);
  const bool has_base = node.made_by == MadeBy::reconstructor;
  const NodeKind first =
      node.items.empty() ? NodeKind::none : machine_.node(node.items[0]).kind;
  if (is_one_of(kMappings, machine_.class_name(node)) || !parts.dict_items.empty()) {
    return mapping(node, depth);
  }
  if (!parts.list_items.empty()) return sequence(parts.list_items, false, depth);
  if (has_base && (is_sequence(first) || first == NodeKind::dict)) {
    const Node& held = machine_.node(node.items[0]);
    if (first == NodeKind::dict) return dict({&held.items}, depth);
    return sequence(held.items, first == NodeKind::tuple, depth);
  }
  if (node.items.size() == 1) {
    if (first == NodeKind::tuple) {
      return sequence(machine_.node(node.items[0]).items, true, depth);
    }
    if (is_plain(first)) return expand(node.items[0], depth + 1);
    if (auto bytes = bytes_of(machine_, machine_.node(node.items[0]))) {
      return charged(Bytes{std::move(*bytes)});
    }
  }
  // A named tuple.
  if (node.items.size() >= 2 && parts.states.empty()) return sequence(node.items, true, depth);
  return std::nullopt;
}

// A dict by another name: entries given one by one, and those of the constructor before them
// (a dict, or Python 2's list of pairs).
Value PickleExpander::mapping(const Node& node, std::size_t depth) {
  std::vector<NodeId> first;
  if (!node.items.empty()) {
    const Node& argument = machine_.node(node.items.back());
    if (argument.kind == NodeKind::dict) {
      first = argument.items;
    } else if (argument.kind == NodeKind::list) {
      for (const NodeId id : argument.items) {
        const Node& pair = machine_.node(id);
        budget_.take_item();
        if (!is_sequence(pair.kind) || pair.items.size() != 2) {
          throw Error(ErrorKind::corruption, "pickle: an entry of " +
                                                 base::quote(machine_.class_name(node)) +
                                                 " that is no pair");
        }
        first.insert(first.end(), pair.items.begin(), pair.items.end());
      }
    }
  }
  return dict({&first, &machine_.object(node).dict_items}, depth);
}

// Takes what was made outside of expand() from the budget.
Value PickleExpander::charged(Value value) {
  if (const auto* text = value.get_if<std::string>()) budget_.take_bytes(text->size());
  if (const auto* bytes = value.get_if<Bytes>()) budget_.take_bytes(bytes->data.size());
  return value;
}

Value PickleExpander::opaque(const Node& node, std::size_t depth) {
  const ObjectParts& parts = machine_.object(node);
  Opaque object{machine_.class_name(node), {}};
  budget_.take_bytes(object.class_name.size());
  for (const std::vector<NodeId>* items : {&node.items, &parts.keywords, &parts.states}) {
    for (const NodeId item : *items) object.state.push_back(expand(item, depth + 1));
  }
  if (!parts.list_items.empty()) {
    object.state.push_back(sequence(parts.list_items, false, depth + 1));
  }
  if (!parts.dict_items.empty()) object.state.push_back(dict({&parts.dict_items}, depth + 1));
  return object;
}

Value decode_pickle(std::span<const std::byte> data, const DecodeLimits& limits) {
  PickleMachine machine(data, limits);
  const NodeId root = machine.run();
  return PickleExpander(machine, limits).expand(root);
}

}  // namespace mlarray::encoding
