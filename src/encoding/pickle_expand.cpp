// From the nodes of a pickle to a Value: what each class becomes.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "encoding/map_builder.hpp"
#include "encoding/pickle.hpp"
#include "encoding/pickle_machine.hpp"
#include "encoding/pickle_numpy.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

bool is_scalar(const Value& value) {
  return value.get_if<List>() == nullptr && value.get_if<Map>() == nullptr &&
         value.get_if<Opaque>() == nullptr;
}

// A mention costs its whole content each time, so that references that double at every level
// meet the budget before they fill the memory.
class PickleExpander {
 public:
  PickleExpander(PickleMachine& machine, const DecodeLimits& limits)
      : machine_(machine), budget_(limits, "pickle") {}

  Value expand(NodeId id, std::size_t depth) {
    budget_.take_item();
    Node& node = machine_.node(id);
    switch (node.kind) {
      case NodeKind::none: return {};
      case NodeKind::boolean: return node.integer != 0;
      case NodeKind::integer: return node.integer;
      case NodeKind::real: return node.real;
      case NodeKind::big_integer: budget_.take_bytes(node.text.size()); return BigInt{node.text};
      case NodeKind::text: budget_.take_bytes(node.text.size()); return node.text;
      case NodeKind::bytes: budget_.take_bytes(node.text.size()); return Bytes{node.text};
      case NodeKind::global: budget_.take_bytes(node.text.size()); return Opaque{node.text, {}};
      default: break;
    }
    budget_.check_depth(depth + 1);
    if (node.is_open) {
      throw Error(ErrorKind::unsupported,
                  "pickle: a container that holds itself; metadata is a tree");
    }
    node.is_open = true;
    Value value = expand_container(id, depth + 1);
    machine_.node(id).is_open = false;
    return value;
  }

 private:
  Value expand_container(NodeId id, std::size_t depth) {
    const Node& node = machine_.node(id);
    switch (node.kind) {
      case NodeKind::tuple: return List{expand_all(node.items, depth), true};
      case NodeKind::dict: return expand_entries({}, node.items, depth);
      case NodeKind::object: return expand_object(id, depth);
      default: return List{expand_all(node.items, depth), false};  // list, set, frozenset
    }
  }

  std::vector<Value> expand_all(const std::vector<NodeId>& ids, std::size_t depth) {
    std::vector<Value> out;
    for (const NodeId id : ids) out.push_back(expand(id, depth));
    return out;
  }

  Value expand_entries(const Map& before, const std::vector<NodeId>& ids, std::size_t depth) {
    MapBuilder map;
    for (const auto& [key, value] : before.items) map.add(key, value);
    for (std::size_t i = 0; i + 1 < ids.size(); i += 2) {
      Value key = expand(ids[i], depth);
      map.add(std::move(key), expand(ids[i + 1], depth));
    }
    return map.take();
  }

  Value expand_object(NodeId id, std::size_t depth) {
    const Node& node = machine_.node(id);
    const std::string name = machine_.class_name(node);
    const ObjectParts parts = machine_.object(node);
    std::vector<Value> arguments = expand_all(node.items, depth);
    std::vector<Value> states = expand_all(parts.states, depth);
    if (parts.keywords.empty()) {
      if (auto plain = known_class(name, arguments, states, parts, depth)) return *plain;
      if (auto plain = base_of(name, node.made_by, arguments, parts, depth)) return *plain;
    }
    return opaque(name, std::move(arguments), std::move(states), parts, depth);
  }

  // Functions and classes whose result is known by name.
  std::optional<Value> known_class(const std::string& name, const std::vector<Value>& arguments,
                                   const std::vector<Value>& states, const ObjectParts& parts,
                                   std::size_t depth) {
    const auto only = [&]() -> const Value* {
      return arguments.size() == 1 ? &arguments.front() : nullptr;
    };
    if (name == "_codecs.encode" && arguments.size() == 2) return latin1_bytes(arguments[0]);
    if (name == "builtins.set" || name == "builtins.frozenset" || name == "builtins.list") {
      List out;
      if (const auto* given = only() != nullptr ? only()->get_if<List>() : nullptr) out = *given;
      out.is_tuple = false;
      for (Value& item : expand_all(parts.list_items, depth)) out.items.push_back(std::move(item));
      return out;
    }
    if (name == "builtins.bytes" || name == "builtins.bytearray") {
      if (arguments.empty()) return Bytes{};
      if (arguments[0].get_if<Bytes>() != nullptr) return arguments[0];
      if (arguments[0].get_if<std::string>() != nullptr) return latin1_bytes(arguments[0]);
      return std::nullopt;
    }
    if (name == "collections.OrderedDict" || name == "collections.defaultdict" ||
        name == "collections.Counter" || name == "builtins.dict") {
      return expand_entries(pairs(arguments), parts.dict_items, depth);
    }
    if (name == "numpy.dtype") return numpy_dtype(arguments, states);
    if (name == "numpy.core.multiarray.scalar" || name == "numpy._core.multiarray.scalar") {
      return numpy_scalar(arguments);
    }
    if (name == "pydicom.valuerep.DSdecimal" && only() != nullptr) {
      if (const auto* text = only()->get_if<std::string>()) {
        double value = 0;
        const auto end = text->data() + text->size();
        const auto parsed = std::from_chars(text->data(), end, value);
        if (parsed.ec == std::errc{} && parsed.ptr == end) return value;
      }
    }
    return std::nullopt;
  }

  // Enum members, and subclasses of plain types.
  std::optional<Value> base_of(const std::string& name, MadeBy made_by,
                               const std::vector<Value>& arguments, const ObjectParts& parts,
                               std::size_t depth) {
    const bool no_items = parts.list_items.empty() && parts.dict_items.empty();
    if (made_by == MadeBy::call) {
      if (arguments.size() != 1 || !parts.states.empty() || !no_items) return std::nullopt;
      const Value& only = arguments.front();
      if (only.get_if<std::int64_t>() != nullptr) return only;
      // The package's own enums of text, frozen lists and frozen dicts, as versions up to 0.0.54
      // stored them.
      return name.starts_with("mlarray.") ? std::optional(only) : std::nullopt;
    }
    if (made_by == MadeBy::reconstructor) {
      if (arguments.size() != 1) return std::nullopt;
      const Value& only = arguments.front();
      if (const auto* map = only.get_if<Map>()) {
        return expand_entries(*map, parts.dict_items, depth);
      }
      return is_scalar(only) || only.get_if<List>() != nullptr ? std::optional(only)
                                                               : std::nullopt;
    }
    if (arguments.size() == 1 && no_items) {
      const Value& only = arguments.front();
      if (!only.is_none() && (is_scalar(only) || only.get_if<List>() != nullptr)) return only;
    }
    if (arguments.empty() && !parts.dict_items.empty() && parts.list_items.empty()) {
      return expand_entries({}, parts.dict_items, depth);
    }
    if (arguments.empty() && !parts.list_items.empty() && parts.dict_items.empty()) {
      return List{expand_all(parts.list_items, depth), false};
    }
    return std::nullopt;
  }

  Value opaque(const std::string& name, std::vector<Value> arguments, std::vector<Value> states,
               const ObjectParts& parts, std::size_t depth) {
    budget_.take_bytes(name.size());
    Opaque out{name, std::move(arguments)};
    const auto add = [&](std::vector<Value> values) {
      std::move(values.begin(), values.end(), std::back_inserter(out.state));
    };
    add(expand_all(parts.keywords, depth));
    add(std::move(states));
    if (!parts.list_items.empty()) out.state.push_back(List{expand_all(parts.list_items, depth)});
    if (!parts.dict_items.empty()) {
      out.state.push_back(expand_entries({}, parts.dict_items, depth));
    }
    return out;
  }

  // What OrderedDict was given: nothing, or a list of pairs.
  static Map pairs(const std::vector<Value>& arguments) {
    MapBuilder map;
    for (const Value& argument : arguments) {
      if (const auto* given = argument.get_if<Map>()) {
        for (const auto& [key, value] : given->items) map.add(key, value);
      } else if (const auto* list = argument.get_if<List>()) {
        for (const Value& item : list->items) {
          const auto* pair = item.get_if<List>();
          if (pair != nullptr && pair->items.size() == 2) map.add(pair->items[0], pair->items[1]);
        }
      }
    }
    return map.take();
  }

  // Protocols 0 to 2 have no bytes: text of code points below 256 stands for them.
  static std::optional<Value> latin1_bytes(const Value& value) {
    const auto* text = value.get_if<std::string>();
    if (text == nullptr) return std::nullopt;
    std::string out;
    for (std::size_t position = 0; position < text->size();) {
      const auto code = base::next_code_point(*text, position);
      if (!code || *code > 0xff) return std::nullopt;
      out.push_back(static_cast<char>(static_cast<unsigned char>(*code)));
    }
    return Bytes{std::move(out)};
  }

  PickleMachine& machine_;
  Budget budget_;
};

}  // namespace

Value decode_pickle(std::span<const std::byte> data, const DecodeLimits& limits) {
  PickleMachine machine(data, limits);
  const NodeId root = machine.run();
  return PickleExpander(machine, limits).expand(root, 0);
}

}  // namespace mlarray::encoding
